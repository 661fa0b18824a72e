// How connect gives a peer connection the ICE servers that the server tells of, and that nothing depends on them.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { connect, randomKey } from '../src/signal.js';
import { FakePeer } from './fake-peer.js';
import { FakeServer } from './fake-server.js';
import { both, connected, failureOf, pause, Side, until } from './sides.js';

const TOLD = [{ urls: ['turn:turn.example:3478'], username: '1795737747:u', credential: 'c' }];
const OWN = [{ urls: ['stun:own.example'] }];

function telling(iceServers = TOLD, ttl = 3600) {
  const server = new FakeServer();
  server.ice = { ttl, iceServers };
  return server;
}

/** Lets a server answer GET /ice when it is told to. */
function hold(server) {
  const data = server.ice;
  const waiting = [];
  server.ice = ({ init: { signal } }) => new Promise((resolve, reject) => {
    waiting.push(() => resolve(Response.json({ msg: '', data })));
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  return { waiting, release: () => { for (const answer of waiting.splice(0)) answer(); } };
}

const sessionRequests = (server) => server.requests.filter(({ path }) => path !== '/ice').map(({ method, path }) => `${method} ${path}`);

/** A server that tells of servers is asked once, and both sides gather by them. */
async function bothGatherBy(expected, server, options) {
  const sides = await both(server, options);
  await connected(sides);
  for (const { pc, states } of Object.values(sides)) {
    assert.deepEqual(pc.gatheredBy, [expected]);
    assert.deepEqual(states, ['waiting', 'connecting', 'connected']);
  }
  return sides;
}

describe('connect and ICE servers', { concurrency: true }, () => {
  test('both sides gather by what the server tells, which a page is told once', async () => {
    for (const first of ['offer', 'answer']) {
      const server = telling();
      await bothGatherBy(TOLD, server, { first });
      await bothGatherBy(TOLD, server, { first, ice: true });
      assert.equal(server.count('GET /ice'), 1);
    }
  });

  test('the rest of the configuration stays', async () => {
    const set = [];
    class Peer extends FakePeer {
      getConfiguration() { return { ...super.getConfiguration(), iceCandidatePoolSize: 3 }; }

      setConfiguration(configuration) {
        set.push(configuration);
        super.setConfiguration(configuration);
      }
    }
    const server = telling();
    const pc = new Peer();
    set.length = 0;
    await connected(await both(server, { offer: { pc } }));
    assert.deepEqual(set, [{ bundlePolicy: 'balanced', iceCandidatePoolSize: 3, iceServers: TOLD }]);
  });

  test('where there are no servers, pc is left alone', async () => {
    const pc = new FakePeer();
    let set = 0;
    pc.setConfiguration = () => { set++; };
    const sides = await both(telling([]), { answer: { pc } });
    await connected(sides);
    assert.deepEqual([set, pc.gatheredBy], [0, [[]]]);
  });

  test('it is asked in the turn in which connect is called, before anything is derived', () => {
    for (const role of ['offer', 'answer', 'auto']) {
      const asked = [];
      const aborter = new AbortController();
      const fetch = (href) => { asked.push(new URL(href).pathname); return new Promise(() => {}); };
      const url = `http://first-${role}.example/`;
      connect(new FakePeer(), { url, role, secret: 'six words', fetch, signal: aborter.signal }).catch(() => {});
      assert.deepEqual(asked, ['/ice']);
      aborter.abort();
    }
  });

  test('an answerer who has the list by then asks nothing when the offer comes', async () => {
    const server = telling();
    const key = randomKey();
    const answer = new Side(server, 'answer', key);
    await until(() => server.requests.length === 2, 'the questions');
    assert.deepEqual(server.requests.map(({ path }) => path).sort(), ['/answer/messages', '/ice']);
    const offer = new Side(server, 'offer', key, { ice: false });
    await connected({ offer, answer });
    assert.equal(server.count('GET /ice'), 1);
    assert.deepEqual(answer.pc.gatheredBy, [TOLD]);
  });

  for (const [what, ice] of [
    ['does not know the request', undefined],
    ['fails', () => Response.json({ msg: '服务器内部错误', data: null }, { status: 500 })],
    ['limits', () => Response.json({ msg: '请求太频繁', data: null }, { status: 429, headers: { 'Retry-After': '9' } })],
    ['is not reached', () => { throw new TypeError('fetch failed'); }],
    ['answers nonsense', () => new Response('<html>', { status: 502 })],
    ['tells of what is not a server', { ttl: 60, iceServers: [5] }],
    ['tells of none', { ttl: 60, iceServers: [] }],
    ['tells of a URL that pc does not take', { ttl: 60, iceServers: [{ urls: 'http://x' }] }],
  ]) {
    test(`a server that ${what} is asked once, and connect goes on`, async () => {
      const server = new FakeServer();
      server.ice = ice;
      for (let i = 0; i < 2; i++) await bothGatherBy([], server, { first: i === 0 ? 'offer' : 'answer' });
      assert.equal(server.count('GET /ice'), 1);
    });
  }

  test('a pc that has servers keeps them, and the server is not asked', async () => {
    const server = telling();
    await bothGatherBy(OWN, server, { peer: { iceServers: OWN } });
    assert.equal(server.count('GET /ice'), 0);
  });

  test('ice: false leaves pc as it is, and asks nobody', async () => {
    const server = telling();
    await bothGatherBy([], server, { ice: false });
    assert.equal(server.count('GET /ice'), 0);
  });

  test('ice with servers gives pc those, whatever it had, and asks nobody', async () => {
    const server = telling();
    for (const [ice, expected] of [[OWN, OWN], [OWN[0], OWN], [{ urls: 'stun:own.example' }, OWN], [[], []]]) {
      await bothGatherBy(expected, server, { ice });
      await bothGatherBy(expected, server, { ice, peer: { iceServers: TOLD } });
    }
    assert.equal(server.count('GET /ice'), 0);
  });

  test('ice with what pc does not take is what pc throws, before anybody is asked', async () => {
    for (const role of ['offer', 'answer', 'auto']) {
      const server = telling();
      const error = await failureOf(new Side(server, role, 'k', { ice: { urls: 'stun.example' } }).connected);
      assert.equal(error.name, 'SyntaxError');
      assert.equal(server.sessions.size, 0);
    }
  });

  test('a pc that has no configuration connects without', async () => {
    for (const missing of [['getConfiguration'], ['setConfiguration'], ['getConfiguration', 'setConfiguration']]) {
      for (const ice of [undefined, OWN]) {
        const server = telling();
        const pcs = [new FakePeer(), new FakePeer()];
        for (const pc of pcs) for (const name of missing) pc[name] = undefined;
        await connected(await both(server, { ice, offer: { pc: pcs[0] }, answer: { pc: pcs[1] } }));
        assert.equal(server.count('GET /ice'), 0);
      }
    }
  });

  test('a token that is refused is replaced for this request, too', async () => {
    const server = telling();
    server.tokens = new Set(['good']);
    for (const role of ['offer', 'answer']) {
      const asked = [];
      const token = (refused) => { asked.push(refused); return refused ? 'good' : 'old'; };
      const sides = await both(server, { ice: false, token: 'good', [role]: { ice: undefined, token } });
      await connected(sides);
      assert.deepEqual(sides[role].pc.gatheredBy, [TOLD]);
      assert.ok(asked.includes('old'));
    }
  });

  test('a person is asked for a token once, though two requests need one', async () => {
    const server = telling();
    server.tokens = new Set(['good']);
    const asked = [];
    const answers = [];
    let kept;
    const token = (refused) => {
      if (kept && kept !== refused) return kept;
      asked.push(refused);
      return new Promise((resolve) => { answers.push((text) => resolve(kept = text)); });
    };
    const answer = new Side(server, 'answer', 'k', { token });
    for (const [i, text] of ['bad', 'good'].entries()) {
      await until(() => answers.length === i + 1, 'the question');
      await pause(20); // until both requests have been refused
      answers[i](text);
    }
    await connected({ answer, offer: new Side(server, 'offer', 'k', { token: 'good' }) });
    assert.deepEqual(asked, [undefined, 'bad']);
  });

  test('what the token function throws, connect rejects with, and it is not asked again', async () => {
    for (const role of ['offer', 'answer', 'auto']) {
      const reason = new Error('signed out');
      let asked = 0;
      const side = new Side(telling(), role, 'k', { token: () => { asked++; throw reason; } });
      assert.equal(await failureOf(side.connected), reason);
      await pause(20);
      assert.equal(asked, 1);
    }
  });
});

describe('while GET /ice is not answered', () => {
  /** Keeps limits of 2 s, however slow the machine is. Returns them: each ends when it is called. */
  function stop2s(t) {
    const { setTimeout } = globalThis;
    const limits = [];
    t.mock.method(globalThis, 'setTimeout', (task, ms, ...args) => (ms === 2_000 ? void limits.push(task) : setTimeout(task, ms, ...args)));
    return limits;
  }

  test('the offerer waits for it before it gathers, and posts its offer afterwards', async (t) => {
    stop2s(t);
    const server = telling();
    const held = hold(server);
    const sides = await both(server, { first: 'offer', key: randomKey() });
    await until(() => held.waiting.length === 1 && server.count('GET /answer/messages') === 1, 'the questions');
    await pause(30);
    assert.deepEqual(sides.offer.pc.gatheredBy, []);
    assert.deepEqual(sessionRequests(server), ['GET /answer/messages']);
    held.release();
    await connected(sides);
    assert.deepEqual(sides.offer.pc.gatheredBy, [TOLD]);
    assert.equal(sessionRequests(server)[1], 'POST /offer/messages');
  });

  test('the answerer waits for the offer meanwhile, and for both before it gathers', async (t) => {
    stop2s(t);
    const server = telling();
    const key = randomKey();
    const offer = new Side(server, 'offer', key, { ice: false });
    await until(() => server.log(key, 'offer'), 'the offer');
    const held = hold(server);
    const answer = new Side(server, 'answer', key);
    await until(() => answer.pc.signalingState === 'have-remote-offer' && held.waiting.length === 1, 'the offer');
    await pause(30);
    assert.deepEqual([answer.pc.gatheredBy, answer.pc.received, server.count('POST /answer/messages')], [[], [], 0]);
    held.release();
    await connected({ offer, answer });
    assert.deepEqual(answer.pc.log.map((entry) => entry.split(' ')[0]), ['remote', 'local', 'candidate', 'candidate', 'candidate']);
    assert.deepEqual(answer.pc.gatheredBy, [TOLD]);
    assert.equal(server.count('GET /ice'), 1);
  });

  test('an answer that does not come holds nobody up for longer than 2 s, and the next one not at all', async (t) => {
    const limits = stop2s(t);
    const server = telling();
    hold(server);
    const gathering = bothGatherBy([], server);
    await until(() => server.count('GET /answer/messages') === 1 && limits.length === 1, 'the questions');
    await pause(30);
    assert.deepEqual(sessionRequests(server), ['GET /answer/messages']);
    limits[0]();
    await gathering;
    await bothGatherBy([], server);
    assert.equal(server.count('GET /ice'), 1);
  });

  test('abort does not wait for it', async (t) => {
    stop2s(t);
    for (const role of ['offer', 'auto', 'answer']) {
      const server = telling();
      const held = hold(server);
      const side = new Side(server, role, randomKey());
      await until(() => held.waiting.length === 1, 'the question');
      const reason = new Error('enough');
      const began = performance.now();
      side.aborter.abort(reason);
      assert.equal(await failureOf(side.connected), reason);
      assert.ok(performance.now() - began < 1_000, 'at once');
      held.release();
      await pause(20);
      assert.deepEqual([side.pc.localDescription, side.pc.getConfiguration().iceServers], [null, []]);
    }
  });

  test('a pc that is given some while the server is asked keeps them', async (t) => {
    stop2s(t);
    const server = telling();
    const held = hold(server);
    const sides = await both(server, { answer: { ice: false } });
    await until(() => held.waiting.length === 1, 'the question');
    sides.offer.pc.setConfiguration({ iceServers: OWN });
    held.release();
    await connected(sides);
    assert.deepEqual(sides.offer.pc.gatheredBy, [OWN]);
  });
});

describe('ICE servers that age', () => {
  /** Moves the clock of the page. */
  function clock(t) {
    const now = Date.now.bind(Date);
    const moved = { by: 0 };
    t.mock.method(Date, 'now', () => now() + moved.by);
    return moved;
  }

  const later = [{ urls: ['turn:turn.example:3478'], username: '1795739999:u', credential: 'd' }];

  for (const [by, count, second] of [[0, 1, TOLD], [51_000, 2, later]]) {
    test(`the offer of a later round, ${by / 1000} s later, is gathered by ${count === 1 ? 'the same list' : 'a fresh one'}`, async (t) => {
      const moved = clock(t);
      const server = telling(TOLD, 100);
      const key = randomKey();
      const offer = new Side(server, 'offer', key);
      await until(() => server.log(key, 'offer'), 'the offer');
      moved.by = by;
      server.ice = { ttl: 100, iceServers: later };
      server.restart();
      await connected({ offer, answer: new Side(server, 'answer', key) });
      assert.deepEqual(offer.pc.gatheredBy, [TOLD, second]);
      assert.equal(server.count('GET /ice'), count);
    });
  }

  for (const [what, errorCode, count] of [
    ['have refused the credential', 401, 2], ['were not reached by one way', 701, 1], ['found no path', undefined, 2],
  ]) {
    test(`who connects after the servers ${what} asks ${count === 2 ? 'anew' : 'for no others'}`, async () => {
      const server = telling();
      const pc = new FakePeer();
      pc.unconnectable = !errorCode;
      pc.addEventListener('icecandidate', () => pc.dispatchEvent(Object.assign(new Event('icecandidateerror'), { errorCode })), { once: true });
      const { offer, answer } = await both(server, { answer: { ice: false }, offer: { pc, connectTimeout: 50 } });
      const [{ reason }] = await Promise.allSettled([offer.connected]);
      assert.equal(reason?.code, errorCode ? undefined : 'Timeout');
      answer.aborter.abort();
      server.ice = { ttl: 100, iceServers: later };
      await bothGatherBy(count === 2 ? later : TOLD, server);
      assert.equal(server.count('GET /ice'), count);
    });
  }

  test('who finds no path where the server tells of no servers asks anew: there may be some by now', async () => {
    const server = telling([]);
    const pc = new FakePeer();
    pc.unconnectable = true;
    const { offer, answer } = await both(server, { answer: { ice: false }, offer: { pc, connectTimeout: 50 } });
    const [{ reason }] = await Promise.allSettled([offer.connected]);
    assert.equal(reason?.code, 'Timeout');
    answer.aborter.abort();
    server.ice = { ttl: 100, iceServers: later };
    await bothGatherBy(later, server);
    assert.equal(server.count('GET /ice'), 2);
  });

  test('an answerer who has waited for long takes a fresh list', async (t) => {
    const moved = clock(t);
    const server = telling(TOLD, 100);
    const key = randomKey();
    const answer = new Side(server, 'answer', key);
    await until(() => server.requests.length === 2, 'the wait');
    await pause(5);
    moved.by = 51_000;
    server.ice = { ttl: 100, iceServers: later };
    await connected({ offer: new Side(server, 'offer', key, { ice: false }), answer });
    assert.deepEqual(answer.pc.gatheredBy, [later]);
    assert.equal(server.count('GET /ice'), 2);
  });

  for (const [what, ice, count, expected] of [
    ['failed for the moment is asked again', 'ServerIsShuttingDown', 2, later], ['does not know the request is not', undefined, 1, []],
  ]) {
    test(`when the offer comes late, a server that ${what}`, async (t) => {
      const moved = clock(t);
      const server = new FakeServer();
      server.ice = ice;
      const key = randomKey();
      const answer = new Side(server, 'answer', key);
      await until(() => server.requests.length === 2, 'the wait');
      await pause(5);
      moved.by = 11_000;
      if (ice) server.ice = { ttl: 100, iceServers: later };
      await connected({ offer: new Side(server, 'offer', key, { ice: false }), answer });
      assert.deepEqual(answer.pc.gatheredBy, [expected]);
      assert.equal(server.count('GET /ice'), count);
    });
  }

  test('a token function that gives another token each time costs no other list', async () => {
    const server = telling();
    let given = 0;
    const token = () => `t${++given}`;
    const sides = await both(server, { offer: { token }, answer: { ice: false } });
    await connected(sides);
    assert.deepEqual(sides.offer.pc.gatheredBy, [TOLD]);
    assert.equal(server.count('GET /ice'), 1);
  });

  test('another connect on the same pc takes a fresh list in place of the server\'s, and none in place of the caller\'s', async (t) => {
    const moved = clock(t);
    const server = telling(TOLD, 100);
    const sides = await both(server);
    await connected(sides);
    await until(() => server.sessions.size === 0, 'the end of the session');
    await pause(20);
    moved.by = 51_000;
    server.ice = { ttl: 100, iceServers: later };
    const { offer: { pc: one }, answer: { pc: other } } = sides;
    other.setConfiguration({ iceServers: OWN });
    for (const pc of [one, other]) pc.lose();
    await connected(await both(server, { offer: { pc: one }, answer: { pc: other } }));
    assert.deepEqual([one.gatheredBy, other.gatheredBy], [[TOLD, later], [TOLD, OWN]]);
  });
});
