/**
 * The browser client of signal-server: one module, no dependency. It runs wherever there are fetch and WebCrypto.
 *
 *   connect(pc, {…})   a whole negotiation on an RTCPeerConnection         knows WebRTC, and no HTTP
 *     ├─ Seal          encrypts payloads under a secret of the two peers   knows neither
 *     └─ Session       the wire protocol                                   knows HTTP, and nothing of what payloads mean
 *
 * All times are in milliseconds. signal.d.ts documents every export; here stands why things are done as they are.
 */

// ─── Errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The msg texts of the server: name in custerrors, the text itself, and how to tell it to a person. */
const MSGS = {
  KeyIsEmpty: ['key为空', 'No key was given.'],
  KeyIsTooLong: ['key太长，长度不能超过32位', 'The key is too long: 32 characters are allowed.'],
  KeyNotFound: ['key未找到', 'No session with this key is open.'],
  KeyIsExpired: ['key已过期', 'The session with this key has ended.'],
  CtxIsEmpty: ['ctx为空', 'The server has a bug: it lost the key of a request.'],
  CacheOverrunMaxCost: ['缓存超出MaxCost，服务已达到最大负载', 'The server is full: it takes no new session just now.'],
  CacheOnEvictNoGetKey: ['缓存OnEvict回调，无法获取原始key', 'The server has a bug: an eviction names no key.'],
  QueueNewFailBecauseAlreadyExists: ['队列创建失败，因为已经存在', 'The server has a bug: a queue is there already.'],
  QueueGetFailBecauseNotExists: ['队列获取失败，因为不存在', 'The server has a bug: a queue is not there.'],
  QueueIsFull: ['队列已满', 'The session has no room for more candidates.'],
  DataIsEmpty: ['data为空', 'The offer is empty.'],
  BodyIsEmpty: ['body为空', 'There is nothing in the message.'],
  BodyIsNotUTF8: ['body不是有效的UTF-8', 'The message is not valid text.'],
  BodyIsNotJSON: ['body不是有效的JSON', 'The message is not the JSON that the server asks for.'],
  BodyIsTooLong: ['body太长', 'The message is too long for this server.'],
  SdpNoValues: ['sdp没有值', 'The description of the other side is not there.'],
  SdpAlreadyExist: ['sdp已存在', 'This key is in use: the place has been taken by somebody else.'],
  CandidateNoValues: ['candidate没有值', 'No candidate of the other side is there.'],
  CursorIsInvalid: ['cursor无效', 'The place to go on reading from is not one of this session.'],
  WaitIsInvalid: ['wait无效', 'The time to wait is not a number of seconds.'],
  IdempotencyKeyIsInvalid: ['Idempotency-Key无效，必须是1到64个可见ASCII字符', 'The token of the request is not valid.'],
  RequestIsInvalid: ['请求格式错误', 'The request did not arrive as well-formed HTTP.'],
  RequestIsTooSlow: ['请求超时', 'The request took too long to arrive.'],
  HeaderIsTooLong: ['请求头太长', 'The address and headers of the request are too long.'],
  RouteNotFound: ['路由未找到', 'The server has no such address: is the URL right?'],
  MethodNotAllowed: ['请求方法不允许', 'The server does not allow this here: is the URL right?'],
  NotAuthenticated: ['未认证', 'The server asks for a token, and this one is missing or not valid.'],
  NotAllowed: ['没有权限', 'The server does not allow this.'],
  HTTPSIsRequired: ['必须使用HTTPS', 'The server is to be asked over HTTPS: the URL begins with https.'],
  TooManyRequests: ['请求太频繁', 'There were too many requests in a short time.'],
  ServerIsOverloaded: ['服务过载', 'The server has too much to do just now.'],
  ServerIsShuttingDown: ['服务正在关闭', 'The server is being restarted.'],
  StoreIsUnavailable: ['存储不可用', 'The server cannot reach its store just now.'],
  InternalError: ['服务器内部错误', 'The server has a bug.'],
  // Found out on this side, without a text of the server.
  Unreachable: ['', 'The signaling server cannot be reached.'],
  BrokenAnswer: ['', 'What answered is not a signaling server, or the answer was cut short.'],
  NoStream: ['', 'Server-sent events do not get through to here.'],
  Unknown: ['', 'The server says something that this client does not know.'],
};

const CODES = new Map(Object.entries(MSGS).map(([code, [text]]) => [text, code]));

export class SignalError extends Error {
  constructor(code, { msg = MSGS[code][0], status = 0, retryAfter = 0, request = '', cause } = {}) {
    super(MSGS[code][1] + (code === 'Unknown' ? ` (${msg})` : ''), { cause });
    this.name = 'SignalError';
    this.code = code;
    this.msg = msg;
    this.status = status;
    this.retryAfter = retryAfter;
    this.request = request;
  }
}

/** Returns the error that carries a msg of the server. */
function refusal(msg, details) {
  const code = msg === '' ? 'BrokenAnswer' : CODES.get(msg) ?? 'Unknown';
  return new SignalError(code, { msg, ...details });
}

const SEAL_ERRORS = {
  NoSecret: 'The secret is empty.',
  NotSealed: 'The other side did not seal its message: it has not been given the secret.',
  Sealed: 'The other side sealed its message: the same secret is needed here.',
  Broken: 'A message of the other side does not open: its secret is another one, or the message was changed on its way.',
  Order: 'A message was sealed or opened before the description that it belongs to.',
  Unavailable: 'Sealing needs WebCrypto, which browsers have on https pages and on localhost only.',
};

export class SealError extends Error {
  constructor(code, options) {
    super(SEAL_ERRORS[code], options);
    this.name = 'SealError';
    this.code = code;
  }
}

export class ConnectError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = 'ConnectError';
    this.code = code;
  }
}

// ─── Session: the wire protocol ───────────────────────────────────────────────────────────────────────────────────────

/** What a Session does by itself: it gives up after 4 pauses, which are 3 s together at the most. As in the Go client. */
const RETRY = { attempts: 5, base: 200, max: 5_000 };

/** How late an answer may be, on top of what the server was asked to wait: a slow mobile uplink takes seconds for an sdp. */
const ANSWER_TIMEOUT = 15_000;

/** Where the first bytes of a stream have not come by then, something on the way holds it back. */
const STREAM_FIRST = 5_000;

/** The server sends a comment every 15 s; two and a half of them missing is no coincidence. */
const STREAM_STALL = 40_000;

const MAX_KEY = 32; // characters (Unicode code points)

/** The headers by which a server with --role-tickets gives the ticket of a role, and takes it. */
const TICKET = { offer: 'X-Offer-Ticket', answer: 'X-Answer-Ticket' };

export class Session {
  #base;
  #key;
  #role;
  #foreign; // the server is of another origin than this page
  #keyIn;
  #fetch;
  #retry;
  #timeout;
  #onAnswer;
  #onRetry;
  #ticket = ''; // of this role in the session that lives, if the server gave one

