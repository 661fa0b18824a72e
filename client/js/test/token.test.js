// The token that a server asks for: on every request, from a text or a function, once more after a refusal, and nowhere else.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { connect, randomKey, Session } from '../src/signal.js';
import { FakePeer } from './fake-peer.js';
import { FakeServer } from './fake-server.js';
import { both, connected, elsewhere, failureOf, newPage, pause, Side, until } from './sides.js';

const bearersOf = ({ requests }) => requests.map(({ headers }) => headers.Authorization);

function guarded(...tokens) {
  const server = new FakeServer();
  server.tokens = new Set(tokens);
  return server;
}

const sessionOf = (server, token, options) => new Session({ url: server.url, key: 'k', role: 'offer', fetch: server.fetch, token, ...options });

/** Runs the task on a page with a sessionStorage, which it gets. */
async function withStorage(task) {
  const storage = Object.create({ // as Storage is, what is kept is its own properties
    getItem(name) { return this[name] ?? null; },
    setItem(name, text) { this[name] = text; },
    removeItem(name) { delete this[name]; },
  });
  globalThis.sessionStorage = storage;
  try {
    await task(storage);
  } finally {
    delete globalThis.sessionStorage;
  }
}

describe('a token', () => {
  test('goes with every request of a Session', async () => {
    const server = guarded('let.me-in');
    const offer = sessionOf(server, 'let.me-in');
    await offer.exchange({ sdp: 's', candidates: ['c'] });
    await offer.addCandidate('c');
    await offer.addCandidates(['c']);
    await offer.takeSdp();
    await offer.takeCandidates();
    await offer.messages();
    await sessionOf(server, 'let.me-in', { role: 'answer' }).events().next();
    await offer.iceServers();
    await offer.report({ result: 'failed', ms: 1 }, { keepalive: true });
    await offer.end({ keepalive: true });
    assert.equal(server.requests.length, 10);
    assert.deepEqual(bearersOf(server), Array(10).fill('Bearer let.me-in'));
  });

  test('goes with every request of connect, whatever the role, with events, and after a restart', async () => {
    for (const [first, second, options] of [['offer', 'answer', {}], ['auto', 'auto', {}], ['answer', 'offer', { events: true }]]) {
      const server = guarded('t');
      const key = randomKey();
      const sides = [new Side(server, first, key, { token: 't', ...options })];
      await pause(20);
      server.restart();
      sides.push(new Side(server, second, key, { token: async () => 't', ...options }));
      await Promise.all(sides.map((side) => side.connected));
      await until(() => server.count('DELETE /session') > 0 && server.outcomes.length === 2, 'the end');
      assert.deepEqual(new Set(bearersOf(server)), new Set(['Bearer t']));
    }
  });

  test('is in no URL on a page of another origin, and neither is what would make each URL another', () => elsewhere(async () => {
    const server = guarded('t');
    await connected(await both(server, { token: () => 't' }));
    await until(() => server.outcomes.length === 2, 'the reports');
    for (const { query, headers } of server.requests) {
      assert.equal(headers.Authorization, 'Bearer t');
      assert.deepEqual(Object.keys(query).filter((name) => name !== 'wait' && name !== 'after'), []);
    }
  }));

  test('is not kept in sessionStorage', () => withStorage(async (kept) => {
    const server = guarded('a-secret-token');
    const side = new Side(server, 'offer', 'k', { token: async () => 'a-secret-token' });
    await until(() => server.sessions.size === 1, 'the offer');
    await pause(10);
    const texts = Object.values(kept);
    assert.equal(texts.length, 1);
    assert.doesNotMatch(texts[0], /a-secret-token|Bearer/);
    side.aborter.abort();
    await failureOf(side.connected);
  }));

  test('that is not valid is a TypeError that does not repeat it, before anything is asked', async () => {
    const server = guarded('t');
    for (const token of ['', 'top secret', 'secret\n', 'sécret', 5, {}, Symbol('secret')]) {
      assert.throws(() => sessionOf(server, token), (error) => error instanceof TypeError && /^token is not valid/.test(error.message));
      const error = await failureOf(connect(new FakePeer(), { url: server.url, key: 'k', role: 'offer', fetch: server.fetch, token }));
      assert.ok(error instanceof TypeError);
      assert.doesNotMatch(error.message, /secret|sécret/);
    }
    for (const token of ['', 'top secret', 'secret\n', 5]) {
      const said = { token: async () => token };
      for (const failed of [sessionOf(server, said.token).messages(), new Side(server, 'answer', 'k', said).connected]) {
        const error = await failureOf(failed);
        assert.ok(error instanceof TypeError, String(error));
        assert.match(error.message, /^the token function returned/);
        assert.doesNotMatch(error.message, /top|secret/);
      }
    }
    assert.equal(server.requests.length, 0);
  });

  test('that is missing or wrong fails at once, with one request of the session and one for ICE servers, and is not reported', async () => {
    for (const token of [undefined, 'wrong']) {
      for (const role of ['offer', 'answer', 'auto']) {
        const server = guarded('t');
        const error = await failureOf(new Side(server, role, 'k', { token }).connected);
        assert.deepEqual([error.name, error.code, error.status], ['SignalError', 'NotAuthenticated', 401]);
        await pause(20);
        assert.deepEqual([server.requests.length, server.count('GET /ice')], [2, 1], role);
      }
    }
  });
});

