// How long two tabs take to connect through the server, compared with the same two when messages are passed directly.

import assert from 'node:assert/strict';
import { PATIENCE, inBrowser } from './world.js';

const ROUNDS = 20; // of which the median counts
const WARM = 3; // rounds before: the first ones load and compile code
const STRICT = process.env.STRICT === '1';
const MOST = STRICT ? 1.5 : 4; // a busy machine must not fail a change that is no slower
const AHEAD = 60; // ms before a race begins, in which both tabs learn when that is

inBrowser('two tabs connect nearly as fast as if they needed no server', async (world, t) => {
  const server = await world.server();
  const pages = [await world.page(server.quiet)];
  pages.push(await world.page(server.quiet, { beside: pages[0] }));
  for (const page of pages) await page.evaluate(defineRace);
  const took = { direct: [], served: [], events: [] };
  for (let i = 0; i < WARM + ROUNDS; i++) { // by turns, so that all meet the same machine
    for (const [how, all] of Object.entries(took)) {
      const ms = await race(pages, how);
      if (i >= WARM) all.push(ms);
    }
  }
  const [direct, served, events] = [took.direct, took.served, took.events].map(median);
  const told = (ms) => `${ms.toFixed(1)} ms (ratio ${(ms / direct).toFixed(2)})`;
  t.diagnostic(`median of ${ROUNDS}: without a server ${direct.toFixed(1)} ms, with it ${told(served)}, by event streams ${told(events)}`);
  assert.ok(served / direct < MOST, `got ${(served / direct).toFixed(2)} × the time without a server, want less than ${MOST}`);
}, { timeout: 180_000 });

/** Lets both tabs begin at the same moment, and returns how long it took until both were connected, in ms. */
async function race(pages, how) {
  const key = `race-${how}-${Date.now()}`;
  await Promise.all(['offer', 'answer'].map((role, i) => pages[i].evaluate((run) => globalThis.prepareRace(run), { role, key, how })));
  const start = Date.now() + AHEAD;
  const ends = Promise.all(pages.map((page) => page.evaluate((at) => globalThis.race(at), start)));
  const tooLate = new Promise((_, reject) => setTimeout(reject, PATIENCE, new Error(`${how}: not connected within ${PATIENCE} ms`)).unref());
  const took = Math.max(...await Promise.race([ends, tooLate])) - start;
  for (const page of pages) await page.evaluate(() => globalThis.closeRace()); // not before both have come in
  return took;
}

const median = (numbers) => {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
};

/** Runs in each tab. */
async function defineRace() {
  const { connect } = await import(new URL('client/signal.js', document.baseURI));
  const now = () => performance.timeOrigin + performance.now(); // tabs of one machine have the same clock

  /** Prepares a race: the side that is called listens before the other one speaks. */
  globalThis.prepareRace = ({ role, key, how }) => {
    const pc = new RTCPeerConnection();
    if (role === 'offer') pc.createDataChannel('race');
    const channel = how === 'direct' ? listen(pc, key) : undefined;
    const connected = new Promise((resolve) => {
      pc.addEventListener('connectionstatechange', () => { if (pc.connectionState === 'connected') resolve(now()); });
    });

    /** Takes part, and resolves to the time at which this side was connected. */
    globalThis.race = async (start) => {
      await new Promise((resolve) => setTimeout(resolve, start - now()));
      if (channel) await passDirectly(pc, role, channel);
      else await connect(pc, { url: location.origin, key, role, events: how === 'events' });
      return connected;
    };
    globalThis.closeRace = () => { pc.close(); channel?.close(); };
  };

  /** What WebRTC itself takes: descriptions and candidates go from tab to tab as they come. */
  const passDirectly = async (pc, role, channel) => {
    pc.addEventListener('icecandidate', ({ candidate }) => { if (candidate) channel.postMessage({ candidate: candidate.toJSON() }); });
    if (role !== 'offer') return;
    await pc.setLocalDescription();
    channel.postMessage({ description: pc.localDescription.toJSON() });
  };

  /** Takes what the other tab says, one after the other. */
  const listen = (pc, key) => {
    const channel = new BroadcastChannel(key);
    let last = Promise.resolve();
    channel.onmessage = ({ data: { description, candidate } }) => {
      last = last.then(async () => {
        if (candidate) return pc.addIceCandidate(candidate);
        await pc.setRemoteDescription(description);
        if (description.type === 'answer') return;
        await pc.setLocalDescription();
        channel.postMessage({ description: pc.localDescription.toJSON() });
      });
    };
    return channel;
  };
}
