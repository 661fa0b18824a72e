// Whether the connection stands, or cannot.

import { ConnectError } from './errors.js';
import { worksByDescriptions } from './stats.js';
import { sleep, timer } from './time.js';

/** How often to look whether pc was closed: close() fires no event. */
const CLOSED_CHECK = 500;

/** How long to try a server that has never answered. A restart takes less, and if the URL is wrong, time does not help. */
const FIRST_CONTACT = 15_000;

/** How often to look whether an ICE restart has come through: that may fire no event. */
const RESTART_CHECK = 50;

/**
 * How long a connection of the offer before has to stand before it counts, while the next offer waits for its answer: if the other
 * side were there, it would have answered by then.
 */
const STANDS = 2_000;

/** Watches a connection until it stands, until it no longer can, or until the caller's timeout or signal ends the wait. */
export class Verdict {
  // set at construction
  passed; // a promise: resolves when the connection stands, rejects with the reason why it does not
  #pc;
  #options;
  #resolve;
  #reject;
  #cleanups = [];
  #closed = false;
  #connectTimer;

  // of the generations of ICE: each offer begins one
  #hasEarlier; // pc may stand by the descriptions of an earlier generation
  #mayStand = false; // both sides may have the descriptions of this generation
  #hasMet = false; // that was so in this generation, or in an earlier one since the Verdict was made
  #began = 0; // when this generation did
  #looking = false; // whether it is this generation that stands

  // what signaling has said so far
  #isExchanged = false; // each side has the other's description
  #reached = false; // the server has answered at least once
  #unreachable; // the error why the server does not answer now
  #taken; // the error by which the server said last that two others have the session
  #isOver = false; // the session was ended, maybe by the other side because it is connected
  #vanished = false; // the session is gone although nobody ended it: most likely the server was restarted
  #failure; // the error why the connection cannot stand, unless another offer comes

  constructor(pc, options) {
    this.#pc = pc;
    this.#options = options;
    this.#hasEarlier = Boolean(pc.localDescription);
    this.passed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.passed.catch(() => {}); // it may reject before anybody waits for it
  }

  get isExchanged() { return this.#isExchanged; }

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

  close() {
    this.#closed = true;
    for (const cleanup of this.#cleanups) cleanup();
  }

  /** A request failed for the moment. */
  miss(error) {
    const isFirst = !this.#reached && !this.#unreachable;
    if (isFirst) this.#after(FIRST_CONTACT, () => { if (!this.#reached) this.#reject(this.#unreachable); });
    this.#unreachable = error;
  }

  /** The session that is open belongs to two others. When it is over, there may be another one. */
  occupied(error) { this.#taken = error; }

  /** The server has answered. Returns whether it did not before. */
  hear() {
    this.#reached = true;
    if (!this.#unreachable) return false;
    this.#unreachable = undefined;
    this.#judge();
    return true;
  }

  /** There is another offer. From here on it counts, and what was known of the one before does not. */
  startOver() {
    if (this.#hasMet) this.#hasEarlier = true;
    this.#isExchanged = this.#mayStand = this.#isOver = this.#vanished = false;
    this.#failure = this.#taken = undefined;
    this.#began = performance.now();
    clearTimeout(this.#connectTimer);
  }

  /** The answer is about to be sent. Whether it arrives, the connection itself may tell first. */
  answer() {
    if (this.#mayStand) return;
    this.#mayStand = this.#hasMet = true;
    this.#failure = undefined; // of the generation before, if there is one
    if (this.#pc.connectionState === 'connected') this.#confirm();
  }

  /** Each side has the other's description: the connection no longer depends on signaling. */
  completeExchange() {
    this.answer();
    this.#isExchanged = true;
    const { connectTimeout } = this.#options;
    this.#connectTimer = timer(connectTimeout, () => this.#fail(new ConnectError('Timeout',
      `The two sides know each other, but were not connected within ${connectTimeout / 1000} s. ${this.#advice()}`)));
  }

  /** The session is over. */
  lose({ code }) {
    this.#isOver = code === 'KeyIsExpired';
    this.#vanished = code === 'KeyNotFound';
    this.#judge();
  }

  /** Signaling has failed for good. */
  trouble(error) {
    if (this.#isClosed()) return this.#look();
    if (!this.#isExchanged) return this.#reject(error);
    this.#unreachable = undefined;
    this.#vanished = false;
    this.#judge();
  }

  #look() {
    const { connectionState, iceConnectionState } = this.#pc;
    if (this.#isClosed()) {
      this.#reject(new ConnectError('Closed', 'The RTCPeerConnection was closed before it was connected.'));
    } else if (connectionState === 'connected') {
      this.#confirm();
    } else if (connectionState === 'failed') {
      this.#fail(iceConnectionState === 'failed'
        ? new ConnectError('IceFailed', `The two sides know each other, but no network path between them works. ${this.#advice()}`)
        : new ConnectError('DtlsFailed', 'The network path works, but the encrypted connection over it failed: ' +
          'whoever is at the other end may not be who sent the description.'));
    }
  }

  /**
   * pc is connected. That counts if both sides have the descriptions by which it is. A pc that is new cannot be before the answer has
   * arrived. One that was used before can, by the path of before; then the server has to have the answer. Or the session was over when it
   * said so: an offerer ends it as soon as it is connected, which may be before the request that brought the answer is answered.
   */
  #confirm() {
    if (this.#mayStand && !this.#hasEarlier) this.#resolve();
    else if (this.#hasMet && !this.#looking) this.#confirmSoon();
  }

  /** Looks until the restart has come through, or until it is clear that the connection of before stands and no answer comes. */
  async #confirmSoon() {
    this.#looking = true;
    for (; !this.#closed && this.#pc.connectionState === 'connected'; await sleep(RESTART_CHECK)) {
      const began = this.#began;
      const mayHaveArrived = this.#isExchanged || this.#mayStand && this.#isOver;
      const stands = mayHaveArrived ? await worksByDescriptions(this.#pc) : !this.#mayStand && performance.now() - began >= STANDS;
      if (stands && began === this.#began) this.#resolve();
    }
    this.#looking = false;
  }

  #fail(error) {
    this.#failure ??= error;
    this.#judge();
  }

  /** A failure is final unless the session may still bring another offer. */
  #judge() {
    if (this.#failure && this.#isExchanged && !this.#unreachable && !this.#vanished) this.#reject(this.#failure);
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
    if (this.#isExchanged) return this.#failure ?? new ConnectError('Timeout', `The two sides were not connected ${within}.`);
    if (this.#taken) return new ConnectError('Timeout', `Others had this key ${within}.`, { cause: this.#taken });
    const nobody = { offer: 'Nobody answered', answer: 'Nobody called', auto: 'Nobody came' }[role];
    const same = secret === undefined ? 'key' : 'secret';
    return new ConnectError('Timeout', `${nobody} ${within}. Does the other side use the same ${same}?`);
  }

  #isClosed() { return this.#pc.signalingState === 'closed'; }

  #listen(target, type, listener) {
    target?.addEventListener(type, listener);
    this.#cleanups.push(() => target?.removeEventListener(type, listener));
  }

  #after(ms, task) {
    const timeout = timer(ms, task);
    this.#cleanups.push(() => clearTimeout(timeout));
  }
}
