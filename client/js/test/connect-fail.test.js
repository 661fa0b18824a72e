// How connect fails, and what it leaves out.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { connect, randomKey, Session } from '../src/signal.js';
import { FakePeer } from './fake-peer.js';
import { FakeServer } from './fake-server.js';
import { both, connected, failureOf, Side, until, url } from './sides.js';

describe('connect fails', { concurrency: true }, () => {
  test('nobody comes', async () => {
    const server = new FakeServer();
    for (const [role, text] of [['offer', /Nobody answered within 0\.05 s/], ['answer', /Nobody called within 0\.05 s/]]) {
      const error = await failureOf(new Side(server, role, randomKey(), { timeout: 50 }).connected);
      assert.equal(error.code, 'Timeout');
      assert.match(error.message, text);
    }
  });

  test('the server is out of reach all the time', async () => {
    const server = new FakeServer();
    server.down = true;
    const error = await failureOf(new Side(server, 'answer', 'k', { timeout: 50 }).connected);
    assert.equal(error.code, 'Timeout');
    assert.match(error.message, /could not be reached within 0\.05 s/);
    assert.equal(error.cause.code, 'Unreachable');
  });

  test('a server that was there may be away for long', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const answer = new Side(server, 'answer', key, { retry: { base: 1, max: 1 } });
    server.refusals.push('ServerIsShuttingDown');
    await until(() => answer.states.includes('retrying'), 'retrying');
    server.kill();
    await until(() => answer.states.filter((state) => state === 'retrying').length > 10, 'many retries');
    server.down = false;
    const offer = new Side(server, 'offer', key);
    await connected({ offer, answer });
    assert.deepEqual(answer.states.slice(-3), ['waiting', 'connecting', 'connected']);
  });

  test('what it is that keeps the two from connecting', async () => {
    for (const [ice, code, text] of [['failed', 'IceFailed', /TURN/], ['connected', 'DtlsFailed', /encrypted/]]) {
      const server = new FakeServer();
      const sides = await both(server);
      sides.offer.pc.unconnectable = true;
      await until(() => sides.offer.states.includes('connecting') && sides.answer.states.includes('connecting'), 'the exchange');
      sides.answer.pc.fail(ice);
      const error = await failureOf(sides.answer.connected);
      assert.equal(error.name, 'ConnectError');
      assert.equal(error.code, code);
      assert.match(error.message, text);
      sides.offer.pc.fail(ice);
      assert.equal((await failureOf(sides.offer.connected)).code, code);
      await until(() => server.sessions.size === 0, 'the end of the session');
    }
  });

  test('a connection that does not come about in time', async () => {
    const server = new FakeServer();
    const sides = await both(server, { connectTimeout: 60 });
    sides.offer.pc.unconnectable = true;
    const error = await failureOf(sides.offer.connected);
    assert.equal(error.code, 'Timeout');
    assert.match(error.message, /not connected within 0\.06 s/);
    sides.answer.aborter.abort();
  });

  test('a peer connection that is closed, connected or empty', async () => {
    const server = new FakeServer();
    const side = new Side(server, 'answer', randomKey());
    await until(() => side.states.length > 0, 'the wait');
    side.pc.close();
    assert.equal((await failureOf(side.connected)).code, 'Closed');
    const connectWith = (pc) => connect(pc, { url, key: 'k', role: 'offer', fetch: server.fetch });
    assert.equal((await failureOf(connectWith(side.pc))).code, 'Closed');
    assert.equal((await failureOf(connectWith(Object.assign(new FakePeer(), { connectionState: 'connected' })))).code, 'AlreadyConnected');
    assert.equal((await failureOf(connectWith(new FakePeer({ empty: true })))).code, 'NothingToConnect');
    assert.ok((await failureOf(connectWith({}))) instanceof TypeError);
    assert.ok((await failureOf(connect(new FakePeer(), { url, key: 'k' }))) instanceof TypeError);
    assert.equal((await failureOf(connect(new FakePeer(), { url, role: 'offer', fetch: server.fetch }))).code, 'KeyIsEmpty');
    assert.equal(server.sessions.size, 0);
  });

  test('an offer that is none', async () => {
    for (const sdp of ['hello', 'null', '{"type":"answer","sdp":"v=0"}', '{"type":"offer"}']) {
      const server = new FakeServer();
      await new Session({ url, key: 'k', role: 'offer', fetch: server.fetch }).putSdp(sdp);
      const side = new Side(server, 'answer', 'k');
      const error = await failureOf(side.connected);
      assert.equal(error.code, 'BadPeer');
      assert.match(error.message, /offer of the other side/);
      assert.equal(side.signals[0].error, error);
    }
  });

  test('a candidate that cannot be used is left out and told', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const offer = new Side(server, 'offer', key);
    await until(() => server.log(key, 'offer'), 'the offer');
    server.log(key, 'offer').candidates.unshift('hello', '{"candidate":"stray","sdpMLineIndex":0,"usernameFragment":"other"}');
    const answer = new Side(server, 'answer', key);
    await connected({ offer, answer });
    const wrong = answer.signals.filter(({ error }) => error);
    assert.deepEqual(wrong.map(({ text, error }) => [text.slice(0, 8), error.name]), [['hello', 'SyntaxError'], ['{"candid', 'OperationError']]);
  });

  test('too many candidates: those that went may do', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const sides = await both(server, { key, peer: { candidates: 6, gatherDelay: 30 }, batchDelay: 0 });
    await until(() => ['offer', 'answer'].every((role) => server.log(key, role)?.candidates.length > 0), 'the first candidates');
    server.maxCandidates = 1;
    await connected(sides);
  });
});

test('a server that was never there is given up before the timeout', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const server = new FakeServer();
  server.down = true;
  for (const role of ['offer', 'answer']) {
    const side = new Side(server, role, 'k', { timeout: Infinity });
    let error, ms = 0;
    side.connected.catch((e) => { error = e; });
    for (; !error && ms < 20_000; ms += 100) {
      t.mock.timers.tick(100);
      await new Promise(setImmediate);
    }
    assert.ok(ms >= 15_000 && ms < 16_000, `given up after ${ms} ms`);
    assert.equal(error.code, 'Unreachable');
    assert.match(error.message, /cannot be reached/);
  }
});
