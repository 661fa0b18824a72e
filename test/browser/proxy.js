// Proxies that stand for a bad network between a page and the server.

import { createServer as createHTTPServer, request as ask } from 'node:http';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** A TCP proxy that cuts connections in the middle of an answer. */
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

/**
 * An HTTP proxy that is so many ms of round trip away, and counts round trips that come one after the other. A request is one more than the
 * answers that its page had before: it may depend on each. Streams do not pass it.
 */
export class DelayingProxy {
  #port;
  #delay;
  #most = Infinity;
  #free = Promise.resolve(); // lets what is held go on
  #release = () => {};
  #server = createHTTPServer((request, answer) => this.#serve(request, answer).catch(() => answer.destroy()));
  trips = 0; // that were answered, one after the other

  constructor(port, delay) {
    this.#port = port;
    this.#delay = delay;
  }

  /** Resolves to the URL it listens at. */
  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  /** Counts anew, and holds what would be more than that many round trips until release is called. */
  count(most) {
    this.trips = 0;
    this.#most = most;
    this.#free = new Promise((resolve) => { this.#release = resolve; });
  }

  release() { this.#release(); }

  async close() {
    this.release();
    this.#server.closeAllConnections();
    await new Promise((resolve) => { this.#server.close(resolve); });
  }

  async #serve(request, answer) {
    const trip = this.trips + 1;
    const [body] = await Promise.all([bytesOf(request), sleep(this.#delay / 2)]);
    if (trip > this.#most) await this.#free;
    const { method, url: path, headers } = request;
    const forwarded = ask({ host: '127.0.0.1', port: this.#port, method, path, headers });
    answer.on('close', () => forwarded.destroy());
    forwarded.end(body);
    const [from] = await once(forwarded, 'response');
    const content = await bytesOf(from);
    await sleep(this.#delay / 2);
    this.trips = Math.max(this.trips, trip);
    answer.writeHead(from.statusCode, from.headers).end(content);
  }
}

async function bytesOf(stream) { return Buffer.concat(await stream.toArray()); }
