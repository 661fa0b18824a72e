// What all scripts ask of k6, of the target and of the result.

import exec from 'k6/execution';
import http from 'k6/http';

import { number, shownTarget, target, text } from './env.js';
import { trendStats } from './figures.js';
import { faults } from './payload.js';
import { failures, lateNews } from './peer.js';

// options returns k6's options for the scenarios. p95 and p99 are limits of the metric's percentiles in milliseconds, where the
// environment says nothing else. load is what drives the run, where one in a hundred iterations may be dropped. relays says
// that payloads go from peer to peer.
export function options({ scenarios, metric, p95, p99, load, relays = true, thresholds = {} }) {
  const limits = { p95: number('P95', p95), p99: number('P99', p99) };
  const all = {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    failures: ['count==0'],
    iterations: ['count>0'], // a run that did nothing breaks nothing else
    [metric]: [`p(95)<=${limits.p95}`, `p(99)<=${limits.p99}`],
    ...thresholds,
  };
  for (const fault of relays ? [...Object.values(faults), lateNews] : []) all[fault.name] = ['count==0'];
  // More than one in a hundred that could not begin: then this was not the load that was asked for. Give it more VUS, or the
  // server less.
  if (load) all.dropped_iterations = [`count<=${Math.floor(load.iterations / 100)}`];
  return {
    scenarios,
    thresholds: all,
    summaryTrendStats: [...trendStats, 'avg'],
    systemTags: ['name', 'method', 'status', 'scenario', 'error_code', 'check'],
    setupTimeout: '30s',
    userAgent: 'signal-server-k6',
    insecureSkipTLSVerify: text('INSECURE', '') === 'true',
  };
}

// setup is for k6 to call before the load: it asks whether the target is ready.
export function setup() {
  const response = http.get(`${target}/readyz`, { tags: { name: 'GET /readyz', held: 'no' }, responseCallback: null });
  if (response.status !== 200) {
    exec.test.abort(`${shownTarget}/readyz: got ${response.error || response.status}, want 200`);
  }
  // A metric without a sample is missing in the summary. These must be there even when they are 0.
  for (const counter of [failures, lateNews, ...Object.values(faults)]) counter.add(0);
}
