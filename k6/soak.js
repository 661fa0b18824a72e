// A mix of everything for an hour, at a rate that comes and goes like a tide, with clients that die: they hang up in the middle
// of a wait, come back and ask again, or never come back.

import exec from 'k6/execution';
import http from 'k6/http';
import { Counter } from 'k6/metrics';

import { gracefulStop, Load, number, shownTarget, target } from './lib/env.js';
import { agree, classic, messages, pair } from './lib/handshake.js';
import { CandidateNoValues } from './lib/msgs.js';
import { options as common } from './lib/options.js';
import { compare } from './lib/payload.js';
import { bodyOf, complain, counted, Peer, sleep } from './lib/peer.js';
import { summary } from './lib/summary.js';

const load = new Load({ rate: 20, duration: '1h', busy: 3 }).tide();
const p99 = number('P99', 1500); // milliseconds

const deaths = new Counter('deaths');
const recoveries = new Counter('recoveries'); // deaths after which nothing was missing
const notReady = new Counter('not_ready');

export const options = common({
  scenarios: {
    mix: load.scenario('mix'),
    ready: {
      exec: 'ready',
      executor: 'constant-arrival-rate',
      rate: 1,
      timeUnit: '2s',
      duration: `${load.seconds}s`,
      preAllocatedVUs: 1,
      maxVUs: 10,
      gracefulStop,
    },
  },
  metric: 'handshake_time',
  p95: 500,
  p99,
  load,
  thresholds: {
    handshakes: ['count>0'],
    not_ready: ['count==0'],
    // Begin and end of the run apart: what grows over an hour is seen here.
    'handshake_time{part:first}': [`p(99)<=${p99}`],
    'handshake_time{part:last}': [`p(99)<=${p99}`],
  },
});

export { setup } from './lib/options.js';

// Of a hundred iterations so many are of each kind.
const mixture = [
  [60, () => messages()],
  [20, () => classic()],
  [8, repeat],
  [7, comeBack],
  [5, abandon],
];

export const mix = counted(async () => {
  const progress = exec.scenario.progress;
  exec.vu.metrics.tags.part = progress < 0.25 ? 'first' : progress < 0.75 ? 'middle' : 'last';
  let dice = Math.random() * 100;
  const [, run] = mixture.find(([share]) => (dice -= share) < 0);
  await run();
});

// The server notices the end of a dead client's connection a little later than the client.
const settling = 100; // milliseconds

// repeat: the offerer dies while its offer is held for the answer. It repeats the request, which must not be applied twice, and
// gets its answer.
async function repeat() {
  const peers = pair();
  const { offerer, answerer, offer, answer } = peers;
  await die(offerer, 'POST', '/messages', { body: bodyOf(offer), token: 'offer' });
  await Promise.all([
    offerer.write(offer, { held: true, token: 'offer' }),
    sleep(Math.random() * settling)
      .then(() => answerer.read(offer.length))
      .then(() => answerer.write(answer, { token: 'answer' })),
  ]);
  recovered(agree(peers));
}

// comeBack: the answerer dies while it waits to take, once before the session is opened and once after. What is posted then is
// still there for it when it comes back.
async function comeBack() {
  const { offerer, answerer, offer } = pair();
  await die(answerer, 'GET', '/sdp');
  await offerer.post('/sdp', { data: offer[0].data });
  answerer.take('sdp', await answerer.wait('/sdp'));
  await die(answerer, 'GET', '/candidate');
  for (const { data } of offer.slice(1)) await offerer.post('/candidate', data);
  while (answerer.news.length < offer.length) answerer.take('candidate', ...await answerer.wait('/candidates'));
  answerer.take('candidate', ...await answerer.poll('/candidates', '', CandidateNoValues) || []);
  recovered(compare(answerer.news, offer));
}

// abandon: a session that nobody ends, with what was written in it by then. The server must end it when its time is over.
async function abandon() {
  const { offerer, answerer, offer, answer } = pair();
  await die(offerer, 'POST', '/messages', { body: bodyOf(offer) });
  if (Math.random() < 0.5) return;
  await answerer.read(offer.length);
  await answerer.write(answer);
  await die(answerer, 'GET', '/messages', { cursor: true });
}

async function die(peer, method, path, options) {
  await peer.leave(method, path, 200 + Math.random() * 800, options);
  deaths.add(1);
  await sleep(settling);
}

function recovered(whole) {
  if (whole) recoveries.add(1);
}

export function ready() {
  const response = http.get(`${target}/readyz`, { tags: { name: 'GET /readyz', held: 'no' } });
  if (response.status === 200) return;
  notReady.add(1);
  complain(new Error(`${shownTarget}/readyz: got ${response.error || response.status}, want 200`));
}

export const handleSummary = summary('soak', load);
