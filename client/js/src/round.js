// One session of a negotiation: from the offer to the connection, or to the session's end.

import { otherRole } from './arguments.js';
import { endOfEarlier } from './ending.js';
import { ConnectError, isOver, SealError } from './errors.js';
import { Outbox } from './outbox.js';
import { pauseAfter, RETRY } from './retry.js';
import { Limit, sleep, unlessAborted } from './time.js';

/** How long the connection may take by itself, when everything is said, before the session is looked at again. */
export const PATIENCE = 2_000;

/** How long one request waits for messages: less than the 30 s after which proxies commonly hang up. */
const WAIT = 25_000;

/**
 * How long a write waits for messages while this side still gathers, so that it does not hold up what is gathered meanwhile: a
 * browser takes 120 ms for host candidates alone. If the other side is there, its messages end the wait sooner.
 */
const BRIEF_WAIT = 250;

/** If an empty batch comes sooner than this, the server did not wait. Then there is a pause, or the requests would never stop. */
const SHORT_POLL = 1_000;

const EMPTY = Object.freeze({ next: '', messages: Object.freeze([]) });

/**
 * One round of a Negotiation, with one session and one offer. On success it runs until it is closed; when the session is over, it
 * throws the error that says so.
 */
export class Round {
  // set at construction
  number; // from 1
  #negotiation;
  #pc;
  #role;
  #options;
  #verdict;
  #hooks;
  #limit; // of everything in this round

  #cursor; // behind what was read
  #outbox;
  #codec; // a Seal, or what stands in for it
  #stream; // of events, while they are read
  #writes = true; // there may be more to post
  #gotAll = false; // the end of the other side's candidates was read
  #shortPolls = 0; // empty batches in a row that came too soon

  constructor(negotiation, number, cursor, signal) {
    const { pc, role, options, verdict, hooks } = negotiation;
    this.number = number;
    this.#negotiation = negotiation;
    this.#pc = pc;
    this.#role = role;
    this.#options = options;
    this.#verdict = verdict;
    this.#hooks = hooks;
    this.#limit = new Limit(signal);
    this.#cursor = cursor;
  }

