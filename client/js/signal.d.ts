/**
 * The browser client of signal-server: one ES module without dependencies. {@link connect} does a whole negotiation on an
 * RTCPeerConnection; {@link Session} speaks the wire protocol; {@link Seal} encrypts payloads under a secret of the two peers.
 *
 * ```js
 * import { connect } from 'signal-server-client';
 * const pc = new RTCPeerConnection();
 * const channel = pc.createDataChannel('chat'); // the answerer has pc.ondatachannel instead
 * await connect(pc, { url: 'https://signal.example', key, role: 'offer' });
 * ```
 *
 * All times are in milliseconds.
 *
 * @packageDocumentation
 */

/** The side of a session that a peer is on: JSEP's offerer or answerer (RFC 9429, Section 3.2). */
export type Role = 'offer' | 'answer';

// ─── connect ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Connects an RTCPeerConnection with the other side of a session: exchanges descriptions, trickles candidates, and resolves when
 * `pc.connectionState` is `connected`. It does not matter who starts first, or whether the other side is a page or a program
 * that uses Go's `pionsignal`.
 *
 * - A lost connection to the server, and the end of the session before the two are connected (the server was restarted, the
 *   other side has reloaded its page, the session's lifetime of 5 minutes is over), are survived: the offerer makes a fresh
 *   offer on the same `pc`, an ICE restart, and the answerer answers it.
 * - The offerer has at least one data channel, track or transceiver on `pc` before. `pc` may have been used by an earlier
 *   `connect` that failed.
 * - It listens to events of `pc` with `addEventListener`, sets no handler, and removes its listeners at the end. It does not
 *   close `pc`.
 * - The offerer ends the session when it is connected, when `connect` fails, and when the page is left. A new `connect` with the
 *   same key may follow at once.
 * - Payloads are the JSON of an `RTCSessionDescriptionInit` and of `RTCIceCandidateInit`s; the last candidate has an empty
 *   `candidate`, which is the end of candidates.
 *
 * A handshake is four requests where candidates are gathered at once, and one or two more where they trickle; at the end each side
 * reports the outcome in one more, which nobody waits for.
 *
 * @throws {SignalError} `SdpAlreadyExist` if another pair uses the key; `Unreachable` if the server did not answer once within
 * 15 s; and what else the server refuses for good. A server that is full, or is being restarted, is waited for.
 * @throws {SealError} `Broken`, `NotSealed` or `Sealed` if the description of the other side does not open: another secret, or
 * somebody on the way has changed it. Nothing of it was applied. The answerer finds that out; the offerer waits on.
 * @throws {ConnectError} Why the two cannot be connected.
 * @throws The signal's reason, if it was aborted; `TypeError` for options that cannot be.
 */
export function connect(pc: RTCPeerConnection, options: ConnectOptions): Promise<Connected>;

export interface ConnectOptions {
  /** Where the server is: absolute, or in a page relative to it. It may have a path under which the server is mounted. */
  url: string | URL;
  /**
   * The session's key, which the two sides share: 1 to 32 characters. {@link randomKey} makes one. It may be left out where there
   * is a secret, from which it is derived then.
   */
  key?: string;
  /** Which side this is. One side offers, the other answers. */
  role: Role;
  /**
   * Seals all payloads under a secret that the two sides share, so that the server can neither read nor change them: a text, bytes,
   * or what {@link deriveSecret} resolved to. Both sides need it. docs/sealing.md says what it protects against, and how long a
   * secret has to be.
   */
  secret?: string | BufferSource | SharedSecret;
  /** Aborts the negotiation: `connect` rejects with its reason. */
  signal?: AbortSignal;
  /** How long the negotiation may take, the wait for the other side included. 300 000 by default; `Infinity` for no limit. */
  timeout?: number;
  /** How long the connection may take when both sides know each other's description. 30 000 by default. */
  connectTimeout?: number;
  /**
   * How long the description waits for candidates to go with it, at the most. It leaves as soon as a burst of them is over. 50
   * by default, 0 for not at all.
   */
  batchDelay?: number;
  /** For the offerer: how long the session may live without a request. The server's maximum, 30 000 at most, by default. */
  ttl?: number;
  /**
   * For the offerer: if a session of that key is open, ends it instead of failing with `SdpAlreadyExist`. For a page that may have
   * left one behind, and only where nobody else offers under the key. `false` by default. A server with `--role-tickets` lets nobody
   * do that but the page that has opened the session.
   */
  replace?: boolean;
  /**
   * Reads by server-sent events instead of long polls. That is one request for all that the other side trickles, but one more
   * where everything comes at once. Where events do not get through, it falls back to long polls. `false` by default.
   */
  events?: boolean;
  /**
   * For an answerer that answers one offer of a key after the other: the {@link Connected.cursor} of the connection before, so
   * that no offer is answered twice while its session still lives.
   */
  after?: string;
  /**
   * Tells the server at the end how it ended, so that its operator sees how many connect: `connected`, with the type of this side's
   * candidate (`host`, `srflx`, `prflx` or `relay`) and the milliseconds it took, or `failed`. `true` by default. It is best effort,
   * and neither delays nor fails anything. Nothing is told of an attempt that was given up: by the signal (unless that timed out,
   * as `AbortSignal.timeout` does), by closing `pc`, by leaving the page; or whose place was taken.
   */
  report?: boolean;
  /** Where requests have the key; see {@link SessionOptions.keyIn}. */
  keyIn?: 'header' | 'query';
  /** Replaces `fetch`. */
  fetch?: typeof globalThis.fetch;
  /** Pauses between repetitions: `{ base: 200, max: 2000 }` by default; see {@link RetryOptions}. It goes on until the timeout. */
  retry?: Pick<RetryOptions, 'base' | 'max'>;
  /** Is told how far it has come. */
  onState?(state: ConnectState, error?: SignalError): void;
  /** Is told every payload, as it was before sealing. */
  onSignal?(signal: Signal): void;
}

/**
 * - `waiting`: for the other side.
 * - `connecting`: both descriptions are exchanged, and the two look for a path.
 * - `connected`: `connect` resolves.
 * - `retrying`: a request failed for the moment, the error says why, and will be repeated. When one gets through, the state before
 *   is told again.
 * - `restarting`: the session has ended before the two were connected. `waiting` follows.
 */
export type ConnectState = 'waiting' | 'connecting' | 'connected' | 'retrying' | 'restarting';

/** A payload as it passes. */
export interface Signal {
  direction: 'sent' | 'received';
  type: 'sdp' | 'candidate';
  /** The payload, JSON as a rule. Empty if it did not open. It is the other side's text: show it as text, never as HTML. */
  text: string;
  /** Whether it went over the wire sealed. */
  sealed: boolean;
  /** Why it was not applied. A candidate is left out then; without a description `connect` fails. */
  error?: Error;
}

export interface Connected {
  /** The place behind what was read; see {@link ConnectOptions.after}. */
  cursor: string;
  /** How many sessions it took: 1 unless one was lost. */
  rounds: number;
}

/** Why two sides cannot be connected. The message is a sentence for a person. */
export class ConnectError extends Error {
  readonly name: 'ConnectError';
  /**
   * - `Timeout`: the server could not be reached, nobody came, or the connection did not come about, in time.
   * - `IceFailed`: no network path works. Usually a TURN server is missing.
   * - `DtlsFailed`: a path works, and the encrypted connection over it failed.
   * - `Closed`: `pc` was closed.
   * - `AlreadyConnected`: `pc` was connected before.
   * - `NothingToConnect`: the offerer's `pc` has neither data channel nor track.
   * - `BadPeer`: the other side's description cannot be used; `cause` says why.
   */
  readonly code: 'Timeout' | 'IceFailed' | 'DtlsFailed' | 'Closed' | 'AlreadyConnected' | 'NothingToConnect' | 'BadPeer';
}

// ─── Session ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * One side of the session of a key, over HTTP. It holds no connection: it need not be closed, any number may exist.
 *
 * All it remembers is the ticket of its role, where the server gives tickets (`--role-tickets`): then only the Session that has opened
 * a session, or was the first to answer in it, can go on as that role. Another one, and a page that was reloaded, cannot: they are
 * refused with `NotAllowed` until the session has ended. A ticket that the server does not know any more, because it was restarted,
 * means `KeyIsExpired`.
 *
 * Each role writes a log, at most one sdp and then candidates, and reads the other's. Payloads are text, opaque to the server.
 * A request that failed for the moment is repeated as {@link RetryOptions} says, where that cannot do harm: writes carry a token
 * by which the server tells a repetition, and reading by cursor removes nothing. A take is repeated only if the server itself
 * refused it: who takes can lose a payload with a lost answer, who reads {@link Session.messages} cannot.
 *
 * Every method rejects with a {@link SignalError}, or with the reason of its signal.
 */
export class Session {
  /** @throws {SignalError} `KeyIsEmpty` or `KeyIsTooLong`. @throws {TypeError} for a role or URL that cannot be. */
  constructor(options: SessionOptions);

  /** Where the server is, absolute. */
  readonly url: string;
  /** The key, without spaces around it. */
  readonly key: string;
  readonly role: Role;

  /**
   * Puts this role's sdp, once. The offerer's opens the session, which then lives for `ttl` after each request to it; the server's
   * maximum by default. Rejects with `SdpAlreadyExist` while a session of that key lives.
   */
  putSdp(sdp: string, options?: { ttl?: number; signal?: AbortSignal }): Promise<void>;
  /** Removes the other role's sdp from the session and resolves to it; to `null` if it did not come within `wait`. */
  takeSdp(options?: WaitOptions): Promise<string | null>;

  /** Appends a candidate to this role's log. */
  addCandidate(candidate: string, options?: { signal?: AbortSignal }): Promise<void>;
  /** Appends candidates, all or none, in order. None at all is no request. */
  addCandidates(candidates: readonly string[], options?: { signal?: AbortSignal }): Promise<void>;
  /** Removes the other role's oldest candidate and resolves to it; to `null` if none came within `wait`. */
  takeCandidate(options?: WaitOptions): Promise<string | null>;
  /** Removes all of the other role's candidates and resolves to them, oldest first; to `[]` if none came within `wait`. */
  takeCandidates(options?: WaitOptions): Promise<string[]>;

  /**
   * Resolves to what the other role has written after the cursor, and removes nothing. If nothing came within `wait`, the batch
   * is empty and its `next` is `after`. Rejects with `KeyNotFound` if no session is open, for which an answerer waits, and with
   * `KeyIsExpired` if it has ended, or if the cursor is of one that has.
   */
  messages(options?: ReadOptions): Promise<Batch>;
  /**
   * Writes, all or nothing, and then reads as {@link Session.messages} does, in one request: with `wait` an offerer gets the
   * answer to its offer. A cursor also says which session is meant: nothing is written to another one.
   */
  exchange(write: Write, options?: ReadOptions): Promise<Batch>;
  /**
   * Yields what the other role writes, as server-sent events over `fetch`. A stream that breaks is opened again where it
   * stopped. It ends with the error that ended it: `KeyIsExpired` for the end of the session, `NoStream` where something on the
   * way holds events back, `RouteNotFound` where the server has none. An answerer may begin before the session is open.
   */
  events(options?: { after?: string; signal?: AbortSignal }): AsyncGenerator<Message & { cursor: string }, never, void>;

  /**
   * Tells the server how this role's attempt to connect ended. It may come up to 30 s after the session's end, and is sent once.
   * Rejects with `RouteNotFound` where the server takes no reports. `keepalive` lets the request outlive the page.
   */
  report(outcome: Outcome, options?: { signal?: AbortSignal; keepalive?: boolean }): Promise<void>;

  /** Ends the session for both roles. It is no error if there is none. `keepalive` lets the request outlive the page. */
  end(options?: { signal?: AbortSignal; keepalive?: boolean }): Promise<void>;
}

export interface SessionOptions {
  /** See {@link ConnectOptions.url}. */
  url: string | URL;
  /** 1 to 32 characters (Unicode code points). Spaces around it are cut off. */
  key: string;
  role: Role;
  /**
   * Where requests have the key. By default in the header, where access logs do not show it, if the server is of the page's own
   * origin, and otherwise in the query. There a header would cost a preflight for every request, because browsers remember them
   * per URL; in exchange the key is in the access logs of the server and of proxies before it, for whom it is of use as long as
   * the session lives, seconds as a rule. A key that is not ASCII is always in the query. A role's ticket goes where the key goes.
   */
  keyIn?: 'header' | 'query';
  /** Replaces `fetch`. */
  fetch?: typeof globalThis.fetch;
  /** How requests that fail for the moment are repeated. */
  retry?: Partial<RetryOptions>;
  /** How long an answer may take, on top of what the server was asked to wait. 15 000 by default. */
  timeout?: number;
  /** Is called when the server has answered, whatever it said. */
  onAnswer?(): void;
  /** Is called before a request is repeated, the attempts so far counted from 1. What it throws the request rejects with. */
  onRetry?(error: SignalError, attempts: number): void;
}

export interface RetryOptions {
  /** How often a request is sent at the most. 5 by default. */
  attempts: number;
  /** The longest pause after the first failure. 200 by default. It doubles with each, and is up to half shorter at random. */
  base: number;
  /** The longest pause that is not the server's wish (Retry-After). 5000 by default. */
  max: number;
}

export interface WaitOptions {
  /** How long the server may wait for something to come: 30 000 at the most, 0 by default. */
  wait?: number;
  signal?: AbortSignal;
}

export interface ReadOptions extends WaitOptions {
  /** A {@link Batch.next}: the place to go on from. The beginning by default. */
  after?: string;
}

/** What a role writes in one go. One part at least is there. */
export interface Write {
  sdp?: string;
  candidates?: readonly string[];
  /** As in {@link Session.putSdp}. */
  ttl?: number;
}

/** How an attempt to connect ended. */
export interface Outcome {
  result: 'connected' | 'failed';
  /** Of the local candidate that the connection uses: always where it is connected, and only there. */
  candidateType?: 'host' | 'srflx' | 'prflx' | 'relay';
  /** From the beginning of the attempt to its end. */
  ms: number;
}

export interface Message {
  type: 'sdp' | 'candidate';
  data: string;
}

/** What was read in one go: messages in order, the sdp first, and the cursor behind them. */
export interface Batch {
  next: string;
  messages: readonly Message[];
}

/** A request that did not produce what it asked for. The message is a sentence for a person. */
export class SignalError extends Error {
  constructor(code: SignalCode, details?: {
    msg?: string; status?: number; retryAfter?: number; request?: string; cause?: unknown;
  });
  readonly name: 'SignalError';
  /** The name of the msg in the server's `custerrors`, or what this side found out. */
  readonly code: SignalCode;
  /** The server's own text, fixed byte for byte; empty if the server did not say anything. */
  readonly msg: string;
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** How long the server asks not to be asked again; 0 if it did not say. */
  readonly retryAfter: number;
  /** Method and path, without the key: `POST /offer/messages`. */
  readonly request: string;
}

export type SignalCode =
  | 'KeyIsEmpty' | 'KeyIsTooLong' | 'KeyNotFound' | 'KeyIsExpired' | 'CtxIsEmpty'
  | 'CacheOverrunMaxCost' | 'CacheOnEvictNoGetKey' | 'QueueNewFailBecauseAlreadyExists' | 'QueueGetFailBecauseNotExists'
  | 'QueueIsFull' | 'DataIsEmpty' | 'BodyIsEmpty' | 'BodyIsNotUTF8' | 'BodyIsNotJSON' | 'BodyIsTooLong'
  | 'SdpNoValues' | 'SdpAlreadyExist' | 'CandidateNoValues'
  | 'CursorIsInvalid' | 'WaitIsInvalid' | 'IdempotencyKeyIsInvalid' | 'RequestIsInvalid' | 'RequestIsTooSlow'
  | 'HeaderIsTooLong' | 'RouteNotFound' | 'MethodNotAllowed' | 'NotAuthenticated' | 'NotAllowed' | 'HTTPSIsRequired'
  | 'TooManyRequests'
  | 'ServerIsOverloaded' | 'ServerIsShuttingDown' | 'StoreIsUnavailable' | 'InternalError'
  /** No answer came: no network, a wrong URL, or the page's Content-Security-Policy forbids it. */
  | 'Unreachable'
  /** What came is not an answer of this protocol. */
  | 'BrokenAnswer'
  /** Server-sent events do not get through. */
  | 'NoStream'
  /** A msg that this version does not know; it is in `msg`. */
  | 'Unknown';

/** Returns a key that nobody guesses: 22 characters of base64url. */
export function randomKey(): string;

// ─── Sealing ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a secret becomes: the session's key, and for each role a key that stays out of reach. */
export interface SharedSecret {
  /** The key to name the session with. */
  readonly key: string;
}

/**
 * Derives the keys of a secret. It takes a tenth of a second or more on purpose, so that guessing does, too; what it resolves to
 * may be used for any number of sessions. With a key of its own the session is named by that; otherwise its key is derived.
 *
 * @throws {SealError} `NoSecret`, or `Unavailable` where there is no WebCrypto: on pages that are neither https nor on localhost.
 */
export function deriveSecret(secret: string | BufferSource, key?: string): Promise<SharedSecret>;

/**
 * One side's sealing of one session: from its offer to its end. Another offer, even under the same key, needs another Seal.
 * Calls follow one another, waited for or not, and what is sealed is posted in that order.
 *
 * Opening rejects with a {@link SealError}: `Broken` if the payload was sealed with another secret, changed, or moved from its
 * place; `NotSealed` if it is not in this format; `Order` before the description that it is bound to. A payload that does not open
 * takes no place: the next one still opens.
 */
export class Seal {
  constructor(shared: SharedSecret, role: Role);
  /** Seals this side's description, once. The answerer opens the offer before. */
  sealSdp(text: string): Promise<string>;
  /** Seals this side's next candidate. */
  sealCandidate(text: string): Promise<string>;
  /** Opens the other side's description, once. The offerer seals its own before. */
  openSdp(sealed: string): Promise<string>;
  /** Opens the other side's next candidate. */
  openCandidate(sealed: string): Promise<string>;
}

/** A payload that does not open, or cannot be sealed. The message is a sentence for a person. */
export class SealError extends Error {
  readonly name: 'SealError';
  /** As {@link Seal} and {@link deriveSecret} say. `Sealed`: the payload is sealed, and no secret was given on this side. */
  readonly code: 'NoSecret' | 'NotSealed' | 'Sealed' | 'Broken' | 'Order' | 'Unavailable';
}
