// Many idle waiters, then news for all of them: HOLD peers wait for as many others, each on a connection of its own, and after
// DURATION the others come, RATE of them a second.
//
// Every other waiter is an offerer that has a session and waits for its answer. The rest are answerers that wait for sessions
// that nobody has opened.

import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';

import { number, seconds, timeout, whole } from './lib/env.js';
import { KeyNotFound, SdpNoValues } from './lib/msgs.js';
import { options as common, setup as begin } from './lib/options.js';
import { candidates, compare, newKey, noteOf, sdp } from './lib/payload.js';
import { counted, lateAfter, lateNews, now, Peer, sleep } from './lib/peer.js';
import { summary } from './lib/summary.js';

const hold = whole('HOLD', 500);
const idle = seconds('DURATION', '15s');
const wait = number('WAIT', 30, 1, 30);
const rate = whole('RATE', 100);

// Connections come at 1,000 a second at the most: this is no test of a listener's backlog.
const ramp = Math.max(1, hold / 1000);
const telling = Math.ceil(hold / rate) + 1;
if (ramp + idle + telling > 270) {
  throw new Error(`HOLD, DURATION and RATE make ${ramp + idle + telling} s, must be 270 or less: sessions end after 300 s`);
}

const newsDelay = new Trend('news_delay', true); // from before the POST until the waiting request is answered
const waits = new Trend('waits_per_waiter'); // how often one had to ask
const told = new Counter('waiters_told');

export const options = common({
  scenarios: {
    waiters: {
      exec: 'hear',
      executor: 'per-vu-iterations',
      vus: hold,
      iterations: 1,
      maxDuration: `${Math.ceil(ramp + idle + telling + wait)}s`,
      gracefulStop: `${wait + timeout}s`,
    },
    news: {
      exec: 'tell',
      executor: 'constant-arrival-rate',
      startTime: `${Math.ceil(ramp + idle)}s`,
      duration: `${telling}s`,
      rate,
      preAllocatedVUs: Math.max(10, rate),
      maxVUs: Math.max(10, 2 * rate),
    },
  },
  metric: 'news_delay',
  p95: 300,
  p99: 1000,
  thresholds: {
    waiters_told: [`count==${hold}`],
    // Each wait lasts as long as was asked for, not less. (Where the server's own maximum is less than WAIT, say so by WAIT.)
    waits_per_waiter: [`max<=${Math.ceil((ramp + idle + telling) / wait) + 1}`],
    dropped_iterations: ['count==0'],
  },
});

export function setup() {
  begin();
  return newKey();
}

// keyOf returns the key of the waiter with that number, as random as the run's.
function keyOf(run, number) {
  return run.slice(8) + number.toString(16).padStart(8, '0');
}

function roleOf(number) {
  return number % 2 === 0 ? 'offer' : 'answer';
}

function other(role) {
  return role === 'offer' ? 'answer' : 'offer';
}

function messagesOf(key, role, note) {
  return [sdp(key, role, note), ...candidates(key, role)];
}

// hear is what a waiter does.
export const hear = counted(async (run) => {
  const number = exec.scenario.iterationInTest;
  const key = keyOf(run, number);
  const role = roleOf(number);
  await sleep(Math.random() * ramp * 1000);
  const peer = new Peer(key, role, wait);
  if (role === 'offer') await peer.write(messagesOf(key, role));
  let data = null;
  let count = 0;
  while (data === null) {
    const want = ['', SdpNoValues, KeyNotFound];
    data = await peer.ask('GET', '/messages', { held: true, cursor: true, want, late: Infinity }); // it is long on purpose
    count++;
  }
  const posted = noteOf(data.messages[0]);
  const delay = now() - Number(posted);
  newsDelay.add(delay);
  if (delay >= lateAfter) lateNews.add(1);
  waits.add(count);
  if (compare(data.messages, messagesOf(key, other(role), posted))) told.add(1);
});

// tell brings the news to one waiter.
export const tell = counted(async (run) => {
  const number = exec.scenario.iterationInTest;
  if (number >= hold) return;
  const key = keyOf(run, number);
  const role = other(roleOf(number));
  const peer = new Peer(key, role);
  await peer.write(messagesOf(key, role, String(now())));
  compare(peer.news, role === 'answer' ? messagesOf(key, 'offer') : []);
});

export const handleSummary = summary('hold', { rate, seconds: idle, hold });
