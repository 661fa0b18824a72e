// When a request is sent again, and after which pause.

/** How often a Session sends a request, and how long it pauses. It gives up after 4 pauses, 3 s in all at most, as the Go client does. */
export const RETRY = { attempts: 5, base: 200, max: 5_000 };

const LONGEST_WISH = 86_400_000; // a day: nobody waits longer

/** Returns the pause that a Retry-After header asks for (RFC 9110, Section 10.2.3), or 0 if it has no sensible value. */
export function parseRetryAfter(text) {
  if (!text) return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? Math.min(ms, LONGEST_WISH) : 0;
}

/** Reports whether the server itself said that it did not carry the request out, and may do so later. */
const isRefusedForNow = ({ msg, status, code }) =>
  (status === 408 || status === 429 || status === 503) && msg !== '' && code !== 'QueueIsFull';

/** Reports whether a request may be sent again. One that must not be carried out twice (once) may, if the server refused it. */
export function mayRepeat(error, { once }) {
  if (isRefusedForNow(error)) return true;
  if (once || error.code === 'QueueIsFull') return false;
  const { code, status } = error;
  return code === 'Unreachable' || code === 'NoAnswer' || (code === 'BrokenAnswer' && [200, 408, 429, 502, 503, 504].includes(status));
}

/**
 * Returns how long to pause. The pause doubles with each failure. A random part of up to half is taken off, so that clients do not
 * all return at once.
 */
export function pauseAfter(attempt, retryAfter, { base, max }) {
  const longest = Math.min(max, base * 2 ** (attempt - 1));
  const pause = longest * (1 - Math.random() / 2);
  return retryAfter > pause ? retryAfter + Math.random() * base : pause;
}
