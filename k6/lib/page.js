// The result as one HTML page that needs nothing else: no script, nothing from elsewhere.

import { shown, trendStats } from './figures.js';

// page returns the page of a result of summary.js.
export function page(result) {
  const { name, passed, target, load, seconds, finished, thresholds, trends, counters, rates, gauges, checks } = result;
  const broken = thresholds.filter(({ ok }) => !ok).length;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${name}: ${passed ? 'passed' : 'failed'}</title>
<style>${raw(style)}</style>
</head>
<body>
<header>
<h1>${name} <span class="${passed ? 'ok' : 'bad'}">${passed ? 'passed' : 'failed'}</span></h1>
<p>${passed ? `all ${thresholds.length} thresholds held` : `${broken} of ${thresholds.length} thresholds broken`}</p>
<dl>
<div><dt>target</dt><dd>${target}</dd></div>
<div><dt>load</dt><dd>${load}</dd></div>
<div><dt>took</dt><dd>${seconds} s</dd></div>
<div><dt>finished</dt><dd>${finished}</dd></div>
</dl>
</header>
<main>
<h2>Thresholds</h2>
${table(['', 'metric', 'limit', 'got'], thresholds.map(({ ok, metric, expression, got }) =>
    [verdict(ok), metric, expression.replace(/<=|==|>/, (sign) => ({ '<=': ' ≤ ', '==': ' = ', '>': ' > ' })[sign]), number(got)]))}
<h2>Trends</h2>
${table(['metric', 'unit', ...trendStats, 'median to p(99)'], trends.map((trend) =>
    [trend.metric, trend.unit, ...trendStats.map((stat) => number(trend[stat])), bar(trend, trends)]))}
<h2>Counters</h2>
${table(['metric', 'unit', 'count', 'a second'], counters.map(({ metric, unit, count, rate }) =>
    [metric, unit, number(count), number(rate)]))}
<h2>Rates and gauges</h2>
${table(['metric', 'value', 'yes', 'no'], [
    ...rates.map(({ metric, rate, passes, fails }) => [metric, number(rate), number(passes), number(fails)]),
    ...gauges.map(({ metric, value }) => [metric, number(value), '', '']),
  ])}
<h2>Checks</h2>
${table(['', 'check', 'passes', 'fails'], checks.map(({ name, passes, fails }) =>
    [verdict(fails === 0), name, number(passes), number(fails)]))}
</main>
</body>
</html>
`.text;
}

// Markup is text that needs no escaping any more; html makes it, and escapes everything else that is put into it.
class Markup {
  constructor(text) {
    this.text = text;
  }
}

function raw(text) {
  return new Markup(text);
}

function html(parts, ...values) {
  return raw(parts.reduce((text, part, i) => text + escaped(values[i - 1]) + part));
}

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escaped(value) {
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(escaped).join('');
  return String(value).replace(/[&<>"']/g, (character) => entities[character]);
}

// table returns a table, which scrolls where the screen is narrow.
function table(head, rows) {
  if (rows.length === 0) return html`<p>none</p>`;
  return html`<div class="wide"><table>
<thead><tr>${head.map((cell, i) => html`<th class="${kindOf(rows[0][i])}">${cell}</th>`)}</tr></thead>
<tbody>
${rows.map((row) => html`<tr>${row.map((cell) => cell instanceof Markup ? cell : html`<td>${cell}</td>`)}</tr>
`)}</tbody>
</table></div>`;
}

// kindOf returns how the head of a cell's column stands: as the cell does.
function kindOf(cell) {
  return cell instanceof Markup && cell.text.startsWith('<td class="number">') ? 'number' : 'text';
}

function number(value) {
  return html`<td class="number">${shown(value)}</td>`;
}

function verdict(ok) {
  return html`<td class="${ok ? 'ok' : 'bad'}">${ok ? '✓' : '✗ broken'}</td>`;
}

// bar draws where median and p(99) lie, on one logarithmic scale for all trends of that unit: 0.01 ms to the greatest.
function bar(trend, trends) {
  if (trend.unit !== 'ms') return '';
  const least = 0.01;
  const most = Math.max(1, ...trends.filter(({ unit }) => unit === 'ms').map(({ max }) => max));
  const at = (value) => 100 * Math.log(Math.max(value, least) / least) / Math.log(most / least);
  const from = at(trend.med);
  const width = Math.max(1, at(trend['p(99)']) - from);
  const place = `left:${Math.min(99, from).toFixed(1)}%;width:${width.toFixed(1)}%`;
  return html`<td><span class="scale"><span style="${place}"></span></span></td>`;
}

const style = `
:root {
  --text: #1c2024; --faint: #60646c; --ground: #fff; --raised: #f0f1f4; --line: #dcdfe4;
  --good: #14713d; --wrong: #b3261e; --bar: #3b6fd4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e6e8eb; --faint: #9ba1a9; --ground: #15171a; --raised: #22262b; --line: #33373d;
    --good: #5bd08c; --wrong: #ff8a80; --bar: #7ea6f4;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 76rem;
  color: var(--text); background: var(--ground); font: 15px/1.5 system-ui, sans-serif;
}
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; }
h1 span { margin-left: .4rem; padding: .1rem .6rem; border: 1px solid; border-radius: 1rem; font-size: 1rem; vertical-align: middle; }
h2 { margin: 2.25rem 0 .5rem; font-size: 1.1rem; }
p { margin: .4rem 0; color: var(--faint); }
dl {
  display: flex; flex-wrap: wrap; gap: .5rem 2.5rem; margin: 1rem 0 0; padding: .8rem 1rem;
  background: var(--raised); border-radius: .5rem;
}
dt { color: var(--faint); font-size: .8rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--faint); font-size: .8rem; font-weight: 500; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.ok, td.bad { width: 1%; }
.ok { color: var(--good); }
.bad { color: var(--wrong); font-weight: 600; }
.scale { display: block; position: relative; min-width: 8rem; height: .5rem; border-radius: .25rem; background: var(--raised); }
.scale span { position: absolute; height: 100%; border-radius: .25rem; background: var(--bar); }
`;
