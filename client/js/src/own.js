// The sessions that are this page's own: it opened them, or it answered. It ends those that it leaves, and remembers them until they are
// over. So it ends later what it could not end when it left: if it was reloaded, if it crashed, or if the network was down.

import { randomKey } from './base64url.js';
import { isOver } from './errors.js';
import { Limit, sleep } from './time.js';

/** How long the request that ends a session may take when the page does not need the session any more. */
const END_TIMEOUT = 2_000;

/** How long after the answerer is connected the offerer has to be connected too, and to end the session. */
const OFFERER_ENDS = 2_000;

/** How long a session is remembered: a session lives that long at the most. */
const LIFETIME = 300_000;

const PREFIX = 'signal-server-client '; // of names in sessionStorage

/**
 * The records of this page since it was loaded, by id. sessionStorage has a copy of each, which outlives a reload:
 *
 *   id, url, key, role
 *   since             when the page wrote, or when it was connected: Unix time in ms
 *   write             what it wrote, and
 *   idempotencyKey    with which Idempotency-Key; both until the server has granted that
 *   cursor            behind what it has read by then; '' if it has read nothing
 *   ticket            of its role, if the server gives tickets
 *   isConnected       the two are connected: it is the offerer who ends the session
 *   isLeft            the page has no more use for the session; not in the copy, because a page that is gone has none anyway
 */
const records = new Map();

/** The requests that end sessions and are under way, by name. One that a new offer overtook would end the new session too. */
const endings = new Map();

const nameOf = ({ url, key }) => `${url} ${key}`;

/** Resolves when no end of an earlier session with this URL and key is under way. */
export async function endOfEarlier(session) { await endings.get(nameOf(session)); }

/** The session that one call of connect has opened or answered, if any. */
export class Own {
  #session;
  #record;

