// Both sides of a negotiation, and how tests wait for what they do.

import assert from 'node:assert/strict';
import { connect, deriveSecret, randomKey } from '../src/signal.js';
import { FakePeer } from './fake-peer.js';

export const url = 'http://signal.example/';
export const fast = { base: 1, max: 20 };
export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
export const sixWords = deriveSecret('six words'); // derived once: that takes long on purpose
export const failureOf = (promise) => promise.then(() => assert.fail('it should have failed'), (error) => error);

/** Runs the task as on a page of another origin. */
export async function elsewhere(task) {
  globalThis.location = { origin: 'https://page.example', href: 'https://page.example/' };
  try {
    await task();
  } finally {
    delete globalThis.location;
  }
}

/** One side: a peer, its connect, and what the hooks were called with. */
export class Side {
  states = [];
  signals = [];

  /** page is the client of another page; pc is a peer that was used before. */
  constructor(server, role, key, { peer, pc = new FakePeer(peer), page = { connect }, ...options } = {}) {
    this.pc = pc;
    this.aborter = new AbortController();
    this.connected = page.connect(this.pc, {
      url: server.url, key, role, fetch: server.fetch, retry: fast, signal: this.aborter.signal, timeout: 60_000,
      batchDelay: 5_000, // until all is gathered, however slow the machine is
      onState: (state) => this.states.push(state),
      onSignal: (signal) => this.signals.push(signal),
      ...options,
    });
    this.connected.catch(() => {}); // until it is waited for
  }
}

/** Loads the client as another page does: what this one remembers is not known there. */
export const newPage = () => import(`../dist/signal.js?page=${randomKey()}`);

/** Starts both sides: one first and, when it waits, the other. */
export async function both(server, { first = 'answer', key = randomKey(), offer, answer, ...options } = {}) {
  const of = { offer: { ...options, ...offer }, answer: { ...options, ...answer } };
  const second = first === 'offer' ? 'answer' : 'offer';
  const sides = { [first]: new Side(server, first, key, of[first]) };
  await pause(5);
  sides[second] = new Side(server, second, key, of[second]);
  return sides;
}

export const connected = ({ offer, answer }) => Promise.all([offer.connected, answer.connected]);

export async function until(condition, what) {
  for (const begun = performance.now(); !condition(); await pause(1)) {
    if (performance.now() - begun > 30_000) assert.fail(`${what} does not happen`);
  }
}

export const neverEarly = ({ pc }) => assert.ok(!pc.log.includes('candidate before description'), pc.log.join(', '));

/** Loses one request in so many: in turn before and after it is carried out. */
export function flaky(server, every) {
  let calls = 0;
  return async (...args) => {
    const call = ++calls;
    const lost = call % every === 0;
    if (lost && call % (2 * every) === 0) throw new TypeError('fetch failed');
    const response = await server.fetch(...args);
    if (lost) throw new TypeError('fetch failed');
    return response;
  };
}
