// Pages that can reach each other over the server's own TURN server alone, of which connect learns by itself.

import assert from 'node:assert/strict';
import { inBrowser } from './world.js';

/** Runs in a page: begins to connect, and tells what is heard, and how it went, by globalThis.heard and globalThis.went. */
async function begin({ key, role, ice, configuration }) {
  const { connect } = await import(new URL('client/signal.js', document.baseURI));
  const pc = globalThis.pc = new RTCPeerConnection({ iceTransportPolicy: 'relay', ...configuration });
  const channel = pc.createDataChannel('chat', { negotiated: true, id: 0 });
  channel.onopen = () => channel.send('hello');
  channel.onmessage = ({ data }) => { globalThis.heard = data; };
  globalThis.types = [];
  connect(pc, {
    url: location.origin, key, role, ice, timeout: 8_000,
    onSignal: ({ type, direction, text }) => {
      if (type === 'candidate' && direction === 'sent') globalThis.types.push(/ typ (\w+)/.exec(text)?.[1] ?? 'end');
    },
  }).then(() => { globalThis.went = 'connected'; }, ({ code }) => { globalThis.went = code; });
}

const relaying = (world) => world.server('--turn', '--turn-listen', '127.0.0.1:0', '--turn-address', '127.0.0.1');

async function two(world, server, options) {
  const pages = [await world.page(server.quiet), await world.page(server.quiet)];
  const key = `ice-${Date.now()}`;
  for (const [i, role] of ['answer', 'offer'].entries()) await pages[i].evaluate(begin, { key, role, ...options });
  return pages;
}

inBrowser('two pages that know of no TURN server connect over the one that the server tells of', async (world) => {
  const server = await relaying(world);
  for (const page of await two(world, server)) {
    await page.waitForFunction(() => globalThis.heard === 'hello' && globalThis.went === 'connected');
    const { types, policy, urls } = await page.evaluate(() => {
      const { iceServers, iceTransportPolicy } = pc.getConfiguration();
      return { types: globalThis.types, policy: iceTransportPolicy, urls: iceServers.flatMap((one) => one.urls) };
    });
    assert.ok(types.includes('relay') && types.every((type) => type === 'relay' || type === 'end'), String(types));
    assert.equal(policy, 'relay');
    assert.match(urls.join(' '), /^stun:127\.0\.0\.1:\d+ turn:127\.0\.0\.1:\d+\?transport=udp /);
  }
});

inBrowser('they do not, if connect asks nobody', async (world) => {
  const server = await relaying(world);
  for (const page of await two(world, server, { ice: false })) {
    await page.waitForFunction(() => globalThis.went);
    assert.notEqual(await page.evaluate(() => globalThis.went), 'connected');
    assert.deepEqual(await page.evaluate(() => pc.getConfiguration().iceServers), []);
  }
});
