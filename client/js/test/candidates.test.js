// Candidates in the forms that other programs send, and more of them than a session takes.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { randomKey, Session } from '../src/signal.js';
import { FakeServer } from './fake-server.js';
import { both, connected, Side, sixWords, until, url } from './sides.js';

describe('candidates', { concurrency: true }, () => {
  for (const [name, text, want] of [
    ['null', 'null', null],
    ['a bare line', 'candidate:1 1 udp 2130706431 10.0.0.1 5000 typ host', { candidate: 'candidate:1 1 udp 2130706431 10.0.0.1 5000 typ host', sdpMLineIndex: 0 }],
    ['a line of an sdp', 'a=candidate:1 1 udp 1 10.0.0.1 5000 typ host\r\n', { candidate: 'candidate:1 1 udp 1 10.0.0.1 5000 typ host', sdpMLineIndex: 0 }],
  ]) {
    test(`${name} is read`, async () => {
      const server = new FakeServer();
      const key = randomKey();
      const offerer = new Session({ url, key, role: 'offer', fetch: server.fetch });
      await offerer.exchange({ sdp: '{"type":"offer","sdp":"v=0\\r\\na=ice-ufrag:u\\r\\n"}', candidates: [text] });
      const side = new Side(server, 'answer', key);
      await until(() => side.signals.some(({ direction, type }) => direction === 'received' && type === 'candidate'), 'the candidate');
      assert.deepEqual(side.pc.received, [want]);
      assert.equal(side.signals.find(({ type, direction }) => direction === 'received' && type === 'candidate').error, undefined);
      side.aborter.abort();
    });
  }

  /** 140 candidates whose priorities rise, so that the best come last. */
  const many = { candidates: 140, textOf: (ufrag, i) => `candidate:${i} 1 udp ${1000 + i} 10.0.0.1 5000 typ host ufrag ${ufrag}` };

  for (const sealed of [false, true]) {
    test(`of 140 the session takes the best, and the rest is counted${sealed ? ', sealed' : ''}`, async () => {
      const server = new FakeServer();
      const secret = sealed ? await sixWords : undefined;
      const sides = await both(server, { key: secret?.key, secret, peer: many });
      const results = await connected(sides);
      assert.deepEqual(results.map(({ dropped }) => dropped), [13, 13]);
      const texts = sides.answer.pc.received.map(({ candidate }) => candidate);
      assert.equal(texts.length, 128);
      assert.equal(texts.at(-1), '', 'the end of candidates is among them');
      assert.deepEqual(texts.slice(0, -1).map((text) => Number(text.split(' ')[3])), Array.from({ length: 127 }, (_, i) => 1014 + i));
      assert.ok(sides.answer.signals.every(({ error }) => !error));
    });

    test(`a server that takes fewer gets fewer${sealed ? ', sealed' : ''}`, async () => {
      const server = new FakeServer();
      server.maxCandidates = 20;
      const secret = sealed ? await sixWords : undefined;
      const sides = await both(server, { key: secret?.key, secret, peer: { ...many, candidates: 100 } });
      const [{ dropped }] = await connected(sides);
      assert.equal(dropped, 101 - sides.answer.pc.received.length);
      assert.ok(sides.answer.pc.received.length >= 12 && sides.answer.pc.received.length <= 20);
      assert.ok(sides.answer.signals.every(({ error }) => !error));
    });
  }

  test('those that trickle count, too', async () => {
    const server = new FakeServer();
    let posting = 0;
    const fetch = async (href, init) => {
      const posts = init.method === 'POST';
      posting += posts;
      return server.fetch(href, init).finally(() => { posting -= posts; });
    };
    const sides = await both(server, { batchDelay: 0, offer: { fetch, peer: { ...many, gatherDelay: 1 } } });
    sides.answer.pc.unconnectable = true;
    await until(() => sides.answer.pc.received.length === 128, 'those that there is room for');
    // What a side still holds when it is connected it neither posts nor counts. So it is connected when it is done with all that held it up.
    const { offer } = sides;
    const isDone = () => offer.pc.iceGatheringState === 'complete' && posting === 0 && offer.pc.log.includes('candidate ');
    await until(isDone, 'the end of gathering, of posting, and of what the answerer has gathered');
    sides.answer.pc.unconnectable = false;
    await sides.answer.pc.addIceCandidate(sides.answer.pc.received[0]);
    const [{ dropped }] = await connected(sides);
    assert.equal(dropped, 141 - 128);
  });

  test('a description is told with the time of its arrival, not of its application', async () => {
    const server = new FakeServer();
    const sides = await both(server);
    const { pc } = sides.offer;
    const apply = pc.setRemoteDescription;
    let arrived;
    pc.setRemoteDescription = async function slow(...args) {
      arrived = performance.now();
      await new Promise((resolve) => { setTimeout(resolve, 60); });
      return apply.apply(this, args);
    };
    await connected(sides);
    const { at } = sides.offer.signals.find(({ direction, type }) => direction === 'received' && type === 'sdp');
    assert.ok(at <= arrived, `${at - arrived} ms after it began to be applied`);
    for (const { signals } of Object.values(sides)) for (const signal of signals) assert.ok(signal.at > 0 && signal.at <= performance.now());
  });
});
