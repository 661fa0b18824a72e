// One call: a peer connection, connected with the browser client. It knows no DOM; what happens it dispatches as events.

import { connect, deriveSecret } from '../client/signal.js';

/**
 * Events, all with the milliseconds since the call began as detail.at:
 *   state     {lane, state}: signaling, ice or connection has changed
 *   mark      {name}: something worth measuring has happened
 *   signal    {direction, type, text, sealed, error}: a signaling message has passed
 *   request   {method, path, status, msg, took}: the server has answered, or (status 0) has not
 *   track     {stream}: the other side shows something
 *   open, closed: there is a channel for text; the connection is over
 *   text      {text}: the other side says something
 */
export class Call extends EventTarget {
  #options;
  #pc;
  #channel;
  #began = performance.now();
  #stop = new AbortController();
  #ended = false;
  #described = new Set(); // offer, answer

  /** options: url, key, role, stun, secret, events, stream (of the camera, if it is one). */
  constructor(options) {
    super();
    this.#options = options;
    this.#pc = new RTCPeerConnection({ iceServers: options.stun ? [{ urls: options.stun }] : [] });
    this.#watch();
    for (const track of options.stream?.getTracks() ?? []) this.#pc.addTrack(track, options.stream);
    if (options.role === 'offer') this.#use(this.#pc.createDataChannel('chat'));
    else this.#pc.addEventListener('datachannel', ({ channel }) => this.#use(channel));
  }

  /** Reports whether both sides have described themselves: then signaling has done its part. */
  get met() { return this.#described.size === 2; }

  /** Resolves when connected, and rejects with the reason why not. */
  async connect() {
    const { url, key, role, secret, events } = this.#options;
    this.#mark('key');
    try {
      const shared = secret ? await deriveSecret(secret, key) : undefined;
      if (shared) this.#mark('secret');
      await connect(this.#pc, {
        url, key, role, events,
        secret: shared,
        signal: this.#stop.signal,
        fetch: (...request) => this.#fetch(...request),
        onState: (state, error) => this.#tell('state', { lane: 'signaling', state, error }),
        onSignal: (message) => this.#signaled(message),
      });
      this.#tell('state', { lane: 'signaling', state: 'done' });
    } catch (error) {
      this.hangUp();
      throw error;
    }
  }

  /** Sends text, and reports whether that was possible. */
  say(text) {
    if (this.#channel?.readyState !== 'open') return false;
    this.#channel.send(text);
    return true;
  }

  /** Ends the call, without an event: who calls this knows. */
  hangUp() {
    this.#ended = true;
    this.#stop.abort();
    this.#pc.close();
  }

  #watch() {
    const pc = this.#pc;
    pc.addEventListener('iceconnectionstatechange', () => {
      this.#tell('state', { lane: 'ice', state: pc.iceConnectionState });
      if (pc.iceConnectionState === 'connected') this.#mark('ice');
    });
    pc.addEventListener('connectionstatechange', () => {
      this.#tell('state', { lane: 'connection', state: pc.connectionState });
      if (pc.connectionState === 'connected') this.#mark('connected');
      if (pc.connectionState === 'failed') this.#over();
    });
    pc.addEventListener('track', ({ track, streams: [stream] }) =>
      this.#tell('track', { stream: stream ?? new MediaStream([track]) }));
  }

  #use(channel) {
    this.#channel = channel;
    channel.addEventListener('open', () => { this.#mark('open'); this.#tell('open'); });
    channel.addEventListener('close', () => this.#over());
    channel.addEventListener('message', ({ data }) => this.#tell('text', { text: String(data) }));
  }

  #over() {
    if (this.#ended) return;
    this.#ended = true;
    this.#tell('closed');
  }

  #signaled(message) {
    if (message.type === 'sdp' && !message.error) {
      const ours = message.direction === 'sent';
      const name = ours === (this.#options.role === 'offer') ? 'offer' : 'answer';
      this.#described.add(name);
      this.#mark(name);
    }
    this.#tell('signal', message);
  }

  /** fetch, observed. What the client reads is left to it: this reads a copy. */
  async #fetch(url, init) {
    const { pathname, searchParams } = new URL(url);
    const request = { method: init.method, path: pathname + (searchParams.has('wait') ? ' (waits)' : '') };
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

  #mark(name) { this.#tell('mark', { name }); }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail: { ...detail, at: performance.now() - this.#began } }));
  }
}
