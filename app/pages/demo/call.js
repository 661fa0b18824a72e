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
  #channel; // this side's; the other side has its own
  #began = performance.now();
  #stop = new AbortController();
  #ended = false;
  #described = new Set(); // offer, answer

  /** options: url, key, stun, secret, events, stream (of the camera, if it is one). */
  constructor(options) {
    super();
    this.#options = options;
    this.#pc = new RTCPeerConnection({ iceServers: options.stun ? [{ urls: options.stun }] : [] });
    this.#watch();
    for (const track of options.stream?.getTracks() ?? []) this.#pc.addTrack(track, options.stream);
    // Which side offers turns out later. So each opens a channel of its own; a program that answers may have none, and use this one.
    this.#channel = this.#pc.createDataChannel('chat');
    this.#use(this.#channel);
    this.#pc.addEventListener('datachannel', ({ channel }) => this.#use(channel));
  }

  /** Reports whether both sides have described themselves: then signaling has done its part. */
  get met() { return this.#described.size === 2; }

  /** Resolves to the role that this side had, when connected; rejects with the reason why not. */
  async connect() {
    const { url, key, secret, events } = this.#options;
    this.#mark('key');
    try {
      const shared = secret ? await deriveSecret(secret, key) : undefined;
      if (shared) this.#mark('secret');
      const { role } = await connect(this.#pc, {
        url, key, events,
        role: 'auto', // whoever presses first offers
        secret: shared,
        signal: this.#stop.signal,
        fetch: (...request) => this.#fetch(...request),
        onState: (state, error) => this.#tell('state', { lane: 'signaling', state, error }),
        onSignal: (message) => this.#signaled(message),
      });
      this.#tell('state', { lane: 'signaling', state: 'done' });
      return role;
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
    channel.addEventListener('open', () => {
      if (channel !== this.#channel) return;
      this.#mark('open');
      this.#tell('open');
    });
    channel.addEventListener('close', () => this.#over());
    channel.addEventListener('message', ({ data }) => this.#tell('text', { text: String(data) }));
  }

  #over() {
    if (this.#ended) return;
    this.#ended = true;
    this.#tell('closed');
  }

  #signaled(message) {
    const at = message.at - this.#began; // on arrival: what it asks for takes a while
    if (message.type === 'sdp' && !message.error) {
      const { type } = JSON.parse(message.text); // offer or answer
      this.#described.add(type);
      this.#mark(type, at);
    }
    this.#tell('signal', message, at);
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

  #mark(name, at) { this.#tell('mark', { name }, at); }

  #tell(type, detail = {}, at = performance.now() - this.#began) {
    this.dispatchEvent(new CustomEvent(type, { detail: { ...detail, at } }));
  }
}