  get cursor() { return this.#cursor; }

  run() { return this.#role === 'offer' ? this.#runOfferer() : this.#runAnswerer(); }

  close() {
    this.#outbox?.close();
    this.#limit.abort(new DOMException('the session is over', 'AbortError'));
  }

  async #runOfferer() {
    const pc = this.#pc;
    // A pc that was used before has a path or candidates. The other side needs new ones.
    const restart = pc.localDescription ? await this.#when(pc.createOffer({ iceRestart: true })) : undefined;
    this.#verdict.startOver();
    const offer = await this.#describe(restart);
    this.#hooks.enter('waiting');
    await this.#converse(await this.#putOffer(offer));
  }

  async #runAnswerer() {
    await this.#when(this.#negotiation.ready);
    this.#hooks.enter('waiting');
    const { next, messages: [offer, ...candidates] } = await this.#awaitOffer();
    this.#verdict.startOver();
    await this.#apply({ next, messages: [offer] });
    const describing = this.#describe();
    const [answer] = await Promise.all([describing, this.#apply({ messages: candidates })]);
    this.#hooks.enter('connecting');
    const batch = await this.#putAnswer(answer);
    this.#verdict.completeExchange();
    await this.#converse(batch);
  }

  /**
   * Goes on after the descriptions. As long as there is something to write, each write also reads, so that one request at a time is
   * enough. When gathering takes longer, reading and writing go side by side.
   */
  async #converse(batch) {
    await this.#apply(batch);
    while (this.#writes && this.#outbox.hasCandidates) {
      await this.#apply(await this.#postCandidates((all) => this.#waitAfter(all)));
    }
    await this.#together(this.#send(), this.#receive());
  }

  // ─── What this side writes ──────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a description the local one, which starts gathering. Resolves to it and the candidates that come soon. */
  async #describe(description) {
    const pc = this.#pc;
    const isFirst = !pc.localDescription;
    this.#outbox = new Outbox(pc);
    await this.#when(pc.setLocalDescription(description));
    this.#outbox.begin(isFirst);
    const { type, sdp } = pc.localDescription;
    if (!/^m=/m.test(sdp)) {
      throw new ConnectError('NothingToConnect', 'There is nothing to connect: create a data channel, or add a track, before.');
    }
    await this.#when(Promise.all([this.#negotiation.ready, this.#outbox.settled(this.#options.batchDelay, this.#limit.signal)]));
    const text = JSON.stringify({ type, sdp });
    this.#hooks.signal('sent', 'sdp', text);
    const sealed = await this.#seal.sealSdp(text);
    return { sdp: sealed, ...await this.#takeCandidates() };
  }

  async #takeCandidates() {
    const { texts, all } = this.#outbox.take();
    const candidates = [];
    for (const text of texts) {
      this.#hooks.signal('sent', 'candidate', text);
      candidates.push(await this.#seal.sealCandidate(text));
    }
    return { candidates, all };
  }

  get #seal() { return this.#codec ??= this.#negotiation.newCodec(); }

  async #putOffer(offer) {
    const { session } = this.#negotiation;
    await this.#when(endOfEarlier(session));
    try {
      return await this.#openSession(offer);
    } catch (error) {
      if (error.code !== 'SdpAlreadyExist' || !this.#options.replace || this.number > 1) throw error;
      await session.end({ signal: this.#limit.signal });
      return this.#openSession(offer);
    }
  }

  async #openSession({ all, ...write }) {
    const { opened, session } = this.#negotiation;
    opened.begin(session);
    try {
      return await this.#writeAndRead({ ...write, ttl: this.#options.ttl }, all, this.#waitAfter(all));
    } catch (error) {
      if (error.msg) opened.forget(); // the server has answered: this side did not open it, or it has ended already
      throw error;
    }
  }

  /** Puts the answer. Even if everything is gathered, it does not wait long: the connection depends on the answer's receipt. */
  #putAnswer({ all, ...write }) { return this.#writeAndRead(write, all, this.#waitAfter(false)); }

  /** Posts what is gathered. waitFor returns how long to wait for messages, given whether that is all. */
  async #postCandidates(waitFor) {
    const { candidates, all } = await this.#takeCandidates();
    if (candidates.length === 0) return EMPTY;
    try {
      return await this.#writeAndRead({ candidates }, all, waitFor(all));
    } catch (error) {
      if (error.code !== 'QueueIsFull' && error.code !== 'BodyIsTooLong') throw error;
      this.#writes = false; // those that were posted may be enough
      return EMPTY;
    }
  }

  /** Writes and reads in one request. The cursor says which session is meant. */
  async #writeAndRead(write, all, wait) {
    const { session } = this.#negotiation;
    const batch = await session.exchange(write, { after: this.#cursor, wait, signal: this.#limit.signal });
    this.#writes = !all;
    return batch;
  }

  /** Returns how long a write waits for messages: not at all if none are to come, and briefly if waiting is left to other requests. */
  #waitAfter(all) {
    if (this.#gotAll) return 0;
    return all && !this.#negotiation.byEvents ? WAIT : BRIEF_WAIT;
  }

  /** Posts what is gathered, while #receive reads. One request posts everything that came during the request before. */
  async #send() {
    while (this.#writes) {
      await this.#outbox.filled(this.#limit.signal);
      await this.#outbox.settled(this.#options.batchDelay, this.#limit.signal);
      await this.#postCandidates(() => 0); // what it reads is left to #receive, which reads it again
    }
  }

  // ─── What this side reads ───────────────────────────────────────────────────────────────────────────────────────────

  /** Applies what the other side writes. It never stops by itself, because it also finds out that the session has ended. */
  async #receive() {
    for (;;) {
      if (this.#verdict.isExchanged && this.#gotAll) await sleep(PATIENCE, this.#limit.signal);
      await this.#apply(await this.#read());
    }
  }

  /** Waits for a session and its offer. Until the offer is there, the end of an earlier session and its candidates do not matter. */
  async #awaitOffer() {
    for (;;) {
      const asked = performance.now();
      try {
        const batch = await this.#read();
        if (batch.messages[0]?.type === 'sdp') return batch;
        this.#cursor = batch.next;
      } catch (error) {
        if (!isOver(error)) throw error;
        if (this.#cursor === '') await this.#pauseIfShort(asked);
        this.#cursor = ''; // a new session may be open already
      }
    }
  }

  async #read() {
    const asked = performance.now();
    const batch = await this.#next();
    if (batch.messages.length === 0) await this.#pauseIfShort(asked);
    return batch;
  }

