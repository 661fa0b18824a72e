// What callers pass: checked, and brought into the form that the rest uses.

import { SignalError } from './errors.js';

const MAX_KEY = 32; // characters (Unicode code points)

/** Returns the URL under which the server is mounted. In a page it may be relative. */
export function baseOf(url) {
  const base = new URL(url, globalThis.location?.href);
  if (base.protocol !== 'http:' && base.protocol !== 'https:') throw new TypeError(`url is ${base.protocol}, must be http or https`);
  if (base.search || base.hash) throw new TypeError('url has a query or a fragment');
  return base;
}

export function roleOf(role) {
  if (role !== 'offer' && role !== 'answer') throw new TypeError(`role is ${role}, must be "offer" or "answer"`);
  return role;
}

export const otherRole = (role) => (role === 'offer' ? 'answer' : 'offer');

export function keyOf(key) {
  const trimmed = String(key ?? '').trim();
  if (trimmed === '') throw new SignalError('KeyIsEmpty');
  if ([...trimmed].length > MAX_KEY) throw new SignalError('KeyIsTooLong');
  return trimmed;
}
