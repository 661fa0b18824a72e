// connect: a negotiation on an RTCPeerConnection.

import { baseOf, keyOf, optionsOf, roleOf } from './arguments.js';
import { isOver } from './errors.js';
import { Hooks } from './hooks.js';
import { IceServers } from './ice.js';
import { endLeft, Own } from './own.js';
import { Report } from './report.js';
import { pauseAfter, RETRY } from './retry.js';
import { Round } from './round.js';
import { deriveSecret, isSharedSecret, Seal, UNSEALED } from './seal.js';
import { Session } from './session.js';
import { sleep } from './time.js';
import { Verdict } from './verdict.js';

const KINDS = {
  signal: 'signal', timeout: 'time', connectTimeout: 'time', batchDelay: 'time', ttl: 'time', replace: 'flag', events: 'flag', after: 'text',
  report: 'flag', ice: 'ice', keyIn: 'place', token: 'token', fetch: 'task', retry: 'group', onState: 'task', onSignal: 'task',
};

const DEFAULTS = {
  timeout: 300_000, // the longest that a session lives
  connectTimeout: 30_000, // ICE gives up by itself after 15 s or so, unless a TURN server keeps it waiting
  batchDelay: 50, // a burst of host candidates takes less; a STUN server may be far away; as in pionsignal
  report: true,
  ice: true,
  after: '',
};

