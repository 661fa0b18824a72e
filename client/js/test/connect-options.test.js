// connect with events, a secret, a cursor and hooks.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { connect, deriveSecret, randomKey, Session } from '../src/signal.js';
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
