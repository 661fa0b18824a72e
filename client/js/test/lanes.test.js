// A page has six connections to a host over HTTP/1.1. Its waits leave two of them free.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Session } from '../src/signal.js';
import { FakeServer } from './fake-server.js';
import { pause, until } from './sides.js';

/** Starts eight waits for as many keys, and returns them and how long each request waits. */
async function eight(t, href, entries = []) {
  t.mock.method(performance, 'getEntriesByType', () => entries);
  globalThis.location = { origin: new URL(href).origin, href };
  t.after(() => { delete globalThis.location; });
  const server = new FakeServer();
  const aborter = new AbortController();
  const { signal } = aborter;
  const sessions = Array.from({ length: 8 }, (_, i) => new Session({ url: href, key: `k${i}`, role: 'answer', fetch: server.fetch }));
  const results = sessions.map((session) => session.messages({ wait: 20_000, signal }));
  for (const result of results) result.catch(() => {});
  t.after(() => aborter.abort());
  await until(() => server.requests.length === 8, 'the requests');
  return { server, results, waits: server.requests.map(({ query }) => Number(query.wait)) };
}

test('over HTTP/1.1 no more than four wait for long, and the others go on asking', async (t) => {
  for (const [href, entries] of [
    ['http://signal.example/', []],
    ['https://signal.example/', [{ name: 'https://signal.example/x', nextHopProtocol: 'http/1.1' }]],
  ]) {
    const { server, results, waits } = await eight(t, href, entries);
    assert.deepEqual(waits.filter((wait) => wait > 10).length, 4, href);
    assert.deepEqual(waits.filter((wait) => wait === 1.5).length, 4, href);
    await until(() => server.requests.length >= 12, 'the next requests of the brief ones');
    for (let i = 0; i < 8; i++) await new Session({ url: href, key: `k${i}`, role: 'offer', fetch: server.fetch }).putSdp(`offer ${i}`);
    const got = await Promise.all(results);
    assert.deepEqual(got.map(({ messages: [{ data }] }) => data), Array.from({ length: 8 }, (_, i) => `offer ${i}`));
  }
});

test('a wait that is cut is as long as was asked for', async (t) => {
  const { server, waits } = await eight(t, 'http://signal.example/');
  assert.equal(waits.length, 8);
  const begun = performance.now();
  const nothing = await new Session({ url: 'http://signal.example/', key: 'k1', role: 'answer', fetch: server.fetch }).takeSdp({ wait: 3_200 })
    .catch(({ code }) => code);
  assert.equal(nothing, 'KeyNotFound');
  assert.ok(performance.now() - begun >= 3_150, `${performance.now() - begun} ms`);
});

test('over HTTP/2, and outside of pages, all wait for long', async (t) => {
  const h2 = [{ name: 'https://signal.example/x', nextHopProtocol: 'h2' }];
  for (const entries of [h2, []]) {
    const { waits } = await eight(t, 'https://signal.example/', entries);
    assert.ok(waits.every((wait) => wait > 10));
  }
  delete globalThis.location;
  const server = new FakeServer();
  const aborter = new AbortController();
  for (let i = 0; i < 8; i++) {
    new Session({ url: 'http://signal.example/', key: 'k', role: 'answer', fetch: server.fetch }).messages({ wait: 20_000, signal: aborter.signal }).catch(() => {});
  }
  await pause(50);
  assert.ok(server.requests.every(({ query }) => Number(query.wait) > 10));
  aborter.abort();
});