  /** The session is about to be opened or answered by this write. Returns the Idempotency-Key for it. */
  begin(session, write, cursor) {
    const { url, key, role } = session;
    this.#session = session;
    const idempotencyKey = randomKey();
    this.#record = { id: randomKey(), url, key, role, since: Date.now(), write, idempotencyKey, cursor, ticket: '', isConnected: false };
    keep(this.#record);
    return idempotencyKey;
  }

  /** The server has granted the write: the session is this side's. */
  granted(cursor) { this.#change({ write: undefined, idempotencyKey: undefined, cursor, ticket: this.#session.ticket }); }

  /** The two are connected. An offerer is about to end the session; an answerer leaves that to the offerer. */
  connected(cursor) {
    if (this.#record?.role === 'answer') this.#change({ cursor, isConnected: true, since: Date.now() });
  }

  /** The session is over, or it is not this side's. */
  forget() {
    if (this.#record) drop(this.#record);
    this.#record = undefined;
  }

  /**
   * The offerer ends the session, so that the key is free for the next offer; after the promise `reported`, if there is one. If the two
   * are not connected, that tells the answerer. If they are, it takes nothing away: a connected offerer has finished ICE and DTLS with
   * the answerer, which needs nothing more to be connected as well. Candidates that are not posted by then are never posted anyway.
   *
   * The answerer leaves the session to the offerer, which may still be about to connect, or find out by itself why it cannot.
   */
  leave(reported) {
    if (this.#record) this.#record.isLeft = true;
    if (this.#record?.role === 'offer') this.#end(reported);
  }

  /** The page is left. Nobody is connected with it any more, so that the answerer too ends the session. */
  leavePage() {
    if (this.#record && !this.#record.isConnected) this.#end();
  }

  #end(reported) {
    const session = this.#session;
    const record = this.#record;
    this.#record = undefined;
    record.isLeft = true;
    const name = nameOf(session);
    const limit = new Limit();
    limit.arm(END_TIMEOUT);
    const end = () => endOne(session, record, { signal: limit.signal, keepalive: true });
    const ending = (reported ? reported.then(end) : end()).catch(() => {}).finally(() => {
      limit.release();
      if (endings.get(name) === ending) endings.delete(name);
    });
    endings.set(name, ending);
  }

  #change(news) {
    if (!this.#record) return;
    Object.assign(this.#record, news);
    keep(this.#record);
  }
}

/**
 * Ends the sessions of this URL, key and role that an earlier connect of this page has left behind. newSession makes a Session for a
 * ticket. Resolves to whether there were any. Rejects if the server cannot be asked.
 */
export async function endLeft(newSession, signal) {
  const found = leftBy(newSession(''));
  for (const record of found) {
    const session = newSession(record.ticket);
    await endOfEarlier(session);
    if (!await isOpen(session, record, signal)) drop(record);
    else await endOne(session, record, { signal }, true);
  }
  return found.length > 0;
}

/** Reports whether the session of the record may still be open. If the two are connected, it gives the offerer time to end it. */
async function isOpen(session, record, signal) {
  for (let after = record.cursor; ;) {
    const wait = record.isConnected ? record.since + OFFERER_ENDS - Date.now() : 0;
    try {
      ({ next: after } = await session.messages({ after, wait: Math.max(wait, 0), signal }));
    } catch (error) {
      if (isOver(error)) return false;
      if (error.code === 'NotAllowed') return true; // without the ticket
      throw error;
    }
    if (wait <= 0) return true;
    await sleep(Math.min(wait, 50), signal);
  }
}

/**
 * Ends the session of the record, and forgets the record. If it is not known that the server got the write, the write is repeated
 * where that is needed: the answer to it says whose the session is, and brings the ticket. askFirst says that the session may by
 * now be another one, which is not this page's to end.
 */
async function endOne(session, record, options, askFirst = false) {
  try {
    if (askFirst && record.write) await repeat(session, record, options);
    await session.end(options).catch(async (error) => {
      if (error.code !== 'NotAllowed' || !record.write) throw error;
      await repeat(session, record, options);
      await session.end(options);
    });
  } catch (error) {
    if (!isOver(error) && error.code !== 'SdpAlreadyExist' && error.code !== 'NotAllowed') throw error;
  }
  drop(record);
}

/** Repeats a write as it was. Only the offerer's may have been the one that begins with no cursor. */
async function repeat(session, { write, idempotencyKey, cursor }, { signal }) {
  await session.exchange(write, { after: cursor, idempotencyKey, signal });
}

// ─── What is remembered ───────────────────────────────────────────────────────────────────────────────────────────────

function keep(record) {
  for (const { id, since, isLeft } of records.values()) if (isLeft && since < Date.now() - LIFETIME) drop({ id });
  records.set(record.id, record);
  const { isLeft, ...copy } = record;
  inStorage((storage) => storage.setItem(PREFIX + record.id, JSON.stringify(copy)));
}

function drop({ id }) {
  records.delete(id);
  inStorage((storage) => storage.removeItem(PREFIX + id));
}

/** Returns the records of sessions with this URL, key and role that are left: by this page, or by the one that it was before. */
function leftBy({ url, key, role }) {
  const stored = inStorage((storage) => Object.keys(storage).filter((name) => name.startsWith(PREFIX)).map((name) => parse(storage.getItem(name), name)));
  const before = (stored ?? []).filter(({ id }) => !records.has(id));
  const found = [];
  for (const record of [...[...records.values()].filter(({ isLeft }) => isLeft), ...before]) {
    if (!(record.since >= Date.now() - LIFETIME)) drop(record);
    else if (record.url === url && record.key === key && record.role === role) found.push(record);
  }
  return found;
}

/** Parses what is stored. Anything else that has taken its place is dropped, since it has no time. */
function parse(text, name) {
  try {
    return { ...JSON.parse(text), id: name.slice(PREFIX.length) };
  } catch {
    return { id: name.slice(PREFIX.length) };
  }
}

/** Does something in sessionStorage. Where there is none, or it is forbidden or full, it returns undefined: the page does without. */
function inStorage(task) {
  try {
    return globalThis.sessionStorage && task(globalThis.sessionStorage);
  } catch {
    return undefined;
  }
}
