import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import test, { describe } from 'node:test';
import { connect, deriveSecret, randomKey, Session } from '../src/signal.js';
import { FakePeer } from './fake-peer.js';
import { FakeServer } from './fake-server.js';

const url = 'http://signal.example/';
const fast = { base: 1, max: 20 };
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const sixWords = deriveSecret('six words'); // once: it takes long on purpose
const failureOf = (promise) => promise.then(() => assert.fail('it should have failed'), (error) => error);

/** One side: a peer, its connect, and what the hooks were told. */
class Side {
  states = [];
  signals = [];

  constructor(server, role, key, { peer, ...options } = {}) {
    this.pc = new FakePeer(peer);
    this.aborter = new AbortController();
    this.connected = connect(this.pc, {
      url, key, role, fetch: server.fetch, retry: fast, signal: this.aborter.signal, timeout: 60_000,
      batchDelay: 5_000, // until all is gathered, however slow the machine is
      onState: (state) => this.states.push(state),
      onSignal: (signal) => this.signals.push(signal),
      ...options,
    });
    this.connected.catch(() => {}); // until it is waited for
  }
}

/** Both sides, the one that starts first and, when it waits, the other. */
async function both(server, { first = 'answer', key = randomKey(), offer, answer, ...options } = {}) {
  const of = { offer: { ...options, ...offer }, answer: { ...options, ...answer } };
  const second = first === 'offer' ? 'answer' : 'offer';
  const sides = { [first]: new Side(server, first, key, of[first]) };
  await pause(5);
  sides[second] = new Side(server, second, key, of[second]);
  return sides;
}

const connected = ({ offer, answer }) => Promise.all([offer.connected, answer.connected]);

async function until(condition, what) {
  for (const begun = performance.now(); !condition(); await pause(1)) {
    if (performance.now() - begun > 30_000) assert.fail(`${what} does not happen`);
  }
}

const neverEarly = ({ pc }) => assert.ok(!pc.log.includes('candidate before description'), pc.log.join(', '));

