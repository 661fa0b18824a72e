// The end of a session: its opener's duty.

import { Limit } from './time.js';

/** How long the request that ends a session may take. It is a courtesy: the session would expire. */
const END_TIMEOUT = 2_000;

/** The ends of sessions that are under way, by session. One that a new offer overtook would end the new session too. */
const endings = new Map();

const nameOf = ({ url, key }) => `${url} ${key}`;

/** Resolves when no end of an earlier session with this URL and key is under way. */
export async function endOfEarlier(session) { await endings.get(nameOf(session)); }

/** The session that this side has opened, if any. */
export class Opened {
  #session; // it may be open, and by this side

  /** The session is about to be opened. */
  begin(session) { this.#session = session; }

  /** The session was not opened by this side, or has ended already. */
  forget() { this.#session = undefined; }

  /**
   * Ends the session, so that the key is free for the next offer; after the promise `reported`, if there is one. If the two are not
   * connected, that tells the answerer. If they are, it takes nothing away: a connected offerer has finished ICE and DTLS with the
   * answerer, which needs nothing more to be connected as well. Candidates that are not posted by then are never posted anyway.
   */
  end(reported) {
    const session = this.#session;
    if (!session) return;
    this.forget();
    const name = nameOf(session);
    const limit = new Limit();
    limit.arm(END_TIMEOUT);
    const end = () => session.end({ signal: limit.signal, keepalive: true });
    const ending = (reported ? reported.then(end) : end()).catch(() => {}).finally(() => {
      limit.release();
      if (endings.get(name) === ending) endings.delete(name);
    });
    endings.set(name, ending);
  }
}
