// What a page says on the way from a link to a call.

import assert from 'node:assert/strict';
import { areConnected, isConnected, openStarter } from './demo.js';
import { expect } from './expect.js';
import { PATIENCE, inBrowser } from './world.js';

/** How long the page looks for the other side before it says that nobody is there, in ms. */
const ALONE_AFTER = 2_000;

/** Runs in the page. A timer of so many ms, if it is not cleared, fires when the test says so. */
function holdTimer(wanted) {
  const { setTimeout, clearTimeout } = globalThis;
  const none = () => {};
  globalThis.held = none;
  globalThis.setTimeout = (task, ms, ...rest) => {
    if (ms !== wanted) return setTimeout(task, ms, ...rest);
    globalThis.held = task;
    return -1;
  };
  globalThis.clearTimeout = (id) => {
    if (id === -1) globalThis.held = none;
    else clearTimeout(id);
  };
}

/** Runs in the page. A channel for text opens when the test says so. */
function holdChannel() {
  const { createDataChannel } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.createDataChannel = function create(label, ...rest) {
    const channel = createDataChannel.call(this, label, ...rest);
    const hold = (event) => {
      event.stopImmediatePropagation();
      globalThis.openChannel = () => channel.dispatchEvent(new Event('open'));
    };
    if (label === 'chat') channel.addEventListener('open', hold, { once: true });
    return channel;
  };
}

inBrowser('who has found the other side is not told that nobody is there, however long it takes to connect', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await world.page();
  await joiner.addInitScript(holdTimer, ALONE_AFTER);
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  await joiner.route('**/answer/messages*', async (route) => {
    if (route.request().method() === 'POST') await released;
    await route.continue();
  });
  await joiner.goto(link);
  await expect(joiner.locator('#status'), 'the status').toSay(/^Found each other/, PATIENCE);
  await joiner.evaluate(() => globalThis.held());
  assert.equal(await joiner.locator('#alone').isHidden(), true);
  assert.match(await joiner.locator('#status').textContent(), /^Found each other/);
  release();
  await areConnected(starter, joiner);
});

inBrowser('between the exchange and the first channel the status does not go back to what was before', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await world.page();
  await joiner.addInitScript(holdChannel);
  await joiner.goto(link);
  await isConnected(starter);
  await expect(joiner.locator('[data-lane=signaling] dd'), 'signaling').toSay(/^done$/, PATIENCE);
  assert.match(await joiner.locator('#status').textContent(), /^Found each other/);
  await joiner.waitForFunction(() => globalThis.openChannel);
  await joiner.evaluate(() => globalThis.openChannel());
  await isConnected(joiner);
});
