// This side's candidates, from gathering to posting.

import { isEnd, priorityOf } from './payload.js';
import { Limit, sleep, turn, unlessAborted } from './time.js';

/** Candidates come in bursts, 0.3 ms apart in Chromium. After this much silence a burst is over. */
const QUIET = 1;

/** Holds the candidates that were gathered and are not posted yet. */
export class Outbox {
  #pc;
  #begun = false; // our description is in force
  #candidates = [];
  #last = { at: 0, place: { sdpMid: null, sdpMLineIndex: 0 } }; // the last candidate; the end of candidates names its place
  #complete = false; // the end of candidates was gathered
  #onCandidate = () => {};
  #heed = ({ candidate }) => (candidate ? this.#gather(candidate) : this.#end());
  #heedState = () => this.#end();

  constructor(pc) {
    this.#pc = pc;
    pc.addEventListener('icecandidate', this.#heed);
    pc.addEventListener('icegatheringstatechange', this.#heedState);
  }

  close() {
    this.#pc.removeEventListener('icecandidate', this.#heed);
    this.#pc.removeEventListener('icegatheringstatechange', this.#heedState);
  }

  /**
   * Begins to heed the end of gathering. It is called when the description is in force: an end before that belongs to the
   * description before. The first description has none before it, and its gathering may have ended already, with nothing found.
   */
  begin(isFirst) {
    this.#begun = true;
    if (isFirst) this.#end();
  }

  #gather(candidate) {
    if (candidate.candidate === '') return; // Firefox announces the end of each media section; the end of all comes later
    const { sdpMid, sdpMLineIndex } = candidate;
    this.#last = { at: performance.now(), place: { sdpMid, sdpMLineIndex } };
    this.#candidates.push(candidate);
    this.#onCandidate();
  }

  #end() {
    if (!this.#begun || this.#complete || this.#pc.iceGatheringState !== 'complete') return;
    this.#complete = true;
    this.#candidates.push({ candidate: '', ...this.#last.place });
    this.#onCandidate();
  }

  get hasCandidates() { return this.#candidates.length > 0; }

  /** Resolves when there is something to take. */
  async filled(signal) {
    while (!this.hasCandidates) await unlessAborted(this.#nextCandidate(), signal);
  }

  /** Resolves when all is gathered, when a burst of candidates is over, or after ms. */
  async settled(ms, signal) {
    const over = performance.now() + ms;
    if (!this.hasCandidates) await this.#candidateWithin(ms, signal);
    // It waits in turns of the event loop: timers are slow, and in a hidden tab they fire once a second.
    for (let now = performance.now(); !this.#complete && this.hasCandidates && now < Math.min(over, this.#last.at + QUIET);) {
      await turn();
      now = performance.now();
    }
  }

  async #candidateWithin(ms, signal) {
    const limit = new Limit(signal);
    await Promise.race([this.#nextCandidate(), sleep(ms, limit.signal)]).finally(() => limit.abort());
  }

  #nextCandidate() { return new Promise((resolve) => { this.#onCandidate = resolve; }); }

  /**
   * Removes what waits, and returns it in order; of more candidates than there is room for those with the highest priority.
   * dropped is how many were left out. all says whether the end of candidates is in it or was taken before.
   */
  take(room) {
    const ours = this.#pc.localDescription.sdp; // after an ICE restart, late candidates of the earlier generation are useless
    const all = this.#candidates.filter(({ usernameFragment: own }) => !own || ours.includes(`a=ice-ufrag:${own}`));
    this.#candidates = [];
    const taken = all.length > room ? best(all, room) : all;
    return { texts: taken.map((candidate) => JSON.stringify(candidate)), dropped: all.length - taken.length, all: this.#complete };
  }
}

/** Returns as many candidates as there is room for: the end of candidates, and those with the highest priority. */
function best(candidates, room) {
  const rank = (candidate) => (isEnd(candidate) ? Infinity : priorityOf(candidate));
  const chosen = new Set(candidates.toSorted((a, b) => rank(b) - rank(a) || 0).slice(0, room));
  return candidates.filter((candidate) => chosen.has(candidate));
}
