// The STUN and TURN servers that the signaling server tells of (GET /ice), and how a peer connection gets them.

import { isIceServer } from './arguments.js';
import { SignalError } from './errors.js';
import { mayRepeat } from './retry.js';

/** How long GET /ice may take: somebody waits for it who could connect without. */
export const ICE_TIMEOUT = 2_000;

/** How long a failure is remembered, as in the Go client: so long a server that does not answer holds up nobody else. */
const FAILED_FOR = 10_000;

const LONGEST_TTL = 86_400; // seconds: no server gives more

/** How many lists are kept. A token function may return another token each time. */
const MOST_LISTS = 256;

/** By URL and token, of which nothing but this page's memory knows. The oldest comes first. */
const lists = new Map();

/** The List that a copy was made of. */
const sources = new WeakMap();

/** What a server has answered, or is about to. */
class List {
  servers; // a promise
  #since = Date.now();
  #keptFor = Infinity; // until it is answered, all who ask share it

  constructor(ask) {
    this.servers = this.#answer(ask);
    this.servers.catch(() => {}); // maybe nobody waits for it any more
  }

  /** By the clock, which goes on while a computer sleeps. If somebody has set it back, nothing is known. */
  get isFresh() {
    const age = Date.now() - this.#since;
    return age >= 0 && age < this.#keptFor;
  }

  /** From now on it is not fresh. Who has it keeps it. */
  expire() { this.#keptFor = 0; }

  async #answer(ask) {
    try {
      const { ttl, iceServers } = await ask() ?? {};
      if (!(ttl >= 0) || !Array.isArray(iceServers) || !iceServers.every(isIceServer)) {
        throw new SignalError('BrokenAnswer', { status: 200, request: 'GET /ice' });
      }
      this.#keptFor = Math.min(ttl, LONGEST_TTL) * 1000 / 2; // the other half is for connecting
      return iceServers;
    } catch (error) {
      this.#since = Date.now();
      this.#keptFor = FAILED_FOR;
      throw error;
    }
  }
}

/** Resolves to a copy of the list with that name, which ask resolves to the data of if it is not kept. Those who come together ask once. */
export async function listOf(name, ask) {
  let list = lists.get(name);
  if (!list?.isFresh) {
    lists.delete(name);
    for (const [other, { isFresh }] of lists) if (!isFresh || lists.size >= MOST_LISTS) lists.delete(other);
    lists.set(name, list = new List(ask));
  }
  const copy = structuredClone(await list.servers);
  sources.set(copy, list);
  return copy;
}

/** By peer connection: the servers that it was given here, as JSON. They may be replaced later, and a caller's may not. */
const ours = new WeakMap();

/** The code of icecandidateerror by which a TURN server refuses the credential (RFC 8489, Section 14.8). */
const UNAUTHENTICATED = 401;

/** What a negotiation does about the ICE servers of its peer connection. */
export class IceServers {
  // set at construction
  #pc;
  #ask; // a function: resolves to the signaling server's list

  #given; // the List that pc was given last, an empty one too
  #ice; // the option: the caller's own list until it is set; false if nobody is asked, or nobody any more
  #asked; // a promise: of the list, or of undefined if the server has not told

  /** Until the signal aborts, it hears of what the servers refuse. */
  constructor(pc, ice, ask, signal) {
    this.#pc = pc;
    this.#ice = ice;
    this.#ask = ask;
    pc.addEventListener('icecandidateerror', ({ errorCode }) => {
      if (errorCode === UNAUTHENTICATED) this.forget();
    }, { signal });
  }

  /** Begins to ask, so that the list is there when it is needed. The caller's own list is set at once, and what pc says against it is thrown. */
  begin() {
    if (typeof this.#ice === 'object') {
      this.#pc.setConfiguration?.({ ...this.#pc.getConfiguration?.(), iceServers: [this.#ice].flat() });
      this.#ice = false;
    }
    if (!this.#ice || !this.#isFree()) return;
    this.#asked = this.#ask().catch((error) => {
      // An older server will not tell later either. What a token function has thrown ends connect in the next request that needs a token.
      if (!(error instanceof SignalError) || !mayRepeat(error, {})) this.#ice = false;
    });
  }

  /** Gives pc the server's list. What it gathers from then on comes by that. Whatever the server does, this takes no longer than ICE_TIMEOUT. */
  async use() {
    let servers = await this.#asked;
    if (!sources.get(servers)?.isFresh) { // the other side took its time, or the server may tell by now
      this.begin();
      servers = await this.#asked;
    }
    if (!servers || !this.#isFree()) return;
    this.#given = sources.get(servers);
    const pc = this.#pc;
    const configuration = pc.getConfiguration();
    if (servers.length === 0 && !configuration.iceServers?.length) return;
    try {
      pc.setConfiguration({ ...configuration, iceServers: servers });
      ours.set(pc, JSON.stringify(pc.getConfiguration().iceServers));
    } catch { /* pc does not take them: it goes on with those that it has */ }
  }

  /** The list that pc was given has not helped it, as after a restart with another secret: whoever needs one next asks for it anew. */
  forget() { this.#given?.expire(); }

  /** Reports whether pc takes servers, and has none that the caller has set. */
  #isFree() {
    const pc = this.#pc;
    if (!pc.getConfiguration || !pc.setConfiguration) return false;
    const { iceServers } = pc.getConfiguration();
    return !iceServers?.length || JSON.stringify(iceServers) === ours.get(pc);
  }
}
