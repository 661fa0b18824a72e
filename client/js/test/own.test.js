// What a page does about sessions of its own that it has left behind: after a reload, a crash, or a request that was lost.

import assert from 'node:assert/strict';
import test, { beforeEach, describe } from 'node:test';
import { randomKey, Session } from '../src/signal.js';
import { FakeServer } from './fake-server.js';
import { both, connected, failureOf, newPage, pause, Side, until, url } from './sides.js';

const WITHIN = 5_000; // ms, until the two have found each other again

/** As Storage is, what is kept is its own properties. */
function newStorage() {
  const methods = {
    getItem(name) { return Object.hasOwn(this, name) ? this[name] : null; },
    setItem(name, text) { this[name] = String(text); },
    removeItem(name) { delete this[name]; },
  };
  return Object.create(methods);
}

const kept = () => Object.keys(globalThis.sessionStorage);

/** A fetch that does not reach the server any more once the page is gone. */
function cuttable(server) {
  const line = { cut: false };
  line.fetch = async (...args) => {
    if (line.cut) throw new TypeError('fetch failed');
    const response = await server.fetch(...args);
    if (line.cut) throw new TypeError('fetch failed');
    return response;
  };
  return line;
}

/** A server, and a page that connects as this role until it is gone without a word. The other side waits, and is not connected yet. */
async function begin(role, { tickets = false, answered = true } = {}) {
  const server = new FakeServer();
  server.tickets = tickets;
  const key = randomKey();
  const line = cuttable(server);
  const gone = new Side(server, role, key, { page: await newPage(), fetch: line.fetch });
  gone.pc.unconnectable = true;
  let other;
  if (answered || role === 'answer') {
    await until(() => gone.states.length > 0, 'the wait');
    other = new Side(server, role === 'offer' ? 'answer' : 'offer', key, { page: await newPage() });
    await until(() => gone.states.includes('connecting') && other.states.includes('connecting'), 'the exchange');
  }
  await until(() => server.log(key, 'offer'), 'the offer');
  await pause(10);
  line.cut = true; // the page is gone, and says nothing
  gone.aborter.abort();
  await pause(10);
  return { server, key, other };
}

async function within(promise, what) {
  const begun = performance.now();
  const result = await promise;
  const took = performance.now() - begun;
  assert.ok(took < WITHIN, `${what} after ${took} ms`);
  return result;
}

