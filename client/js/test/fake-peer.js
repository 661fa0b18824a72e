// An RTCPeerConnection as signaling sees it: signaling states, ICE generations, trickled candidates, and a connection that comes
// about when both sides know each other's current description and a candidate.

let serial = 0;
const byUfrag = new Map();

export class FakePeer extends EventTarget {
  localDescription = null;
  remoteDescription = null;
  signalingState = 'stable';
  iceGatheringState = 'new';
  iceConnectionState = 'new';
  connectionState = 'new';
  log = []; // what was called, and what went wrong
  unconnectable = false;
  gatheredBy = []; // the ICE servers by which it gathered, each time
  #options;
  #configuration = { iceServers: [], bundlePolicy: 'balanced' };
  #known = new Set(); // ufrags of remote candidates
  #stable = {}; // both descriptions: what a rollback returns to
  #pair = {}; // ufrags of the candidates that the connection uses

  received = []; // what addIceCandidate was called with

  /**
   * candidates: how many are gathered; gatherDelay: ms before each and before the end, 0 for all at once; empty: nothing to connect;
   * iceServers: those that it is made with; textOf: the candidate's text by ufrag and number.
   */
  constructor({ candidates = 2, gatherDelay = 0, empty = false, iceServers = [], textOf = (ufrag, i) => `${ufrag}-${i}` } = {}) {
    super();
    this.#options = { candidates, gatherDelay, empty, textOf };
    this.setConfiguration({ ...this.#configuration, iceServers });
  }

  get ufrag() { return ufragOf(this.localDescription); }

  async createOffer({ iceRestart = false } = {}) {
    this.#mustBeOpen();
    this.log.push(iceRestart ? 'createOffer restart' : 'createOffer');
    return { type: 'offer', sdp: this.#sdp(iceRestart || !this.localDescription ? newUfrag() : this.ufrag) };
  }

  async setLocalDescription(description = this.#describe()) {
    await turn();
    this.#mustBeOpen();
    this.log.push(`local ${description.type}`);
    if (description.type === 'rollback') {
      if (this.signalingState !== 'have-local-offer') throw new DOMException('Called in wrong state', 'InvalidStateError');
      this.localDescription = this.#stable.local ?? null;
      this.signalingState = 'stable';
      return;
    }
    this.signalingState = description.type === 'offer' ? 'have-local-offer' : 'stable';
    const restarted = ufragOf(description) !== this.ufrag;
    this.localDescription = { type: description.type, sdp: description.sdp };
    byUfrag.set(this.ufrag, this);
    this.#settle();
    if (restarted) this.#gather(this.ufrag);
    this.#tryConnect();
  }

  #describe() {
    const type = this.signalingState === 'have-remote-offer' ? 'answer' : 'offer';
    const restarted = type === 'answer' && this.remoteDescription !== this.#stable.remote;
    return { type, sdp: this.#sdp(restarted || !this.localDescription ? newUfrag() : this.ufrag) };
  }

  async setRemoteDescription(description) {
    await turn();
    this.#mustBeOpen();
    this.log.push(`remote ${description.type}`);
    if (description.type === 'answer' && this.signalingState !== 'have-local-offer') {
      throw new DOMException('Called in wrong state: stable', 'InvalidStateError');
    }
    if (description.type === 'offer' && this.signalingState === 'have-local-offer') {
      throw new DOMException('Called in wrong state: have-local-offer', 'InvalidStateError');
    }
    this.remoteDescription = description;
    this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable';
    this.#settle();
    this.#tryConnect();
  }

  /** Both descriptions are in force. With new ufrags ICE begins anew, and the path of before goes on as long as it works. */
  #settle() {
    if (this.signalingState !== 'stable') return;
    this.#stable = { local: this.localDescription, remote: this.remoteDescription };
    if (this.connectionState === 'disconnected' || this.connectionState === 'failed') this.#enter('connecting');
  }

  async addIceCandidate(init) {
    this.received.push(init);
    await turn();
    this.#mustBeOpen();
    if (!this.remoteDescription) {
      this.log.push('candidate before description');
      throw new DOMException('The remote description was null', 'InvalidStateError');
    }
    if (init === null) return;
    const { candidate, sdpMid, sdpMLineIndex } = init;
    if ((sdpMid ?? sdpMLineIndex ?? undefined) === undefined) throw new TypeError('sdpMid and sdpMLineIndex are both null');
    const usernameFragment = init.usernameFragment ?? ufragOf(this.remoteDescription);
    this.log.push(`candidate ${candidate}`);
    if (candidate === '') return;
    if (usernameFragment !== ufragOf(this.remoteDescription)) throw new DOMException('Unknown ufrag', 'OperationError');
    this.#known.add(usernameFragment);
    this.#tryConnect();
  }

  getConfiguration() { return structuredClone(this.#configuration); }

  /** As in browsers, it is for the next gathering, and what was set when pc was made stays. */
  setConfiguration({ iceServers = [], bundlePolicy = 'balanced' }) {
    this.#mustBeOpen();
    if (bundlePolicy !== this.#configuration.bundlePolicy) throw new DOMException('bundlePolicy differs', 'InvalidModificationError');
    for (const { urls } of iceServers) {
      if (![urls].flat().every((url) => /^(stun|turns?):/.test(url))) throw new DOMException(`${urls} is not a valid URL`, 'SyntaxError');
    }
    this.#configuration = structuredClone({ iceServers: iceServers.map(({ urls, ...rest }) => ({ urls: [urls].flat(), ...rest })), bundlePolicy });
  }

  /** As Chromium has them, for a connection over a relay. Another pair was tried, too. */
  stats = [
    { id: 'L1', type: 'local-candidate', candidateType: 'host' },
    { id: 'L2', type: 'local-candidate', candidateType: 'relay' },
    { id: 'R1', type: 'remote-candidate', candidateType: 'srflx' },
    { id: 'P1', type: 'candidate-pair', state: 'succeeded', nominated: true, bytesSent: 90, localCandidateId: 'L1', remoteCandidateId: 'R1' },
    { id: 'P2', type: 'candidate-pair', state: 'succeeded', nominated: true, bytesSent: 9, localCandidateId: 'L2', remoteCandidateId: 'R1' },
    { id: 'T1', type: 'transport', selectedCandidatePairId: 'P2' },
  ];

  async getStats() {
    await turn();
    const ufrags = { 'local-candidate': this.#pair.local, 'remote-candidate': this.#pair.remote };
    return new Map(this.stats.map((entry) => [entry.id, { ...entry, usernameFragment: ufrags[entry.type] }]));
  }

  /** The network is lost: what stands by now stands no more. */
  lose() {
    this.iceConnectionState = 'disconnected';
    this.#enter('disconnected');
  }

  /** The path of before is back. */
  recover() {
    this.iceConnectionState = 'connected';
    this.#enter('connected');
  }

  /** Lets ICE (or DTLS) fail. */
  fail(ice = 'failed') {
    this.iceConnectionState = ice;
    this.#enter('failed');
  }

  close() {
    this.signalingState = this.connectionState = 'closed'; // and fires no event
  }

  #mustBeOpen() {
    if (this.signalingState === 'closed') throw new DOMException('The peer connection is closed', 'InvalidStateError');
  }

  #sdp(ufrag) {
    const media = this.#options.empty ? '' : 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n';
    return `v=0\r\no=- ${++serial} 2 IN IP4 127.0.0.1\r\na=ice-ufrag:${ufrag}\r\n${media}`;
  }

  async #gather(ufrag) {
    const { candidates, gatherDelay } = this.#options;
    this.gatheredBy.push(structuredClone(this.#configuration.iceServers));
    this.#gathering('gathering');
    await turn();
    const ours = () => this.ufrag === ufrag && this.signalingState !== 'closed';
    for (let i = 1; i <= candidates; i++) {
      if (gatherDelay) await turn(gatherDelay);
      const init = { candidate: this.#options.textOf(ufrag, i), sdpMid: '0', sdpMLineIndex: 0, usernameFragment: ufrag };
      this.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate: { ...init, toJSON: () => init } }));
    }
    if (gatherDelay) await turn(gatherDelay);
    if (!ours()) return;
    this.#gathering('complete');
    this.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate: null }));
  }

  #gathering(state) {
    this.iceGatheringState = state;
    this.dispatchEvent(new Event('icegatheringstatechange'));
  }

  #enter(state) {
    if (this.connectionState === state) return;
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  #tryConnect() {
    const peer = byUfrag.get(ufragOf(this.remoteDescription));
    if (!peer || !this.#isReadyFor(peer) || !peer.#isReadyFor(this)) return;
    for (const side of [this, peer]) {
      side.iceConnectionState = 'connected';
      setTimeout(() => { // the DTLS handshake
        side.#pair = { local: side.ufrag, remote: ufragOf(side.remoteDescription) };
        side.#enter('connected');
      }, 5);
    }
  }

  #isReadyFor(peer) {
    return !this.unconnectable && this.signalingState === 'stable' && ufragOf(this.remoteDescription) === peer.ufrag &&
      this.#known.has(peer.ufrag);
  }
}

const newUfrag = () => `u.${++serial}`; // with a dot, which no sealed payload contains by chance
const ufragOf = (description) => /a=ice-ufrag:(\S+)/.exec(description?.sdp ?? '')?.[1];
const turn = (ms = 0) => new Promise((resolve) => { setTimeout(resolve, ms); });
