// The connections of a page to one server. Over HTTP/1.1 a request that waits takes one for as long, and a browser has six for all
// pages of a host. Over HTTP/2 all requests share one.

/** How many requests of a page may wait for long, so that two connections are left for those that do not. */
const LANES = 4;

/** How long any other one waits, in ms, before it lets the next have the connection. */
const BRIEF = 1_500;

const waiting = new Map(); // origin → how many requests wait for long

/** A request is about to wait for so many ms. Returns how long it may, and what to call when it is over. */
export function takeLane({ origin, protocol }, wait) {
  if (!(wait > BRIEF) || !isNarrow(origin, protocol)) return { wait, leave() {} };
  const others = waiting.get(origin) ?? 0;
  if (others >= LANES) return { wait: BRIEF, leave() {} };
  waiting.set(origin, others + 1);
  return { wait, leave() { waiting.set(origin, waiting.get(origin) - 1); } };
}

/** Reports whether this is a page that has few connections to the server. What it cannot find out is taken for HTTP/2. */
function isNarrow(origin, protocol) {
  if (!globalThis.location) return false; // not in a page: nobody counts connections
  if (protocol === 'http:') return true; // browsers speak HTTP/2 over TLS only
  const known = performance.getEntriesByType('resource').findLast(({ name, nextHopProtocol }) => nextHopProtocol && name.startsWith(`${origin}/`));
  return known?.nextHopProtocol === 'http/1.1';
}
