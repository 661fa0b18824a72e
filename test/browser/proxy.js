// A TCP proxy that cuts connections in the middle of an answer.

import { connect, createServer } from 'node:net';
import { once } from 'node:events';

export class CuttingProxy {
  #port;
  #path;
  #after;
  #server = createServer((socket) => this.#serve(socket));
  #sockets = new Set();
  cuts = 0;

  /** Cuts connections that ask for the path: the first after after[0] bytes of its answer, the next after after[1], and so on. */
  constructor(port, { path, after }) {
    this.#port = port;
    this.#path = path;
    this.#after = [...after];
  }

  /** Resolves to the URL it listens at. */
  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => { this.#server.close(resolve); });
  }

  #serve(client) {
    const server = connect(this.#port, '127.0.0.1');
    let left = Infinity; // bytes until the cut
    client.on('data', (data) => {
      const line = data.toString('latin1').split('\r\n', 1)[0];
      if (line.includes(this.#path) && this.#after.length > 0) left = this.#after.shift();
      server.write(data);
    });
    server.on('data', (data) => {
      client.write(data.subarray(0, left));
      left -= data.length;
      if (left <= 0) {
        this.cuts++;
        client.end();
        server.destroy();
      }
    });
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => { this.#sockets.delete(socket); other.end(); });
    }
  }
}
