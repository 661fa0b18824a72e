// connect: a negotiation on an RTCPeerConnection.

import { keyOf, roleOf } from './arguments.js';
import { Opened } from './ending.js';
import { isOver } from './errors.js';
import { Hooks } from './hooks.js';
import { Report } from './report.js';
import { pauseAfter, RETRY } from './retry.js';
import { PATIENCE, Round } from './round.js';
import { deriveSecret, isSharedSecret, Seal, UNSEALED } from './seal.js';
import { Session } from './session.js';
import { sleep } from './time.js';
import { Verdict } from './verdict.js';

const DEFAULTS = {
  timeout: 300_000, // the longest that a session lives
  connectTimeout: 30_000, // ICE gives up by itself after 15 s or so, unless a TURN server keeps it waiting
  batchDelay: 50, // a burst of host candidates takes less; a STUN server may be far away; as in pionsignal
  report: true,
  after: '',
};

/** The longest pause between two attempts: a person waits. */
const RETRY_MAX = 2_000;

export async function connect(pc, options) {
  return new Negotiation(pc, options).run();
}

/**
 * One call of connect. It works in rounds, each with one session and one offer:
 *
 *   run ── waits for the Verdict on the connection
 *    └─ rounds ── Round: offerer | answerer ── converse ─┬─ send: Outbox ─▶ POST, one at a time
 *                                                        └─ receive: GET ─▶ setRemoteDescription, addIceCandidate
 *
 * If a session ends before the connection stands, its round is over: the server was restarted, the session's lifetime is over, or
 * the other side has reloaded its page. The offerer then opens a new session with a fresh offer (an ICE restart), and the answerer
 * waits for one. Until that offer is there, the descriptions and candidates of the round before stay in force.
 */
class Negotiation {
  // set at construction, read by the rounds
  pc;
  options;
  role;
  verdict;
  hooks;
  opened = new Opened();
  #report;
  #stop = new AbortController(); // ends everything that runs

  // set by #prepare
  ready; // a promise: resolves when these two are there
  session;
  #shared; // a SharedSecret, if payloads are sealed

  // of the rounds
  byEvents; // reads come by server-sent events
  #round;

  constructor(pc, options) {
    if (typeof pc?.setLocalDescription !== 'function') throw new TypeError('pc is not an RTCPeerConnection');
    this.pc = pc;
    this.options = { ...DEFAULTS, ...options };
    this.role = roleOf(options?.role);
    this.byEvents = Boolean(options.events);
    this.verdict = new Verdict(pc, this.options);
    this.hooks = new Hooks(this.options, this.#stop.signal, () => this.#shared !== undefined);
    this.#report = new Report(pc, this.options);
  }

  async run() {
    const leave = () => { // at once: a page that is left runs nothing later
      this.#report.leave();
      this.opened.end();
    };
    globalThis.addEventListener?.('pagehide', leave);
    let reported;
    try {
      this.verdict.watch();
      this.ready = this.#prepare();
      this.ready.catch(() => {}); // the rounds may fail before they wait for it
      this.#runRounds().catch((error) => this.verdict.trouble(error));
      await this.verdict.passed;
      this.hooks.enter('connected');
      reported = this.#report.connected(this.session);
      return { cursor: this.#round.cursor, rounds: this.#round.number };
    } catch (error) {
      reported = this.#report.failed(this.session, error);
      throw error;
    } finally {
      this.verdict.close();
      this.#stop.abort(new DOMException('the negotiation is over', 'AbortError'));
      this.opened.end(reported);
      const unlisten = () => globalThis.removeEventListener?.('pagehide', leave);
      if (reported) reported.then(unlisten);
      else unlisten();
    }
  }

  /** Returns what seals and opens the payloads of one session. */
  newCodec() { return this.#shared ? new Seal(this.#shared, this.role) : UNSEALED; }

  /** Derives what the Session needs of the secret, and makes the Session. */
  async #prepare() {
    const { url, key, secret, keyIn, fetch, retry } = this.options;
    if (secret !== undefined) this.#shared = isSharedSecret(secret) ? secret : await deriveSecret(secret, key);
    if (this.#shared && key !== undefined && keyOf(key) !== this.#shared.key) {
      throw new TypeError('key is not the one that the secret was derived for');
    }
    this.session = new Session({
      url, keyIn, fetch,
      key: this.#shared?.key ?? key,
      role: this.role,
      retry: { max: RETRY_MAX, ...retry, attempts: Infinity }, // until the verdict
      onAnswer: () => { if (this.verdict.hear()) this.hooks.recovered(); },
      onRetry: (error) => {
        this.verdict.miss(error);
        this.hooks.retrying(error);
      },
    });
  }

  async #runRounds() {
    for (let number = 1, after = this.options.after; ; number++, after = '') {
      const round = this.#round = new Round(this, number, after, this.#stop.signal);
      try {
        await round.run();
      } catch (error) {
        if (!isOver(error)) throw error;
        await this.#lose(error, number);
      } finally {
        round.close();
      }
    }
  }

  /**
   * The session is over, and on this side the connection does not stand. It may be a matter of moments: perhaps the offerer is
   * connected already, and has ended the session.
   */
  async #lose(error, number) {
    this.opened.forget();
    this.verdict.lose(error);
    await sleep(this.verdict.isExchanged ? PATIENCE : pauseAfter(number, 0, RETRY), this.#stop.signal);
    this.hooks.restarting(error);
  }
}
