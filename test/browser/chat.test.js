// What people write, in the writing systems that there are.

import assert from 'node:assert/strict';
import { isConnected, openStarter, says } from './demo.js';
import { inBrowser } from './world.js';

inBrowser('what is written from right to left is shown so', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await world.page(link);
  await isConnected(joiner);
  await says(starter, joiner, 'שלום!');
  for (const text of [starter.locator('#chat .mine bdi'), joiner.locator('#chat .theirs bdi')]) {
    assert.equal(await text.evaluate((element) => getComputedStyle(element).direction), 'rtl');
  }
  await joiner.getByLabel('Message', { exact: true }).fill('שלום!');
  assert.equal(await joiner.locator('#text').evaluate((field) => getComputedStyle(field).direction), 'rtl');
});
