/**
 * The browser client of signal-server: one ES module without dependencies. {@link connect} does a whole negotiation on an
 * RTCPeerConnection. {@link Session} speaks the wire protocol. {@link Seal} encrypts payloads under a secret of the two peers.
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
 * - `connect` resolves by the descriptions that it has exchanged, and by no others. So it may be called again on a `pc` whose network
 *   was lost, on both sides: it does an ICE restart, and does not take the path of before, should that come back, for the new one.
 * - `connect` survives a lost connection to the server. It also survives that the session ends before the two are connected (the
 *   server was restarted, the other side has reloaded its page, the session's lifetime of 5 minutes is over): the offerer makes a
 *   fresh offer on the same `pc`, an ICE restart, and the answerer answers it.
 * - The offerer's `pc` needs at least one data channel, track or transceiver before. An earlier `connect` that failed may have used
 *   the same `pc`.
 * - `connect` listens to events of `pc` with `addEventListener`, sets no handler, and removes its listeners at the end. It does not
 *   close `pc`.
 * - The offerer ends the session when it is connected, when `connect` fails, and when the page is left. So does an answerer that is left
 *   after it has answered, and before it is connected. A new `connect` with the same key may follow at once.
 * - What it takes to end a session is kept in `sessionStorage` until it is over: URL, key, cursor and ticket, and what was written until the
 *   server has granted it. Where the page was reloaded, crashed, or could not reach the server, its next `connect` with that key
 *   and role first ends what it left behind, and the two sides find each other again within seconds. A page without
 *   `sessionStorage` does so until it is reloaded. A tab that is duplicated has a copy, and takes the key from the other one.
 * - Payloads are the JSON of an `RTCSessionDescriptionInit` and of `RTCIceCandidateInit`s; the last candidate has an empty
 *   `candidate`, which is the end of candidates. `null` in JSON is taken for that, too, and a bare `candidate:…` line for one of the
 *   first media section.
 * - If there are more candidates than a session takes, 128, those with the highest priority go, and the rest is counted:
 *   {@link Connected.dropped}.
 *
 * A handshake is four requests where candidates are gathered at once, and one or two more where they trickle; with the role `auto` one
 * more. At the end each side
 * reports the outcome in one more, and waits for no answer to it. What the server tells of ICE servers is asked for in one more, beside the
 * others, unless the page has it from before: {@link ConnectOptions.ice}.
 *
 * @throws {SignalError} `SdpAlreadyExist` if another pair uses the key; `Unreachable` if the server did not answer once within
 * 15 s; `NotAuthenticated` if the server asks for a token, or for another one; and any other refusal that is final. If the server is full or being restarted, `connect` waits for it.
 * @throws {SealError} `Broken`, `NotSealed` or `Sealed` if the description of the other side does not open: its secret is another
 * one, or somebody on the way has changed it. Nothing of it was applied. The answerer, who finds it out, lets the offerer know; so both
 * sides are told. If the key is derived from the secret, two sides with different ones never meet.
 * @throws {ConnectError} Why the two cannot be connected.
 * @throws The signal's reason, if it was aborted; what the token function threw; `TypeError` for options that are missing or of the wrong type. An option that is
 * undefined has its default.
 */
export function connect(pc: RTCPeerConnection, options: ConnectOptions): Promise<Connected>;