/** Loses one request in so many, by turns before it is carried out and after. */
function flaky(server, every) {
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

describe('connect', { concurrency: true }, () => {
  for (const first of ['offer', 'answer']) {
    test(`a handshake is four requests and two reports, ${first} first`, async () => {
      const server = new FakeServer();
      const sides = await both(server, { first });
      assert.deepEqual(await connected(sides), [{ cursor: '1-4', rounds: 1 }, { cursor: '1-4', rounds: 1 }]);
      await until(() => server.count('DELETE /session') === 1 && server.outcomes.length === 2, 'the end of the session');
      assert.deepEqual(server.requests.map(({ method, path }) => `${method} ${path}`).sort(), [
        'DELETE /session', 'GET /answer/messages', 'POST /answer/messages', 'POST /answer/outcome', 'POST /offer/messages',
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
    sides.answer.pc.unconnectable = true; // until all has gone
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
    cut = true; // the page goes without a word
    gone.aborter.abort();
    assert.equal((await failureOf(new Side(server, 'offer', key).connected)).code, 'SdpAlreadyExist');
    const offer = new Side(server, 'offer', key, { replace: true });
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
      await until(() => server.sessions.has(key) && side.states.length > 0, 'the wait');
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
    server.log(key, 'offer').candidates.unshift('hello', '{"candidate":"stray","usernameFragment":"other"}');
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

  test('events instead of long polls', async () => {
    for (const first of ['offer', 'answer']) {
      const server = new FakeServer();
      const sides = await both(server, { first, events: true, peer: { candidates: 6, gatherDelay: 10 }, batchDelay: 0 });
      await connected(sides);
      assert.equal(server.count('GET /answer/events'), 1);
      assert.ok(server.count('GET /offer/events') <= 1, 'none if the answer comes with the answer to a write');
      assert.equal(server.count('GET /answer/messages') + server.count('GET /offer/messages'), 0);
      neverEarly(sides.answer);
    }
  });

  test('events are cut, and the server restarted under them', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const offer = new Side(server, 'offer', key, { events: true });
    await until(() => server.count('GET /offer/events') > 0, 'the offer');
    server.cutStreams();
    await pause(20);
    server.restart();
    const answer = new Side(server, 'answer', key, { events: true });
    const [{ rounds }] = await connected({ offer, answer });
    assert.equal(rounds, 2);
  });

  test('where events are blocked it polls', async () => {
    for (const events of ['no', 'held']) {
      const server = new FakeServer();
      server.events = events;
      const sides = await both(server, { events: true });
      await connected(sides);
      assert.equal(server.count('GET /answer/events'), 1);
      assert.ok(server.count('GET /answer/messages') >= 1);
    }
  });

  test('under a secret the server learns nothing', async () => {
    const server = new FakeServer();
    const arrived = [];
    const fetch = (href, init) => { arrived.push(`${href} ${JSON.stringify(init.headers)} ${init.body}`); return server.fetch(href, init); };
    const sides = { offer: new Side(server, 'offer', undefined, { secret: 'six words', fetch }) };
    sides.answer = new Side(server, 'answer', undefined, { secret: await sixWords, fetch });
    await connected(sides);
    const { ufrag } = sides.offer.pc;
    for (const text of ['six words', 'candidate:', ufrag, 'ice-ufrag', 'usernameFragment', '"type"']) {
      assert.ok(arrived.length >= 3 && arrived.every((request) => !request.includes(text)), `${text} went over the wire`);
    }
    assert.ok(sides.answer.signals.every(({ sealed, error }) => sealed && !error));
    assert.ok(sides.answer.signals.some(({ text }) => text.includes(ufrag)), 'the hooks are told what was sealed');
  });

  test('under a secret too a lossy network and a restart are survived', async () => {
    const server = new FakeServer();
    const secret = await sixWords;
    const offer = new Side(server, 'offer', undefined, { secret, fetch: flaky(server, 3), peer: { candidates: 5, gatherDelay: 2 }, batchDelay: 3 });
    await until(() => server.sessions.size > 0, 'the offer');
    server.restart();
    const answer = new Side(server, 'answer', undefined, { secret, fetch: flaky(server, 3), peer: { candidates: 5, gatherDelay: 2 }, batchDelay: 3 });
    await connected({ offer, answer });
    assert.ok(answer.signals.every(({ error }) => !error));
  });

  test('another secret, or none, is reported and nothing is applied', async () => {
    const [one, another] = await Promise.all([deriveSecret('one', 'k'), deriveSecret('another', 'k')]);
    for (const [ours, theirs, code] of [[one, another, 'Broken'], [one, undefined, 'Sealed'], [undefined, one, 'NotSealed']]) {
      const server = new FakeServer();
      const offer = new Side(server, 'offer', 'k', { secret: ours });
      const answer = new Side(server, 'answer', 'k', { secret: theirs });
      const error = await failureOf(answer.connected);
      assert.deepEqual([error.name, error.code], ['SealError', code]);
      assert.equal(answer.pc.remoteDescription, null);
      offer.aborter.abort();
    }
    const error = await failureOf(connect(new FakePeer(), { url, key: 'b', secret: one, role: 'offer' }));
    assert.ok(error instanceof TypeError);
  });

  test('an answer swapped by the server is reported to the offerer', async () => {
    const server = new FakeServer();
    const secret = await sixWords;
    const offer = new Side(server, 'offer', undefined, { secret });
    await until(() => server.log(secret.key, 'offer'), 'the offer');
    const forger = new Session({ url, key: secret.key, role: 'answer', fetch: server.fetch });
    await forger.exchange({ sdp: server.log(secret.key, 'offer').sdp });
    const error = await failureOf(offer.connected);
    assert.deepEqual([error.name, error.code], ['SealError', 'Broken']);
    assert.equal(offer.pc.remoteDescription, null);
    await until(() => server.sessions.size === 0, 'the end of the session');
  });

  test('a second negotiation of a key does not answer the first offer again', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const endless = async (href, init) => (init.method === 'DELETE' ? new Response() : server.fetch(href, init)); // leaves it to expire
    const sides = await both(server, { key, offer: { fetch: endless } });
    const [, { cursor }] = await connected(sides);
    assert.ok(server.sessions.has(key));
    const answer = new Side(server, 'answer', key, { after: cursor });
    await until(() => server.requests.some(({ query }) => query.after === cursor), 'the wait behind the cursor');
    await new Session({ url, key, role: 'offer', fetch: server.fetch }).addCandidate('{"candidate":"late"}');
    await pause(20);
    assert.deepEqual([answer.pc.remoteDescription, answer.signals], [null, []]);
    const offer = new Side(server, 'offer', key, { replace: true });
    await connected({ offer, answer });
  });

  test('an error in a hook is reported and harms nothing', async (t) => {
    const reported = [];
    t.mock.method(console, 'error', (error) => reported.push(error.message));
    const server = new FakeServer();
    const wrong = () => { throw new Error('of the page'); };
    const sides = await both(server, { onState: wrong, onSignal: wrong });
    await connected(sides);
    assert.ok(reported.length > 4 && reported.every((message) => message === 'of the page'));
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
