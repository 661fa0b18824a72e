// The result of a run: as text for the terminal and, if OUT names a directory, as JSON and as a page in it.

import { shownTarget } from './env.js';
import { shown, trendStats } from './figures.js';
import { page } from './page.js';

// summary returns the function that k6 calls at the end of the run of that name. load says how much was asked for.
export function summary(name, load) {
  return (data) => {
    const result = resultOf(name, load, data);
    const files = { stdout: textOf(result) };
    if (__ENV.OUT) {
      files[`${__ENV.OUT}/${name}.json`] = `${JSON.stringify(result, null, 2)}\n`;
      files[`${__ENV.OUT}/${name}.html`] = page(result);
    }
    return files;
  };
}

// resultOf returns what text, JSON and page show. Times are milliseconds.
function resultOf(name, load, data) {
  const result = {
    name,
    target: shownTarget,
    finished: new Date().toISOString(),
    load: loadOf(load),
    seconds: round(data.state.testRunDurationMs / 1000),
    passed: true,
    thresholds: [],
    trends: [],
    counters: [],
    rates: [],
    gauges: [],
    checks: checksOf(data.root_group),
  };
  for (const metric of Object.keys(data.metrics).sort()) {
    const { type, contains, values, thresholds = {} } = data.metrics[metric];
    const rounded = {};
    // A rate as it is: 0.9999 is not 1.
    for (const stat of Object.keys(values)) rounded[stat] = type === 'rate' ? values[stat] : round(values[stat]);
    for (const expression of Object.keys(thresholds).sort()) {
      const { ok } = thresholds[expression];
      result.thresholds.push({ metric, expression, got: gotOf(expression, rounded), ok });
      result.passed = result.passed && ok;
    }
    result[`${type}s`].push({ metric, unit: unitOf(contains), ...rounded });
  }
  const judged = new Set(result.thresholds.map(({ metric }) => metric));
  // First what was decided on, then what k6 counts besides. The sort is stable.
  result.trends.sort((a, b) => judged.has(b.metric) - judged.has(a.metric));
  return result;
}

function loadOf({ rate, seconds, stages = [], hold }) {
  const steps = stages.map((stage) => `${round(stage.seconds)} s to ${stage.target}/s`);
  const parts = [stages.length > 0 ? `from ${rate}/s` : `${rate}/s`, ...(steps.length > 6 ? [...steps.slice(0, 6), '…'] : steps), `for ${round(seconds)} s`];
  if (hold) parts.unshift(`${hold} waiters`);
  return parts.join(', ');
}

// gotOf returns the value that a threshold such as p(95)<=300 speaks of.
function gotOf(expression, values) {
  const value = values[/^[a-z]+(\([\d.]+\))?/.exec(expression)[0]];
  return value === undefined ? null : value;
}

function unitOf(contains) {
  return { time: 'ms', data: 'B' }[contains] || '';
}

// checksOf returns the checks of the group and those in it.
function checksOf({ checks, groups }) {
  return [
    ...checks.map(({ name, passes, fails }) => ({ name, passes, fails })),
    ...groups.flatMap(checksOf),
  ];
}

// round keeps what is of interest: three decimals of a small number, none of a great one.
function round(value) {
  const decimals = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return Number(value.toFixed(decimals));
}

function textOf(result) {
  return [
    '',
    `${result.name}: ${result.passed ? 'passed' : 'FAILED'} after ${result.seconds} s, ${result.load}, ${result.target}`,
    '',
    ...table(['', 'threshold', 'limit', 'got'],
      result.thresholds.map(({ ok, metric, expression, got }) => [ok ? 'ok' : 'FAILED', metric, expression, shown(got)])),
    '',
    ...table(['trend', 'unit', ...trendStats],
      result.trends.map((trend) => [trend.metric, trend.unit, ...trendStats.map((stat) => shown(trend[stat]))])),
    '',
    ...table(['counter', 'count', 'a second'],
      result.counters.map(({ metric, count, rate }) => [metric, shown(count), shown(rate)])),
    '',
    ...table(['failed check', 'passes', 'fails'],
      result.checks.filter(({ fails }) => fails > 0).map(({ name, passes, fails }) => [name, shown(passes), shown(fails)])),
    '',
  ].join('\n');
}

// table returns the rows as lines of columns, or no lines without rows. Numbers go to the right.
function table(head, rows) {
  if (rows.length === 0) return [];
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const right = head.map((_, column) => rows.every((row) => /^[\d.e+–-]+$/.test(row[column])));
  return all.map((row) => row.map((cell, column) =>
    right[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])).join('  ').trimEnd());
}
