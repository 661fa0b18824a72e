// What connect reports to the server at its end, and when it reports nothing.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { connect, deriveSecret, randomKey, Session } from '../src/signal.js';
import { FakePeer } from './fake-peer.js';
import { FakeServer } from './fake-server.js';
import { failureOf, fast, pause, until, url } from './sides.js';

function begin(server, role, options) {
  const pc = options.pc ?? new FakePeer();
  const connected = connect(pc, { url: server.url, role, fetch: server.fetch, retry: fast, timeout: 60_000, batchDelay: 5_000, ...options });
  connected.catch(() => {}); // until it is waited for
  return { pc, connected };
}

const both = (server, options = {}, key = randomKey()) => Promise.all(
  ['offer', 'answer'].map((role) => begin(server, role, { key, ...options }).connected));

const inOrder = (outcomes) => outcomes.toSorted((a, b) => (a.role < b.role ? 1 : -1)).map(({ role, result, candidate_type: type }) => [role, result, type]);

describe('the outcome', { concurrency: true }, () => {
  test('both sides report the type of their own candidate, and the time', async () => {
    const server = new FakeServer();
    const begun = performance.now();
    await both(server);
    const took = performance.now() - begun;
    await until(() => server.outcomes.length === 2, 'the reports');
    assert.deepEqual(inOrder(server.outcomes), [['offer', 'connected', 'relay'], ['answer', 'connected', 'relay']]);
    for (const { ms } of server.outcomes) assert.ok(Number.isInteger(ms) && ms >= 0 && ms <= Math.ceil(took), `${ms} ms of ${took}`);
    const reports = server.requests.filter(({ path }) => path.endsWith('/outcome'));
    assert.deepEqual(reports.map(({ init }) => init.keepalive), [true, true]);
  });

  test('the offerer reports before it ends the session', async () => {
    const server = new FakeServer();
    const fetch = async (href, init) => {
      if (href.includes('/outcome')) await pause(50);
      return server.fetch(href, init);
    };
    await both(server, { fetch });
    await until(() => server.sessions.size === 0, 'the end of the session');
    assert.equal(server.outcomes.find(({ role }) => role === 'offer').live, true);
  });

  test('a browser whose transports do not name their pair is asked for the one that carries the most', async () => {
    const server = new FakeServer();
    const pc = new FakePeer();
    pc.stats = pc.stats.filter(({ type }) => type !== 'transport');
    pc.stats.push({ id: 'P3', type: 'candidate-pair', state: 'succeeded', nominated: false, bytesSent: 999, localCandidateId: 'L2' });
    const key = randomKey();
    await Promise.all([begin(server, 'offer', { key, pc }).connected, begin(server, 'answer', { key, report: false }).connected]);
    await until(() => server.outcomes.length === 1, 'the report');
    assert.deepEqual(inOrder(server.outcomes), [['offer', 'connected', 'host']]);
  });

  test('a browser that does not tell the type at once is asked again', async () => {
    const server = new FakeServer();
    const pc = new FakePeer();
    const { getStats } = pc;
    let asked = 0;
    pc.getStats = async () => (++asked < 3 ? new Map() : getStats.call(pc));
    const key = randomKey();
    await Promise.all([begin(server, 'offer', { key, pc }).connected, begin(server, 'answer', { key, report: false }).connected]);
    await until(() => server.outcomes.length === 1, 'the report');
    assert.deepEqual(inOrder(server.outcomes), [['offer', 'connected', 'relay']]);
  });

  test('where the browser does not tell the type nothing is reported', async () => {
    for (const getStats of [async () => new Map(), async () => { throw new DOMException('closed', 'InvalidStateError'); }, undefined]) {
      const server = new FakeServer();
      const [one, two] = [new FakePeer(), new FakePeer()].map((pc) => Object.assign(pc, { getStats }));
      const key = randomKey();
      await Promise.all([begin(server, 'offer', { key, pc: one }).connected, begin(server, 'answer', { key, pc: two }).connected]);
      await until(() => server.count('DELETE /session') === 1, 'the end of the session');
      assert.deepEqual(server.outcomes, []);
    }
  });

  test('it can be turned off', async () => {
    const server = new FakeServer();
    await both(server, { report: false });
    await until(() => server.count('DELETE /session') === 1, 'the end of the session');
    await failureOf(begin(server, 'answer', { key: randomKey(), report: false, timeout: 30 }).connected);
    await pause(20);
    assert.deepEqual(server.outcomes, []);
  });

  test('what the server makes of it is without effect', async () => {
    const broken = () => new Response('<html>', { status: 502 });
    for (const answer of [undefined, broken, () => { throw new TypeError('fetch failed'); }]) {
      const server = new FakeServer();
      if (!answer) server.outcomes = undefined; // an older server
      let reports = 0;
      const fetch = async (href, init) => {
        if (!href.includes('/outcome')) return server.fetch(href, init);
        reports++;
        return answer ? answer() : server.fetch(href, init);
      };
      await both(server, { fetch });
      await until(() => server.count('DELETE /session') === 1 && reports === 2, 'the end of the session');
      await pause(50);
      assert.equal(reports, 2, 'each is sent once');
    }
  });

  test('nobody waits for a report that hangs, and the session ends without it', async () => {
    const server = new FakeServer();
    const signals = [];
    const fetch = (href, init) => {
      if (!href.includes('/outcome')) return server.fetch(href, init);
      signals.push(init.signal);
      return new Promise(() => {});
    };
    await both(server, { fetch }); // or the test's timeout
    assert.equal(server.count('DELETE /session'), 0);
    await until(() => server.count('DELETE /session') === 1, 'the end of the session');
    await until(() => signals.length === 2 && signals.every(({ aborted }) => aborted), 'the end of the reports');
  });

  test('an attempt that fails or takes too long is reported, once', async () => {
    const shortly = (role) => ({ [role]: { timeout: 30 } });
    for (const [name, fail, options] of [
      ['nobody came', () => {}, shortly('offer')],
      ['nobody called', () => {}, shortly('answer')],
      ['a signal that times out', () => {}, { get offer() { return { signal: AbortSignal.timeout(30) }; } }],
      ['ICE failed', (pc) => pc.fail(), { offer: {}, answer: { report: false } }],
      ['DTLS failed', (pc) => pc.fail('connected'), { offer: {}, answer: { report: false } }],
    ]) {
      const server = new FakeServer();
      const key = randomKey();
      const sides = Object.entries(options).map(([role, o]) => begin(server, role, { key, pc: Object.assign(new FakePeer(), { unconnectable: true }), ...o }));
      if (sides.length === 2) await until(() => sides[0].pc.remoteDescription, 'the exchange');
      fail(sides[0].pc);
      await failureOf(sides[0].connected);
      await until(() => server.outcomes.length > 0, `the report: ${name}`);
      const [{ role, result, candidate_type: type, ms }] = server.outcomes;
      assert.deepEqual([role, result, type], [Object.keys(options)[0], 'failed', undefined], name);
      assert.ok(ms >= 0, name);
      await pause(20);
      assert.equal(server.outcomes.length, 1, name);
      sides[1]?.pc.close();
    }
  });

  test('who gives up, closes, or finds the place taken has no outcome', async () => {
    for (const [name, end, code] of [
      ['abort', ({ aborter }) => aborter.abort()],
      ['abort without an error', ({ aborter }) => aborter.abort(null)],
      ['close', ({ pc }) => pc.close(), 'Closed'],
      ['taken', ({ server }) => new Session({ url, key: 'k', role: 'offer', fetch: server.fetch }).putSdp('another'), 'SdpAlreadyExist'],
    ]) {
      const server = new FakeServer();
      const aborter = new AbortController();
      const pc = new FakePeer();
      const apply = pc.setLocalDescription;
      pc.setLocalDescription = async function held(...args) { // until the end
        if (code === 'SdpAlreadyExist') await end({ server });
        return apply.apply(this, args);
      };
      const { connected } = begin(server, 'offer', { key: 'k', pc, signal: aborter.signal });
      if (code !== 'SdpAlreadyExist') {
        await until(() => server.sessions.size === 1, 'the offer');
        end({ aborter, pc });
      }
      assert.equal((await failureOf(connected))?.code, code ?? (name === 'abort' ? 20 : undefined), name);
      await pause(20);
      assert.deepEqual(server.outcomes, [], name);
    }
  });

  test('under a secret the report says what it says without one', async () => {
    const server = new FakeServer();
    const secret = await deriveSecret('six words');
    await both(server, { secret, key: undefined });
    await until(() => server.outcomes.length === 2, 'the reports');
    const bodies = server.requests.filter(({ path }) => path.endsWith('/outcome')).map(({ body }) => Object.keys(JSON.parse(body)));
    assert.deepEqual(bodies, [['result', 'candidate_type', 'ms'], ['result', 'candidate_type', 'ms']]);
  });
});

