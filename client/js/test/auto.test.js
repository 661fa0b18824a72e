// The role auto: whoever comes first offers.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { deriveSecret, randomKey } from '../src/signal.js';
import { FakeServer } from './fake-server.js';
import { failureOf, newPage, pause, Side, until } from './sides.js';

const rolesOf = (results) => results.map(({ role }) => role);

/** Two sides, in this order or at once, each on a page of its own. */
async function two(server, { key = randomKey(), atOnce = false, first = {}, second = {}, ...options } = {}) {
  const page = await newPage();
  const one = new Side(server, 'auto', key, { ...options, ...first });
  if (!atOnce) await until(() => server.sessions.size > 0, 'the offer');
  const other = new Side(server, 'auto', key, { page, ...options, ...second });
  const all = Promise.all([one.connected, other.connected]);
  all.catch(() => {}); // until it is waited for
  return { one, other, all };
}

describe('the role auto', { concurrency: true }, () => {
  for (const tickets of [false, true]) {
    for (const options of [{}, { events: true }, { secret: true }, { peer: { candidates: 5, gatherDelay: 3 }, batchDelay: 0 }]) {
      test(`whoever comes first offers ${JSON.stringify({ tickets, ...options })}`, async () => {
        const server = new FakeServer();
        server.tickets = tickets;
        const secret = options.secret && 'six words';
        const { all } = await two(server, { ...options, secret, key: secret ? 'k' : undefined });
        assert.deepEqual((await all).map(({ role, rounds }) => [role, rounds]), [['offer', 1], ['answer', 1]]);
        assert.equal(server.count('POST /offer/messages') >= 1, true);
        assert.equal(server.count('GET /ice'), 2, 'each side is on a page of its own');
        const first = server.requests.map(({ method, path }) => `${method} ${path}`).filter((request) => request !== 'GET /ice').slice(0, 2);
        assert.deepEqual(first, ['GET /answer/messages', 'POST /offer/messages']);
        await until(() => server.sessions.size === 0, 'the end of the session');
      });
    }

    test(`both at once: one of the offers wins${tickets ? ', with tickets' : ''}`, async () => {
      for (let i = 0; i < 3; i++) {
        const server = new FakeServer();
        server.tickets = tickets;
        // Both ask before either offers.
        let asked = 0;
        const fetch = async (href, init) => {
          const response = await server.fetch(href, init);
          if (href.includes('/answer/messages') && ++asked <= 2) while (asked < 2) await pause(1);
          return response;
        };
        const { all, one, other } = await two(server, { atOnce: true, fetch, ...(i === 1 && { secret: 'six words', key: 'k' }) });
        assert.deepEqual(rolesOf(await all).sort(), ['answer', 'offer']);
        for (const { pc, signals } of [one, other]) {
          assert.equal(pc.signalingState, 'stable');
          assert.ok(signals.every(({ error }) => !error));
        }
        assert.equal(server.requests.filter(({ method, path }) => method === 'POST' && path === '/offer/messages').length >= 2, true);
      }
    });

    test(`an answer that is lost is not taken for the other side's offer${tickets ? ', with tickets' : ''}`, async () => {
      const server = new FakeServer();
      server.tickets = tickets;
      let lost = 0;
      const fetch = async (href, init) => {
        const opens = init.method === 'POST' && href.includes('/offer/messages') && lost < 2;
        const response = await server.fetch(opens ? href.replace(/wait=[\d.]+/, 'wait=0') : href, init);
        if (opens && ++lost) throw new TypeError('fetch failed');
        return response;
      };
      const { all } = await two(server, { first: { fetch } });
      assert.deepEqual(rolesOf(await all), ['offer', 'answer']);
      assert.equal(lost, 2);
    });

    test(`either page is reloaded after the exchange${tickets ? ', with tickets' : ''}`, async () => {
      for (const which of ['one', 'other']) {
        const server = new FakeServer();
        server.tickets = tickets;
        const key = randomKey();
        const pages = { one: { page: await newPage() }, other: { page: await newPage() } };
        const { one, other } = await two(server, { key, first: pages.one, second: pages.other });
        one.pc.unconnectable = true;
        await until(() => one.states.includes('connecting') && other.states.includes('connecting'), 'the exchange');
        const sides = { one, other };
        sides[which].pc.close();
        await failureOf(sides[which].connected);
        one.pc.unconnectable = false;
        const begun = performance.now();
        sides[which] = new Side(server, 'auto', key, pages[which]); // what the page knows of its session is the same after a reload
        const roles = rolesOf(await Promise.all([sides.one.connected, sides.other.connected]));
        assert.deepEqual(roles.sort(), ['answer', 'offer']);
        assert.ok(performance.now() - begun < 5_000, `${which}: ${performance.now() - begun} ms`);
      }
    });
  }

  test('a side that has its role meets one that finds it out', async () => {
    for (const role of ['offer', 'answer']) {
      const server = new FakeServer();
      const key = randomKey();
      const auto = new Side(server, 'auto', key);
      const fixed = new Side(server, role, key, { page: await newPage() });
      if (role === 'offer') {
        // Two offers: the one that has its role and comes second is told so.
        await until(() => auto.states.length > 0, 'the wait');
        const outcome = await Promise.race([fixed.connected.then(() => 'connected', ({ code }) => code), auto.connected.then(() => 'connected')]);
        assert.ok(['connected', 'SdpAlreadyExist'].includes(outcome), outcome);
        auto.aborter.abort();
      } else {
        const [{ role: found }] = await Promise.all([auto.connected, fixed.connected]);
        assert.equal(found, 'offer');
      }
    }
  });

  test('the server is restarted before the second comes, and after the exchange', async () => {
    for (const exchanged of [false, true]) {
      const server = new FakeServer();
      const key = randomKey();
      const one = new Side(server, 'auto', key);
      await until(() => server.log(key, 'offer'), 'the offer');
      one.pc.unconnectable = exchanged;
      let other = exchanged && new Side(server, 'auto', key, { page: await newPage() });
      if (exchanged) await until(() => one.states.includes('connecting') && other.states.includes('connecting'), 'the exchange');
      server.restart();
      one.pc.unconnectable = false;
      other ||= new Side(server, 'auto', key, { page: await newPage() });
      assert.deepEqual(rolesOf(await Promise.all([one.connected, other.connected])).sort(), ['answer', 'offer']);
    }
  });

  test('the server is restarted, and the other side offers before this one is back', async () => {
    for (const options of [{ events: true }, { peer: { candidates: 5, gatherDelay: 3 }, batchDelay: 0 }]) {
      const server = new FakeServer();
      const key = randomKey();
      let isAway = false;
      const fetch = async (...request) => {
        if (isAway) throw new TypeError('fetch failed');
        return server.fetch(...request);
      };
      const one = new Side(server, 'auto', key, { ...options, fetch });
      await until(() => server.requests.filter(({ path }) => path.startsWith('/offer/')).length === 3, 'the wait for the answer');
      isAway = true;
      server.restart();
      const other = new Side(server, 'auto', key, { page: await newPage() });
      await until(() => server.log(key, 'offer'), 'the other offer');
      isAway = false;
      assert.deepEqual(rolesOf(await Promise.all([one.connected, other.connected])), ['answer', 'offer']);
    }
  });

  test('a third one is told that the key is in use', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const { one, other } = await two(server, { key });
    one.pc.unconnectable = true;
    await until(() => other.states.includes('connecting'), 'the exchange');
    assert.equal((await failureOf(new Side(server, 'auto', key, { page: await newPage() }).connected)).code, 'SdpAlreadyExist');
    for (const { aborter } of [one, other]) aborter.abort();
  });

  test('another secret is told to both', async () => {
    const server = new FakeServer();
    const secrets = await Promise.all([deriveSecret('one', 'k'), deriveSecret('another', 'k')]);
    const sides = [];
    for (const secret of secrets) {
      sides.push(new Side(server, 'auto', 'k', { secret }));
      await until(() => server.requests.some(({ path, method }) => method === 'POST' && path === '/offer/messages'), 'the offer');
    }
    for (const side of sides) assert.equal((await failureOf(side.connected)).code, 'Broken');
  });

  test('nobody comes', async () => {
    const error = await failureOf(new Side(new FakeServer(), 'auto', randomKey(), { timeout: 50 }).connected);
    assert.match(error.message, /Nobody came within 0\.05 s/);
  });

  test('the two connect by the same key again and again', async () => {
    const server = new FakeServer();
    const key = randomKey();
    const pages = { first: { page: await newPage() }, second: { page: await newPage() } };
    for (let i = 0; i < 3; i++) {
      const { all } = await two(server, { key, ...pages, atOnce: true });
      assert.deepEqual(rolesOf(await all).sort(), ['answer', 'offer']);
    }
  });
});
