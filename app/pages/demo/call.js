// One call: a peer connection, connected with the browser client. It knows no DOM; what happens it dispatches as events.

import { connect, deriveSecret, Session } from '../client/signal.js';
import { TYPES, pathOf } from './path.js';
import { TurnServers, isTurn } from './turn.js';

/** The number of a data channel that both pages open by themselves. Those that are announced count from 0. */
const ASIDE = 100;

/** By the protocol of its channel a page knows another one. A program would not understand what pages tell each other. */
const PROTOCOL = 'signal-server page';

/** How long a side that leaves waits for the other one to hear of it, in ms. */
const FAREWELL = 500;

/** How often TURN servers are asked for anew, in ms, while the page waits: credentials end. The client asks the server only when it is time to. */
const REFRESH = 60_000;

/** How long after a change the path is looked for, in ms: for 50 ms Chromium repeats the statistics that it has told before. */
const SETTLED = 100;

/**
 * Events, all with the milliseconds since the call began as detail.at:
 *   state     {lane, state, error}: signaling, ice or connection has changed
 *   mark      {name}: something worth measuring has happened
 *   signal    {direction, type, text, sealed, error}: a signaling message has passed
 *   request   {method, path, waits, status, msg, took}: the server has answered, or (status 0) has not
 *   path      {path}: the connection goes by this path (path.js), or by another one than before
 *   track     {stream}: what the other side shows, once it does
 *   camera    {on}: the other side has turned its camera on or off
 *   open      there is a channel for text
 *   closed    {left}: the connection is over; left: the other side has said that it leaves
 *   text      {text}: the other side says something
 *
 * Both sides reserve a place for sound and one for video, empty at first. A camera that is turned on later is put there, which needs no
 * new negotiation: by then the signaling session is over.
 */
export class Call extends EventTarget {
  #options;
  #pc;
  #channel; // this side's; the other side has its own
  #aside; // what the pages tell each other
  #isWithPage = false; // the other side is one
  #theirs = new MediaStream();
  #stream; // of the camera
  #toldCamera = false;
  #began = performance.now();
  #stop = new AbortController();
  #ended = false;
  #described = new Set(); // offer, answer
  #negotiation; // a promise
  #looks = 0; // for the path: a later one counts
  #toldType; // of this side's candidate
  #theirType; // of the other side's, as it says

  /** What became of the TURN servers on this side. */
  turn;

