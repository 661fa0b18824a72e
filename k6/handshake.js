// Handshakes by the classic endpoints, with waits.

import { Load } from './lib/env.js';
import { classic } from './lib/handshake.js';
import { options as common } from './lib/options.js';
import { counted } from './lib/peer.js';
import { summary } from './lib/summary.js';

const load = new Load({ rate: 30, duration: '30s' });

export const options = common({
  scenarios: { handshakes: load.scenario('handshake') },
  metric: 'handshake_time',
  p95: 500,
  p99: 1500,
  load,
  thresholds: { handshakes: ['count>0'], handshake_requests: ['max<=21'], 'http_req_duration{held:no}': ['p(99)<=1500'] },
});

export { setup } from './lib/options.js';
export const handshake = counted(classic);
export const handleSummary = summary('handshake', load);
