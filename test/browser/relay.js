// Stands for the network between two pages: passes their UDP packets on, until it is cut.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export class Relay {
  #sockets = new Map(); // by address: the socket that stands for it to the other side
  isCut = false;

  /** Resolves to the port that stands for an address. */
  async portFor(address, port) { return (await this.#standFor(address, port)).address().port; }

  #standFor(address, port) {
    const name = `${address}:${port}`;
    if (!this.#sockets.has(name)) this.#sockets.set(name, this.#open(address, port));
    return this.#sockets.get(name);
  }

  async #open(address, port) {
    const socket = createSocket('udp4');
    socket.on('message', async (packet, from) => {
      if (this.isCut) return;
      const back = await this.#standFor(from.address, from.port);
      back.send(packet, port, address, () => {}); // a port that is closed is no matter: packets may be lost
    });
    socket.on('error', () => {});
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return socket;
  }

  async close() {
    for (const socket of this.#sockets.values()) (await socket).close();
  }
}

/** Runs in a page, which has relayed(address, port): candidates of the other side lead to the relay, and descriptions have none. */
export function relayCandidates() {
  const { addIceCandidate, setRemoteDescription } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.setRemoteDescription = function withoutCandidates({ type, sdp }) {
    return setRemoteDescription.call(this, { type, sdp: sdp.replace(/^a=(candidate|end-of-candidates).*\r\n/gm, '') });
  };
  RTCPeerConnection.prototype.addIceCandidate = async function relayedCandidate(init) {
    const parts = init?.candidate?.split(' ') ?? [];
    if (parts.length < 8) return addIceCandidate.call(this, init);
    if (parts[2].toLowerCase() !== 'udp' || parts[4].includes(':')) return undefined;
    parts[5] = await globalThis.relayed(parts[4], Number(parts[5]));
    parts[4] = '127.0.0.1';
    return addIceCandidate.call(this, { ...init, candidate: parts.join(' ') });
  };
}