  constructor({ url, key, role, keyIn, fetch, retry, timeout = ANSWER_TIMEOUT, onAnswer, onRetry }) {
    this.#base = baseOf(url);
    this.#key = keyOf(key);
    this.#role = roleOf(role);
    this.#foreign = globalThis.location !== undefined && globalThis.location.origin !== this.#base.origin;
    this.#keyIn = keyIn;
    this.#fetch = fetch ?? ((...args) => globalThis.fetch(...args));
    this.#retry = { ...RETRY, ...retry };
    this.#timeout = timeout;
    this.#onAnswer = onAnswer;
    this.#onRetry = onRetry;
  }

  get url() { return this.#base.href; }
  get key() { return this.#key; }
  get role() { return this.#role; }

  async putSdp(sdp, { ttl, signal } = {}) {
    const opens = this.#role === 'offer';
    const body = opens ? JSON.stringify({ key_ttl: seconds(ttl), data: sdp }) : sdp;
    await this.#ask({ method: 'POST', path: `/${this.#role}/sdp`, body, opens }, signal);
  }

  takeSdp(options) { return this.#take('sdp', null, options); }

  async addCandidate(candidate, { signal } = {}) {
    await this.#ask({ method: 'POST', path: `/${this.#role}/candidate`, body: candidate }, signal);
  }

  async addCandidates(candidates, { signal } = {}) {
    if (candidates.length === 0) return;
    await this.#ask({ method: 'POST', path: `/${this.#role}/candidates`, body: JSON.stringify(candidates) }, signal);
  }

  takeCandidate(options) { return this.#take('candidate', null, options); }

  takeCandidates(options) { return this.#take('candidates', [], options); }

  messages({ after = '', wait = 0, signal } = {}) {
    return this.#batch({ method: 'GET', path: `/${this.#role}/messages`, after, wait }, signal);
  }

  exchange({ sdp, candidates, ttl }, { after = '', wait = 0, signal } = {}) {
    const body = JSON.stringify({ key_ttl: seconds(ttl), sdp, candidates });
    const opens = this.#role === 'offer' && sdp !== undefined;
    return this.#batch({ method: 'POST', path: `/${this.#role}/messages`, after, wait, body, opens }, signal);
  }

  async report({ result, candidateType, ms }, { signal, keepalive = false } = {}) {
    const body = JSON.stringify({ result, candidate_type: candidateType, ms: Math.round(ms) });
    await this.#attempt({ method: 'POST', path: `/${this.#role}/outcome`, body, keepalive }, '', signal);
  }

  async end({ signal, keepalive = false } = {}) {
    try {
      await this.#ask({ method: 'DELETE', path: '/session', once: true, keepalive }, signal);
    } catch (error) {
      if (!isOver(error)) throw error;
    }
  }

  async *events({ after = '', signal } = {}) {
    for (let failures = 0; ;) {
      try {
        for await (const message of this.#stream(after, signal)) {
          failures = 0;
          after = message.cursor;
          yield message;
        }
        throw new SignalError('Unreachable', { request: `GET /${this.#role}/events` });
      } catch (error) {
        if (!(error instanceof SignalError)) throw error;
        await this.#pauseOrThrow(error, { once: false }, ++failures, signal);
      }
    }
  }

  async #take(what, nothing, { wait = 0, signal } = {}) {
    try {
      return await this.#ask({ method: 'GET', path: `/${this.#role}/${what}`, wait, once: true }, signal);
    } catch (error) {
      if (isNothingYet(error)) return nothing;
      throw error;
    }
  }

  async #batch(request, signal) {
    try {
      return checkBatch(await this.#ask(request, signal), request);
    } catch (error) {
      if (isNothingYet(error)) return { next: request.after, messages: [] };
      throw error;
    }
  }

  /** Sends a request until it is answered, fails for good, or was sent often enough. Resolves to the answer's data. */
  async #ask(request, signal) {
    signal?.throwIfAborted();
    const token = request.method === 'POST' ? randomKey() : ''; // the same for all repetitions
    const over = performance.now() + (request.wait ?? 0);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(request, token, signal);
      } catch (error) {
        if (!(error instanceof SignalError)) throw error;
        await this.#pauseOrThrow(error, request, attempt, signal);
        request.wait = Math.max(0, Math.min(request.wait ?? 0, over - performance.now()));
      }
    }
  }

  async #pauseOrThrow(error, request, attempt, signal) {
    if (attempt >= this.#retry.attempts || !mayRepeat(error, request)) throw error;
    this.#onRetry?.(error, attempt);
    await sleep(pauseAfter(attempt, error.retryAfter, this.#retry), signal);
  }

  async #attempt(request, token, signal) {
    const limit = new Limit(signal);
    limit.arm((request.wait ?? 0) + this.#timeout);
    const name = `${request.method} ${request.path}`;
    const known = request.opens ? '' : this.#ticket;
    let response, text;
    try {
      response = await this.#send(request, token, limit.signal);
      text = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      throw new SignalError('Unreachable', { request: name, cause });
    } finally {
      limit.release();
    }
    const given = response.headers.get(TICKET[this.#role]);
    if (given) this.#ticket = given;
    try {
      const data = this.#dataOf(response, text, name);
      if (request.opens) this.#ticket = given ?? ''; // of the new session, not of the one before
      if (request.method === 'DELETE') this.#forget(known);
      return data;
    } catch (error) {
      throw this.#overOr(error, known);
    }
  }

  /**
   * Forgets the ticket if the error says that its session is over, and returns the error. A ticket that the server does not know
   * any more means that, too: a server that was restarted has lost the session.
   */
  #overOr(error, ticket) {
    const { code, status, request } = error;
    const told = code === 'NotAllowed' && ticket ? new SignalError('KeyIsExpired', { status, request, cause: error }) : error;
    if (isOver(told)) this.#forget(ticket);
    return told;
  }

  /** Forgets the ticket of a session that is over. One that came meanwhile, of the next session, stays. */
  #forget(ticket) { if (this.#ticket === ticket) this.#ticket = ''; }

  /** Returns the data of an answer that carries what was asked for, and throws what the others say. */
  #dataOf(response, text, request) {
    let envelope;
    try {
      envelope = JSON.parse(text);
    } catch { /* a proxy's page, or half an answer */ }
    const msg = typeof envelope?.msg === 'string' ? envelope.msg : undefined;
    if (msg !== undefined) this.#onAnswer?.();
    if (response.status === 200 && msg === '') return envelope.data;
    throw refusal(msg ?? '', {
      status: response.status,
      retryAfter: parseRetryAfter(response.headers.get('Retry-After')),
      request,
    });
  }

  /**
   * A page of another origin asks with what needs no preflight: parameters in the query, no header of its own, and a body of
   * text/plain, which the server takes for what it is. A preflight is remembered per URL, query included, and these URLs
   * differ from one session to the next. DELETE is preflighted anyway: with its key and ticket in headers it has one URL for all
   * sessions, so that a browser asks once.
   */
  #send({ method, path, after, wait, body, opens, keepalive = false }, token, signal) {
    const url = new URL(this.#base);
    url.pathname = url.pathname.replace(/\/$/, '') + path;
    const headers = {};
    if (after) url.searchParams.set('after', after);
    if (wait > 0) url.searchParams.set('wait', seconds(wait).toFixed(3));
    if (this.#placeOf(method) === 'query' || !isHeaderText(this.#key)) url.searchParams.set('key', this.#key);
    else headers.key = this.#key;
    if (this.#ticket && !opens) {
      if (this.#placeOf(method) === 'query') url.searchParams.set('ticket', this.#ticket);
      else headers[TICKET[this.#role]] = this.#ticket;
    }
    if (token && this.#foreign) url.searchParams.set('idempotency_key', token);
    else if (token) headers['Idempotency-Key'] = token;
    return this.#fetch(url.href, {
      method, headers, body, keepalive, signal,
      // A browser would let a second GET of one URL wait for the first, to share its answer. Elsewhere no-store would make it
      // forget its preflights.
      cache: method === 'GET' ? 'no-store' : 'default',
      credentials: 'omit',
      redirect: 'error', // the key, a secret of the peers, would go along
      referrerPolicy: 'no-referrer',
    });
  }

  /** Where a request has its key and ticket. */
  #placeOf(method) {
    return this.#keyIn ?? (this.#foreign && method !== 'DELETE' ? 'query' : 'header');
  }

  /** Yields the messages of one connection to GET events, until it breaks. */
  async *#stream(after, signal) {
    const request = { method: 'GET', path: `/${this.#role}/events`, after };
    const name = `GET ${request.path}`;
    const limit = new Limit(signal);
    const known = this.#ticket;
    let heard = false;
    try {
      limit.arm(STREAM_FIRST);
      const response = await this.#send(request, '', limit.signal);
      if (!response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
        this.#dataOf(response, await response.text(), name); // throws what the server says, if it was the server
        throw new SignalError('NoStream', { request: name, status: response.status });
      }
      const parser = new EventParser();
      const decoder = new TextDecoder();
      for (const reader = response.body.getReader(); ;) {
        limit.arm(heard ? STREAM_STALL : STREAM_FIRST);
        const { done, value } = await reader.read();
        if (done) return;
        if (!heard) this.#onAnswer?.();
        heard = true;
        limit.disarm(); // while the caller has the messages, time is the caller's
        for (const event of parser.push(decoder.decode(value, { stream: true }))) {
          const message = messageOf(event, name);
          if (message) yield message;
        }
      }
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof SignalError) throw this.#overOr(cause, known);
      throw new SignalError(heard || !limit.signal.aborted ? 'Unreachable' : 'NoStream', { request: name, cause });
    } finally {
      limit.abort(); // the connection, if the caller has had enough
    }
  }
}

/** Returns the URL under which the server is mounted; in a page it may be relative. */
function baseOf(url) {
  const base = new URL(url, globalThis.location?.href);
  if (base.protocol !== 'http:' && base.protocol !== 'https:') throw new TypeError(`url is ${base.protocol}, must be http or https`);
  if (base.search || base.hash) throw new TypeError('url has a query or a fragment');
  return base;
}

function roleOf(role) {
  if (role !== 'offer' && role !== 'answer') throw new TypeError(`role is ${role}, must be "offer" or "answer"`);
  return role;
}

function keyOf(key) {
  const trimmed = String(key ?? '').trim();
  if (trimmed === '') throw new SignalError('KeyIsEmpty');
  if ([...trimmed].length > MAX_KEY) throw new SignalError('KeyIsTooLong');
  return trimmed;
}

/** Reports whether a header can have the text: fetch sends header values as Latin-1, the server reads UTF-8. */
const isHeaderText = (text) => /^[\x20-\x7e]+$/.test(text);

const seconds = (ms) => (ms === undefined ? undefined : ms / 1000);

/** Returns the wish of a Retry-After header (RFC 9110, Section 10.2.3), 0 if there is none that makes sense. */
function parseRetryAfter(text) {
  if (!text) return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? Math.min(ms, 86_400_000) : 0; // a day: nobody waits longer
}

/** Reports whether a batch can follow its cursor: nothing before the sdp, and a cursor to go on from. */
function checkBatch(batch, { after, method, path }) {
  const messages = batch?.messages;
  const good = typeof batch?.next === 'string' && Array.isArray(messages) &&
    messages.every((m, i) => typeof m?.data === 'string' &&
      (m.type === 'sdp' ? i === 0 : m.type === 'candidate' && (i > 0 || after !== ''))) &&
    (messages.length === 0 || (batch.next !== '' && batch.next !== after));
  if (!good) throw new SignalError('BrokenAnswer', { status: 200, request: `${method} ${path}` });
  return batch;
}

const isNothingYet = (error) => error?.code === 'SdpNoValues' || error?.code === 'CandidateNoValues';

/** Reports whether an error says that the session is not there: not yet, or no more. */
const isOver = (error) =>
  error?.code === 'KeyNotFound' || error?.code === 'KeyIsExpired' || error?.code === 'CursorIsInvalid';

/** Reports whether the server itself said that a request was not carried out but may be later. */
const isRefusedForNow = ({ msg, status, code }) =>
  (status === 408 || status === 429 || status === 503) && msg !== '' && code !== 'QueueIsFull';

/** Reports whether a request may be sent again. What must not be carried out twice (once) is, if it was not carried out. */
function mayRepeat(error, { once }) {
  if (isRefusedForNow(error)) return true;
  if (once || error.code === 'QueueIsFull') return false;
  const { code, status } = error;
  return code === 'Unreachable' || (code === 'BrokenAnswer' && [200, 408, 429, 502, 503, 504].includes(status));
}

/** Returns how long to pause: doubled with each failure, shorter at random by up to half, so that clients do not come at once. */
function pauseAfter(attempt, retryAfter, { base, max }) {
  const longest = Math.min(max, base * 2 ** (attempt - 1));
  const pause = longest * (1 - Math.random() / 2);
  return retryAfter > pause ? retryAfter + Math.random() * base : pause;
}

/** Reads text/event-stream (HTML Living Standard, Section 9.2.6) as it comes in pieces. */
class EventParser {
  #rest = '';
  #event = { type: 'message', id: '', data: [] };

  *push(text) {
    this.#rest += text;
    if (this.#rest.length > MAX_EVENT) throw new SignalError('BrokenAnswer');
    const lines = this.#rest.split(/\r\n|\n|\r(?=[^])/); // a \r at the very end may be half of a line's end
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line !== '') this.#field(line);
      else if (this.#event.data.length > 0) yield this.#finish();
      else this.#event.type = 'message';
    }
  }

  #field(line) {
    const [, name, value] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line);
    if (name === 'data') this.#event.data.push(value);
    else if (name === 'event') this.#event.type = value;
    else if (name === 'id') this.#event.id = value;
  }

  #finish() {
    const { type, id, data } = this.#event;
    this.#event = { type: 'message', id, data: [] };
    return { type, id, data: data.join('\n') };
  }
}

/** An sdp of 64 KiB may have 6 characters for each byte in JSON. */
const MAX_EVENT = 1 << 19;

/** Returns the message of an event, nothing for one of a kind that this version does not know, and throws the end. */
function messageOf({ type, id, data }, request) {
  if (type !== 'sdp' && type !== 'candidate' && type !== 'end') return undefined;
  let text;
  try {
    text = JSON.parse(data);
  } catch { /* reported below */ }
  if (typeof text !== 'string') throw new SignalError('BrokenAnswer', { status: 200, request });
  if (type !== 'end') return { type, data: text, cursor: id };
  throw refusal(text, { status: CODES.get(text) === 'ServerIsShuttingDown' ? 503 : 200, request });
}

export function randomKey() {
  return toBase64url(crypto.getRandomValues(new Uint8Array(16)));
}

// ─── Sealing: docs/sealing.md is the specification ────────────────────────────────────────────────────────────────────

const LABEL = 'signal-server seal v1';
const PREFIX = 's1.';
const ITERATIONS = 600_000; // of PBKDF2-HMAC-SHA-256, what OWASP's Password Storage Cheat Sheet asks for
const NONCE = 12; // bytes, and 16 of the tag at the end: AES-GCM
const TAG = 16;

const encoder = new TextEncoder();

/** The AES keys of each SharedSecret, out of reach of whoever holds it. */
const roleKeys = new WeakMap();

export async function deriveSecret(secret, key) {
  const bytes = typeof secret === 'string' ? encoder.encode(secret) : secret;
  if (!bytes || bytes.byteLength === 0) throw new SealError('NoSecret');
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

export class Seal {
  #shared;
  #mine;
  #theirs;
  #logs = { offer: { sdp: '', candidates: 0 }, answer: { sdp: '', candidates: 0 } };
  #last = Promise.resolve(); // of the calls so far: one follows the other, since each has its position

  constructor(shared, role) {
    if (!roleKeys.has(shared)) throw new TypeError('shared is not what deriveSecret resolved to');
    this.#shared = shared;
    this.#mine = roleOf(role);
    this.#theirs = role === 'offer' ? 'answer' : 'offer';
  }

  sealSdp(text) { return this.#next(() => this.#sdp(this.#mine, () => this.#seal(0, text), (sealed) => sealed)); }

  openSdp(sealed) { return this.#next(() => this.#sdp(this.#theirs, () => this.#open(0, sealed), () => sealed)); }

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

  /** A payload that does not open takes no position: a stray one can be passed over, and the next one still opens. */
  async #candidate(role, convert) {
    const log = this.#logs[role];
    if (!log.sdp) throw new SealError('Order');
    const result = await convert(log.candidates + 1);
    log.candidates++;
    return result;
  }

  async #seal(position, text) {
    const additionalData = await this.#bound(this.#mine, position);
    const iv = crypto.getRandomValues(new Uint8Array(NONCE));
    const key = roleKeys.get(this.#shared)[this.#mine];
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, key, encoder.encode(text));
    const payload = new Uint8Array(NONCE + sealed.byteLength);
    payload.set(iv);
    payload.set(new Uint8Array(sealed), NONCE);
    return PREFIX + toBase64url(payload);
  }

  async #open(position, sealed) {
    const additionalData = await this.#bound(this.#theirs, position);
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

  /** Returns what a payload is bound to besides its key: the associated data of the encryption. */
  async #bound(from, position) {
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

function toBase64url(bytes) {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** Returns the bytes of base64url in its one spelling, undefined for any other text. */
function fromBase64url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  return toBase64url(bytes) === text ? bytes : undefined; // not so if there are stray bits at the end
}

// ─── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A signal that is aborted with its parent, or when the time it is armed with is over. */
class Limit {
  #controller = new AbortController();
  #parent;
  #timer;
  #pass = () => this.#controller.abort(this.#parent.reason);

  constructor(parent) {
    this.#parent = parent;
    if (parent?.aborted) this.#pass();
    else parent?.addEventListener('abort', this.#pass, { once: true });
  }

  get signal() { return this.#controller.signal; }

  arm(ms) {
    this.disarm();
    if (ms <= MAX_TIMER) this.#timer = setTimeout(() => this.abort(new DOMException('no answer in time', 'TimeoutError')), ms);
  }

  disarm() { clearTimeout(this.#timer); }

  release() {
    this.disarm();
    this.#parent?.removeEventListener('abort', this.#pass);
  }

  abort(reason) {
    this.release();
    this.#controller.abort(reason);
  }
}

const MAX_TIMER = 2 ** 31 - 1; // a longer timer, or Infinity, would fire at once

/** Resolves after ms, and rejects with the signal's reason if that is aborted before. */
function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); resolve(); }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Resolves in the next turn of the event loop. */
function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/** Settles as the promise does, or rejects with the signal's reason if that is aborted before. */
function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

// ─── connect: a negotiation on an RTCPeerConnection ───────────────────────────────────────────────────────────────────

/** How long one request waits for news: less than the 30 s after which proxies commonly hang up. */
const WAIT = 25_000;

/**
 * How long a write waits for news while this side still gathers, so that what is gathered meanwhile is not late: a browser takes
 * 120 ms for host candidates alone. If the other side is there, its news ends the wait sooner.
 */
const BRIEF_WAIT = 250;

/** Candidates come in bursts, 0.3 ms apart in Chromium: after so much silence, one is over. */
const QUIET = 1;

/** How long the connection may take by itself, once all is said, before the session is looked at again. */
const PATIENCE = 2_000;

/** An answer without news that came sooner did not wait. Then there is a pause, or the asking would never stop. */
const SHORT_POLL = 1_000;

/** close() fires no event: how often to look whether it was called. */
const CLOSED_CHECK = 500;

/** How long the request that ends a session may take. It is a courtesy: the session would expire. */
const END_TIMEOUT = 2_000;

/** How long the report of the outcome may take; nobody waits for it. As in the Go client. */
const REPORT_TIMEOUT = 5_000;

/** How long the end of the session waits for the report, which the server then knows to belong to this session of the key. */
const REPORT_LEAD = 500;

const DEFAULTS = {
  timeout: 300_000, // as long as a session lives at the most
  connectTimeout: 30_000, // ICE gives up by itself after 15 s or so, unless a TURN server keeps it waiting
  batchDelay: 50, // a burst of host candidates comes sooner, a STUN server may be far away; as in pionsignal
  report: true,
  after: '',
};

/**
 * Failures that are no outcome: of a page that gave up or could not begin, and of a side whose place was taken, whose report would
 * pass for that of the one who has it.
 */
const UNCOUNTED = new Set(['Closed', 'AlreadyConnected', 'NothingToConnect', 'SdpAlreadyExist']);

/** How long a server that has never answered is tried: longer than a restart takes, and if the URL is wrong, time does not help. */
const FIRST_CONTACT = 15_000;

/** The longest pause between two tries: somebody sits and waits. */
const CONNECT_RETRY_MAX = 2_000;

const EMPTY = Object.freeze({ next: '', messages: Object.freeze([]) });

/** The ends of sessions that are under way, by session. A new offer waits for them: overtaken, they would end it too. */
const endings = new Map();

export async function connect(pc, options) {
  return new Negotiation(pc, options).run();
}

/**
 * One call of connect. It works in rounds, each with one session and one offer:
 *
 *   run ── waits for the Verdict on the connection
 *    └─ rounds ── offer | answer ── converse ─┬─ send: outbox ─▶ POST, one at a time
 *                                             └─ receive: GET ─▶ setRemoteDescription, addIceCandidate
 *
 * A session that ends before the connection stands ends the round: the server was restarted, the session's lifetime is over,
 * or the other side has reloaded its page. The offerer then opens a new session with a fresh offer (an ICE restart), and the
 * answerer waits for one. What the two knew of each other stays in force until that offer is there.
 */
class Negotiation {
  // set at construction
  #pc;
  #options;
  #role;
  #verdict;
  #stop = new AbortController(); // ends everything that runs
  #ready; // resolves when these two are there
  #session;
  #shared; // a SharedSecret, if payloads are sealed

  // of the rounds
  #round;
  #phase = ''; // the last state told that is not passing
  #events; // reads come by server-sent events
  #opened = false; // the session may be open, and by this side
  #left = new Limit(); // aborted when the page is left

  constructor(pc, options) {
    if (typeof pc?.setLocalDescription !== 'function') throw new TypeError('pc is not an RTCPeerConnection');
    this.#pc = pc;
    this.#options = { ...DEFAULTS, ...options };
    this.#role = roleOf(options?.role);
    this.#events = Boolean(options.events);
    this.#verdict = new Verdict(pc, this.#options);
  }

  async run() {
    const began = performance.now();
    const leave = () => { // at once: a page that goes has no later
      this.#left.abort();
      this.#endSession();
    };
    globalThis.addEventListener?.('pagehide', leave);
    let reported;
    try {
      this.#verdict.watch();
      this.#ready = this.#prepare();
      this.#ready.catch(() => {}); // the rounds may fail before they wait for it
      this.#rounds().catch((error) => this.#verdict.trouble(error));
      await this.#verdict.passed;
      this.#enter('connected');
      reported = this.#report('connected', began);
      return { cursor: this.#round.cursor, rounds: this.#round.number };
    } catch (error) {
      if (this.#counts(error)) reported = this.#report('failed', began);
      throw error;
    } finally {
      this.#verdict.close();
      this.#stop.abort(new DOMException('the negotiation is over', 'AbortError'));
      this.#endSession(reported);
      const over = () => globalThis.removeEventListener?.('pagehide', leave);
      if (reported) reported.then(over);
      else over();
    }
  }

  /**
   * Has the server told how it ended, whatever comes of that, and returns what the end of the session has to wait for: nothing if
   * there is no report.
   */
  #report(result, began) {
    if (!this.#options.report || !this.#session || this.#left.signal.aborted) return undefined;
    const ms = performance.now() - began;
    const limit = new Limit();
    limit.arm(REPORT_TIMEOUT);
    const told = this.#tellOutcome(result, ms, limit.signal).catch(() => {}).finally(() => limit.release());
    this.#left.arm(REPORT_LEAD);
    return unlessAborted(told, this.#left.signal).catch(() => {}).finally(() => this.#left.release());
  }

  async #tellOutcome(result, ms, signal) {
    const connected = result === 'connected';
    const candidateType = connected ? await unlessAborted(localCandidateType(this.#pc), signal) : undefined;
    if (connected && !candidateType) return; // the browser does not say, and the server takes no guesses
    await this.#session.report({ result, candidateType, ms }, { signal, keepalive: true });
  }

  /** Reports whether an attempt that failed so is one of those of which an operator wants to know how many succeed. */
  #counts(error) {
    const { signal } = this.#options;
    if (signal?.aborted && error === signal.reason) return error?.name === 'TimeoutError'; // AbortSignal.timeout
    return !UNCOUNTED.has(error.code);
  }

  /** Makes the Session, and before it what it needs of the secret. */
  async #prepare() {
    const { url, key, secret, keyIn, fetch, retry } = this.#options;
    if (secret !== undefined) this.#shared = roleKeys.has(secret) ? secret : await deriveSecret(secret, key);
    if (this.#shared && key !== undefined && keyOf(key) !== this.#shared.key) {
      throw new TypeError('key is not the one that the secret was derived for');
    }
    this.#session = new Session({
      url, keyIn, fetch,
      key: this.#shared?.key ?? key,
      role: this.#role,
      retry: { max: CONNECT_RETRY_MAX, ...retry, attempts: Infinity }, // until the verdict
      onAnswer: () => this.#heard(),
      onRetry: (error) => this.#missed(error),
    });
  }

  #missed(error) {
    this.#verdict.miss(error);
    this.#tell('onState', 'retrying', error);
  }

  #heard() {
    if (this.#verdict.hear() && this.#phase) this.#tell('onState', this.#phase);
  }

  #enter(phase) {
    if (this.#phase === phase) return;
    this.#phase = phase;
    this.#tell('onState', phase);
  }

  #signaled(direction, type, text, error) {
    this.#tell('onSignal', { direction, type, text, sealed: this.#shared !== undefined, error });
  }

  /** Calls a hook, unless all is over. An error in it is the caller's, and no reason to fail. */
  #tell(hook, ...args) {
    if (this.#stop.signal.aborted) return;
    try {
      this.#options[hook]?.(...args);
    } catch (error) {
      (globalThis.reportError ?? console.error)(error);
    }
  }

  async #rounds() {
    for (let number = 1, after = this.#options.after; ; number++, after = '') {
      const round = this.#round = new Round(number, after, this.#stop.signal);
      try {
        await (this.#role === 'offer' ? this.#offer(round) : this.#answer(round));
      } catch (error) {
        if (!isOver(error)) throw error;
        await this.#lose(error, number);
      } finally {
        round.close();
      }
    }
  }

  /** The session is over, and the connection does not stand. That may be a matter of moments: its offerer may know already. */
  async #lose(error, number) {
    this.#opened = false;
    this.#verdict.lose(error);
    await sleep(this.#verdict.exchanged ? PATIENCE : pauseAfter(number, 0, RETRY), this.#stop.signal);
    this.#phase = '';
    this.#tell('onState', 'restarting', error);
  }

  async #offer(round) {
    const pc = this.#pc;
    // A pc that was used has a path or candidates from before: others are wanted.
    const restart = pc.localDescription ? await round.when(pc.createOffer({ iceRestart: true })) : undefined;
    this.#verdict.startOver();
    const write = await this.#describe(round, restart);
    this.#enter('waiting');
    await this.#converse(round, await this.#putOffer(round, write));
  }

  async #answer(round) {
    await round.when(this.#ready);
    this.#enter('waiting');
    const { next, messages: [offer, ...candidates] } = await this.#awaitOffer(round);
    this.#verdict.startOver();
    await this.#apply(round, { next, messages: [offer] });
    const describing = this.#describe(round);
    const [write] = await Promise.all([describing, this.#apply(round, { messages: candidates })]);
    this.#enter('connecting');
    const batch = await this.#putAnswer(round, write);
    this.#verdict.exchange();
    await this.#converse(round, batch);
  }

  /**
   * Goes on after the descriptions. As long as there is something to write, the answer to that is what is read: so one request
   * at a time does. When gathering takes longer, reading and writing go side by side.
   */
  async #converse(round, batch) {
    await this.#apply(round, batch);
    while (round.writes && round.outbox.hasNews) {
      await this.#apply(round, await this.#postCandidates(round, (all) => this.#waitAfter(round, all)));
    }
    await round.together(this.#send(round), this.#receive(round));
  }

  /** Makes a description the local one, which starts gathering, and returns it with the candidates that come soon. */
  async #describe(round, description) {
    const pc = this.#pc;
    const isFirst = !pc.localDescription;
    round.outbox = new Outbox(pc);
    await round.when(pc.setLocalDescription(description));
    round.outbox.begin(isFirst);
    const { type, sdp } = pc.localDescription;
    if (!/^m=/m.test(sdp)) {
      throw new ConnectError('NothingToConnect', 'There is nothing to connect: create a data channel, or add a track, before.');
    }
    await round.when(Promise.all([this.#ready, round.outbox.settled(this.#options.batchDelay, round.signal)]));
    const text = JSON.stringify({ type, sdp });
    this.#signaled('sent', 'sdp', text);
    const sealed = await this.#codec(round).sealSdp(text);
    return { sdp: sealed, ...await this.#takeCandidates(round) };
  }

  async #takeCandidates(round) {
    const { texts, all } = round.outbox.take();
    const candidates = [];
    for (const text of texts) {
      this.#signaled('sent', 'candidate', text);
      candidates.push(await this.#codec(round).sealCandidate(text));
    }
    return { candidates, all };
  }

  #codec(round) {
    return round.codec ??= this.#shared ? new Seal(this.#shared, this.#role) : PLAIN;
  }

  async #putOffer(round, write) {
    await round.when(endings.get(this.#name()));
    try {
      return await this.#openSession(round, write);
    } catch (error) {
      if (error.code !== 'SdpAlreadyExist' || !this.#options.replace || round.number > 1) throw error;
      await this.#session.end({ signal: round.signal });
      return this.#openSession(round, write);
    }
  }

  async #openSession(round, { all, ...write }) {
    this.#opened = true;
    try {
      return await this.#exchangeWith(round, { ...write, ttl: this.#options.ttl }, all, this.#waitAfter(round, all));
    } catch (error) {
      if (error.msg) this.#opened = false; // not by this side, or it has ended already
      throw error;
    }
  }

  /** Puts the answer. It does not wait long, even if all is gathered: the connection depends on the answer's receipt. */
  #putAnswer(round, { all, ...write }) {
    return this.#exchangeWith(round, write, all, this.#waitAfter(round, false));
  }

  /** Posts what is gathered. waitFor tells from whether that is all how long to wait for news. */
  async #postCandidates(round, waitFor) {
    const { candidates, all } = await this.#takeCandidates(round);
    if (candidates.length === 0) return EMPTY;
    try {
      return await this.#exchangeWith(round, { candidates }, all, waitFor(all));
    } catch (error) {
      if (error.code !== 'QueueIsFull' && error.code !== 'BodyIsTooLong') throw error;
      round.writes = false; // those that went may do
      return EMPTY;
    }
  }

  /** Writes and reads. The cursor says which session is meant. */
  async #exchangeWith(round, write, all, wait) {
    const batch = await this.#session.exchange(write, { after: round.cursor, wait, signal: round.signal });
    round.writes = !all;
    return batch;
  }

  /** How long a write waits for news: not at all if there is none to come, and not for long if it is not the way to wait. */
  #waitAfter(round, all) {
    if (round.gotAll) return 0;
    return all && !this.#events ? WAIT : BRIEF_WAIT;
  }

  /** Posts what is gathered beside the reading, all that has come during one request in the next one, until the end. */
  async #send(round) {
    while (round.writes) {
      await round.outbox.news(round.signal);
      await round.outbox.settled(this.#options.batchDelay, round.signal);
      await this.#postCandidates(round, () => 0); // what comes back is left to #receive
    }
  }

  /** Applies what the other side writes, without end: an end of the session is news, too. */
  async #receive(round) {
    for (;;) {
      if (this.#verdict.exchanged && round.gotAll) await sleep(PATIENCE, round.signal);
      await this.#apply(round, await this.#read(round));
    }
  }

  /** Waits for the offer, and for its session: until then the end of an earlier one is nothing, and so are its candidates. */
  async #awaitOffer(round) {
    for (;;) {
      const asked = performance.now();
      try {
        const batch = await this.#read(round);
        if (batch.messages[0]?.type === 'sdp') return batch;
        round.cursor = batch.next;
      } catch (error) {
        if (!isOver(error)) throw error;
        if (round.cursor === '') await round.pauseIfShort(asked);
        round.cursor = ''; // a new session may live already
      }
    }
  }

  async #read(round) {
    const asked = performance.now();
    const batch = await this.#next(round);
    if (batch.messages.length === 0) await round.pauseIfShort(asked);
    return batch;
  }

  async #next(round) {
    const place = { after: round.cursor, signal: round.signal };
    if (this.#events) {
      try {
        round.stream ??= this.#session.events(place);
        const { value } = await round.stream.next();
        return { next: value.cursor, messages: [value] };
      } catch (error) {
        round.stream = undefined;
        if (!['NoStream', 'RouteNotFound', 'MethodNotAllowed'].includes(error.code)) throw error;
        this.#events = false;
      }
    }
    return this.#session.messages({ ...place, wait: WAIT });
  }

