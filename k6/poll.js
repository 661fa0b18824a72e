// Empty polls, the cheapest request there is: a client asks again and again for a candidate that nobody has posted.

import { Load, number } from './lib/env.js';
import { CandidateNoValues } from './lib/msgs.js';
import { options as common } from './lib/options.js';
import { newKey } from './lib/payload.js';
import { counted, now, Peer } from './lib/peer.js';
import { summary } from './lib/summary.js';

const load = new Load({ rate: 500, duration: '30s', busy: 0.2 });

// How long a virtual user polls one session, in seconds: less than a session may live. An idle one may have expired before
// that.
const age = number('SESSION', 120) * 1000;
const idle = 10_000;

export const options = common({
  scenarios: { polls: load.scenario('poll') },
  metric: 'http_req_duration{name:GET /answer/candidate}',
  p95: 100,
  p99: 500,
  load,
  relays: false,
});

let answerer; // of this virtual user
let opened;
let used;

export { setup } from './lib/options.js';

export const poll = counted(async () => {
  if (!answerer || now() - opened > age || now() - used > idle) {
    const key = newKey();
    await new Peer(key, 'offer').post('/sdp', { data: 'v=0' });
    answerer = new Peer(key, 'answer');
    opened = now();
  }
  used = now();
  await answerer.poll('/candidate', CandidateNoValues);
});

export const handleSummary = summary('poll', load);
