// Role tickets: the client that opened a session, and the first that answered in it, show the tickets that the server gave them.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { connect, randomKey, Session } from '../src/signal.js';
import { FakePeer } from './fake-peer.js';
import { FakeServer } from './fake-server.js';
import { both, connected, failureOf, fast, newPage, pause, Side, until, url } from './sides.js';

function withTickets() {
  const server = new FakeServer();
  server.tickets = true;
  return server;
}

const sessionOf = (server, role, options) => new Session({ url, key: 'k', role, fetch: server.fetch, retry: fast, ...options });

/** What the requests since the last call had of tickets, in headers and queries. */
function shown(server) {
  const tickets = server.requests.map(({ headers, query }) => headers['X-Offer-Ticket'] ?? headers['X-Answer-Ticket'] ?? query.ticket ?? '');
  server.requests.length = 0;
  return tickets;
}

describe('role tickets', { concurrency: true }, () => {
  test('each side shows its own from then on, and no other one gets in', async () => {
    const server = withTickets();
    const [offer, answer] = ['offer', 'answer'].map((role) => sessionOf(server, role));
    await answer.messages().catch(() => {}); // anybody may wait for the offer
    await offer.exchange({ sdp: 'the offer' });
    await offer.addCandidate('o1');
    await answer.messages();
    await answer.exchange({ sdp: 'the answer' });
    await answer.addCandidate('a1');
    await offer.takeCandidate();
    await offer.report({ result: 'failed', ms: 1 });
    assert.deepEqual(shown(server), ['', '', '1.offer.1', '', '', '1.answer.1', '1.offer.1', '1.offer.1']);
    for (const role of ['offer', 'answer']) {
      const other = sessionOf(server, role);
      for (const forbidden of [() => other.messages(), () => other.addCandidate('x'), () => other.end()]) {
        await assert.rejects(forbidden, { code: 'NotAllowed', status: 403 });
      }
    }
    await offer.end();
    await assert.rejects(answer.messages(), { code: 'KeyIsExpired' });
  });

  test('a classic offerer and answerer have theirs too', async () => {
    const server = withTickets();
    const [offer, answer] = ['offer', 'answer'].map((role) => sessionOf(server, role));
    await offer.putSdp('the offer');
    await offer.addCandidates(['o1']);
    await answer.putSdp('the answer');
    assert.equal(await offer.takeSdp(), 'the answer');
    assert.equal(await answer.takeSdp(), 'the offer');
    assert.deepEqual(shown(server), ['', '1.offer.1', '', '1.offer.1', '1.answer.1']);
  });

  test('a repetition after a lost answer gets it again', async () => {
    const server = withTickets();
    const [offer, answer] = ['offer', 'answer'].map((role) => sessionOf(server, role));
    server.loseAnswers = 2;
    await offer.exchange({ sdp: 'the offer' });
    server.loseAnswers = 1;
    await answer.exchange({ sdp: 'the answer' });
    await offer.messages();
    await answer.messages();
    assert.deepEqual(shown(server).slice(-2), ['1.offer.1', '1.answer.1']);
  });

  test('it belongs to one session, and is forgotten with it', async () => {
    const server = withTickets();
    const [offer, answer] = ['offer', 'answer'].map((role) => sessionOf(server, role));
    await offer.exchange({ sdp: 'the offer' });
    await answer.exchange({ sdp: 'the answer' });
    await offer.end();
    shown(server);
    await offer.exchange({ sdp: 'another offer' });
    await assert.rejects(answer.messages(), { code: 'KeyIsExpired' }); // it shows the ticket of the session before
    assert.equal((await answer.messages()).messages[0].data, 'another offer');
    await answer.exchange({ sdp: 'another answer' });
    assert.equal((await offer.messages()).messages[0].data, 'another answer');
    assert.deepEqual(shown(server), ['', '1.answer.1', '', '', '1.offer.2']);

    server.restart(); // after which the server knows none of its tickets
    for (const session of [offer, answer]) {
      await assert.rejects(session.messages(), { code: 'KeyIsExpired', status: 403 });
    }
    await offer.exchange({ sdp: 'a third offer' });
    assert.equal((await answer.messages()).messages[0].data, 'a third offer');
    assert.deepEqual(shown(server), ['1.offer.2', '1.answer.2', '', '']);

    server.tickets = false;
    server.restart();
    await offer.exchange({ sdp: 'a fourth offer' });
    await offer.messages();
    assert.deepEqual(shown(server), ['', '']);
  });

  for (const options of [{}, { events: true }]) {
    test(`connect goes on as itself, and starts over without the ticket of before ${JSON.stringify(options)}`, async () => {
      const server = withTickets();
      const key = randomKey();
      const begin = (role) => connect(new FakePeer({ candidates: 3, gatherDelay: 2 }),
        { url, key, role, fetch: server.fetch, retry: fast, timeout: 60_000, batchDelay: 0, ...options });
      const sides = ['offer', 'answer'].map(begin);
      await Promise.all(sides);
      await until(() => server.sessions.size === 0, 'the end');

      const offer = begin('offer');
      await until(() => server.log(key, 'offer')?.candidates.length, 'the candidate');
      server.restart();
      const results = await Promise.all([offer, begin('answer')]);
      assert.deepEqual(results.map(({ rounds }) => rounds), [2, 1]);
    });
  }
});