test('a page of another origin reports without a preflight', async (t) => {
  t.after(() => { delete globalThis.location; });
  globalThis.location = { origin: 'https://page.example', href: 'https://page.example/' };
  const server = new FakeServer();
  await both(server);
  await until(() => server.outcomes.length === 2, 'the reports');
  for (const { headers, body, query } of server.requests.filter(({ path }) => path.endsWith('/outcome'))) {
    assert.deepEqual([headers, typeof body, Object.keys(query)], [{}, 'string', ['key']]);
  }
});

test('a page that is left reports nothing, and does not keep its session for a report', async (t) => {
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
  t.after(() => { delete globalThis.addEventListener; delete globalThis.removeEventListener; });
  for (const [name, connects] of [['while it waits', false], ['while it reports', true]]) {
    const server = new FakeServer();
    let reports = 0, ends = 0;
    const fetch = (href, init) => {
      if (init.method === 'DELETE') ends++;
      if (!href.includes('/outcome')) return server.fetch(href, init);
      reports++;
      return new Promise(() => {});
    };
    const offer = begin(server, 'offer', { key: 'k', fetch, timeout: connects ? 60_000 : 200 });
    await until(() => server.sessions.size === 1, 'the offer');
    if (connects) {
      await begin(server, 'answer', { key: 'k', report: false }).connected;
      await offer.connected;
      await until(() => reports === 1, 'the report');
    }
    page.dispatchEvent(new Event('pagehide'));
    await new Promise(setImmediate);
    assert.equal(ends, 1, name);
    if (!connects) await failureOf(offer.connected);
    assert.equal(reports, connects ? 1 : 0, name);
  }
});