export interface ConnectOptions {
  /** Where the server is: absolute, or in a page relative to it. It may have a path under which the server is mounted. */
  url: string | URL;
  /**
   * The session's key, which the two sides share: 1 to 32 characters. {@link randomKey} makes one. With a secret it may be left out,
   * and is then derived from the secret.
   */
  key?: string;
  /**
   * Which side this is. One side offers, the other answers. With `auto` on both sides, whoever comes first offers: {@link Connected.role}.
   * Then both prepare their `pc` as an offerer does: with tracks, or with a data channel, best one that is negotiated
   * (`createDataChannel('chat', { negotiated: true, id: 0 })`).
   */
  role: Role | 'auto';
  /**
   * Seals all payloads under a secret that the two sides share, so that the server can neither read nor change them. It is a text,
   * bytes, or what {@link deriveSecret} resolved to. Both sides need it. docs/sealing.md says what it protects against, and how long
   * a secret has to be.
   */
  secret?: string | BufferSource | SharedSecret;
  /** Aborts the negotiation: `connect` rejects with its reason. */
  signal?: AbortSignal;
  /** How long the negotiation may take, the wait for the other side included. 300 000 by default; `Infinity` for no limit. */
  timeout?: number;
  /** How long the connection may take once both sides know each other's description. 30 000 by default. */
  connectTimeout?: number;
  /**
   * How long the description waits at the most for candidates to go with it. It is sent as soon as a burst of them is over. 50 by
   * default, 0 for not at all.
   */
  batchDelay?: number;
  /** For the offerer: how long the session may live without a request. The server's maximum, 30 000 at most, by default. */
  ttl?: number;
  /**
   * For the role `offer`: if a session of that key is open, ends it instead of failing with `SdpAlreadyExist`. It is meant for programs
   * that may have left one behind and do not know of it any more, and only where nobody else offers under the key. `false` by
   * default. A server with `--role-tickets` allows it only to the page that has opened the session, and that one does not need it.
   */
  replace?: boolean;
  /**
   * Reads by server-sent events instead of long polls. One request then brings everything that the other side trickles, but it is
   * one more where everything comes at once. If events do not get through, `connect` falls back to long polls. `false` by default.
   */
  events?: boolean;
  /**
   * For an answerer that answers one offer of a key after the other: the {@link Connected.cursor} of the connection before, so
   * that no offer is answered twice while its session is still open. A page that has answered it by `connect` knows that without.
   * If the server gives tickets, an answerer without one waits until the session before is over.
   */
  after?: string;
  /**
   * Reports the outcome to the server, so that its operator sees how many connect: `connected`, with the type of this side's
   * candidate (`host`, `srflx`, `prflx` or `relay`) and the milliseconds it took, or `failed`. `true` by default. It is best effort,
   * and neither delays nor fails anything. Nothing is reported if the attempt was given up by the signal (unless that timed out, as
   * `AbortSignal.timeout` does), by closing `pc` or by leaving the page, or if another client had taken this side's place.
   */
  report?: boolean;
  /**
   * The STUN and TURN servers by which `pc` finds a path. By default, or with `true`, `pc` is given those that the server tells of, before
   * it gathers candidates: {@link Session.iceServers}. If `pc` has servers already, it keeps them, and the server is not asked.
   * If the server tells of none, does not know the request, or has not answered within 2 s, `connect` goes on with what `pc` has: that fails nothing, and `onState`
   * does not tell. A later offer, or a later `connect` on the same `pc`, takes a fresh list if the one before has aged, or has helped nobody: a server
   * of it has refused its credential, or no path was found.
   *
   * With `false` the server is not asked, and `pc` stays as it is. An `RTCIceServer`, or a list of them, replaces what `pc` has, by
   * `pc.setConfiguration`; what that throws, for a URL that is not valid, `connect` rejects with.
   */
  ice?: boolean | RTCIceServer | RTCIceServer[];
  /**
   * The token that a server with `--auth-…` asks for, or a function that returns one; see {@link SessionOptions.token}. When `connect` is
   * over, the function is called to replace a token that the server refuses, and for no first one. Requests that need one at the same time share a call.
   */
  token?: string | TokenFunction;
  /** Where requests carry the key; see {@link SessionOptions.keyIn}. */
  keyIn?: 'header' | 'query';
  /** Replaces `fetch`. */
  fetch?: typeof globalThis.fetch;
  /** Pauses between repetitions: `{ base: 200, max: 2000 }` by default; see {@link RetryOptions}. They go on until the timeout. */
  retry?: Pick<RetryOptions, 'base' | 'max'>;
  /** Is called with each state that the negotiation reaches. */
  onState?(state: ConnectState, error?: SignalError): void;
  /** Is called with every payload, as it is without sealing. */
  onSignal?(signal: Signal): void;
}

