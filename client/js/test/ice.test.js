// The ICE servers that the server tells of: how a Session asks, and what it keeps.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { Session } from '../src/signal.js';
import { FakeServer } from './fake-server.js';
import { elsewhere, failureOf } from './sides.js';

const SERVERS = [
  { urls: ['stun:turn.example:3478'] },
  { urls: ['turn:turn.example:3478?transport=udp', 'turns:turn.example:5349?transport=tcp'], username: '1795737747:u', credential: 'c+/=' },
];

function telling(ice = { ttl: 3600, iceServers: SERVERS }) {
  const server = new FakeServer();
  server.ice = ice;
  return server;
}

const sessionOf = (server, options) => new Session({ url: server.url, key: 'k', role: 'offer', fetch: server.fetch, ...options });

/** Moves the clock of the page. */
function clock(t) {
  const now = Date.now.bind(Date);
  const moved = { by: 0 };
  t.mock.method(Date, 'now', () => now() + moved.by);
  return moved;
}

describe('Session.iceServers', () => {
  test('resolves to what the server tells, which it is asked for without the key', async () => {
    const server = telling();
    assert.deepEqual(await sessionOf(server).iceServers(), SERVERS);
    const [{ method, path, query, headers, body, init }] = server.requests;
    assert.deepEqual([method, path, query, headers, body], ['GET', '/ice', {}, {}, undefined]);
    assert.deepEqual([init.cache, init.credentials, init.redirect], ['no-store', 'omit', 'error']);
    assert.deepEqual(await sessionOf(telling({ ttl: 3600, iceServers: [] })).iceServers(), []);
  });

  test('asks below the path that the server is mounted at', async () => {
    for (const url of ['http://mounted.example/at/', 'http://mounted.example/at']) {
      const asked = [];
      const fetch = async (href) => { asked.push(href); return Response.json({ msg: '', data: { ttl: 0, iceServers: [] } }); };
      await sessionOf({ url, fetch }).iceServers();
      assert.deepEqual(asked, ['http://mounted.example/at/ice']);
    }
  });

  test('needs no preflight from another origin, but for a token, which is in no URL', () => elsewhere(async () => {
    for (const [token, headers] of [[undefined, {}], ['t', { Authorization: 'Bearer t' }]]) {
      for (const keyIn of ['header', 'query', undefined]) {
        const server = telling();
        await sessionOf(server, { token, keyIn, ticket: 'of-the-session' }).iceServers();
        assert.deepEqual([server.requests[0].headers, server.requests[0].query], [headers, {}]);
      }
    }
  }));

  test('says nothing of the session: a refusal does not cost its ticket', async () => {
    const session = sessionOf(telling('NotAllowed'), { ticket: 'of-the-session' });
    assert.equal((await failureOf(session.iceServers())).code, 'NotAllowed');
    assert.equal(session.ticket, 'of-the-session');
  });

  test('asks once for all that ask together, and each gets a list of its own', async () => {
    const server = telling();
    const lists = await Promise.all(['a', 'b', 'c'].map((key) => sessionOf(server, { key }).iceServers()));
    assert.deepEqual(lists, [SERVERS, SERVERS, SERVERS]);
    lists[0][1].urls.pop();
    lists[0].pop();
    assert.deepEqual(lists[1], SERVERS);
    assert.deepEqual(await sessionOf(server).iceServers(), SERVERS);
    assert.equal(server.requests.length, 1);
  });

  test('keeps a list for half of its time, of each server and for each token', async (t) => {
    const moved = clock(t);
    const server = telling({ ttl: 100, iceServers: SERVERS });
    const ask = (token, at = server) => sessionOf(at, { token }).iceServers();
    const count = async (...args) => {
      const before = server.requests.length;
      await ask(...args);
      return server.requests.length - before;
    };
    assert.equal(await count(), 1);
    moved.by = 49_000;
    assert.equal(await count(), 0);
    assert.equal(await count('one'), 1);
    assert.equal(await count('another'), 1);
    assert.equal(await count('one'), 0);
    const other = telling({ ttl: 100, iceServers: [] });
    assert.deepEqual(await ask('one', other), []);
    moved.by = 50_000;
    assert.equal(await count(), 1);
    assert.equal(await count('one'), 0);
    moved.by = 0; // somebody has set the clock back: nobody knows how old the list is
    assert.equal(await count(), 1);
  });

  test('keeps no list for longer than half a day, and one without time for nobody', async (t) => {
    const moved = clock(t);
    const server = telling({ ttl: 1e12, iceServers: SERVERS });
    await sessionOf(server).iceServers();
    moved.by = 43_199_000;
    await sessionOf(server).iceServers();
    assert.equal(server.requests.length, 1);
    moved.by = 43_201_000;
    server.ice.ttl = 0;
    await sessionOf(server).iceServers();
    await sessionOf(server).iceServers();
    assert.equal(server.requests.length, 3);
  });

  test('keeps so many lists and no more: the oldest goes first', async () => {
    const server = telling();
    const ask = (number) => sessionOf(server, { token: `t${number}` }).iceServers();
    for (let number = 0; number < 256; number++) await ask(number);
    await ask(0);
    assert.equal(server.requests.length, 256);
    await ask(256);
    for (const number of [1, 256]) await ask(number);
    assert.equal(server.requests.length, 257);
    await ask(0);
    assert.equal(server.requests.length, 258);
  });

  const broken = (text, status = 200) => () => new Response(text, { status });
  for (const [what, ice, code] of [
    ['an older server', undefined, 'RouteNotFound'],
    ['a server that limits', () => Response.json({ msg: '请求太频繁', data: null }, { status: 429, headers: { 'Retry-After': '1' } }), 'TooManyRequests'],
    ['a server that fails', () => Response.json({ msg: '服务器内部错误', data: null }, { status: 500 }), 'InternalError'],
    ['a server that is about to end', 'ServerIsShuttingDown', 'ServerIsShuttingDown'],
    ['a network that is down', () => { throw new TypeError('fetch failed'); }, 'Unreachable'],
    ['a page that is no server', broken('<html>'), 'BrokenAnswer'],
    ['a proxy', broken('Bad Gateway', 502), 'BrokenAnswer'],
    ['no data', broken('{"msg":"","data":null}'), 'BrokenAnswer'],
    ['no time', { iceServers: [] }, 'BrokenAnswer'],
    ['no list', { ttl: 60 }, 'BrokenAnswer'],
    ['something else than a list', { ttl: 60, iceServers: { urls: 'stun:x' } }, 'BrokenAnswer'],
    ['a list of something else', { ttl: 60, iceServers: [null] }, 'BrokenAnswer'],
    ['servers without URLs', { ttl: 60, iceServers: [{ urls: 'stun:x' }, { username: 'u' }] }, 'BrokenAnswer'],
  ]) {
    test(`${what} is ${code}, asked once, and again after 10 s`, async (t) => {
      const moved = clock(t);
      const server = telling(ice ?? null);
      const ask = () => failureOf(sessionOf(server, { retry: { attempts: 5, base: 1 } }).iceServers());
      const asked = ask();
      moved.by = 1_500; // it counts from the failure
      const error = await asked;
      assert.deepEqual([error.name, error.code, error.request], ['SignalError', code, 'GET /ice']);
      moved.by = 11_000;
      assert.equal((await ask()).code, code);
      assert.equal(server.requests.length, 1);
      moved.by = 12_000;
      server.ice = { ttl: 60, iceServers: [] };
      assert.deepEqual(await sessionOf(server).iceServers(), []);
      assert.equal(server.requests.length, 2);
    });
  }

  test('an answer may take 2 s, or as long as any other of that Session if that is less', async (t) => {
    for (const [timeout, most] of [[undefined, 2_000], [300, 300]]) {
      t.mock.timers.enable({ apis: ['setTimeout'] });
      let hungUp = false;
      const fetch = (href, { signal }) => new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => { hungUp = true; reject(signal.reason); });
      });
      const asked = sessionOf({ url: `http://hangs-${most}.example/`, fetch }, { timeout }).iceServers();
      t.mock.timers.tick(most - 1);
      assert.equal(hungUp, false);
      t.mock.timers.tick(1);
      assert.equal(hungUp, true);
      assert.equal((await failureOf(asked)).code, 'NoAnswer');
      t.mock.timers.reset();
    }
  });

  test('a token function is asked once more if its token is refused, and both requests together may take 2 s', async (t) => {
    const server = telling();
    server.tokens = new Set(['good']);
    const asked = [];
    const token = (refused) => { asked.push(refused); return refused ? 'good' : 'old'; };
    assert.deepEqual(await sessionOf(server, { token }).iceServers(), SERVERS);
    assert.deepEqual(asked, [undefined, 'old']);
    assert.deepEqual(server.requests.map(({ headers }) => headers.Authorization), ['Bearer old', 'Bearer good']);
    await sessionOf(server, { token }).iceServers();
    assert.equal(server.requests.length, 2, 'that the token is refused is remembered, too');

    const slow = telling();
    slow.tokens = server.tokens;
    let passed = 0; // ms
    t.mock.method(performance, 'now', () => passed);
    const { setTimeout } = globalThis;
    const limits = t.mock.method(globalThis, 'setTimeout', (task, ms) => setTimeout(task, ms));
    const fetch = (...args) => {
      passed += 1_200;
      return slow.fetch(...args);
    };
    assert.deepEqual(await sessionOf(slow, { token, fetch }).iceServers(), SERVERS);
    assert.deepEqual(limits.mock.calls.map(({ arguments: [, ms] }) => ms), [2_000, 800]);
  });

  test('who has aborted waits no longer, and the others get the answer', async () => {
    let answer;
    const server = telling(() => new Promise((resolve) => { answer = () => resolve(Response.json({ msg: '', data: { ttl: 60, iceServers: SERVERS } })); }));
    const aborter = new AbortController();
    const reason = new Error('enough');
    const one = failureOf(sessionOf(server).iceServers({ signal: aborter.signal }));
    const other = sessionOf(server).iceServers();
    aborter.abort(reason);
    assert.equal(await one, reason);
    while (!answer) await new Promise(setImmediate);
    answer();
    assert.deepEqual(await other, SERVERS);
    assert.equal(await failureOf(sessionOf(server).iceServers({ signal: AbortSignal.abort(reason) })), reason);
    assert.equal(server.requests.length, 1);
  });

  test('a failure of which nobody is left to hear is nobody\'s', async () => {
    const aborter = new AbortController();
    const reason = new Error('enough');
    const fetch = async () => {
      aborter.abort(reason);
      throw new TypeError('fetch failed');
    };
    assert.equal(await failureOf(sessionOf({ url: 'http://aborts.example/', fetch }).iceServers({ signal: aborter.signal })), reason);
    await new Promise(setImmediate); // Node fails a test with a rejection that nobody handles
  });
});
