// What connect does where it succeeds, and what it survives.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import test, { describe } from 'node:test';
import { connect, randomKey, Session } from '../src/signal.js';
import { FakePeer } from './fake-peer.js';
import { FakeServer } from './fake-server.js';
import { both, connected, failureOf, flaky, neverEarly, newPage, pause, Side, until, url } from './sides.js';

describe('connect', { concurrency: true }, () => {
  for (const first of ['offer', 'answer']) {
    test(`a handshake is four requests and two reports, and one for the ICE servers, ${first} first`, async () => {
      const server = new FakeServer();
      const sides = await both(server, { first });
      assert.deepEqual(await connected(sides), ['offer', 'answer'].map((role) => ({ role, cursor: '1-4', rounds: 1, dropped: 0 })));
      await until(() => server.count('DELETE /session') === 1 && server.outcomes.length === 2, 'the end of the session');
      assert.deepEqual(server.requests.map(({ method, path }) => `${method} ${path}`).sort(), [
        'DELETE /session', 'GET /answer/messages', 'GET /ice', 'POST /answer/messages', 'POST /answer/outcome', 'POST /offer/messages',
        'POST /offer/outcome',
      ]);
      assert.deepEqual(sides.offer.states, ['waiting', 'connecting', 'connected']);
      assert.deepEqual(sides.answer.states, ['waiting', 'connecting', 'connected']);
      neverEarly(sides.offer);
      neverEarly(sides.answer);
      for (const { pc } of Object.values(sides)) {
        for (const type of ['icecandidate', 'icegatheringstatechange', 'connectionstatechange']) {
          assert.equal(getEventListeners(pc, type).length, 0, `listeners of ${type} are left`);
        }
      }
    });
  }

  test('payloads are what pionsignal reads and writes', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const sides = await both(server, { key, peer: { candidates: 1 }, replace: false });
    await until(() => server.log(key, 'answer')?.sdp, 'the answer');
    const { offer, answer } = server.sessions.get(key).logs;
    await connected(sides);
    assert.deepEqual(JSON.parse(offer.sdp), { type: 'offer', sdp: sides.offer.pc.localDescription.sdp });
    assert.deepEqual(JSON.parse(answer.sdp), { type: 'answer', sdp: sides.answer.pc.localDescription.sdp });
    const { ufrag } = sides.offer.pc;
    assert.deepEqual(offer.candidates.map((c) => JSON.parse(c)), [
      { candidate: `${ufrag}-1`, sdpMid: '0', sdpMLineIndex: 0, usernameFragment: ufrag },
      { candidate: '', sdpMid: '0', sdpMLineIndex: 0 },
    ]);
  });

  test('what is gathered late is trickled in order, one write at a time', async () => {
    const server = new FakeServer();
    const writing = { offer: 0, answer: 0 };
    const fetch = async (href, init) => {
      const role = new URL(href).pathname.split('/')[1];
      if (init.method !== 'POST') return server.fetch(href, init);
      assert.equal(++writing[role], 1, `two writes of ${role} at once`);
      try { return await server.fetch(href, init); } finally { writing[role]--; }
    };
    const sides = await both(server, { fetch, peer: { candidates: 8, gatherDelay: 20 }, batchDelay: 1 });
    await connected(sides);
    const got = sides.answer.signals.filter((s) => s.direction === 'received' && s.type === 'candidate').map(({ text }) => text);
    const sent = sides.offer.signals.filter((s) => s.direction === 'sent' && s.type === 'candidate').map(({ text }) => text);
    assert.ok(got.length > 0);
    assert.deepEqual(got, sent.slice(0, got.length));
    neverEarly(sides.answer);
  });

  test('candidates that are gathered during a request go together in the next one', async () => {
    const server = new FakeServer();
    const slow = async (...args) => { await pause(60); return server.fetch(...args); };
    const sides = await both(server, {
      offer: { fetch: slow, peer: { candidates: 20, gatherDelay: 5 }, batchDelay: 0 }, answer: { peer: { candidates: 0 } },
    });
    sides.answer.pc.unconnectable = true; // until everything is posted
    await until(() => sides.offer.signals.some(({ text }) => text.includes('"candidate":""')), 'the end of candidates');
    assert.ok(server.count('POST /offer/messages') < 8, `${server.count('POST /offer/messages')} requests for 20 candidates`);
    sides.offer.aborter.abort();
    sides.answer.aborter.abort();
  });

  test('a connection that loses half of everything loses nothing', async () => {
    const server = new FakeServer();
    const sides = await both(server, { fetch: flaky(server, 2), peer: { candidates: 5, gatherDelay: 2 }, batchDelay: 4 });
    await connected(sides);
    for (const { signals } of Object.values(sides)) {
      const received = signals.filter(({ direction }) => direction === 'received').map(({ text }) => text);
      assert.equal(new Set(received).size, received.length, 'something came twice');
      assert.ok(signals.every(({ error }) => !error));
    }
  });

  test('the server is restarted before the answerer comes', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const offer = new Side(server, 'offer', key);
    await until(() => server.log(key, 'offer'), 'the offer');
    server.restart();
    const answer = new Side(server, 'answer', key);
    const [{ rounds }] = await connected({ offer, answer });
    assert.equal(rounds, 2);
    assert.deepEqual(offer.states, ['waiting', 'restarting', 'waiting', 'connecting', 'connected']);
    assert.deepEqual(offer.pc.log.slice(0, 3), ['local offer', 'createOffer restart', 'local offer']);
    assert.equal(offer.signals.find(({ type }) => type === 'sdp').text === offer.signals.findLast(
      ({ type, direction }) => type === 'sdp' && direction === 'sent').text, false, 'the offer is a fresh one');
  });

  test('the end of what was gathered for the offer before is not that of the next one', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const offer = new Side(server, 'offer', key, { batchDelay: 0, peer: { gatherDelay: 20 } });
    await until(() => server.log(key, 'offer'), 'the offer');
    const apply = offer.pc.setLocalDescription;
    offer.pc.setLocalDescription = function late(description) {
      this.iceGatheringState = 'complete';
      this.dispatchEvent(new Event('icegatheringstatechange'));
      return apply.call(this, description);
    };
    server.restart();
    await connected({ offer, answer: new Side(server, 'answer', key) });
  });

  test('the server is down between offer and answer', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const offer = new Side(server, 'offer', key);
    await until(() => server.log(key, 'offer'), 'the offer');
    let answering = false;
    let killed = false;
    const fetch = async (href, init) => {
      answering ||= init.method === 'POST';
      while (init.method === 'POST' && !killed) await pause(1);
      return server.fetch(href, init);
    };
    const answer = new Side(server, 'answer', key, { fetch });
    await until(() => answering, 'the answer');
    server.kill();
    killed = true;
    await until(() => answer.states.includes('retrying') && offer.states.includes('retrying'), 'retrying');
    server.down = false;
    await connected({ offer, answer });
    assert.equal(answer.states.at(-1), 'connected');
    neverEarly(answer);
  });

  test('the server is restarted between the answer and its reader', async () => {
    const server = new FakeServer();
    const key = randomKey();
    let cut = false;
    const fetch = async (...args) => {
      if (cut) throw new TypeError('fetch failed');
      const response = await server.fetch(...args);
      if (cut) throw new TypeError('fetch failed');
      return response;
    };
    const offer = new Side(server, 'offer', key, { fetch, batchDelay: 0, peer: { gatherDelay: 5 } });
    await until(() => server.sessions.size > 0, 'the offer');
    cut = true;
    const answer = new Side(server, 'answer', key);
    await until(() => answer.states.includes('connecting'), 'the answer');
    server.restart();
    cut = false;
    const [, { rounds }] = await connected({ offer, answer });
    assert.equal(rounds, 2);
    assert.deepEqual(answer.states, ['waiting', 'connecting', 'restarting', 'waiting', 'connecting', 'connected']);
    assert.deepEqual(answer.pc.log.filter((entry) => /remote|local/.test(entry)),
      ['remote offer', 'local answer', 'remote offer', 'local answer']);
  });

  test('an answer that is late for its session does not go into the next one', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const offer = new Side(server, 'offer', key);
    await until(() => server.log(key, 'offer'), 'the offer');
    let held = true;
    const answer = new Side(server, 'answer', key, {
      fetch: async (href, init) => {
        while (held && init.method === 'POST') await pause(1);
        return server.fetch(href, init);
      },
    });
    await until(() => answer.pc.localDescription, 'the answer');
    server.restart();
    await until(() => server.log(key, 'offer')?.sdp, 'the next offer');
    held = false;
    await connected({ offer, answer });
    assert.equal(answer.pc.log.filter((entry) => entry === 'remote offer').length, 2);
    assert.ok(offer.signals.every(({ error }) => !error));
  });

  test('the offerer reloads its page', async () => {
    const server = new FakeServer();
    const key = randomKey();
    let cut = false;
    const fetch = (...args) => (cut ? Promise.reject(new TypeError('fetch failed')) : server.fetch(...args));
    const gone = new Side(server, 'offer', key, { fetch });
    gone.pc.unconnectable = true;
    const answer = new Side(server, 'answer', key);
    await until(() => gone.states.includes('connecting') && answer.states.includes('connecting'), 'the first try');
    cut = true; // the page is gone, and says nothing
    gone.aborter.abort();
    const page = await newPage(); // without a sessionStorage
    assert.equal((await failureOf(new Side(server, 'offer', key, { page }).connected)).code, 'SdpAlreadyExist');
    const offer = new Side(server, 'offer', key, { page, replace: true });
    await connected({ offer, answer });
  });

  test('a third one is told that the key is in use', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const offer = new Side(server, 'offer', key);
    offer.pc.unconnectable = true;
    await until(() => server.log(key, 'offer'), 'the offer');
    const error = await failureOf(new Side(server, 'offer', key).connected);
    assert.equal(error.code, 'SdpAlreadyExist');
    assert.match(error.message, /in use/);
    const answer = new Side(server, 'answer', key);
    await until(() => answer.states.includes('connecting'), 'the answer');
    assert.equal((await failureOf(new Side(server, 'answer', key).connected)).code, 'SdpAlreadyExist');
    assert.ok(server.sessions.has(key), 'the session of the two is left alone');
    offer.aborter.abort();
    answer.aborter.abort();
  });

  test('abort rejects with the reason, ends the offerer\'s session, and leaves nothing behind', async () => {
    for (const role of ['offer', 'answer']) {
      const server = new FakeServer();
      const key = randomKey();
      const other = role === 'answer' && new Session({ url, key, role: 'offer', fetch: server.fetch });
      if (other) await other.putSdp('{"type":"offer","sdp":"v=0\\r\\n"}');
      const side = new Side(server, role, key);
      await until(() => server.sessions.has(key) && side.states.length > 0 && server.count('GET /ice') === 1, 'the wait');
      const reason = new Error('enough');
      side.aborter.abort(reason);
      assert.equal(await failureOf(side.connected), reason);
      if (role === 'offer') await until(() => !server.sessions.has(key), 'the end of the session');
      else assert.ok(server.sessions.has(key));
      const asked = server.requests.length;
      const told = side.states.length;
      await pause(50);
      assert.equal(server.requests.length, asked);
      assert.equal(side.states.length, told);
      assert.equal(getEventListeners(side.pc, 'icecandidate').length, 0);
      assert.equal(getEventListeners(side.aborter.signal, 'abort').length, 0);
    }
    const reason = new Error('before it began');
    const begun = connect(new FakePeer(), { url, key: 'k', role: 'offer', signal: AbortSignal.abort(reason) });
    assert.equal(await failureOf(begun), reason);
  });

  test('an offer right after the end of the one before is not ended with it', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const fetch = async (href, init) => {
      if (init.method === 'DELETE') await pause(100);
      return server.fetch(href, init);
    };
    const first = new Side(server, 'offer', key, { fetch });
    await until(() => server.sessions.has(key), 'the offer');
    first.aborter.abort();
    const sides = { offer: new Side(server, 'offer', key, { fetch }), answer: new Side(server, 'answer', key) };
    const [{ rounds }] = await connected(sides);
    assert.equal(rounds, 1);
  });
});