describe('a token function', () => {
  test('is asked for each request, and told which token was refused', async () => {
    const server = guarded('new');
    const asked = [];
    let current = 'old';
    const session = sessionOf(server, (refused) => {
      asked.push(refused);
      if (refused === current) current = 'new';
      return current;
    });
    await session.putSdp('s');
    await session.addCandidate('c');
    assert.deepEqual(asked, [undefined, 'old', undefined]);
    assert.deepEqual(bearersOf(server), ['Bearer old', 'Bearer new', 'Bearer new']);
    const [first, second] = server.requests.map(({ headers }) => headers['Idempotency-Key']);
    assert.equal(first, second, 'it is the same write');
  });

  test('that returns nothing sends no token, and may return one when that is refused', async () => {
    const server = guarded('t');
    const asked = [];
    const session = sessionOf(server, (refused) => { asked.push(refused); return refused === undefined ? undefined : 't'; });
    await session.putSdp('s');
    assert.deepEqual(asked, [undefined, '']);
    assert.deepEqual(bearersOf(server), [undefined, 'Bearer t']);
    server.tokens = undefined;
    await sessionOf(server, () => null, { key: 'other' }).putSdp('s');
  });

  test('is asked no third time for a request', async () => {
    const server = guarded('t');
    let asked = 0;
    const token = async () => `wrong${++asked}`;
    for (const ask of [
      (s) => s.messages(), (s) => s.putSdp('s'), (s) => s.takeSdp({ wait: 1_000 }), (s) => s.events().next(), (s) => s.iceServers(), (s) => s.end({ keepalive: true }),
    ]) {
      asked = server.requests.length = 0;
      await assert.rejects(ask(sessionOf(server, token)), { name: 'SignalError', code: 'NotAuthenticated', status: 401 });
      assert.deepEqual([asked, server.requests.length], [2, 2]);
    }
    for (const options of [{}, { events: true }]) {
      for (const role of ['offer', 'answer', 'auto']) {
        const other = guarded('t'); // nothing is known of what it says of ICE servers
        asked = 0;
        const error = await failureOf(new Side(other, role, 'k', { token, ...options }).connected);
        assert.deepEqual([error.code, error.request === 'GET /ice'], ['NotAuthenticated', false]);
        await pause(20);
        const ofSession = other.requests.filter(({ path }) => path !== '/ice').length;
        assert.equal(ofSession, 2, role);
        assert.ok(other.count('GET /ice') <= 2 && asked <= other.requests.length, `${role}: ${asked} times, for ${other.requests.length} requests`);
      }
    }
  });

  test('replaces a token that expires while connect runs', async () => {
    for (const options of [{}, { events: true }]) {
      const server = guarded('t1');
      let number = 1;
      const token = async (refused) => `t${refused === `t${number}` ? ++number : number}`;
      const states = [];
      const side = new Side(server, 'answer', 'k', { token, onState: (state) => states.push(state), ...options });
      await until(() => states.includes('waiting'), 'the wait');
      await pause(20);
      server.tokens = new Set(['t2']);
      server.shutDown(); // ends what waits
      server.closing = false;
      server.cutStreams();
      await connected({ answer: side, offer: new Side(server, 'offer', 'k', { token }) });
      assert.equal(number, 2);
    }
  });

  test('is waited for as long as it takes, unless connect is aborted', async () => {
    const server = guarded('t');
    let answer;
    const token = () => new Promise((resolve) => { answer = resolve; });
    const session = sessionOf(server, token, { timeout: 5 });
    const put = session.putSdp('s');
    await pause(30);
    assert.equal(server.requests.length, 0);
    answer('t');
    await put;
    const reason = new Error('enough');
    let calls = 0;
    const side = new Side(server, 'auto', 'other', { token: () => { calls++; return token(); } });
    await until(() => calls > 0, 'the question');
    side.aborter.abort(reason);
    assert.equal(await failureOf(side.connected), reason);
    const late = new Side(server, 'answer', 'other', { token: () => { calls++; return token(); }, timeout: 30 });
    assert.equal((await failureOf(late.connected)).code, 'Timeout');
    await pause(20);
    assert.equal(calls, 2, 'nobody is asked when connect is over');
  });

  test('that throws fails the request with what it threw, and is not asked again', async () => {
    const reason = new Error('signed out');
    const server = guarded('t');
    for (const wrong of [() => { throw reason; }, async () => { throw reason; }, async (refused) => { if (refused) throw reason; return 'old'; }]) {
      for (const ask of [(s) => s.messages(), (s) => s.events().next(), (s) => s.iceServers()]) {
        let calls = 0;
        const token = (refused) => { calls++; return wrong(refused); };
        assert.equal(await failureOf(ask(sessionOf(server, token))), reason);
        assert.equal(calls, wrong.length === 0 ? 1 : 2);
      }
      for (const options of [{}, { events: true }]) {
        const asked = [];
        const side = new Side(server, 'answer', 'k', { token: (refused) => { asked.push(refused); return wrong(refused); }, ...options });
        assert.equal(await failureOf(side.connected), reason);
        await pause(20);
        assert.equal(asked.filter((refused) => (wrong.length === 0 ? !refused : refused)).length, 1);
      }
    }
  });

  test('is not waited for by a request that may outlive the page: the last token goes along, in the same turn', async () => {
    const server = guarded('t');
    let sent = 0, asked = 0;
    const fetch = (href, init) => { if (init.keepalive) sent++; return server.fetch(href, init); };
    const session = sessionOf(server, async () => { asked++; return 't'; }, { fetch });
    await session.putSdp('s');
    const ended = session.end({ keepalive: true });
    assert.deepEqual([sent, asked], [1, 1]);
    await ended;
    assert.equal(bearersOf(server).at(-1), 'Bearer t');
  });

  test('that has none, since the server asks for none, lets connect end the session and report', async () => {
    const server = new FakeServer();
    let asked = 0;
    await connected(await both(server, {
      token: () => {
        asked++;
        return undefined;
      },
    }));
    const before = asked;
    await until(() => server.count('DELETE /session') === 1 && server.outcomes.length === 2, 'the end and the reports');
    assert.equal(asked, before, 'nobody is asked when connect is over');
  });

  test('a session that the page has left is ended by the next connect, and one without a good token leaves it for another', () => withStorage(async (kept) => {
    const server = guarded('t');
    const line = { cut: false };
    const fetch = async (...args) => { if (line.cut) throw new TypeError('fetch failed'); return server.fetch(...args); };
    const gone = new Side(server, 'offer', 'k', { page: await newPage(), token: 't', fetch });
    await until(() => server.sessions.size === 1, 'the offer');
    await pause(10);
    line.cut = true;
    gone.aborter.abort();
    await pause(10);
    let asked = server.requests.length = 0;
    const without = new Side(server, 'offer', 'k', { page: await newPage(), token: () => `wrong${++asked}` });
    assert.equal((await failureOf(without.connected)).code, 'NotAuthenticated');
    await pause(20);
    const ofSession = server.requests.filter(({ path }) => path !== '/ice').length;
    assert.deepEqual([ofSession, Object.keys(kept).length, server.sessions.size], [2, 1, 1]);
    await connected({ offer: new Side(server, 'offer', 'k', { page: await newPage(), token: 't' }), answer: new Side(server, 'answer', 'k', { token: 't' }) });
    await until(() => server.sessions.size === 0, 'the end');
  }));
});
