// One session of a negotiation: from the offer to the connection, or to the session's end.

import { otherRole } from './arguments.js';
import { ConnectError, isOver, SealError, SignalError } from './errors.js';
import { Outbox } from './outbox.js';
import { endOfEarlier } from './own.js';
import { candidateOf, descriptionOf, isEnd } from './payload.js';
import { pauseAfter, RETRY } from './retry.js';
import { Limit, sleep, unlessAborted } from './time.js';

/** How long the connection may take by itself, when everything is said, before this side looks whether the session is still there. */
const LOOK = 1_000;

/** How long the connection may take by itself, when everything is said and the session is over, before another one begins. */
const PATIENCE = 2_000;

/** How long one request waits for messages: less than the 30 s after which proxies commonly hang up. */
const WAIT = 25_000;

/**
 * How long a write waits for messages while this side still gathers, so that it does not hold up what is gathered meanwhile: a
 * browser takes 120 ms for host candidates alone. If the other side is there, its messages end the wait sooner.
 */
const BRIEF_WAIT = 250;

/** If an empty batch comes sooner than this, the server did not wait. Then there is a pause, or the requests would never stop. */
const SHORT_POLL = 1_000;

/** How many candidates a role may post in a session, unless the server was told otherwise. */
const MAX_CANDIDATES = 128;

