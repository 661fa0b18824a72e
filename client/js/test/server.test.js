// Against the real server, which the fake one only imitates, and with the packed module, which users load.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { after, before, describe } from 'node:test';
import { connect, deriveSecret, randomKey, Seal, Session } from '../dist/signal.js';
import { FakePeer } from './fake-peer.js';
import { newPage } from './sides.js';

const module = fileURLToPath(new URL('../../../', import.meta.url));
const present = existsSync(join(module, 'main.go')) && spawnSync('go', ['version']).status === 0;
const skip = !present && process.env.CI !== 'true' && 'there is no server, or no Go to build it with';
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

describe('with the server', { skip }, () => {
  let directory, binary, port, running;

  const url = () => `http://127.0.0.1:${port}`;
  const session = (key, role, options) => new Session({ url: url(), key, role, ...options });

  async function start(...flags) {
    running = spawn(binary, ['serve', '--listen', `127.0.0.1:${port}`, '--admin', '', ...flags], { stdio: 'ignore' });
    for (let tries = 0; ; tries++) {
      try {
        return await fetch(`${url()}/healthz`);
      } catch (error) {
        if (tries === 500) throw error;
        await pause(10);
      }
    }
  }

  function stop(signal) {
    const exited = new Promise((resolve) => { running.on('exit', resolve); });
    running.kill(signal);
    return exited;
  }

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'signal-server-'));
    binary = join(directory, 'signal-server');
    execFileSync('go', ['build', '-o', binary, '.'], { cwd: module });
    port = await freePort();
    await start();
  });

  after(async () => {
    await stop('SIGKILL');
    rmSync(directory, { recursive: true });
  });

  test('classic', async () => {
    const key = randomKey();
    const offer = session(key, 'offer');
    const answer = session(key, 'answer', { keyIn: 'query' });
    const waiting = answer.takeSdp({ wait: 5000 });
    await offer.putSdp('the offer\r\n', { ttl: 5000 });
    assert.equal(await waiting, 'the offer\r\n');
    await offer.addCandidate('o1');
    await offer.addCandidates(['o2', '密 "码" 🔑']);
    assert.equal(await answer.takeCandidate(), 'o1');
    assert.deepEqual(await answer.takeCandidates(), ['o2', '密 "码" 🔑']);
    assert.equal(await answer.takeCandidate(), null);
    assert.deepEqual(await answer.takeCandidates(), []);
    await answer.putSdp('the answer');
    await assert.rejects(answer.putSdp('again'), { code: 'SdpAlreadyExist' });
    assert.equal(await offer.takeSdp(), 'the answer');
    assert.equal(await offer.takeSdp(), null);
    await offer.end();
    await offer.end();
    await assert.rejects(answer.takeSdp(), { code: 'KeyIsExpired', status: 200 });
  });

  test('messages', async () => {
    for (const keyIn of ['header', 'query']) {
      const key = randomKey();
      const offer = session(key, 'offer', { keyIn });
      const answer = session(key, 'answer', { keyIn });
      await assert.rejects(offer.messages(), { code: 'KeyNotFound' });
      const waiting = answer.messages({ wait: 5000 });
      const opened = await offer.exchange({ sdp: 'the offer', candidates: ['o1'] });
      assert.deepEqual(opened.messages, []);
      assert.notEqual(opened.next, '');
      const { next, messages } = await waiting;
      assert.deepEqual(messages, [{ type: 'sdp', data: 'the offer' }, { type: 'candidate', data: 'o1' }]);
      const reply = offer.messages({ after: opened.next, wait: 5000 });
      assert.deepEqual(await answer.exchange({ sdp: 'the answer' }, { after: next }), { next, messages: [] });
      assert.deepEqual((await reply).messages, [{ type: 'sdp', data: 'the answer' }]);
      await offer.end();
      await assert.rejects(answer.messages({ after: next }), { code: 'KeyIsExpired' });
    }
  });

  test('a write for a session that has gone does not go into the next one', async () => {
    const key = randomKey();
    const offer = session(key, 'offer');
    const answer = session(key, 'answer');
    await offer.exchange({ sdp: 'first' });
    const { next } = await answer.messages();
    await offer.end();
    await offer.exchange({ sdp: 'second' });
    await assert.rejects(answer.exchange({ sdp: 'the answer to the first' }, { after: next }), { code: 'KeyIsExpired' });
    assert.equal(await offer.takeSdp(), null);
  });

  test('a body of text/plain, which needs no preflight, is taken for what it is', async () => {
    const answer = await fetch(`${url()}/offer/messages?key=${randomKey()}`, { method: 'POST', body: '{"sdp":"s"}' });
    assert.equal((await answer.json()).msg, '');
    assert.equal(answer.headers.get('Access-Control-Allow-Origin'), '*');
  });

  test('events', async () => {
    const key = randomKey();
    const offer = session(key, 'offer');
    const got = [];
    const reading = (async () => {
      for await (const { type, data } of session(key, 'answer').events()) got.push(`${type} ${data}`);
    })().catch((error) => error.code);
    await pause(20);
    await offer.exchange({ sdp: 'line\r\nline', candidates: ['o1'] });
    await offer.addCandidate('o2');
    await pause(20);
    await offer.end();
    assert.equal(await reading, 'KeyIsExpired');
    assert.deepEqual(got, ['sdp line\r\nline', 'candidate o1', 'candidate o2']);
  });

  test('what is sealed keeps within the limits as docs/sealing.md says', async () => {
    const shared = await deriveSecret('six words');
    for (const [sdp, candidate, ok] of [[49_121, 3_041, true], [49_122, 1, false], [1, 3_042, false]]) {
      const seal = new Seal(shared, 'offer');
      const write = { sdp: await seal.sealSdp('x'.repeat(sdp)), candidates: [await seal.sealCandidate('x'.repeat(candidate))] };
      const written = session(randomKey(), 'offer').exchange(write);
      if (ok) await written;
      else await assert.rejects(written, { code: 'BodyIsTooLong', status: 413 });
    }
  });

  const negotiate = (role, options) => connect(new FakePeer({ candidates: 3, gatherDelay: 2 }), { url: url(), role, timeout: 20_000, ...options });

  for (const options of [{}, { events: true }, { secret: 'six words' }, { keyIn: 'query' }, { batchDelay: 0 }]) {
    test(`connect ${JSON.stringify(options)}`, async () => {
      for (const [first, second] of [['offer', 'answer'], ['answer', 'offer']]) {
        const key = randomKey();
        const one = negotiate(first, { key, ...options });
        await pause(30);
        assert.deepEqual((await Promise.all([one, negotiate(second, { key, ...options })])).map(({ rounds }) => rounds), [1, 1]);
      }
    });
  }

  for (const options of [{}, { events: true }, { secret: 'six words' }]) {
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      test(`the server is restarted (${signal}) between offer and answer ${JSON.stringify(options)}`, async () => {
        const secret = options.secret && await deriveSecret(options.secret, randomKey());
        const key = secret?.key ?? randomKey();
        const states = [];
        const offer = negotiate('offer', { ...options, key, secret, onState: (state) => states.push(state) });
        const reader = session(key, 'answer');
        for (let sent = 0; sent < 5;) sent = (await reader.messages({ wait: 10 }).catch(() => ({ messages: [] }))).messages.length;
        await stop(signal);
        await start();
        await Promise.all([offer, negotiate('answer', { ...options, key, secret })]);
        assert.ok(states.includes('retrying'), states.join());
        assert.equal(states.at(-1), 'connected');
      });
    }
  }

  test('the server is killed under load, twice: every pair connects, by starting over where it must', async (t) => {
    let connected = 0, again = 0, loading = true;
    const failures = [];
    const pairing = Array.from({ length: 8 }, async () => {
      while (loading) {
        const key = randomKey();
        try {
          const results = await Promise.all(['offer', 'answer'].map((role) => negotiate(role, { key, timeout: 60_000 })));
          connected++;
          if (results.some(({ rounds }) => rounds > 1)) again++;
        } catch (error) {
          failures.push(error);
          loading = false;
        }
      }
    });
    for (let kills = 0; kills <= 2; kills++) {
      for (const enough = connected + 40; loading && connected < enough;) await pause(5);
      if (kills === 2) break;
      await stop('SIGKILL');
      await pause(300); // a process manager takes a moment to restart it
      await start();
    }
    loading = false;
    await Promise.all(pairing); // each that began has connected, or failed
    t.diagnostic(`2 kills: ${connected} pairs connected, ${again} of them after starting over, ${failures.length} failed`);
    assert.deepEqual(failures, []);
  });

  test('the ICE servers that it tells of, and none', async () => {
    for (const [flags, told] of [[[], []], [['--ice-servers', 'stun:stun.example:3478'], [{ urls: ['stun:stun.example:3478'] }]]]) {
      await stop('SIGKILL');
      await start(...flags);
      const page = await newPage(); // which has no list from before
      assert.deepEqual(await new page.Session({ url: url(), key: randomKey(), role: 'offer' }).iceServers(), told);
      const key = randomKey();
      const pcs = [new FakePeer(), new FakePeer()];
      await Promise.all(['offer', 'answer'].map((role, i) => page.connect(pcs[i], { url: url(), key, role, timeout: 20_000 })));
      for (const pc of pcs) assert.deepEqual(pc.gatheredBy, [told]);
    }
    await stop('SIGKILL');
    await start();
  });

  test('with role tickets nobody else gets in, and a restart, which forgets them, is survived', async () => {
    await stop('SIGKILL');
    await start('--role-tickets');
    for (const options of [{}, { events: true }]) {
      const key = randomKey();
      const waiting = negotiate('offer', { key, ...options });
      const reader = session(key, 'answer');
      for (let sent = 0; sent < 5;) sent = (await reader.messages({ wait: 10 }).catch(() => ({ messages: [] }))).messages.length;
      await assert.rejects(session(key, 'offer').messages(), { code: 'NotAllowed' });
      await assert.rejects(session(key, 'offer').end(), { code: 'NotAllowed' });
      await stop('SIGKILL');
      await start('--role-tickets');
      const [{ rounds }] = await Promise.all([waiting, negotiate('answer', { key, ...options })]);
      assert.ok(rounds >= 1);
      for (let tries = 0; await reader.messages().then(() => true, ({ code }) => code !== 'KeyIsExpired') && tries < 1000; tries++) await pause(10);
      await assert.rejects(reader.messages(), { code: 'KeyIsExpired' }, 'the offerer ends its session, by its ticket');
    }
    await stop('SIGKILL');
    await start();
  });

  for (const flags of [[], ['--role-tickets']]) {
    test(`whoever comes first offers, and no page is in the way of its next call ${flags}`, async () => {
      await stop('SIGKILL');
      await start(...flags);
      const key = randomKey();
      const roles = (results) => results.map(({ role }) => role).sort();
      for (const options of [{}, { events: true }, { secret: 'six words' }]) {
        const pages = [await newPage(), await newPage()];
        for (let i = 0; i < 3; i++) {
          const all = pages.map((page) => page.connect(new FakePeer(), { url: url(), role: 'auto', key, timeout: 20_000, ...options }));
          assert.deepEqual(roles(await Promise.all(all)), ['answer', 'offer']);
        }
      }
    });

    test(`a page that left its session behind ends it before the next one, whichever role it had ${flags}`, async () => {
      const taken = randomKey();
      for (const role of ['offer', 'answer']) {
        const key = randomKey();
        const page = await newPage();
        const line = { cut: false };
        const fetch = (...args) => (line.cut ? Promise.reject(new TypeError('fetch failed')) : globalThis.fetch(...args));
        const other = role === 'offer' ? 'answer' : 'offer';
        const gone = Object.assign(new FakePeer(), { unconnectable: true });
        const states = [];
        const aborter = new AbortController();
        const onState = (state) => states.push(state);
        const leaving = page.connect(gone, { url: url(), key, role, fetch, onState, signal: aborter.signal }).catch(() => {});
        const staying = negotiate(other, { key });
        while (!states.includes('connecting')) await pause(5);
        await pause(50);
        line.cut = true;
        gone.close();
        aborter.abort();
        await leaving;
        const begun = performance.now();
        await Promise.all([staying, page.connect(new FakePeer(), { url: url(), key, role, timeout: 20_000 })]);
        assert.ok(performance.now() - begun < 5_000, `${role}: ${performance.now() - begun} ms`);
      }

      // An offer whose request was never answered: the page learns only from the server whether the session is its own.
      const page = await newPage();
      const line = { cut: false };
      const fetch = (...args) => (line.cut ? Promise.reject(new TypeError('fetch failed')) : globalThis.fetch(...args));
      const aborter = new AbortController();
      const leaving = page.connect(new FakePeer(), { url: url(), key: taken, role: 'offer', fetch, signal: aborter.signal }).catch(() => {});
      const reader = session(taken, 'answer');
      for (let sent = 0; sent < 3;) sent = (await reader.messages({ wait: 100 }).catch(() => ({ messages: [] }))).messages.length;
      line.cut = true;
      aborter.abort();
      await leaving;
      await assert.rejects(negotiate('offer', { key: taken }), { code: 'SdpAlreadyExist' }, 'another page');
      await Promise.all([negotiate('answer', { key: taken }), page.connect(new FakePeer(), { url: url(), key: taken, role: 'offer' })]);
    });

    test(`one offer after the other is answered, by a page that has no ticket ${flags}`, async () => {
      const key = randomKey();
      let after = '';
      for (let i = 0; i < 6; i++) {
        const { connect: answer } = await newPage();
        const answering = answer(new FakePeer(), { url: url(), key, role: 'answer', after, timeout: 20_000 });
        [{ cursor: after }] = await Promise.all([answering, negotiate('offer', { key })]);
      }
    });
  }

  for (const events of [false, true]) {
    test(`an answerer without a ticket waits until two others are done ${events ? 'by events' : ''}`, async () => {
      await stop('SIGKILL');
      await start('--role-tickets');
      const key = randomKey();
      const [offer, answer] = [session(key, 'offer'), session(key, 'answer')];
      await offer.exchange({ sdp: 'the offer' });
      await answer.exchange({ sdp: 'the answer' });
      const states = [];
      const { connect: connectThird } = await newPage();
      const third = connectThird(new FakePeer(), { url: url(), key, role: 'answer', events, timeout: 20_000, onState: (state) => states.push(state) });
      await Promise.race([pause(1_000), third]); // which fails at once if it is going to
      assert.deepEqual(states, ['waiting']);
      await offer.end();
      await Promise.all([third, negotiate('offer', { key })]);
    });
  }

  test('a client whose token is for another key is not kept waiting', async () => {
    const tokens = join(directory, 'tokens');
    const token = execFileSync(binary, ['token', 'of-another', '--key', 'another', '--file', tokens], { encoding: 'utf8' }).trim();
    await stop('SIGKILL');
    await start('--role-tickets', '--auth-tokens-file', tokens);
    for (const role of ['offer', 'answer', 'auto']) {
      await assert.rejects(negotiate(role, { key: randomKey(), token }), { code: 'NotAllowed' }, role);
    }
    await Promise.all(['auto', 'auto'].map((role) => negotiate(role, { key: 'another', token })));
    await stop('SIGKILL');
    await start();
  });

  test('a server that asks for a token', async () => {
    const tokens = join(directory, 'asked-for');
    const token = execFileSync(binary, ['token', 'of-the-page', '--file', tokens], { encoding: 'utf8' }).trim();
    await stop('SIGKILL');
    await start('--auth-tokens-file', tokens);
    for (const role of ['offer', 'answer', 'auto']) {
      for (const wrong of [undefined, 'wrong', async () => 'wrong']) {
        await assert.rejects(negotiate(role, { key: randomKey(), token: wrong }), { code: 'NotAuthenticated', status: 401 }, role);
      }
    }
    const renewed = async (refused) => (refused === undefined ? 'expired' : token);
    for (const [first, second, events] of [['offer', 'answer', false], ['auto', 'auto', false], ['offer', 'answer', true]]) {
      const key = randomKey();
      const statuses = [];
      const fetch = async (href, init) => {
        const response = await globalThis.fetch(href, init);
        statuses.push(response.status);
        return response;
      };
      await Promise.all([negotiate(first, { key, token, events, fetch }), negotiate(second, { key, token: renewed, events })]);
      assert.deepEqual(new Set(statuses), new Set([200]));
      const next = session(key, 'offer', { token }); // the key is free: the session was ended
      for (let tries = 0; tries < 1000 && await next.messages().then(() => true, ({ code }) => code !== 'KeyIsExpired'); tries++) await pause(10);
      await next.putSdp('the next');
    }
    await stop('SIGKILL');
    await start();
  });

  test('takes are repeated without loss', async () => {
    const key = randomKey();
    let lose = 0;
    const fetch = async (...args) => {
      const response = await globalThis.fetch(...args);
      if (lose-- > 0) throw new TypeError('fetch failed');
      return response;
    };
    const answer = session(key, 'answer', { fetch, retry: { base: 1, max: 1 } });
    await session(key, 'offer').exchange({ sdp: 'the offer', candidates: ['c1', 'c2'] });
    for (const [take, want] of [[() => answer.takeSdp(), 'the offer'], [() => answer.takeCandidate(), 'c1'], [() => answer.takeCandidates(), ['c2']]]) {
      lose = 2;
      assert.deepEqual(await take(), want);
    }
  });

  test('connect reports to the server how it ended', async () => {
    const key = randomKey();
    const told = [];
    const fetch = async (href, init) => {
      const response = await globalThis.fetch(href, init);
      if (href.includes('/outcome')) told.push(`${new URL(href).pathname} ${(await response.clone().json()).msg || 'counted'}`);
      return response;
    };
    await Promise.all(['offer', 'answer'].map((role) => negotiate(role, { key, fetch })));
    for (let tries = 0; told.length < 2 && tries < 1000; tries++) await pause(10);
    assert.deepEqual(told.sort(), ['/answer/outcome counted', '/offer/outcome counted']);
    await negotiate('offer', { key: randomKey(), fetch, timeout: 300 }).catch(() => {});
    for (let tries = 0; told.length < 3 && tries < 1000; tries++) await pause(10);
    assert.deepEqual(told.slice(2), ['/offer/outcome counted']);
  });
});

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