  async #next() {
    const { session } = this.#negotiation;
    const place = { after: this.#cursor, signal: this.#limit.signal };
    if (this.#negotiation.byEvents) {
      try {
        this.#stream ??= session.events(place);
        const { value } = await this.#stream.next();
        return { next: value.cursor, messages: [value] };
      } catch (error) {
        this.#stream = undefined;
        if (!['NoStream', 'RouteNotFound', 'MethodNotAllowed'].includes(error.code)) throw error;
        this.#negotiation.byEvents = false;
      }
    }
    return session.messages({ ...place, wait: WAIT });
  }

  async #pauseIfShort(asked) {
    if (performance.now() - asked >= SHORT_POLL) this.#shortPolls = 0;
    else await sleep(Math.min(pauseAfter(++this.#shortPolls, 0, RETRY), SHORT_POLL), this.#limit.signal);
  }

  async #apply({ next, messages }) {
    this.#cursor = next || this.#cursor;
    for (const { type, data } of messages) {
      await this.#when(type === 'sdp' ? this.#applySdp(data) : this.#applyCandidate(data));
    }
  }

  async #applySdp(data) {
    const wanted = otherRole(this.#role);
    let text = '';
    try {
      text = await this.#seal.openSdp(data);
      await this.#pc.setRemoteDescription(descriptionOf(text, wanted));
    } catch (cause) {
      const error = cause instanceof SealError ? cause
        : new ConnectError('BadPeer', `The ${wanted} of the other side cannot be used: ${cause.message}`, { cause });
      this.#hooks.signal('received', 'sdp', text, error);
      throw error;
    }
    this.#hooks.signal('received', 'sdp', text);
    if (wanted === 'offer' || this.#limit.signal.aborted) return;
    this.#hooks.enter('connecting');
    this.#verdict.completeExchange();
  }

  /** Applies a candidate. One that does not open or cannot be used is reported and left out: the others may be enough. */
  async #applyCandidate(data) {
    let text = '', error;
    try {
      text = await this.#seal.openCandidate(data);
      const candidate = JSON.parse(text);
      if (candidate.candidate === '') this.#gotAll = true; // the end of candidates (RFC 8838, Section 13)
      await this.#pc.addIceCandidate(candidate);
    } catch (cause) {
      error = cause;
    }
    this.#hooks.signal('received', 'candidate', text, error);
  }

  // ─── Waiting ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Waits for something that takes no signal. An operation of a peer connection never settles if the connection is closed. */
  #when(promise) { return unlessAborted(Promise.resolve(promise), this.#limit.signal); }

  /** Waits for all tasks. The first one that fails ends the others, and its error is thrown. */
  async #together(...tasks) {
    const failures = [];
    await Promise.all(tasks.map((task) => task.catch((error) => {
      failures.push(error);
      this.#limit.abort(error);
    })));
    if (failures.length > 0) throw failures[0];
  }
}

function descriptionOf(text, wanted) {
  const { type, sdp } = JSON.parse(text) ?? {};
  if (type !== wanted || typeof sdp !== 'string') throw new TypeError(`it is not the JSON of an ${wanted}`);
  return { type, sdp };
}