/** How long the request may take that tells the other side why there is no answer. */
const REFUSAL_TIMEOUT = 2_000;

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

  dropped = 0; // this side's candidates for which the session had no room
  #cursor; // behind what was read
  #found; // the batch that was read when this side looked whether there is a session
  #outbox;
  #codec; // a Seal, or what stands in for it
  #stream; // of events, while they are read: then nothing else reads
  #writes = true; // there may be more to post
  #posted = 0; // candidates
  #gotAll = false; // the end of the other side's candidates was read
  #shortPolls = 0; // empty batches in a row that came too soon
  #exchanged = 0; // when each side had the other's description

  /** found is a batch that the answerer has read already, if it has. */
  constructor(negotiation, number, { cursor, found }, signal) {
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
    this.#found = found;
  }

  get cursor() { return this.#cursor; }

  get #session() { return this.#negotiation.session; } // it is there when the negotiation is ready

  run() { return this.#role === 'offer' ? this.#runOfferer() : this.#runAnswerer(); }

  close() {
    this.#outbox?.close();
    this.#limit.abort(new DOMException('the session is over', 'AbortError'));
  }

  /** How long the connection may still take by itself, in ms, when the session has ended. */
  get patience() { return Math.max(PATIENCE - (performance.now() - this.#exchanged), PATIENCE / 4); }

  async #runOfferer() {
    const pc = this.#pc;
    await this.#useIceServers();
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
    const begun = this.#pc.signalingState === 'have-local-offer';
    if (begun) await this.#when(this.#pc.setLocalDescription({ type: 'rollback' })); // an offer that nobody has answered
    try {
      await this.#apply({ next, messages: [offer] });
    } catch (error) {
      if (error instanceof SealError) await this.#refuse(offer.data);
      throw error;
    }
    await this.#useIceServers();
    // First the answer, then candidates. The other way round a pc that was used before did not connect in Chromium, three times in five.
    const describing = this.#describe(undefined, begun);
    const [answer] = await Promise.all([describing, this.#apply({ messages: candidates })]);
    this.#hooks.enter('connecting');
    this.#verdict.answer();
    const batch = await this.#putAnswer(answer);
    this.#completeExchange();
    await this.#converse(batch);
  }

  #completeExchange() {
    this.#exchanged = performance.now();
    this.#verdict.completeExchange();
  }

  /**
   * Goes on after the descriptions. As long as there is something to write, each write also reads, so that one request at a time is
   * enough. When gathering takes longer, or events are read, reading and writing go side by side.
   */
  async #converse(batch) {
    await this.#apply(batch);
    while (this.#writes && this.#outbox.hasCandidates && !this.#stream) {
      await this.#apply(await this.#postCandidates((all) => this.#waitAfter(all)));
    }
    await this.#together(this.#send(), this.#receive());
  }

  // ─── What this side writes ──────────────────────────────────────────────────────────────────────────────────────────

  /** Waits for the ICE servers that the next description's candidates come by. They were asked for when the round began. */
  #useIceServers() { return this.#when(this.#negotiation.iceServers.use()); }

  /** Makes a description the local one, which starts gathering. Resolves to it and the candidates that come soon. */
  async #describe(description, hasGathered = false) {
    const pc = this.#pc;
    const isFirst = !pc.localDescription && !hasGathered;
    this.#outbox = new Outbox(pc);
    await this.#when(pc.setLocalDescription(description));
    this.#outbox.begin(isFirst);
    const { type, sdp } = pc.localDescription;
    if (!/^m=/m.test(sdp)) {
      throw new ConnectError('NothingToConnect', 'There is nothing to connect: create a data channel, or add a track, before.');
    }
    const described = performance.now();
    await this.#when(Promise.all([this.#negotiation.ready, this.#outbox.settled(this.#options.batchDelay, this.#limit.signal)]));
    const text = JSON.stringify({ type, sdp });
    this.#hooks.signal('sent', 'sdp', text, described);
    const sealed = await this.#seal.sealSdp(text);
    return { sdp: sealed, ...await this.#takeCandidates() };
  }

  /** Takes what is gathered. What there is no room for is left out before it is sealed, because what is sealed has its place. */
  async #takeCandidates() {
    const { texts, dropped, all } = this.#outbox.take(MAX_CANDIDATES - this.#posted);
    this.dropped += dropped;
    this.#posted += texts.length;
    const candidates = [];
    for (const text of texts) {
      this.#hooks.signal('sent', 'candidate', text, performance.now());
      candidates.push(await this.#seal.sealCandidate(text));
    }
    return { candidates, all };
  }

  get #seal() { return this.#codec ??= this.#negotiation.newCodec(this.#role); }

  async #putOffer(offer) {
    await this.#when(endOfEarlier(this.#session));
    const write = { ...offer, ttl: this.#options.ttl };
    try {
      return await this.#putSdp(write, this.#waitAfter(offer.all));
    } catch (error) {
      if (error.code !== 'SdpAlreadyExist' || this.number > 1) throw error;
      if (!await this.#negotiation.endLeft()) {
        if (!this.#options.replace || this.#negotiation.isAuto) throw error;
        await this.#session.end({ signal: this.#limit.signal });
      }
      return this.#putSdp(write, this.#waitAfter(offer.all));
    }
  }

  /** Puts the answer. Even if everything is gathered, it does not wait long: the connection depends on the answer's receipt. */
  async #putAnswer(answer) {
    try {
      return await this.#putSdp(answer, this.#waitAfter(false));
    } catch (error) {
      if (error.code !== 'SdpAlreadyExist' || !await this.#negotiation.endLeft()) throw error;
      throw new SignalError('KeyIsExpired', { cause: error }); // it was answered by this page, for a call that is over
    }
  }

  /** Puts the description, with as many of its candidates as the session takes. */
  async #putSdp({ all, ...write }, wait) {
    const { own } = this.#negotiation;
    for (;;) {
      const idempotencyKey = own.begin(this.#session, write, this.#cursor);
      try {
        const batch = await this.#writeAndRead(write, { wait, idempotencyKey });
        this.#writes = !all;
        own.granted(batch.next || this.#cursor);
        return batch;
      } catch (error) {
        if (error.msg) own.forget(); // the server has answered: the session is not this side's, or has ended already
        if (error.code !== 'QueueIsFull' || write.candidates.length === 0) throw error;
      }
      const fewer = write.candidates.slice(0, write.candidates.length >> 1); // the server's limit is lower than usual
      this.dropped += write.candidates.length - fewer.length;
      this.#posted = MAX_CANDIDATES;
      write = { ...write, candidates: fewer };
    }
  }

  /** Tells the offerer that this side cannot open its offer. If that fails, the offerer waits until its time is up. */
  async #refuse(offer) {
    const limit = new Limit(this.#limit.signal);
    const { own } = this.#negotiation;
    try {
      const write = { sdp: await this.#negotiation.newCodec(this.#role).sealRefusal(offer) };
      limit.arm(REFUSAL_TIMEOUT);
      const idempotencyKey = own.begin(this.#session, write, this.#cursor);
      await this.#session.exchange(write, { after: this.#cursor, idempotencyKey, signal: limit.signal });
      own.granted(this.#cursor);
    } catch (error) {
      if (error.msg) own.forget();
    } finally {
      limit.release();
    }
  }

  /** Posts what is gathered. waitFor returns how long to wait for messages, given whether that is all. */
  async #postCandidates(waitFor) {
    const { candidates, all } = await this.#takeCandidates();
    this.#writes = !all;
    if (candidates.length === 0) return EMPTY;
    try {
      return await this.#writeAndRead({ candidates }, { wait: waitFor(all) });
    } catch (error) {
      if (error.code !== 'QueueIsFull' && error.code !== 'BodyIsTooLong') throw error;
      this.dropped += candidates.length; // those that were posted may be enough
      this.#posted = MAX_CANDIDATES;
      return EMPTY;
    }
  }

  /** Writes and reads in one request, or leaves reading to the stream. The cursor says which session is meant. */
  async #writeAndRead(write, { wait, idempotencyKey }) {
    const after = this.#cursor;
    const batch = await this.#session.exchange(write, { after, idempotencyKey, wait: this.#stream ? 0 : wait, signal: this.#limit.signal });
    return this.#stream ? EMPTY : batch;
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
      if (this.#verdict.isExchanged && this.#gotAll) await sleep(LOOK, this.#limit.signal);
      await this.#apply(await this.#read());
    }
  }

  /** Waits for a session and its offer. Until the offer is there, the end of an earlier session and its candidates do not matter. */
  async #awaitOffer() {
    for (;;) {
      const asked = performance.now();
      try {
        const batch = this.#found ?? await this.#read();
        this.#found = undefined;
        if (batch.messages[0]?.type === 'sdp') return batch;
        this.#cursor = batch.next;
      } catch (error) {
        if (await this.#negotiation.isTaken(error)) {
          await this.#pauseIfShort(asked);
          continue;
        }
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
    const place = { after: this.#cursor, signal: this.#limit.signal };
    if (this.#negotiation.byEvents) {
      try {
        this.#stream ??= this.#session.events(place);
        const { value } = await this.#stream.next();
        return { next: value.cursor, messages: [value] };
      } catch (error) {
        this.#stream = undefined;
        if (!['NoStream', 'RouteNotFound', 'MethodNotAllowed'].includes(error.code)) throw error;
        this.#negotiation.byEvents = false;
      }
    }
    return this.#session.messages({ ...place, wait: WAIT });
  }

  async #pauseIfShort(asked) {
    if (performance.now() - asked >= SHORT_POLL) this.#shortPolls = 0;
    else await sleep(Math.min(pauseAfter(++this.#shortPolls, 0, RETRY), SHORT_POLL), this.#limit.signal);
  }

  async #apply({ next, messages }) {
    const arrived = performance.now();
    this.#cursor = next || this.#cursor;
    for (const { type, data } of messages) {
      await this.#when(type === 'sdp' ? this.#applySdp(data, arrived) : this.#applyCandidate(data, arrived));
    }
  }

  async #applySdp(data, arrived) {
    const wanted = otherRole(this.#role);
    let text = '';
    try {
      text = await this.#seal.openSdp(data);
      await this.#pc.setRemoteDescription(descriptionOf(text, wanted));
    } catch (cause) {
      const error = cause instanceof SealError ? cause
        : new ConnectError('BadPeer', `The ${wanted} of the other side cannot be used: ${cause.message}`, { cause });
      this.#hooks.signal('received', 'sdp', text, arrived, error);
      throw error;
    }
    this.#hooks.signal('received', 'sdp', text, arrived);
    if (wanted === 'offer' || this.#limit.signal.aborted) return;
    this.#hooks.enter('connecting');
    this.#completeExchange();
  }

  /** Applies a candidate. One that does not open or cannot be used is reported and left out: the others may be enough. */
  async #applyCandidate(data, arrived) {
    let text = '', error;
    try {
      text = await this.#seal.openCandidate(data);
      const candidate = candidateOf(text);
      if (isEnd(candidate)) this.#gotAll = true;
      await this.#pc.addIceCandidate(candidate);
    } catch (cause) {
      error = cause;
    }
    this.#hooks.signal('received', 'candidate', text, arrived, error);
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
