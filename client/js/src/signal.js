/**
 * The browser client of signal-server, without dependencies. It runs wherever there are fetch and WebCrypto. This is the entry:
 * `make generate` packs it, and what it imports, into dist/signal.js, the one file that users load.
 *
 *   connect(pc, {…})   a whole negotiation on an RTCPeerConnection         knows WebRTC, and no HTTP
 *     ├─ Seal          encrypts payloads under a secret of the two peers   knows neither
 *     └─ Session       the wire protocol                                   knows HTTP, and nothing of what payloads mean
 *
 * All times are in milliseconds. signal.d.ts documents every export; the comments in these files say why things are done as they are.
 */

export { connect } from './connect.js';
export { Session } from './session.js';
export { deriveSecret, Seal } from './seal.js';
export { randomKey } from './base64url.js';
export { ConnectError, SealError, SignalError } from './errors.js';
