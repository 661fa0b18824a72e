// One call: a peer connection, connected with the browser client. It knows no DOM; what happens it dispatches as events.

import { connect, deriveSecret } from '../client/signal.js';

/** The number of a data channel that both pages open by themselves. Those that are announced count from 0. */
const ASIDE = 100;

/** By the protocol of its channel a page knows another one. A program would not understand what pages tell each other. */
const PROTOCOL = 'signal-server page';

/** How long a side that leaves waits for the other one to hear of it, in ms. */
const FAREWELL = 500;

/**
 * Events, all with the milliseconds since the call began as detail.at:
 *   state     {lane, state, error}: signaling, ice or connection has changed
 *   mark      {name}: something worth measuring has happened
 *   signal    {direction, type, text, sealed, error}: a signaling message has passed
 *   request   {method, path, waits, status, msg, took}: the server has answered, or (status 0) has not
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

  /** options: url, key, role, stun, secret, token, events, stream (of the camera, if it is on). */
  constructor(options) {
    super();
    this.#options = options;
    this.#pc = new RTCPeerConnection({ iceServers: options.stun ? [{ urls: options.stun }] : [], bundlePolicy: 'max-bundle' });
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
      this.#tellCamera();
    });
    this.#aside = this.#pc.createDataChannel('page', { negotiated: true, id: ASIDE });
    this.#aside.addEventListener('open', () => this.#tellCamera());
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
    const { url, key, role, secret, token, events } = this.#options;
    this.#mark('key');
    try {
      const shared = secret ? await deriveSecret(secret, key) : undefined;
      if (shared) this.#mark('secret');
      await connect(this.#pc, {
        url, key, role, token, events,
        timeout: Infinity, // the link is good for as long as the page is open
        secret: shared,
        signal: this.#stop.signal,
        fetch: (...request) => this.#fetch(...request),
        onState: (state, error) => this.#tell('state', { lane: 'signaling', state, error }),
        onSignal: (message) => this.#signaled(message),
      });
      this.#tell('state', { lane: 'signaling', state: 'done' });
    } catch (error) {
      this.end();
      throw error;
    }
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
    });
    pc.addEventListener('connectionstatechange', () => {
      this.#tell('state', { lane: 'connection', state: pc.connectionState });
      if (pc.connectionState === 'connected') this.#mark('connected');
      if (pc.connectionState === 'failed') this.#over(false);
    });
    pc.addEventListener('track', ({ track, transceiver }) => {
      transceiver.direction = 'sendrecv'; // a place that the other side's offer has made takes this side's camera, too
      this.#fillPlace(transceiver);
      this.#theirs.addTrack(track);
      this.#tell('track', { stream: this.#theirs });
    });
  }

  #fillPlace({ sender, receiver }) {
    const track = this.#stream?.getTracks().find(({ kind }) => kind === receiver.track.kind);
    sender.replaceTrack(track ?? null).catch(() => {}); // the connection was closed meanwhile
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
