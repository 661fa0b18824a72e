// The wire protocol: what a side of a session asks of the server, and what the answers mean.

import { baseOf, keyOf, optionsOf, roleOf } from './arguments.js';
import { randomKey } from './base64url.js';
import { isNothingYet, isOver, refusal, SignalError } from './errors.js';
import { EventParser, messageOf } from './events.js';
import { ICE_TIMEOUT, listOf } from './ice.js';
import { takeLane } from './lanes.js';
import { mayRepeat, parseRetryAfter, pauseAfter, RETRY } from './retry.js';
import { Limit, sleep, unlessAborted } from './time.js';
import { TokenSource } from './token.js';

/** How long an answer may take beyond the wait that the server was asked for. A slow mobile uplink takes seconds for an sdp. */
const ANSWER_TIMEOUT = 15_000;

/** If the first bytes of a stream take longer, something on the way holds it back. */
const STREAM_FIRST = 5_000;

/** The server sends a comment every 15 s. If two and a half of them are missing, the stream is dead. */
const STREAM_STALL = 40_000;

/** The headers in which a server with --role-tickets gives a role its ticket, and in which it gets the ticket back. */
const TICKET_HEADER = { offer: 'X-Offer-Ticket', answer: 'X-Answer-Ticket' };

const KINDS = {
  keyIn: 'place', fetch: 'task', retry: 'group', timeout: 'time', token: 'token', ticket: 'text', onAnswer: 'task', onRetry: 'task',
};
const RETRY_KINDS = { attempts: 'count', base: 'time', max: 'time' };

export class Session {
  #base;
  #key;
  #role;
  #isCrossOrigin; // the server's origin is not this page's
  #keyIn;
  #token; // a TokenSource
  #fetch;
  #retry;
  #timeout;
  #onAnswer;
  #onRetry;
  #ticket = ''; // of this role in the open session, if the server gave one

  constructor(options) {
    const { url, key, role, keyIn, token, fetch, retry, timeout, ticket, onAnswer, onRetry } =
      optionsOf(options, KINDS, { timeout: ANSWER_TIMEOUT, ticket: '' });
    this.#base = baseOf(url);
    this.#key = keyOf(key);
    this.#role = roleOf(role);
    this.#isCrossOrigin = globalThis.location !== undefined && globalThis.location.origin !== this.#base.origin;
    this.#keyIn = keyIn;
    this.#token = new TokenSource(token);
    this.#fetch = fetch ?? ((...args) => globalThis.fetch(...args));
    this.#retry = optionsOf(retry, RETRY_KINDS, RETRY);
    this.#timeout = timeout;
    this.#ticket = ticket;
    this.#onAnswer = onAnswer;
    this.#onRetry = onRetry;
  }

