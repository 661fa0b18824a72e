// Handshakes by messages: four requests, or three with TRICKLE=false.

import { Load, text } from './lib/env.js';
import { messages } from './lib/handshake.js';
import { options as common } from './lib/options.js';
import { counted } from './lib/peer.js';
import { summary } from './lib/summary.js';

const load = new Load({ rate: 100, duration: '30s' });
const trickle = text('TRICKLE', 'true') === 'true';

export const options = common({
  scenarios: { handshakes: load.scenario('handshake') },
  metric: 'handshake_time',
  p95: 300,
  p99: 1000,
  load,
  thresholds: { handshakes: ['count>0'], handshake_requests: [`max<=${trickle ? 4 : 3}`] },
});

export { setup } from './lib/options.js';
export const handshake = counted(() => messages({ trickle }));
export const handleSummary = summary('messages', load);
