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