describe('sessions of its own', () => {
  beforeEach(() => { globalThis.sessionStorage = newStorage(); });

  for (const tickets of [false, true]) {
    const server = tickets ? ', with tickets' : '';

    test(`the answerer's page is reloaded after it has answered${server}`, async () => {
      const { server: at, key, other } = await begin('answer', { tickets });
      const answer = new Side(at, 'answer', key, { page: await newPage() });
      const [{ rounds }] = await within(connected({ offer: other, answer }), 'connected');
      assert.equal(rounds, 2);
    });

    for (const answered of [false, true]) {
      test(`the offerer's page crashes ${answered ? 'after' : 'before'} it has the answer${server}`, async () => {
        const { server: at, key, other } = await begin('offer', { tickets, answered });
        const offer = new Side(at, 'offer', key, { page: await newPage() });
        const answer = other ?? new Side(at, 'answer', key, { page: await newPage() });
        await within(connected({ offer, answer }), 'connected');
        await until(() => at.sessions.size === 0, 'the end of the session');
        assert.ok(kept().every((name) => JSON.parse(globalThis.sessionStorage[name]).role === 'answer'), 'the offerer forgets');
      });
    }

    test(`the next connect of a page whose request to end the session was lost${server}`, async () => {
      const at = new FakeServer();
      at.tickets = tickets;
      const key = randomKey();
      const page = await newPage();
      const fetch = (href, init) => (init.method === 'DELETE' ? Promise.reject(new TypeError('fetch failed')) : at.fetch(href, init));
      const first = new Side(at, 'offer', key, { page, fetch });
      const answer = new Side(at, 'answer', key);
      await connected({ offer: first, answer });
      await pause(50);
      assert.ok(at.sessions.has(key));
      const sides = { offer: new Side(at, 'offer', key, { page }), answer: new Side(at, 'answer', key) };
      await within(connected(sides), 'connected');
    });

    test(`an answerer gives up after it has answered, and asks again at once${server}`, async () => {
      const at = new FakeServer();
      at.tickets = tickets;
      const key = randomKey();
      const sides = await both(at, { key });
      sides.offer.pc.unconnectable = true;
      await until(() => sides.offer.states.includes('connecting') && sides.answer.states.includes('connecting'), 'the exchange');
      sides.answer.pc.close();
      sides.answer.aborter.abort();
      const answer = new Side(at, 'answer', key); // before anything of the first one is over
      sides.offer.pc.unconnectable = false;
      const [{ rounds }] = await within(connected({ offer: sides.offer, answer }), 'connected');
      assert.equal(rounds, 2);
    });

    test(`an answerer answers one offer after the other, although the offerer's requests to end are lost${server}`, async () => {
      const at = new FakeServer();
      at.tickets = tickets;
      const key = randomKey();
      const fetch = (href, init) => (init.method === 'DELETE' ? Promise.reject(new TypeError('fetch failed')) : at.fetch(href, init));
      await connected({ offer: new Side(at, 'offer', key, { fetch }), answer: new Side(at, 'answer', key) });
      const answer = new Side(at, 'answer', key);
      await pause(100);
      assert.equal(answer.signals.length, 0, 'it leaves the session to the offerer for a while, and does not answer its offer again');
      await until(() => at.count('DELETE /session') === 1, 'the end, by the answerer');
      const offer = new Side(at, 'offer', key, { page: await newPage() });
      await within(connected({ offer, answer }), 'connected');
    });

    test(`the offer was never granted: the session is another's${server}`, async () => {
      const at = new FakeServer();
      at.tickets = tickets;
      const key = randomKey();
      const line = cuttable(at);
      line.cut = true;
      const gone = new Side(at, 'offer', key, { page: await newPage(), fetch: line.fetch });
      await until(() => gone.states.includes('retrying'), 'the loss');
      gone.aborter.abort();
      assert.equal(kept().length, 1);
      const other = new Session({ url, key, role: 'offer', fetch: at.fetch });
      await other.exchange({ sdp: 'of another' });
      const error = await failureOf(new Side(at, 'offer', key, { page: await newPage() }).connected);
      assert.equal(error.code, 'SdpAlreadyExist');
      assert.equal(at.log(key, 'offer').sdp, 'of another');
      assert.equal(at.count('DELETE /session'), 0);
      assert.equal(kept().length, 0);
    });

    test(`the session is over, and another has the key${server}`, async () => {
      const { server: at, key } = await begin('offer', { tickets });
      at.sessions.delete(key); // it has expired
      at.ended.add(key);
      await new Session({ url, key, role: 'offer', fetch: at.fetch }).exchange({ sdp: 'of another' });
      const error = await failureOf(new Side(at, 'offer', key, { page: await newPage() }).connected);
      assert.equal(error.code, 'SdpAlreadyExist');
      assert.equal(at.log(key, 'offer').sdp, 'of another');
    });
  }

  test('under a secret nothing is kept but what is sealed', async () => {
    const server = new FakeServer();
    const page = await newPage();
    const line = cuttable(server);
    const side = new Side(server, 'offer', undefined, { page, secret: 'six words', fetch: line.fetch });
    await until(() => server.sessions.size === 1, 'the offer');
    const [name] = kept();
    const text = globalThis.sessionStorage[name];
    assert.ok(text.includes('s1.'));
    for (const plain of ['six words', side.pc.ufrag, 'candidate:', '"type"']) assert.ok(!text.includes(plain), plain);
    side.aborter.abort();
    await until(() => kept().length === 0, 'the end of what is kept');
  });

  test('another tab has a storage of its own, and leaves the session alone', async () => {
    const { server, key } = await begin('offer', { answered: false });
    globalThis.sessionStorage = newStorage();
    const error = await failureOf(new Side(server, 'offer', key, { page: await newPage() }).connected);
    assert.equal(error.code, 'SdpAlreadyExist');
    assert.ok(server.sessions.has(key));
  });

  test('two connects of one page do not end each other\'s session', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const first = new Side(server, 'offer', key);
    await until(() => server.sessions.has(key), 'the offer');
    assert.equal((await failureOf(new Side(server, 'offer', key).connected)).code, 'SdpAlreadyExist');
    await connected({ offer: first, answer: new Side(server, 'answer', key) });
  });

  test('a storage that is forbidden, full or full of other things', async (t) => {
    const forbidding = { get() { throw new DOMException('The document is sandboxed', 'SecurityError'); }, configurable: true };
    const full = newStorage();
    Object.defineProperty(full, 'setItem', { value() { throw new DOMException('', 'QuotaExceededError'); } });
    const strange = newStorage();
    const prefix = 'signal-server-client ';
    Object.assign(strange, { [`${prefix}a`]: 'x', [`${prefix}b`]: 'null', [`${prefix}c`]: '{"since":1}', other: 'y' });
    t.after(() => Object.defineProperty(globalThis, 'sessionStorage', { value: newStorage(), writable: true, configurable: true }));
    for (const property of [forbidding, { value: full, configurable: true }, { value: strange, configurable: true }]) {
      Object.defineProperty(globalThis, 'sessionStorage', property);
      const server = new FakeServer();
      const page = await newPage();
      for (let i = 0; i < 2; i++) await connected(await both(server, { key: 'k', page }));
    }
    assert.deepEqual(Object.keys(strange).filter((name) => /^(other|.* [abc])$/.test(name)), ['other'], 'what is not a record is dropped');
  });

  test('what is too old to be a session is forgotten', async (t) => {
    const { server, key } = await begin('offer', { answered: false });
    assert.equal(kept().length, 1);
    server.restart();
    const { now } = Date;
    t.mock.method(Date, 'now', () => now() + 301_000);
    const sides = await both(server, { key, page: await newPage() });
    await connected(sides);
    assert.equal(server.requests.filter(({ method, path }) => method === 'GET' && path === '/offer/messages').length, 0, 'nobody asks for it');
  });
});

test('an answerer\'s page that is left ends the session that it has answered, and the offerer starts over', async (t) => {
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
  t.after(() => { delete globalThis.addEventListener; delete globalThis.removeEventListener; });
  const server = new FakeServer();
  const key = randomKey();
  const answer = new Side(server, 'answer', key);
  await until(() => answer.states.length > 0, 'the wait');
  page.dispatchEvent(new Event('pagehide'));
  await pause(20);
  assert.equal(server.count('DELETE /session'), 0, 'it has answered nothing');
  answer.pc.unconnectable = true;
  delete globalThis.addEventListener; // the offerer is on another page
  const offer = new Side(server, 'offer', key);
  await until(() => offer.states.includes('connecting') && answer.states.includes('connecting'), 'the exchange');
  page.dispatchEvent(new Event('pagehide'));
  answer.aborter.abort();
  await until(() => server.count('DELETE /session') === 1, 'the end of the session');
  assert.equal(server.requests.findLast(({ method }) => method === 'DELETE').init.keepalive, true);
  await within(connected({ offer, answer: new Side(server, 'answer', key) }), 'connected');
});