/**
 * - `waiting`: this side waits for the other.
 * - `connecting`: both descriptions are exchanged, and the two look for a path.
 * - `connected`: `connect` resolves.
 * - `retrying`: a request failed for the moment, and will be repeated; the error says why. When one gets through, `onState` is called
 *   with the state before again.
 * - `restarting`: the session has ended before the two were connected. `waiting` follows.
 */
export type ConnectState = 'waiting' | 'connecting' | 'connected' | 'retrying' | 'restarting';

/** A payload that was sent or received. */
export interface Signal {
  direction: 'sent' | 'received';
  type: 'sdp' | 'candidate';
  /** The payload, JSON as a rule. Empty if it did not open. It is the other side's text: show it as text, never as HTML. */
  text: string;
  /** Whether it went over the wire sealed. */
  sealed: boolean;
  /** When it was there, in the time of `performance.now()`. What it asked for is done by the time `onSignal` is called. */
  at: number;
  /** Why it was not applied. A candidate is then left out; for a description `connect` fails. */
  error?: Error;
}

export interface Connected {
  /** The place behind what was read; see {@link ConnectOptions.after}. */
  cursor: string;
  /** How many sessions the negotiation took: 1 unless one was lost. */
  rounds: number;
  /** The role of this side, which with `auto` was not known before. */
  role: Role;
  /** How many of this side's candidates were left out, because the session takes no more. */
  dropped: number;
}

/** Why two sides cannot be connected. The message is a sentence for a person. */
export class ConnectError extends Error {
  readonly name: 'ConnectError';
  /**
   * - `Timeout`: in time the server could not be reached, the other side did not come, or the connection did not come about.
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
 * One side of the session of a key, over HTTP. It holds no connection: it need not be closed, and any number may exist.
 *
 * All that it remembers is the last token of its function, and the ticket of its role, if the server gives tickets (`--role-tickets`). Then only the Session that opened
 * a session, or was the first to answer in it, can go on as that role, or one that is given its ticket. The server refuses any other
 * with `NotAllowed` until the session has ended. If the server no longer knows the ticket, because it was restarted, the error
 * is `KeyIsExpired`.
 *
 * Each role writes a log, at most one sdp and then candidates, and reads the other's. Payloads are text, opaque to the server.
 * A request that failed for the moment is repeated as {@link RetryOptions} says, where that cannot do harm: writes carry a random
 * Idempotency-Key by which the server recognizes a repetition, so do takes, and reading by cursor removes nothing.
 *
 * Every method rejects with a {@link SignalError}, or with the reason of its signal.
 */
export class Session {
  /** @throws {SignalError} `KeyIsEmpty` or `KeyIsTooLong`. @throws {TypeError} for a role or URL that is not valid. */
  constructor(options: SessionOptions);

  /** Where the server is, absolute. */
  readonly url: string;
  /** The key, without spaces around it. */
  readonly key: string;
  readonly role: Role;
  /** The ticket of the role in the open session; empty if there is none. Whoever has it can go on as that role. */
  readonly ticket: string;

  /**
   * Puts this role's sdp, once. The offerer's sdp opens the session, which then lives for `ttl` after each request to it; the server's
   * maximum by default. Rejects with `SdpAlreadyExist` while a session of that key lives.
   */
  putSdp(sdp: string, options?: { ttl?: number; signal?: AbortSignal }): Promise<void>;
  /** Removes the other role's sdp from the session and resolves to it; to `null` if it did not come within `wait`. */
  takeSdp(options?: WaitOptions): Promise<string | null>;

