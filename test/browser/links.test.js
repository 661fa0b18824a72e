// What a link to the demo page may ask for.

import assert from 'node:assert/strict';
import { areConnected, choose, isWaiting, keyOf, openJoiner, openStarter, says } from './demo.js';
import { expect } from './expect.js';
import { PATIENCE, inBrowser } from './world.js';

const asksSecret = (page) => expect(page.locator('#asking:not([hidden])'), 'the page').toSay(/A secret is needed/, PATIENCE);

inBrowser('a link to a sealed call never joins without the secret: not when reloaded, in the other language, or after other settings', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { secret: 'correct horse' });
  const joiner = await world.page();
  const asked = [];
  joiner.on('request', (request) => { if (request.headers().key === keyOf(link)) asked.push(request.url()); });
  await joiner.goto(link);
  await asksSecret(joiner);
  await joiner.reload();
  await asksSecret(joiner);
  for (const [language, answer] of [['中文', /需要输入密码/], ['English', /A secret is needed/]]) {
    await joiner.getByRole('link', { name: language }).click();
    await expect(joiner.locator('#asking:not([hidden])'), 'the page').toSay(answer, PATIENCE);
  }
  await choose(joiner, { events: true });
  await asksSecret(joiner);
  await joiner.goto(server.url);
  await isWaiting(joiner);
  await choose(joiner, { key: link }); // which is pasted
  await asksSecret(joiner);
  assert.deepEqual(asked, [], 'nothing was asked of the server');
  await joiner.getByLabel('Secret', { exact: true }).fill('correct horse');
  await joiner.keyboard.press('Enter');
  await areConnected(starter, joiner);
  assert.ok(asked.length > 0);
});

inBrowser('a pasted link says all about the secret: the one that the switch has made does not go on', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const { page: other } = await openStarter(world, server.url);
  await other.getByRole('switch', { name: 'End-to-end encryption' }).click();
  await choose(other, { key: link });
  await areConnected(starter, other);
});

inBrowser('a STUN server that no browser takes is left out of a link, and refused in the settings', async (world) => {
  const server = await world.server();
  for (const stun of ['stun:[', 'stun:stun.example.org?transport=udp', 'stun:stun.example.org:99999']) {
    const key = `stun-${Math.random()}`;
    const [first, second] = [await openJoiner(world, `${server.url}#key=${key}&stun=${encodeURIComponent(stun)}`), await openJoiner(world, `${server.url}#key=${key}`)];
    await areConnected(first, second);
    await says(first, second, 'here I am');
  }
  const { page } = await openStarter(world, server.url);
  await choose(page, { stun: 'stun:stun.example.org:99999' });
  await page.locator('#settings[open] #stun:invalid').waitFor();
});