describe('connect again on the same peer connections', { concurrency: true }, () => {
  /** Two sides whose network was lost after they were connected. */
  async function lost() {
    const server = new FakeServer();
    const key = randomKey();
    const sides = await both(server, { key });
    await connected(sides);
    const pcs = { offer: sides.offer.pc, answer: sides.answer.pc };
    await until(() => server.sessions.size === 0, 'the end of the session');
    await pause(20);
    for (const pc of Object.values(pcs)) pc.lose();
    return { server, key, pcs, begin: (role, options) => new Side(server, role, key, { pc: pcs[role], ...options }) };
  }

  test('the path of before comes back: that is not taken for the new one', async () => {
    for (const first of ['offer', 'answer']) {
      const { server, key, pcs, begin } = await lost();
      const { ufrag } = pcs.offer;
      const sides = { [first]: begin(first) };
      await until(() => sides[first].states.length > 0, 'the wait');
      if (first === 'offer') {
        await until(() => server.log(key, 'offer'), 'the offer');
        for (const pc of Object.values(pcs)) pc.recover();
        await pause(100);
        assert.deepEqual(sides.offer.states, ['waiting'], 'the offerer waits for its answer');
        pcs.answer.lose(); // it is seldom at the same time on both sides
      }
      const second = first === 'offer' ? 'answer' : 'offer';
      sides[second] = begin(second);
      const results = await connected(sides);
      assert.deepEqual(results.map(({ rounds }) => rounds), [1, 1]);
      for (const { signalingState } of Object.values(pcs)) assert.equal(signalingState, 'stable');
      assert.notEqual(pcs.offer.ufrag, ufrag, 'ICE was restarted');
      assert.equal(pcs.offer.remoteDescription.sdp, pcs.answer.localDescription.sdp);
      await until(() => server.sessions.size === 0, 'the end of the session');
    }
  });

  test('an answer is not enough while the path of before carries on: the new one has to work', async () => {
    const { pcs, begin } = await lost();
    const sides = { offer: begin('offer'), answer: begin('answer') };
    pcs.offer.unconnectable = true;
    await until(() => sides.offer.states.includes('connecting') && sides.answer.states.includes('connecting'), 'the exchange');
    for (const pc of Object.values(pcs)) pc.recover();
    await pause(200);
    for (const { states } of Object.values(sides)) assert.deepEqual(states, ['waiting', 'connecting']);
    pcs.offer.unconnectable = false;
    await pcs.offer.addIceCandidate(pcs.offer.received.findLast(({ candidate }) => candidate !== ''));
    await connected(sides);
  });

  test('a failure of the ICE before is not one of the new', async () => {
    const { server, key, pcs, begin } = await lost();
    const offer = begin('offer');
    await until(() => server.log(key, 'offer'), 'the offer');
    pcs.offer.fail();
    pcs.answer.fail();
    const [{ rounds }] = await connected({ offer, answer: begin('answer') });
    assert.equal(rounds, 1);
  });

  test('what connects by the offer before stands, if nobody answers the next one', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const sides = await both(server, { key });
    sides.offer.pc.unconnectable = true;
    await until(() => sides.offer.states.includes('connecting') && sides.answer.states.includes('connecting'), 'the exchange');
    sides.answer.aborter.abort();
    server.restart();
    await until(() => sides.offer.pc.log.includes('createOffer restart') && server.log(key, 'offer'), 'the next offer');
    sides.offer.pc.recover();
    await sides.offer.connected;
    assert.equal(sides.offer.pc.signalingState, 'stable', 'the offer that nobody has answered is withdrawn');
    await until(() => server.sessions.size === 0, 'the end of the session');
  });
});

test('a page that is left ends its session', async (t) => {
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
  t.after(() => { delete globalThis.addEventListener; delete globalThis.removeEventListener; });
  const server = new FakeServer();
  const side = new Side(server, 'offer', 'k');
  await until(() => server.sessions.size === 1, 'the offer');
  page.dispatchEvent(new Event('pagehide'));
  await until(() => server.sessions.size === 0, 'the end');
  assert.equal(server.requests.at(-1).init.keepalive, true);
  side.aborter.abort();
  assert.equal(getEventListeners(page, 'pagehide').length, 1);
  await failureOf(side.connected);
  assert.equal(getEventListeners(page, 'pagehide').length, 0);
});
