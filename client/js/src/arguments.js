// What callers pass: checked, and brought into the form that the rest uses.

import { SignalError } from './errors.js';
import { isToken } from './token.js';

const MAX_KEY = 32; // characters (Unicode code points)

/** Reports whether the value can be an RTCIceServer. What its urls mean is for the peer connection to say. */
export const isIceServer = (value) => [value?.urls].flat().every((url) => typeof url === 'string');

/** What an option may be, and how that is told. What is secret is not repeated. */
const KINDS = {
  time: [(value) => typeof value === 'number' && value >= 0, 'a number of milliseconds, 0 or more'],
  count: [(value) => typeof value === 'number' && value >= 1, 'a number, 1 or more'],
  flag: [(value) => typeof value === 'boolean', 'a boolean'],
  text: [(value) => typeof value === 'string', 'a string'],
  place: [(value) => value === 'header' || value === 'query', '"header" or "query"'],
  token: [(value) => typeof value === 'function' || isToken(value), 'visible ASCII characters, or a function that returns them', true],
  ice: [(value) => typeof value === 'boolean' || [value].flat().every(isIceServer), 'a boolean, an RTCIceServer, or a list of these', true],
  task: [(value) => typeof value === 'function', 'a function'],
  signal: [(value) => typeof value.aborted === 'boolean' && typeof value.addEventListener === 'function', 'an AbortSignal'],
  group: [(value) => typeof value === 'object', 'an object'],
};

/**
 * Returns the options that were given, and the defaults for the rest. What is undefined or null was not given. kinds has the kind
 * of each option that is checked here; the others are returned as they are.
 */
export function optionsOf(given, kinds, defaults = {}) {
  if (given !== undefined && (given === null || typeof given !== 'object')) throw new TypeError(`options are ${given}, must be an object`);
  const options = { ...given };
  for (const [name, kind] of Object.entries(kinds)) {
    const value = options[name] ?? undefined;
    const [fits, wanted, secret] = KINDS[kind];
    if (value !== undefined && !fits(value)) throw new TypeError(`${name} is ${secret ? 'not valid' : String(value)}, must be ${wanted}`);
    options[name] = value ?? defaults[name];
  }
  return options;
}

/** Returns the URL under which the server is mounted. In a page it may be relative. */
export function baseOf(url) {
  if (typeof url !== 'string' && typeof url?.href !== 'string') throw new TypeError(`url is ${String(url)}, must be a string or a URL`);
  const base = new URL(url, globalThis.location?.href);
  if (base.protocol !== 'http:' && base.protocol !== 'https:') throw new TypeError(`url is ${base.protocol}, must be http or https`);
  if (base.search || base.hash) throw new TypeError('url has a query or a fragment');
  return base;
}

export function roleOf(role) {
  if (role !== 'offer' && role !== 'answer') throw new TypeError(`role is ${String(role)}, must be "offer", "answer" or, for connect, "auto"`);
  return role;
}

export const otherRole = (role) => (role === 'offer' ? 'answer' : 'offer');

/** Returns the key without spaces around it. One that is missing is told as one that is empty is. */
export function keyOf(key) {
  if (key !== undefined && key !== null && typeof key !== 'string') throw new TypeError(`key is ${String(key)}, must be a string`);
  const trimmed = (key ?? '').trim();
  if (trimmed === '') throw new SignalError('KeyIsEmpty');
  if ([...trimmed].length > MAX_KEY) throw new SignalError('KeyIsTooLong');
  return trimmed;
}