  async #apply(round, { next, messages }) {
    round.cursor = next || round.cursor;
    for (const { type, data } of messages) {
      await round.when(type === 'sdp' ? this.#applySdp(round, data) : this.#applyCandidate(round, data));
    }
  }

  async #applySdp(round, data) {
    const wanted = this.#role === 'offer' ? 'answer' : 'offer';
    let text = '';
    try {
      text = await this.#codec(round).openSdp(data);
      await this.#pc.setRemoteDescription(descriptionOf(text, wanted));
    } catch (cause) {
      const error = cause instanceof SealError ? cause
        : new ConnectError('BadPeer', `The ${wanted} of the other side cannot be used: ${cause.message}`, { cause });
      this.#signaled('received', 'sdp', text, error);
      throw error;
    }
    this.#signaled('received', 'sdp', text);
    if (wanted === 'offer' || round.signal.aborted) return;
    this.#enter('connecting');
    this.#verdict.exchange();
  }

  /** Applies a candidate. One that does not open or cannot be used is left out, and reported: the others may do. */
  async #applyCandidate(round, data) {
    let text = '', error;
    try {
      text = await this.#codec(round).openCandidate(data);
      const candidate = JSON.parse(text);
      if (candidate.candidate === '') round.gotAll = true; // the end of candidates (RFC 8838, Section 13)
      await this.#pc.addIceCandidate(candidate);
    } catch (cause) {
      error = cause;
    }
    this.#signaled('received', 'candidate', text, error);
  }

  #name() { return `${this.#session.url} ${this.#session.key}`; }

  /**
   * Ends the session, as the one who opened it, so that the key is free for the next offer. On failure that tells the answerer. On
   * success it takes nothing away: an offerer that is connected has finished ICE and DTLS with the answerer, who needs nothing
   * more to be connected as well. Candidates that neither side has posted by then are not posted any more in any case.
   */
  #endSession(reported) {
    if (!this.#opened) return;
    this.#opened = false;
    const name = this.#name();
    const limit = new Limit();
    limit.arm(END_TIMEOUT);
    const end = () => this.#session.end({ signal: limit.signal, keepalive: true });
    const ending = (reported ? reported.then(end) : end()).catch(() => {}).finally(() => {
      limit.release();
      if (endings.get(name) === ending) endings.delete(name);
    });
    endings.set(name, ending);
  }
}

