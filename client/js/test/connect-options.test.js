// connect with events, a secret, a cursor and hooks.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { connect, deriveSecret, randomKey, Seal, Session } from '../src/signal.js';
import { FakePeer } from './fake-peer.js';
import { FakeServer } from './fake-server.js';
import { both, connected, failureOf, flaky, neverEarly, pause, Side, sixWords, until, url } from './sides.js';

describe('connect with options', { concurrency: true }, () => {
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

  test('what an answer to a write has read is not streamed again', async () => {
    await Promise.all([0, 2, 5, 10, 20].map(async (delay) => {
      const server = new FakeServer();
      const slow = async (href, init) => { // candidates come while the answer is posted
        if (init.method === 'POST') await pause(delay);
        return server.fetch(href, init);
      };
      const peer = { candidates: 6, gatherDelay: 4 };
      const { offer, answer } = await both(server, { events: true, peer, batchDelay: 0, answer: { fetch: slow } });
      answer.pc.unconnectable = true; // until everything has passed
      await until(() => answer.pc.received.some(({ candidate }) => candidate === ''), 'the end of candidates');
      await pause(2_300); // if something comes again, it comes after a look at the session
      const texts = answer.pc.received.map(({ candidate }) => candidate);
      assert.equal(new Set(texts).size, texts.length, `something came twice: ${texts}`);
      assert.equal(texts.length, 7);
      for (const { aborter } of [offer, answer]) aborter.abort();
    }));
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

  test('another secret, or none, is told to both sides, and nothing is applied', async () => {
    const [one, another] = await Promise.all([deriveSecret('one', 'k'), deriveSecret('another', 'k')]);
    for (const [ours, theirs, found, told] of [
      [one, another, 'Broken', 'Broken'], [one, undefined, 'Sealed', 'NotSealed'], [undefined, one, 'NotSealed', 'Sealed'],
    ]) {
      const server = new FakeServer();
      const passed = [];
      const fetch = (href, init) => { passed.push(init.body ?? ''); return server.fetch(href, init); };
      const offer = new Side(server, 'offer', 'k', { secret: ours });
      const answer = new Side(server, 'answer', 'k', { secret: theirs, fetch });
      const begun = performance.now();
      for (const [{ connected: side, pc }, code] of [[answer, found], [offer, told]]) {
        const error = await failureOf(side);
        assert.deepEqual([error.name, error.code], ['SealError', code]);
        assert.equal(pc.remoteDescription, null);
      }
      assert.ok(performance.now() - begun < 5_000, 'at once');
      const [{ sdp, candidates }] = passed.filter((body) => body.includes('"sdp"')).map((body) => JSON.parse(body));
      if (theirs) assert.match(sdp, /^s1\.[\w-]+$/);
      else assert.equal(sdp, 'refused');
      assert.equal(candidates, undefined);
      assert.equal(answer.pc.localDescription, null, 'nothing of the answerer was even gathered');
      await until(() => server.sessions.size === 0, 'the end of the session');
    }
    const error = await failureOf(connect(new FakePeer(), { url, key: 'b', secret: one, role: 'offer' }));
    assert.ok(error instanceof TypeError);
  });

  test('a refusal that opens is broken, and one that cannot be posted delays nothing for long', async () => {
    const server = new FakeServer();
    const secret = await sixWords;
    const offer = new Side(server, 'offer', undefined, { secret });
    await until(() => server.log(secret.key, 'offer'), 'the offer');
    const refusing = new Session({ url, key: secret.key, role: 'answer', fetch: server.fetch });
    const { messages: [{ data }], next } = await refusing.messages();
    await refusing.exchange({ sdp: await new Seal(secret, 'answer').sealRefusal(data) }, { after: next });
    const error = await failureOf(offer.connected);
    assert.deepEqual([error.name, error.code], ['SealError', 'Broken']);

    await new Session({ url, key: 'k', role: 'offer', fetch: server.fetch }).putSdp('s1.sealed');
    const fetch = (href, init) => (init.method === 'POST' ? Promise.reject(new TypeError('fetch failed')) : server.fetch(href, init));
    const begun = performance.now();
    assert.equal((await failureOf(new Side(server, 'answer', 'k', { fetch }).connected)).code, 'Sealed');
    assert.ok(performance.now() - begun < 4_000);
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
    const endless = async (href, init) => (init.method === 'DELETE' ? new Response() : server.fetch(href, init)); // the session is left to expire
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

  test('an option that is undefined has its default', async () => {
    const names = [
      'secret', 'signal', 'timeout', 'connectTimeout', 'batchDelay', 'ttl', 'replace', 'events', 'after', 'report', 'ice', 'token', 'keyIn', 'retry', 'onState', 'onSignal',
    ];
    const none = Object.fromEntries(names.map((name) => [name, undefined]));
    const server = new FakeServer();
    const begin = (role) => connect(new FakePeer(), { ...none, url, key: 'k', role, fetch: server.fetch });
    const results = await Promise.all([begin('offer'), begin('answer')]);
    assert.deepEqual(results.map(({ rounds }) => rounds), [1, 1]);
    await until(() => server.outcomes.length === 2, 'the reports');

    const { fetch } = server;
    const session = new Session({ url, key: 's', role: 'offer', fetch, keyIn: undefined, timeout: undefined, token: undefined, ticket: undefined, retry: { attempts: undefined, base: undefined, max: undefined } });
    server.loseAnswers = 1;
    await session.exchange({ sdp: 's', candidates: undefined, ttl: undefined }, { after: undefined, wait: undefined, idempotencyKey: undefined, signal: undefined });
    assert.equal(server.log('s', 'offer').sdp, 's');
  });

  test('an option that is missing or of the wrong type is a TypeError, before anything is asked', async () => {
    const server = new FakeServer();
    const right = { url, key: 'k', role: 'offer', fetch: server.fetch };
    const wrong = {
      url: [undefined, null, 5, {}], role: [undefined, null, 'both', 1], key: [5, {}], secret: [5, true], signal: [{}, 'x'], timeout: [NaN, -1, '5', {}],
      connectTimeout: [NaN], batchDelay: ['0'], ttl: [NaN], replace: [1], events: ['yes'], after: [1], report: [0], ice: ['stun:x', 5, {}, [{}], [{ urls: 'stun:x' }, { urls: [5] }]], token: ['', 5, {}], keyIn: ['body'], fetch: [{}],
      retry: [5, { base: '1' }], onState: ['x'], onSignal: [1],
    };
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        const error = await failureOf(connect(new FakePeer(), { ...right, [name]: value }));
        assert.ok(error instanceof TypeError, `${name}: ${String(value)}: ${error}`);
        assert.match(error.message, new RegExp(`${name}|base|secret`));
      }
    }
    for (const options of [undefined, null, 5]) assert.ok((await failureOf(connect(new FakePeer(), options))) instanceof TypeError);
    for (const [name, value] of [['url', undefined], ['timeout', NaN], ['retry', { attempts: 0 }], ['onRetry', 1], ['ticket', 1]]) {
      assert.throws(() => new Session({ ...right, [name]: value }), TypeError, name);
    }
    assert.throws(() => new Session(), TypeError);
    assert.equal(server.requests.length, 0);
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