  /** options: url, key, role, stun, secret, token, events, stream (of the camera, if it is on). */
  constructor(options) {
    super();
    this.#options = options;
    this.#pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.turn = new TurnServers(this.#pc);
    this.#watch();
    for (const kind of ['audio', 'video']) this.#pc.addTransceiver(kind);
    this.show(options.stream);
    // Which side offers turns out later. So each opens a channel of its own; a program that answers may have none, and use this one.
    this.#channel = this.#pc.createDataChannel('chat', { protocol: PROTOCOL });
    this.#use(this.#channel);
    this.#pc.addEventListener('datachannel', ({ channel }) => {
      this.#use(channel);
      if (channel.protocol !== PROTOCOL) return;
      this.#isWithPage = true;
      this.#greet();
    });
    this.#aside = this.#pc.createDataChannel('page', { negotiated: true, id: ASIDE });
    this.#aside.addEventListener('open', () => this.#greet());
    this.#aside.addEventListener('message', ({ data }) => this.#hear(data));
  }

  /** Reports whether both sides have described themselves: then signaling has done its part. */
  get met() { return this.#described.size === 2; }

  /**
   * Resolves when connected; rejects with the reason why not. A call before, with the same key perhaps, has to be over by then, or this one
   * would meet it.
   */
  connect() {
    this.#negotiation = this.#negotiate();
    return this.#negotiation;
  }

  /** Resolves when nothing of this call is left at the server that another one could meet. */
  async settled() { await this.#negotiation?.catch(() => {}); }

  async #negotiate() {
    const { url, key, role, secret, token, events, stun } = this.#options;
    let refresh;
    this.#mark('key');
    try {
      if (stun) {
        await this.#takeServers();
        refresh = setInterval(() => this.#takeServers().catch(() => {}), REFRESH); // pc may be closed by then
      }
      const shared = secret ? await deriveSecret(secret, key) : undefined;
      if (shared) this.#mark('secret');
      await connect(this.#pc, {
        url, key, role, token, events,
        timeout: Infinity, // the link is good for as long as the page is open
        secret: shared,
        ice: !stun,
        signal: this.#stop.signal,
        fetch: (...request) => this.#fetch(...request),
        onState: (state, error) => this.#tell('state', { lane: 'signaling', state, error }),
        onSignal: (message) => this.#signaled(message),
      });
      this.#tell('state', { lane: 'signaling', state: 'done' });
    } catch (error) {
      this.end();
      throw error;
    } finally {
      clearInterval(refresh);
    }
  }

  /** Asks a STUN server that a person names in place of the server's. Its TURN servers stay. */
  async #takeServers() {
    const { stun, url, key, token } = this.#options;
    const session = new Session({ url, key, role: 'offer', token, fetch: (...request) => this.#fetch(...request) });
    const { iceServers: had = [], ...configuration } = this.#pc.getConfiguration();
    const theirs = await session.iceServers({ signal: this.#stop.signal }).catch(() => had); // what is wrong connect finds out, too
    const turns = theirs.filter(({ urls }) => [urls].flat().some(isTurn));
    this.#pc.setConfiguration({ ...configuration, iceServers: [{ urls: stun }, ...turns] });
  }

  /** Sends text, and reports whether that was possible. */
  say(text) {
    if (this.#channel.readyState !== 'open') return false;
    this.#channel.send(text);
    return true;
  }

  /** Shows a camera to the other side, or takes it away if there is none. */
  show(stream) {
    this.#stream = stream;
    for (const transceiver of this.#pc.getTransceivers()) this.#fillPlace(transceiver);
    this.#tellCamera();
  }

  /** Reports whether the other side takes video, as far as is known. */
  get takesVideo() {
    const places = this.#pc.getTransceivers().filter(({ mid, receiver }) => mid !== null && receiver.track.kind === 'video');
    return !this.met || places.some(({ currentDirection }) => currentDirection?.startsWith('send'));
  }

  /** Leaves the call: the other side is told. */
  leave() {
    if (!this.#isWithPage || this.#aside.readyState !== 'open') {
      this.end();
      return;
    }
    this.#ended = true;
    this.#stop.abort();
    this.#aside.send('bye');
    setTimeout(() => this.#pc.close(), FAREWELL); // the other side closes sooner
  }

  /** Ends the call at once, without an event: who calls this knows. */
  end() {
    this.#ended = true;
    this.#stop.abort();
    this.#pc.close();
  }

  #watch() {
    const pc = this.#pc;
    pc.addEventListener('iceconnectionstatechange', () => {
      this.#tell('state', { lane: 'ice', state: pc.iceConnectionState });
      if (['connected', 'completed'].includes(pc.iceConnectionState)) this.#mark('ice');
      this.#lookForPath();
    });
    pc.addEventListener('connectionstatechange', () => {
      this.#tell('state', { lane: 'connection', state: pc.connectionState });
      if (pc.connectionState === 'connected') this.#mark('connected');
      this.#lookForPath();
      if (pc.connectionState === 'failed') this.#over(false);
    });
    pc.addEventListener('track', ({ track, transceiver }) => {
      transceiver.direction = 'sendrecv'; // a place that the other side's offer has made takes this side's camera, too
      this.#fillPlace(transceiver);
      this.#theirs.addTrack(track);
      this.#tell('track', { stream: this.#theirs });
    });
  }

  /** Tells by which path the connection goes. Where the browser says so, it is looked at again when there is a better one. */
  #lookForPath = async () => {
    const pc = this.#pc;
    const mine = ++this.#looks;
    pc.sctp?.transport.iceTransport?.addEventListener('selectedcandidatepairchange', this.#lookForPath); // once, however often
    await new Promise((resolve) => setTimeout(resolve, SETTLED));
    if (mine !== this.#looks || this.#ended) return;
    const stats = await pc.getStats().catch(() => new Map()); // it may be closed by now
    const path = pathOf(stats, this.#theirType);
    if (!path || mine !== this.#looks || this.#ended) return;
    this.#tell('path', { path });
    this.#tellType(path.types[0]);
  };

  /** The other side may not know by what it is reached. */
  #tellType(type) {
    if (!this.#isWithPage || this.#aside.readyState !== 'open' || type === this.#toldType) return;
    this.#aside.send(`candidate ${type}`);
    this.#toldType = type;
  }

  #fillPlace({ sender, receiver }) {
    const track = this.#stream?.getTracks().find(({ kind }) => kind === receiver.track.kind);
    sender.replaceTrack(track ?? null).catch(() => {}); // the connection was closed meanwhile
  }

  /** The other side can be told now. */
  #greet() {
    this.#tellCamera();
    this.#lookForPath();
  }

  #tellCamera() {
    if (!this.#isWithPage || this.#aside.readyState !== 'open') return;
    if (this.#stream || this.#toldCamera) this.#aside.send(this.#stream ? 'camera on' : 'camera off');
    this.#toldCamera = Boolean(this.#stream);
  }

  #hear(said) {
    if (said === 'bye') {
      this.#over(true);
      this.#pc.close();
    }
    if (said === 'camera on' || said === 'camera off') this.#tell('camera', { on: said === 'camera on' });
    const type = TYPES.find((one) => said === `candidate ${one}`);
    if (!type) return;
    this.#theirType = type;
    this.#lookForPath();
  }

  #use(channel) {
    channel.addEventListener('open', () => {
      if (channel !== this.#channel) return;
      this.#mark('open');
      this.#tell('open');
    });
    channel.addEventListener('close', () => this.#over(false));
    channel.addEventListener('message', ({ data }) => this.#tell('text', { text: String(data) }));
  }

  #over(left) {
    if (this.#ended) return;
    this.#ended = true;
    this.#tell('closed', { left });
  }

  #signaled(message) {
    const at = message.at - this.#began; // on arrival: what it asks for takes a while
    if (message.type === 'sdp' && !message.error) {
      const { type } = JSON.parse(message.text); // offer or answer
      this.#described.add(type);
      this.#mark(`${type} ${message.direction}`, at);
    }
    this.#tell('signal', message, at);
  }

  /** fetch, observed. What the client reads is left to it: this reads a copy. */
  async #fetch(url, init) {
    const { pathname, searchParams } = new URL(url);
    const request = { method: init.method, path: pathname, waits: searchParams.has('wait') };
    const start = performance.now();
    const tell = (status, msg) => this.#tell('request', { ...request, status, msg, took: performance.now() - start });
    try {
      const response = await fetch(url, init);
      if (response.headers.get('Content-Type')?.startsWith('text/event-stream')) tell(response.status, '');
      else response.clone().json().then(({ msg }) => tell(response.status, String(msg)), () => tell(response.status, ''));
      return response;
    } catch (error) {
      if (!init.signal?.aborted) tell(0, '');
      throw error;
    }
  }

  #mark(name, at) { this.#tell('mark', { name }, at); }

  #tell(type, detail = {}, at = performance.now() - this.#began) {
    this.dispatchEvent(new CustomEvent(type, { detail: { ...detail, at } }));
  }
}