  get url() { return this.#base.href; }
  get key() { return this.#key; }
  get role() { return this.#role; }
  get ticket() { return this.#ticket; }

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

  /**
   * A wait that brings nothing brings no cursor, either. A side that read on without one would take another session for this one: that which
   * the other side has opened if the server has lost this one. The same write once more, without a wait, brings a cursor.
   */
  async exchange({ sdp, candidates, ttl }, { after = '', wait = 0, idempotencyKey = randomKey(), signal } = {}) {
    const body = JSON.stringify({ key_ttl: seconds(ttl), sdp, candidates });
    const opens = this.#role === 'offer' && sdp !== undefined;
    const request = { method: 'POST', path: `/${this.#role}/messages`, after, wait, body, opens, idempotencyKey };
    const batch = await this.#batch(request, signal);
    return batch.next === '' ? this.#batch({ ...request, wait: 0 }, signal) : batch;
  }

  async report({ result, candidateType, ms }, { signal, keepalive = false } = {}) {
    const body = JSON.stringify({ result, candidate_type: candidateType, ms: Math.round(ms) });
    await this.#attempt({ method: 'POST', path: `/${this.#role}/outcome`, body, keepalive }, signal);
  }

  async end({ signal, keepalive = false } = {}) {
    try {
      await this.#ask({ method: 'DELETE', path: '/session', once: true, keepalive }, signal);
    } catch (error) {
      if (!isOver(error)) throw error;
    }
  }

  async iceServers({ signal } = {}) {
    let left = Math.min(this.#timeout, ICE_TIMEOUT); // for both requests, if it takes two
    return this.#token.use(async (token) => {
      signal?.throwIfAborted();
      const began = performance.now();
      const request = { method: 'GET', path: '/ice', isKeyless: true, timeout: left };
      try { // without the signal: others may wait for the same answer
        const asked = listOf(`${this.#urlOf(request.path)} ${token ?? ''}`, () => this.#attemptWith(token, request));
        return await (signal ? unlessAborted(asked, signal) : asked);
      } finally {
        left -= performance.now() - began;
      }
    }, { signal });
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
      return await this.#ask({ method: 'GET', path: `/${this.#role}/${what}`, wait, takes: true }, signal);
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

  /** Sends a request until it is answered, fails for good, or was sent as often as may be. Resolves to the answer's data. */
  async #ask(request, signal) {
    signal?.throwIfAborted();
    // The same for all repetitions: by it the server tells them from another write or take.
    const idempotencyKey = request.idempotencyKey ?? (request.method === 'POST' || request.takes ? randomKey() : '');
    const { wait = 0 } = request;
    const over = performance.now() + wait;
    for (let attempt = 1, left = wait; ; left = Math.max(0, Math.min(wait, over - performance.now()))) {
      const lane = takeLane(this.#base, left);
      try {
        return await this.#attempt({ ...request, wait: lane.wait, idempotencyKey }, signal);
      } catch (error) {
        if (!(error instanceof SignalError)) throw error;
        if (lane.wait < left && this.#mayCome(error)) continue; // it has not waited as long as it was asked to
        await this.#pauseOrThrow(error, request, attempt++, signal);
      } finally {
        lane.leave();
      }
    }
  }

  /** Reports whether an error says that what was asked for is not there yet. An answerer waits for the session, too. */
  #mayCome(error) { return isNothingYet(error) || (this.#role === 'answer' && error.code === 'KeyNotFound'); }

  async #pauseOrThrow(error, request, attempt, signal) {
    if (attempt >= this.#retry.attempts || !mayRepeat(error, request)) throw error;
    this.#onRetry?.(error, attempt);
    await sleep(pauseAfter(attempt, error.retryAfter, this.#retry), signal);
  }

  /** Sends a request once; once more if that asks for a fresh token. */
  #attempt(request, signal) {
    return this.#token.use((token) => this.#attemptWith(token, request, signal), { signal, atOnce: request.keepalive });
  }

  async #attemptWith(token, request, signal) {
    const limit = new Limit(signal);
    limit.arm(request.timeout ?? (request.wait ?? 0) + this.#timeout);
    const name = `${request.method} ${request.path}`;
    const known = this.#ticketFor(request);
    let response, text;
    try {
      response = await this.#send(request, token, limit.signal);
      text = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      throw new SignalError(limit.signal.aborted ? 'NoAnswer' : 'Unreachable', { request: name, cause });
    } finally {
      limit.release();
    }
    const given = response.headers.get(TICKET_HEADER[this.#role]);
    if (given) this.#ticket = given;
    try {
      const data = this.#dataOf(response, text, name);
      if (request.opens) this.#ticket = given ?? ''; // of the new session, not of the one before
      if (request.method === 'DELETE') this.#forget(known);
      return data;
    } catch (error) {
      throw this.#refused(error, known);
    }
  }

  /**
   * Returns the error to throw for a refusal, and forgets the ticket if its session is over. If the server no longer knows the
   * ticket, the session is over too: a restarted server has lost it.
   */
  #refused(error, ticket) {
    const { code, status, request } = error;
    const thrown = code === 'NotAllowed' && ticket ? new SignalError('KeyIsExpired', { status, request, cause: error }) : error;
    if (isOver(thrown)) this.#forget(ticket);
    return thrown;
  }

  /** Forgets the ticket of a session that is over. If the next session's ticket has come meanwhile, that one stays. */
  #forget(ticket) { if (this.#ticket === ticket) this.#ticket = ''; }

  /** Returns the data of an answer that grants the request. For any other it throws the error that the answer stands for. */
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
   * On a page of another origin a request avoids what needs a preflight: its parameters are in the query, it has no header of its
   * own, and its body is text/plain, which the server reads whatever its type. A browser remembers a preflight per URL, query
   * included, and these URLs differ from one session to the next. What is preflighted anyway has everything in headers, so that
   * all sessions share its URL and the browser asks once. DELETE is. A token lets whoever reads it in, and a ticket makes
   * them a peer, so they are worth the preflights to keep them, and the key that the ticket belongs to, out of URLs.
   */
  #send(request, token, signal) {
    const { method, path, after, wait, body, isKeyless, idempotencyKey, keepalive = false } = request;
    const url = this.#urlOf(path);
    const headers = {};
    if (after) url.searchParams.set('after', after);
    if (wait > 0) url.searchParams.set('wait', seconds(wait).toFixed(3));
    const ticket = this.#ticketFor(request);
    const place = this.#keyIn ?? (this.#isCrossOrigin && method !== 'DELETE' && !ticket && !token ? 'query' : 'header');
    const key = isKeyless ? '' : this.#key;
    if (key && (place === 'query' || !isHeaderText(key))) url.searchParams.set('key', key);
    else if (key) headers.key = key;
    if (token) headers.Authorization = `Bearer ${token}`;
    if (ticket && place === 'query') url.searchParams.set('ticket', ticket);
    else if (ticket) headers[TICKET_HEADER[this.#role]] = ticket;
    if (idempotencyKey && this.#isCrossOrigin && place === 'query' && !token) url.searchParams.set('idempotency_key', idempotencyKey);
    else if (idempotencyKey) headers['Idempotency-Key'] = idempotencyKey;
    return this.#fetch(url.href, {
      method, headers, body, keepalive, signal,
      // Without no-store a browser holds a second GET of one URL back until the first is answered, to share the answer. With
      // other methods no-store would make it forget its preflights.
      cache: method === 'GET' ? 'no-store' : 'default',
      credentials: 'omit',
      redirect: 'error', // it would take the key, a secret of the peers, along
      referrerPolicy: 'no-referrer',
    });
  }

  #urlOf(path) {
    const url = new URL(this.#base);
    url.pathname = url.pathname.replace(/\/$/, '') + path;
    return url;
  }

  /** Returns the ticket to show, if there is one: a request that opens a session needs a new one, and one without a key none. */
  #ticketFor({ opens, isKeyless }) { return opens || isKeyless ? '' : this.#ticket; }

  /** Yields the messages of one event stream, until it breaks. */
  async *#stream(after, signal) {
    const request = { method: 'GET', path: `/${this.#role}/events`, after };
    const name = `GET ${request.path}`;
    const limit = new Limit(signal);
    const known = this.#ticket;
    let heard = false;
    const failureOf = (cause) => {
      signal?.throwIfAborted();
      if (cause instanceof SignalError) return this.#refused(cause, known);
      return new SignalError(heard || !limit.signal.aborted ? 'Unreachable' : 'NoStream', { request: name, cause });
    };
    const open = (token) => this.#open(request, token, limit).catch((cause) => { throw failureOf(cause); });
    try {
      const body = await this.#token.use(open, { signal });
      const parser = new EventParser();
      const decoder = new TextDecoder();
      try {
        for (const reader = body.getReader(); ;) {
          limit.arm(heard ? STREAM_STALL : STREAM_FIRST);
          const { done, value } = await reader.read();
          if (done) return;
          if (!heard) this.#onAnswer?.();
          heard = true;
          limit.disarm(); // while the caller handles the messages, no time is counted
          for (const event of parser.push(decoder.decode(value, { stream: true }))) {
            const message = messageOf(event, name);
            if (message) yield message;
          }
        }
      } catch (cause) {
        throw failureOf(cause);
      }
    } finally {
      limit.abort(); // closes the connection if the caller has stopped reading
    }
  }

  /** Resolves to the body of an event stream. Otherwise it throws what the server says, if it was the server. */
  async #open(request, token, limit) {
    limit.arm(STREAM_FIRST);
    const response = await this.#send(request, token, limit.signal);
    if (response.headers.get('Content-Type')?.startsWith('text/event-stream')) return response.body;
    const text = await response.text();
    limit.disarm(); // a fresh token takes the time that it takes
    const name = `${request.method} ${request.path}`;
    this.#dataOf(response, text, name);
    throw new SignalError('NoStream', { request: name, status: response.status });
  }
}

/** Reports whether a header can carry the text: fetch sends header values as Latin-1, and the server reads UTF-8. */
const isHeaderText = (text) => /^[\x20-\x7e]+$/.test(text);

const seconds = (ms) => (ms === undefined ? undefined : ms / 1000);

/** Returns the batch if it can follow its cursor: nothing comes before the sdp, and there is a cursor to go on from. */
function checkBatch(batch, { after, method, path }) {
  const messages = batch?.messages;
  const good = typeof batch?.next === 'string' && Array.isArray(messages) &&
    messages.every((m, i) => typeof m?.data === 'string' &&
      (m.type === 'sdp' ? i === 0 : m.type === 'candidate' && (i > 0 || after !== ''))) &&
    (messages.length === 0 || (batch.next !== '' && batch.next !== after));
  if (!good) throw new SignalError('BrokenAnswer', { status: 200, request: `${method} ${path}` });
  return batch;
}
