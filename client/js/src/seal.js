// End-to-end sealing of payloads. docs/sealing.md is the specification.

import { keyOf, otherRole, roleOf } from './arguments.js';
import { fromBase64url, toBase64url } from './base64url.js';
import { SealError } from './errors.js';

const LABEL = 'signal-server seal v1';
const PREFIX = 's1.';
const REFUSED = 'refused'; // in place of an answer, to an offer that does not open
const ITERATIONS = 600_000; // of PBKDF2-HMAC-SHA-256, as OWASP's Password Storage Cheat Sheet asks
const NONCE = 12; // bytes, before the ciphertext of AES-GCM
const TAG = 16; // bytes, at its end

const encoder = new TextEncoder();

/** The AES keys of each SharedSecret. They are kept here, so that code that holds a SharedSecret cannot reach them. */
const roleKeys = new WeakMap();

export async function deriveSecret(secret, key) {
  const bytes = typeof secret === 'string' ? encoder.encode(secret) : secret;
  if (!bytes || bytes.byteLength === 0) throw new SealError('NoSecret');
  if (!(bytes.byteLength > 0)) throw new TypeError(`secret is a ${typeof secret}, must be a string or bytes`);
  if (!globalThis.crypto?.subtle) throw new SealError('Unavailable');
  const given = key === undefined ? '' : keyOf(key);
  const salt = encoder.encode(given ? `${LABEL}\n${given}` : LABEL);
  const password = await crypto.subtle.importKey('raw', bytes, 'PBKDF2', false, ['deriveBits']);
  const stretch = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: ITERATIONS };
  const master = await crypto.subtle.importKey(
    'raw', await crypto.subtle.deriveBits(stretch, password, 256), 'HKDF', false, ['deriveBits', 'deriveKey']);

  const purpose = (name) =>
    ({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: encoder.encode(`${LABEL} ${name}`) });
  const aes = { name: 'AES-GCM', length: 256 };
  const roleKey = (role) => crypto.subtle.deriveKey(purpose(role), master, aes, false, ['encrypt', 'decrypt']);
  const [id, offer, answer] = await Promise.all([
    crypto.subtle.deriveBits(purpose('session'), master, 128), roleKey('offer'), roleKey('answer')]);
  const shared = Object.freeze({ key: given || toBase64url(new Uint8Array(id)) });
  roleKeys.set(shared, { offer, answer });
  return shared;
}

/** Reports whether a value is what deriveSecret resolved to. */
export const isSharedSecret = (value) => roleKeys.has(value);

export class Seal {
  #shared;
  #mine;
  #theirs;
  #logs = { offer: { sdp: '', candidates: 0 }, answer: { sdp: '', candidates: 0 } };
  #last = Promise.resolve(); // of the calls so far; they run one after the other, since each takes a position

  constructor(shared, role) {
    if (!isSharedSecret(shared)) throw new TypeError('shared is not what deriveSecret resolved to');
    this.#shared = shared;
    this.#mine = roleOf(role);
    this.#theirs = otherRole(role);
  }

  sealSdp(text) { return this.#next(() => this.#sdp(this.#mine, () => this.#seal(0, text), (sealed) => sealed)); }

  openSdp(sealed) { return this.#next(() => this.#sdp(this.#theirs, () => this.#openSdp(sealed), () => sealed)); }

  sealRefusal(offer) {
    return this.#next(() => {
      const { offer: log } = this.#logs;
      if (this.#mine !== 'answer' || log.sdp) throw new SealError('Order');
      log.sdp = offer; // the transcript: what went over the wire, whether or not it opens
      return this.#sdp('answer', () => this.#seal(0, REFUSED), (sealed) => sealed);
    });
  }

  sealCandidate(text) { return this.#next(() => this.#candidate(this.#mine, (at) => this.#seal(at, text))); }

  openCandidate(sealed) { return this.#next(() => this.#candidate(this.#theirs, (at) => this.#open(at, sealed))); }

  #next(task) {
    const result = this.#last.then(task);
    this.#last = result.catch(() => {});
    return result;
  }

  async #sdp(role, convert, sealedOf) {
    const log = this.#logs[role];
    if (log.sdp) throw new SealError('Order');
    const result = await convert();
    log.sdp = sealedOf(result);
    return result;
  }

  /** A payload that does not open takes no position: a stray one can be skipped, and the next one still opens. */
  async #candidate(role, convert) {
    const log = this.#logs[role];
    if (!log.sdp) throw new SealError('Order');
    const result = await convert(log.candidates + 1);
    log.candidates++;
    return result;
  }

  /** An answerer refuses what it cannot open. If this side can open the refusal, the two have one secret, and something is wrong. */
  async #openSdp(sealed) {
    const text = await this.#open(0, sealed);
    if (this.#theirs === 'answer' && text === REFUSED) throw new SealError('Broken');
    return text;
  }

  async #seal(position, text) {
    const additionalData = await this.#associatedData(this.#mine, position);
    const iv = crypto.getRandomValues(new Uint8Array(NONCE));
    const key = roleKeys.get(this.#shared)[this.#mine];
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, key, encoder.encode(text));
    const payload = new Uint8Array(NONCE + sealed.byteLength);
    payload.set(iv);
    payload.set(new Uint8Array(sealed), NONCE);
    return PREFIX + toBase64url(payload);
  }

  async #open(position, sealed) {
    const additionalData = await this.#associatedData(this.#theirs, position);
    if (!isSealed(sealed)) throw new SealError('NotSealed');
    const payload = fromBase64url(sealed.slice(PREFIX.length));
    if (!payload || payload.length < NONCE + TAG) throw new SealError('Broken');
    const iv = payload.subarray(0, NONCE);
    const key = roleKeys.get(this.#shared)[this.#theirs];
    try {
      const text = await crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData }, key, payload.subarray(NONCE));
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text);
    } catch (cause) {
      throw new SealError('Broken', { cause });
    }
  }

  /** Returns the associated data of the encryption: what binds a payload to its place in the session. */
  async #associatedData(from, position) {
    const { offer: { sdp: offer }, answer: { sdp: answer } } = this.#logs;
    let transcript = '';
    if (from === 'answer' || position > 0) {
      if (!offer) throw new SealError('Order');
      transcript = from === 'answer' && position > 0 ? `${offer}\n${answer}` : offer;
    }
    const hash = await crypto.subtle.digest('SHA-256', encoder.encode(transcript));
    return encoder.encode([LABEL, from, position, toBase64url(new Uint8Array(hash)), this.#shared.key].join('\n'));
  }
}

const isSealed = (payload) => payload.startsWith(PREFIX);

/** Stands in for a Seal where the peers have no secret: payloads pass as they are. */
export const UNSEALED = {
  sealSdp: async (text) => text,
  sealCandidate: async (text) => text,
  sealRefusal: async () => REFUSED,
  openSdp: async (text) => refuseSealed(text),
  openCandidate: async (text) => refuseSealed(text),
};

function refuseSealed(text) {
  if (isSealed(text)) throw new SealError('Sealed');
  return text;
}