/** Watches a connection until it stands, or cannot stand, or nobody wants to wait any more. */
class Verdict {
  // set at construction
  passed; // the promise
  #pc;
  #options;
  #resolve;
  #reject;
  #cleanups = [];
  #connectTimer;

  // what signaling has said so far
  #exchanged = false; // both descriptions are where they belong
  #reached = false; // the server has answered once
  #unreachable; // why it does not now
  #vanished = false; // the session has gone without being ended: most likely the server was restarted
  #failure; // why the connection cannot stand, if no other offer comes

  constructor(pc, options) {
    this.#pc = pc;
    this.#options = options;
    this.passed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.passed.catch(() => {}); // it may be settled before anybody waits
  }

  get exchanged() { return this.#exchanged; }

  watch() {
    const { signal, timeout } = this.#options;
    signal?.throwIfAborted();
    if (this.#isClosed()) throw new ConnectError('Closed', 'The RTCPeerConnection is closed.');
    if (this.#pc.connectionState === 'connected') throw new ConnectError('AlreadyConnected', 'The connection stands already.');
    this.#listen(this.#pc, 'connectionstatechange', () => this.#look());
    this.#listen(signal, 'abort', () => this.#reject(signal.reason));
    this.#after(timeout, () => this.#reject(this.#timedOut()));
    const check = setInterval(() => { if (this.#isClosed()) this.#look(); }, CLOSED_CHECK);
    this.#cleanups.push(() => clearInterval(check), () => clearTimeout(this.#connectTimer));
  }

  close() { for (const cleanup of this.#cleanups) cleanup(); }

  /** A request failed for the moment. */
  miss(error) {
    const isFirst = !this.#reached && !this.#unreachable;
    if (isFirst) this.#after(FIRST_CONTACT, () => { if (!this.#reached) this.#reject(this.#unreachable); });
    this.#unreachable = error;
  }

  /** The server has answered. Returns whether that is news. */
  hear() {
    this.#reached = true;
    if (!this.#unreachable) return false;
    this.#unreachable = undefined;
    this.#judge();
    return true;
  }

  /** Another offer is there: from here on it counts, and nothing that was known of the one before. */
  startOver() {
    this.#exchanged = this.#vanished = false;
    this.#failure = undefined;
    clearTimeout(this.#connectTimer);
  }

  /** Both descriptions are where they belong: the connection does not depend on signaling any more. */
  exchange() {
    this.#exchanged = true;
    const { connectTimeout } = this.#options;
    if (connectTimeout > MAX_TIMER) return;
    this.#connectTimer = setTimeout(() => this.#fail(new ConnectError('Timeout',
      `The two sides know each other, but were not connected within ${connectTimeout / 1000} s. ${this.#advice()}`)), connectTimeout);
  }

  /** The session is over. */
  lose({ code }) {
    this.#vanished = code === 'KeyNotFound';
    this.#judge();
  }

  /** Signaling has failed for good. */
  trouble(error) {
    if (this.#isClosed()) return this.#look();
    if (!this.#exchanged) return this.#reject(error);
    this.#unreachable = undefined;
    this.#vanished = false;
    this.#judge();
  }

  #look() {
    const { connectionState, iceConnectionState } = this.#pc;
    if (this.#isClosed()) {
      this.#reject(new ConnectError('Closed', 'The RTCPeerConnection was closed before it was connected.'));
    } else if (connectionState === 'connected') {
      this.#resolve();
    } else if (connectionState === 'failed') {
      this.#fail(iceConnectionState === 'failed'
        ? new ConnectError('IceFailed', `The two sides know each other, but no network path between them works. ${this.#advice()}`)
        : new ConnectError('DtlsFailed', 'The network path works, but the encrypted connection over it failed: ' +
          'whoever is at the other end may not be who sent the description.'));
    }
  }

  #fail(error) {
    this.#failure ??= error;
    this.#judge();
  }

  /** A failure is final unless the session may still bring another offer. */
  #judge() {
    if (this.#failure && this.#exchanged && !this.#unreachable && !this.#vanished) this.#reject(this.#failure);
  }

  #advice() {
    const servers = this.#pc.getConfiguration?.().iceServers ?? [];
    return servers.some(({ urls }) => [urls].flat().some((url) => /^turns?:/.test(url)))
      ? 'Is the TURN server reachable, and are its credentials right?'
      : 'A TURN server among the iceServers usually helps.';
  }

  #timedOut() {
    const { timeout, role, secret } = this.#options;
    const within = `within ${timeout / 1000} s`;
    const cause = this.#unreachable;
    if (cause) return new ConnectError('Timeout', `The signaling server could not be reached ${within}.`, { cause });
    if (this.#exchanged) return this.#failure ?? new ConnectError('Timeout', `The two sides were not connected ${within}.`);
    const nobody = role === 'offer' ? 'Nobody answered' : 'Nobody called';
    const same = secret === undefined ? 'key' : 'secret';
    return new ConnectError('Timeout', `${nobody} ${within}. Does the other side use the same ${same}?`);
  }

  #isClosed() { return this.#pc.signalingState === 'closed'; }

  #listen(target, type, listener) {
    target?.addEventListener(type, listener);
    this.#cleanups.push(() => target?.removeEventListener(type, listener));
  }

  #after(ms, task) {
    if (ms > MAX_TIMER) return;
    const timer = setTimeout(task, ms);
    this.#cleanups.push(() => clearTimeout(timer));
  }
}

/** What belongs to one session of a negotiation. */
class Round {
  outbox;
  codec; // a Seal, or PLAIN
  stream; // of events, if reads come by them
  writes = true; // there may be more to post
  gotAll = false; // the end of the other side's candidates was read
  #limit;
  #short = 0; // answers without news in a row that did not wait

  constructor(number, cursor, parent) {
    this.number = number;
    this.cursor = cursor; // behind what was read
    this.#limit = new Limit(parent);
  }

  get signal() { return this.#limit.signal; }

  /** Waits for something that knows no signal. What a peer connection has begun when it is closed never settles. */
  when(promise) { return unlessAborted(Promise.resolve(promise), this.signal); }

  /** Waits for all tasks. The first one to fail ends the others, and its error is thrown. */
  async together(...tasks) {
    const failures = [];
    await Promise.all(tasks.map((task) => task.catch((error) => {
      failures.push(error);
      this.#limit.abort(error);
    })));
    if (failures.length > 0) throw failures[0];
  }

  async pauseIfShort(asked) {
    if (performance.now() - asked >= SHORT_POLL) this.#short = 0;
    else await sleep(Math.min(pauseAfter(++this.#short, 0, RETRY), SHORT_POLL), this.signal);
  }

  close() {
    this.outbox?.close();
    this.#limit.abort(new DOMException('the session is over', 'AbortError'));
  }
}

/** Holds the candidates that were gathered and not posted yet. */
class Outbox {
  #pc;
  #begun = false;
  #candidates = [];
  #last = { at: 0, place: { sdpMid: null, sdpMLineIndex: 0 } }; // the candidate before: to its place the end of candidates belongs
  #complete = false;
  #ring = () => {};
  #add = ({ candidate }) => (candidate ? this.#gather(candidate) : this.#end());
  #check = () => this.#end();

  constructor(pc) {
    this.#pc = pc;
    pc.addEventListener('icecandidate', this.#add);
    pc.addEventListener('icegatheringstatechange', this.#check);
  }

  close() {
    this.#pc.removeEventListener('icecandidate', this.#add);
    this.#pc.removeEventListener('icegatheringstatechange', this.#check);
  }

  /**
   * Begins to heed the end of gathering, when the description is in force: an end before that is of the description before. The
   * first description has none before it, and if there is nothing to gather, it is gathered at once.
   */
  begin(isFirst) {
    this.#begun = true;
    if (isFirst) this.#end();
  }

  #gather(candidate) {
    if (candidate.candidate === '') return; // Firefox tells the end of each part; that of the whole is to come
    const { sdpMid, sdpMLineIndex } = candidate;
    this.#last = { at: performance.now(), place: { sdpMid, sdpMLineIndex } };
    this.#candidates.push(candidate);
    this.#ring();
  }

  #end() {
    if (!this.#begun || this.#complete || this.#pc.iceGatheringState !== 'complete') return;
    this.#complete = true;
    this.#candidates.push({ candidate: '', ...this.#last.place });
    this.#ring();
  }

  get hasNews() { return this.#candidates.length > 0; }

  /** Resolves when there is something to take. */
  async news(signal) {
    while (!this.hasNews) await unlessAborted(this.#change(), signal);
  }

  /** Resolves when all is gathered, or nothing has come for a while after something did, or after ms. */
  async settled(ms, signal) {
    const over = performance.now() + ms;
    if (!this.hasNews) await this.#newsWithin(ms, signal);
    // Turns, because timers are slow, and in a tab that is not seen they fire once a second.
    for (let now = performance.now(); !this.#complete && this.hasNews && now < Math.min(over, this.#last.at + QUIET);) {
      await turn();
      now = performance.now();
    }
  }

  async #newsWithin(ms, signal) {
    const limit = new Limit(signal);
    await Promise.race([this.#change(), sleep(Math.min(ms, MAX_TIMER), limit.signal)]).finally(() => limit.abort());
  }

  #change() { return new Promise((resolve) => { this.#ring = resolve; }); }

  /** Returns what waits, in order, and whether the end of candidates is in it or before it. */
  take() {
    const ours = this.#pc.localDescription.sdp; // after a restart of ICE, late candidates of the time before are of no use
    const texts = this.#candidates
      .filter(({ usernameFragment: own }) => !own || ours.includes(`a=ice-ufrag:${own}`))
      .map((candidate) => JSON.stringify(candidate));
    this.#candidates = [];
    return { texts, all: this.#complete };
  }
}

/**
 * Returns the type of this side's candidate that the connection uses. A browser whose transports do not name their pair of
 * candidates, which older ones did not, has nominated it (RFC 8445, Section 7.2.2), and perhaps others that carry little.
 */
async function localCandidateType(pc) {
  const stats = await pc.getStats();
  const all = [...stats.values()];
  const selected = all.find(({ type, selectedCandidatePairId }) => type === 'transport' && selectedCandidatePairId);
  const pair = selected ? stats.get(selected.selectedCandidatePairId)
    : all.filter(({ type, state, nominated }) => type === 'candidate-pair' && state === 'succeeded' && nominated)
      .reduce((most, next) => (next.bytesSent > (most?.bytesSent ?? -1) ? next : most), undefined);
  return stats.get(pair?.localCandidateId)?.candidateType;
}

/** Payloads as they are, for peers without a secret. */
const PLAIN = {
  sealSdp: async (text) => text,
  sealCandidate: async (text) => text,
  openSdp: async (text) => refuseSealed(text),
  openCandidate: async (text) => refuseSealed(text),
};

function refuseSealed(text) {
  if (isSealed(text)) throw new SealError('Sealed');
  return text;
}

function descriptionOf(text, wanted) {
  const { type, sdp } = JSON.parse(text) ?? {};
  if (type !== wanted || typeof sdp !== 'string') throw new TypeError(`it is not the JSON of an ${wanted}`);
  return { type, sdp };
}