  /** Appends a candidate to this role's log. */
  addCandidate(candidate: string, options?: { signal?: AbortSignal }): Promise<void>;
  /** Appends candidates in order, all or none. For an empty list it sends no request. */
  addCandidates(candidates: readonly string[], options?: { signal?: AbortSignal }): Promise<void>;
  /** Removes the other role's oldest candidate and resolves to it; to `null` if none came within `wait`. */
  takeCandidate(options?: WaitOptions): Promise<string | null>;
  /** Removes all of the other role's candidates and resolves to them, oldest first; to `[]` if none came within `wait`. */
  takeCandidates(options?: WaitOptions): Promise<string[]>;

  /**
   * Resolves to what the other role has written after the cursor, and removes nothing. If nothing came within `wait`, the batch
   * is empty and its `next` is `after`. Rejects with `KeyNotFound` if no session is open (an answerer waits for that, too), and with
   * `KeyIsExpired` if the session has ended, or if the cursor belongs to one that has.
   */
  messages(options?: ReadOptions): Promise<Batch>;
  /**
   * Writes, all or nothing, and then reads as {@link Session.messages} does, in one request: with `wait` an offerer gets the
   * answer to its offer. A cursor also says which session is meant: nothing is written to another one. The batch has one even if nothing
   * came: after no cursor, that takes a second request, which repeats the write without waiting. `idempotencyKey` is
   * 1 to 64 visible ASCII characters, random by default: with it the same write may be repeated later, and is
   * carried out once.
   */
  exchange(write: Write, options?: ReadOptions & { idempotencyKey?: string }): Promise<Batch>;
  /**
   * Yields what the other role writes, by server-sent events over `fetch`. If the stream breaks, another one goes on where it
   * stopped. It ends by throwing: `KeyIsExpired` if the session has ended, `NoStream` if something on the way holds events back,
   * `RouteNotFound` if the server has no events. An answerer may begin before the session is open.
   */
  events(options?: { after?: string; signal?: AbortSignal }): AsyncGenerator<Message & { cursor: string }, never, void>;

  /**
   * Resolves to the STUN and TURN servers that the server tells of, as `RTCConfiguration.iceServers` takes them; to an empty list if it knows
   * of none. Their credentials are good for new relays for half of the time at least that the server gives them: that long the page keeps the
   * answer in memory, by URL and token, for all Sessions. Calls that come together ask once.
   *
   * An answer may take 2 s. Nothing is sent again, but for a token that was refused, and a failure is remembered for 10 s. A rejection,
   * such as `RouteNotFound` of an older server, is best taken for an empty list. Neither the key nor a ticket is sent. The signal ends the wait, not the request, which others may share.
   */
  iceServers(options?: { signal?: AbortSignal }): Promise<RTCIceServer[]>;

  /**
   * Tells the server how this role's attempt to connect ended. The report is sent once, and counts up to 30 s after the session's
   * end. Rejects with `RouteNotFound` if the server takes no reports. `keepalive` lets the request outlive the page.
   */
  report(outcome: Outcome, options?: { signal?: AbortSignal; keepalive?: boolean }): Promise<void>;