/** The codes of errors that other ICE servers might have spared. */
const NO_PATH = new Set(['IceFailed', 'Timeout']);

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
  isAuto; // the role is found out at the beginning
  verdict;
  hooks;
  own = new Own();
  iceServers;
  #report;
  #stop = new AbortController(); // ends everything that runs
  #sessions = {}; // by role
  #askingToken = new Map(); // by the token that was refused: a promise, while the caller is asked, or for good if that fails

  // set by #prepare
  ready; // a promise: resolves when these are there, and no earlier session of this page is in the way
  #shared; // a SharedSecret, if payloads are sealed

  // of the rounds
  role;
  byEvents; // reads come by server-sent events
  #round;
  #isLetIn; // the server lets this client in, and refuses it only what is another's

  constructor(pc, options) {
    if (typeof pc?.setLocalDescription !== 'function') throw new TypeError('pc is not an RTCPeerConnection');
    this.pc = pc;
    this.options = optionsOf(options, KINDS, DEFAULTS);
    this.isAuto = this.options.role === 'auto';
    this.role = this.isAuto ? 'answer' : roleOf(this.options.role);
    baseOf(this.options.url);
    if (this.options.secret === undefined) keyOf(this.options.key);
    this.byEvents = Boolean(this.options.events);
    this.verdict = new Verdict(pc, this.options);
    this.hooks = new Hooks(this.options, this.#stop.signal, () => this.#shared !== undefined);
    this.#report = new Report(pc, this.options);
    this.iceServers = new IceServers(pc, this.options.ice, () => this.#askIceServers(), this.#stop.signal);
  }

  get session() { return this.#sessions[this.role]; }

  async run() {
    const leave = () => { // at once: a page that is left runs nothing later
      this.#report.leave();
      this.own.leavePage();
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
      this.own.connected(this.#round.cursor);
      reported = this.#report.connected(this.session);
      this.#stopRounds();
      await this.#withdrawOffer();
      const { cursor, number: rounds, dropped } = this.#round;
      return { role: this.role, cursor, rounds, dropped };
    } catch (error) {
      this.#stopRounds();
      if (NO_PATH.has(error.code)) this.iceServers.forget();
      reported = this.#report.failed(this.session, error);
      throw error;
    } finally {
      this.own.leave(reported);
      const unlisten = () => globalThis.removeEventListener?.('pagehide', leave);
      if (reported) reported.then(unlisten);
      else unlisten();
    }
  }

  /** Returns what seals and opens the payloads of one session. */
  newCodec(role) { return this.#shared ? new Seal(this.#shared, role) : UNSEALED; }

  /** Ends what an earlier connect of this page left behind. Resolves to whether there was anything. */
  async endLeft() {
    let any = false;
    for (const role of Object.keys(this.#sessions)) {
      any = await endLeft((ticket) => this.#newSession(role, ticket), this.#stop.signal) || any;
    }
    return any;
  }

  /**
   * Reports whether an error says that the session belongs to two others, which is so until it ends. The server refuses a token that is
   * for another key or role in the same words. It judges a token by the head, though, and needs no ticket before it has read in the body
   * that an sdp is put: so it refuses an empty body for another reason.
   */
  async isTaken(error) {
    if (error.code !== 'NotAllowed') return false;
    if (await this.endLeft()) return true; // it was this page's own
    const { signal } = this.#stop;
    this.#isLetIn ??= await this.session.exchange({}, { signal }).then(() => false, ({ code }) => code === 'BodyIsEmpty');
    if (this.#isLetIn) this.verdict.occupied(error);
    return this.#isLetIn;
  }

  /** Derives what the Sessions need of the secret, makes them, and clears the way. */
  async #prepare() {
    const { key, secret } = this.options;
    if (secret !== undefined) this.#shared = isSharedSecret(secret) ? secret : await deriveSecret(secret, key ?? undefined);
    if (this.#shared && (key ?? undefined) !== undefined && keyOf(key) !== this.#shared.key) {
      throw new TypeError('key is not the one that the secret was derived for');
    }
    for (const role of this.isAuto ? ['offer', 'answer'] : [this.role]) this.#sessions[role] = this.#newSession(role);
    await this.endLeft();
  }

  #newSession(role, ticket) {
    const { url, key, keyIn, fetch, retry } = this.options;
    return new Session({
      url, keyIn, fetch, role, ticket,
      token: this.#token,
      key: this.#shared?.key ?? key,
      retry: { ...retry, max: retry?.max ?? RETRY_MAX, attempts: Infinity }, // until the verdict
      onAnswer: () => { if (this.verdict.hear()) this.hooks.recovered(); },
      onRetry: (error) => {
        this.verdict.miss(error);
        this.hooks.retrying(error);
      },
    });
  }

  /**
   * Asks the server for ICE servers. That has a Session of its own, since it begins before the key is derived, and fails nothing: it names
   * no key, and the verdict does not hear of it.
   */
  #askIceServers() {
    const { url, fetch } = this.options;
    return new Session({ url, fetch, token: this.#token, role: this.role, key: 'none' }).iceServers({ signal: this.#stop.signal });
  }

  /** What Sessions get as their token. */
  get #token() {
    const { token } = this.options;
    return typeof token === 'function' ? (refused) => this.#askToken(refused) : token;
  }

  /**
   * Asks the caller for a token. When connect is over, the caller is asked to replace one that the server refuses, and for no first one.
   * Requests that ask for the same at once share the answer, since it may be a person who is asked. What the caller throws ends connect, and
   * nobody is asked for the same again.
   */
  #askToken(refused) {
    if (!refused) this.#stop.signal.throwIfAborted();
    let asking = this.#askingToken.get(refused);
    if (!asking) {
      asking = (async () => this.options.token(refused))();
      this.#askingToken.set(refused, asking);
      asking.then(() => this.#askingToken.delete(refused), () => {});
    }
    return asking;
  }

  /**
   * With the role auto, a side keeps the role that it has found out. If a session is lost, the same side offers again, or a page that
   * has taken its place does. Only a side whose offer comes second looks anew.
   */
  async #runRounds() {
    let isSecond = false;
    for (let number = 1, cursor = this.options.after; ; cursor = '') {
      this.iceServers.begin();
      const found = this.isAuto && (number === 1 || isSecond) ? await this.#chooseRole() : undefined;
      const round = this.#round = new Round(this, number, { cursor, found }, this.#stop.signal);
      try {
        await round.run();
      } catch (error) {
        isSecond = this.isAuto && this.role === 'offer' && error.code === 'SdpAlreadyExist';
        if (isSecond) continue;
        if (!isOver(error)) throw error;
        await this.#lose(error);
        number++;
      } finally {
        round.close();
      }
    }
  }

  /** Who finds no session offers. Resolves to what was found. */
  async #chooseRole() {
    await this.ready;
    this.hooks.enter('waiting');
    this.role = 'answer';
    for (let asked = 1; ; asked++) {
      try {
        return await this.session.messages({ signal: this.#stop.signal });
      } catch (error) {
        if (isOver(error)) {
          this.role = 'offer';
          return undefined;
        }
        if (!await this.isTaken(error)) throw error;
      }
      await sleep(pauseAfter(asked, 0, { ...RETRY, max: 1_000 }), this.#stop.signal);
    }
  }

  /**
   * The session is over, and on this side the connection does not stand. It may be a matter of moments: perhaps the offerer is
   * connected already, and has ended the session. The offerer itself knows that it is not, and if somebody has ended its session, that
   * was the answerer, who begins anew.
   */
  async #lose(error) {
    this.own.forget();
    this.verdict.lose(error);
    const isEnded = this.role === 'offer' && error.code === 'KeyIsExpired';
    const pause = this.verdict.isExchanged && !isEnded ? this.#round.patience : pauseAfter(this.#round.number, 0, RETRY);
    await sleep(pause, this.#stop.signal);
    this.hooks.restarting(error);
  }

  /** If the connection of before stands after all, the offer that nobody has answered is taken back. */
  async #withdrawOffer() {
    if (this.pc.signalingState === 'have-local-offer') await this.pc.setLocalDescription({ type: 'rollback' }).catch(() => {});
  }

  #stopRounds() {
    this.verdict.close();
    this.#stop.abort(new DOMException('the negotiation is over', 'AbortError'));
  }
}