test('a page of another origin shows it in a header, and the key with it, unless it is told otherwise', async (t) => {
  t.after(() => { delete globalThis.location; });
  globalThis.location = { origin: 'https://page.example', href: 'https://page.example/' };
  const server = withTickets();
  const offer = sessionOf(server, 'offer');
  await offer.exchange({ sdp: 'the offer' });
  await offer.addCandidate('o1');
  await offer.end();
  const [, add, end] = server.requests;
  const { 'Idempotency-Key': idempotencyKey, ...shows } = add.headers;
  assert.match(idempotencyKey, /^[\w-]{22}$/);
  assert.deepEqual([shows, add.query], [{ key: 'k', 'X-Offer-Ticket': '1.offer.1' }, {}]); // one URL for all sessions
  assert.deepEqual([end.headers, end.query], [{ key: 'k', 'X-Offer-Ticket': '1.offer.1' }, {}]);

  const told = sessionOf(server, 'offer', { keyIn: 'query' });
  await told.exchange({ sdp: 'the offer' });
  await told.addCandidate('o1');
  const { headers: none, query: shown } = server.requests.at(-1);
  assert.deepEqual([none, shown.key, shown.ticket], [{}, 'k', '1.offer.2']);
  await told.end();

  const stream = sessionOf(server, 'offer', { keyIn: 'header' });
  await stream.exchange({ sdp: 'the offer' });
  const events = stream.events();
  events.next().catch(() => {});
  await pause(20);
  const { headers, query } = server.requests.at(-1);
  assert.deepEqual([headers, query], [{ key: 'k', 'X-Offer-Ticket': '1.offer.3' }, {}]);
  server.cutStreams();
  server.restart();
});

describe('one offer after the other, with tickets', { concurrency: true }, () => {
  for (const options of [{}, { events: true }]) {
    test(`an answerer that was not here before waits until the session before is over ${JSON.stringify(options)}`, async () => {
      const server = withTickets();
      const key = randomKey();
      const begin = (role, more) => new Side(server, role, key, { ...options, ...more });
      let after = '';
      for (let i = 0; i < 6; i++) {
        const answer = begin('answer', { after, page: await newPage() }); // with no ticket, while the session before may be open
        const fetch = async (href, init) => { // the offerer ends its session a while after it is connected
          if (href.includes('/outcome')) await pause(200);
          return server.fetch(href, init);
        };
        const offer = begin('offer', { fetch });
        [, { cursor: after }] = await connected({ offer, answer });
      }
      assert.equal(server.outcomes.filter(({ result }) => result === 'failed').length, 0);
    });

    test(`it waits as long as two others take, and no longer ${JSON.stringify(options)}`, async () => {
      const server = withTickets();
      const key = randomKey();
      const sides = await both(server, { key });
      sides.offer.pc.unconnectable = true;
      await until(() => sides.offer.states.includes('connecting') && sides.answer.states.includes('connecting'), 'the exchange');
      const third = new Side(server, 'answer', key, { ...options, page: await newPage() });
      const late = new Side(server, 'answer', key, { timeout: 2_000, page: await newPage() });
      const error = await failureOf(late.connected);
      assert.deepEqual([error.code, error.cause.code], ['Timeout', 'NotAllowed']);
      assert.match(error.message, /Others had this key within 2 s/);
      assert.deepEqual(third.states, ['waiting']);
      for (const { aborter } of Object.values(sides)) aborter.abort();
      await connected({ offer: new Side(server, 'offer', key), answer: third });
    });
  }

  test('a client that the server never lets in is told so at once', async () => {
    for (const role of ['offer', 'answer', 'auto']) {
      const server = new FakeServer();
      server.forbidden = true;
      const error = await failureOf(new Side(server, role, randomKey()).connected);
      assert.deepEqual([error.name, error.code], ['SignalError', 'NotAllowed'], role);
    }
  });
});
