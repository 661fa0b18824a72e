// What the server is told of how an attempt to connect ended.

import { localCandidateType } from './stats.js';
import { Limit, sleep, unlessAborted } from './time.js';

/** How long the report may take, as in the Go client. Nobody waits for it. */
const REPORT_TIMEOUT = 5_000;

/** How long the end of the session waits for the report: while the session lives, the server knows which one the report is about. */
const REPORT_LEAD = 500;

/** How often a browser is asked for the pair of candidates, and how long between: Chromium's statistics may be 50 ms old, from before it was connected. */
const STATS_TRIES = 4;
const STATS_PAUSE = 60;

/**
 * Failures that are not reported: the page gave up or could not begin, another client has this side's place, so that the server
 * would take the report for that client's, or the server takes nothing from this one.
 */
const UNREPORTED = new Set(['Closed', 'AlreadyConnected', 'NothingToConnect', 'SdpAlreadyExist', 'NotAuthenticated']);

/** One call of connect as the server is told of it. It is best effort: what goes wrong here fails nothing. */
export class Report {
  #pc;
  #options;
  #began = performance.now();
  #left = new Limit(); // aborts when the page is left, or the end of the session has waited long enough

  constructor(pc, options) {
    this.#pc = pc;
    this.#options = options;
  }

  /** The page is left: from here on nothing is reported, and nothing waits for a report. */
  leave() { this.#left.abort(); }

  /** Reports success. Returns a promise for which the end of the session has to wait, or undefined if there is no report. */
  connected(session) { return this.#begin(session, 'connected'); }

  /** Reports a failure, if it is one that operators want to know of. Returns the same as connected does. */
  failed(session, error) { return this.#counts(error) ? this.#begin(session, 'failed') : undefined; }

  #counts(error) {
    const { signal } = this.#options;
    if (signal?.aborted && error === signal.reason) return error?.name === 'TimeoutError'; // AbortSignal.timeout
    return !UNREPORTED.has(error.code);
  }

  #begin(session, result) {
    if (!this.#options.report || !session || this.#left.signal.aborted) return undefined;
    const ms = performance.now() - this.#began;
    const limit = new Limit();
    limit.arm(REPORT_TIMEOUT);
    const reported = this.#send(session, result, ms, limit.signal).catch(() => {}).finally(() => limit.release());
    this.#left.arm(REPORT_LEAD);
    return unlessAborted(reported, this.#left.signal).catch(() => {}).finally(() => this.#left.release());
  }

  async #send(session, result, ms, signal) {
    const isConnected = result === 'connected';
    let candidateType;
    for (let tries = STATS_TRIES; isConnected && !candidateType && tries > 0; tries--) {
      if (tries < STATS_TRIES) await sleep(STATS_PAUSE, signal);
      candidateType = await unlessAborted(localCandidateType(this.#pc), signal);
    }
    if (isConnected && !candidateType) return; // the browser does not say, and the server takes no guesses
    await session.report({ result, candidateType, ms }, { signal, keepalive: true });
  }
}