  /** Ends the session for both roles. If there is none, that is no error. `keepalive` lets the request outlive the page. */
  end(options?: { signal?: AbortSignal; keepalive?: boolean }): Promise<void>;
}

export interface SessionOptions {
  /** See {@link ConnectOptions.url}. */
  url: string | URL;
  /** 1 to 32 characters (Unicode code points). Spaces around it are cut off. */
  key: string;
  role: Role;
  /**
   * Where requests carry the key. By default it is in the header, where access logs do not show it, if the server is of the page's
   * own origin, if there is a token, or as soon as this role has a ticket of its session. Otherwise it is in the query, because a header would cost a preflight
   * for every request: browsers remember preflights per URL. In exchange the key is in the access logs of the server and of proxies before it,
   * and of use to their readers as long as the session lives, seconds as a rule. A key that is not ASCII is always in the query. A role's
   * ticket is in the query only if this says so.
   */
  keyIn?: 'header' | 'query';
  /**
   * The token that a server with `--auth-…` asks for: visible ASCII characters, sent with every request as `Authorization: Bearer …`, and
   * never in a URL. On a page of another origin that costs a preflight for each GET, and for each other URL that the browser has not
   * asked for lately. It is kept in memory only.
   *
   * A function is asked for each request, so that it can return a token before the one in use expires; but for one that outlives the
   * page (`keepalive`), which takes the last one along.
   */
  token?: string | TokenFunction;
  /** Replaces `fetch`. */
  fetch?: typeof globalThis.fetch;
  /** How requests that fail for the moment are repeated. */
  retry?: Partial<RetryOptions>;
  /** How long an answer may take beyond the wait that the server was asked for. 15 000 by default. */
  timeout?: number;
  /** A {@link Session.ticket} to go on with. */
  ticket?: string;
  /** Is called when the server has answered, whatever the answer is. */
  onAnswer?(): void;
  /** Is called before a request is repeated, with the number of attempts so far. If it throws, the request rejects with that. */
  onRetry?(error: SignalError, attempts: number): void;
}

/**
 * Returns a token, or undefined to send none. It may take its time: no timeout counts meanwhile but that of `connect`. If the server
 * refuses the token (401), the function is called once more, and the request sent once more. Then it rejects with `NotAuthenticated`.
 * What the function throws, the request rejects with, and `connect` too.
 *
 * @param refused The token that the server has just refused; empty if none was sent. undefined if this is the first call for a request.
 */
export type TokenFunction = (refused?: string) => string | undefined | null | PromiseLike<string | undefined | null>;

export interface RetryOptions {
  /** How often a request is sent at the most. 5 by default. */
  attempts: number;
  /** The longest pause after the first failure. 200 by default. It doubles with each failure, and is up to half shorter at random. */
  base: number;
  /** The longest pause, unless the server asks for a longer one (Retry-After). 5000 by default. */
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

/** What a role writes in one request. It has an sdp, candidates or both. */
export interface Write {
  sdp?: string;
  candidates?: readonly string[];
  /** As in {@link Session.putSdp}. */
  ttl?: number;
}

/** How an attempt to connect ended. */
export interface Outcome {
  result: 'connected' | 'failed';
  /** Of the local candidate that the connection uses. It is there if the two are connected, and only then. */
  candidateType?: 'host' | 'srflx' | 'prflx' | 'relay';
  /** From the beginning of the attempt to its end. */
  ms: number;
}

export interface Message {
  type: 'sdp' | 'candidate';
  data: string;
}

/** What one request has read: messages in order, the sdp first, and the cursor behind them. */
export interface Batch {
  next: string;
  messages: readonly Message[];
}

/** A request that was not granted. The message is a sentence for a person. */
export class SignalError extends Error {
  constructor(code: SignalCode, details?: {
    msg?: string; status?: number; retryAfter?: number; request?: string; cause?: unknown;
  });
  readonly name: 'SignalError';
  /** The name of the msg in the server's `custerrors`, or what this side has found out. */
  readonly code: SignalCode;
  /** The server's own text, fixed byte for byte; empty if the server did not say anything. */
  readonly msg: string;
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** The pause that the server asks for before the next request; 0 if it asks for none. */
  readonly retryAfter: number;
  /** Method and path, without the key: `POST /offer/messages`. */
  readonly request: string;
}

export type SignalCode =
  | 'KeyIsEmpty' | 'KeyIsTooLong' | 'KeyNotFound' | 'KeyIsExpired' | 'CtxIsEmpty'
  | 'CacheOverrunMaxCost' | 'CacheOnEvictNoGetKey' | 'QueueNewFailBecauseAlreadyExists' | 'QueueGetFailBecauseNotExists'
  | 'QueueIsFull' | 'DataIsEmpty' | 'BodyIsEmpty' | 'BodyIsNotUTF8' | 'BodyIsCompressed' | 'BodyIsNotJSON'
  | 'BodyIsTooLong'
  | 'SdpNoValues' | 'SdpAlreadyExist' | 'CandidateNoValues'
  | 'CursorIsInvalid' | 'WaitIsInvalid' | 'IdempotencyKeyIsInvalid' | 'IdempotencyKeyIsReused' | 'RequestIsInvalid'
  | 'RequestIsTooSlow'
  | 'HeaderIsTooLong' | 'RouteNotFound' | 'MethodNotAllowed' | 'NotAuthenticated' | 'NotAllowed' | 'HTTPSIsRequired'
  | 'TooManyRequests'
  | 'ServerIsOverloaded' | 'ServerIsShuttingDown' | 'StoreIsUnavailable' | 'InternalError'
  /** The request failed: there is no network, the URL is wrong, or the page's Content-Security-Policy forbids the request. */
  | 'Unreachable'
  /**
   * No answer came in time. The network is slow, or the browser holds the request back: over HTTP/1.1 it sends no more than six at
   * a time to one host, and those of other tabs wait there already. Over HTTP/2 all share one connection.
   */
  | 'NoAnswer'
  /** What came is not an answer of this protocol. */
  | 'BrokenAnswer'
  /** Server-sent events do not get through. */
  | 'NoStream'
  /** A msg that this version does not know; it is in `msg`. */
  | 'Unknown';

/** Returns a key that nobody can guess: 22 characters of base64url. */
export function randomKey(): string;

// ─── Sealing ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What is derived from a secret: the session's key, and a key for each role, which the page cannot reach. */
export interface SharedSecret {
  /** The key to name the session with. */
  readonly key: string;
}

/**
 * Derives the keys of a secret. It takes a tenth of a second or more on purpose, so that guessing takes as long for each guess. The
 * result may be used for any number of sessions. With `key` given, the session has that key; otherwise its key is derived, too.
 *
 * @throws {SealError} `NoSecret`, or `Unavailable` where there is no WebCrypto: on pages that are neither https nor on localhost.
 */
export function deriveSecret(secret: string | BufferSource, key?: string): Promise<SharedSecret>;

/**
 * One side's sealing of one session: from its offer to its end. Another offer, even under the same key, needs another Seal.
 * Calls run one after the other, even if they are not waited for. Post payloads in the order in which they were sealed.
 *
 * Opening rejects with a {@link SealError}: `Broken` if the payload was sealed with another secret, changed, or moved from its
 * place, and if it is the refusal of an answerer; `NotSealed` if it is not in this format; `Order` before the description that it is bound to. A payload that does not open
 * takes no place: the next one still opens.
 */
export class Seal {
  constructor(shared: SharedSecret, role: Role);
  /** Seals this side's description, once. The answerer opens the offer before that. */
  sealSdp(text: string): Promise<string>;
  /** Seals this side's next candidate. */
  sealCandidate(text: string): Promise<string>;
  /** Opens the other side's description, once. The offerer seals its own before that. */
  openSdp(sealed: string): Promise<string>;
  /** Seals the answerer's refusal of an offer that does not open, to be put in place of an answer. Nothing else is sealed after it. */
  sealRefusal(offer: string): Promise<string>;
  /** Opens the other side's next candidate. */
  openCandidate(sealed: string): Promise<string>;
}

/** A payload that does not open, or cannot be sealed. The message is a sentence for a person. */
export class SealError extends Error {
  readonly name: 'SealError';
  /** As {@link Seal} and {@link deriveSecret} say. `Sealed`: the payload is sealed, and this side has no secret. */
  readonly code: 'NoSecret' | 'NotSealed' | 'Sealed' | 'Broken' | 'Order' | 'Unavailable';
}
