// How a person uses the demo page, in terms of what the page shows.

import { expect } from './expect.js';
import { PATIENCE } from './world.js';

/** Opens the page as the one who starts, and returns it with the link for the other side. */
export async function openStarter(world, url, { mode = 'chat', secret = '', events = false, ...context } = {}) {
  const page = await world.page(url, context);
  await choose(page, { mode, secret, events });
  return { page, link: await page.getByRole('link', { name: 'Open in a new tab' }).getAttribute('href') };
}

/** Opens the link as the other side. */
export async function openJoiner(world, link, { secret = '', events = false, ...context } = {}) {
  const page = await world.page(link, context);
  await choose(page, { secret, events });
  return page;
}

async function choose(page, { mode, secret, events }) {
  if (mode === 'camera') await page.getByRole('radio', { name: 'Camera' }).check();
  if (!secret && !events) return;
  const more = page.locator('#more');
  if (await more.getAttribute('open') === null) await more.locator('summary').click();
  if (secret) await page.getByLabel('Shared secret').fill(secret);
  if (events) await page.getByRole('radio', { name: 'Event stream' }).check();
}

export const pressConnect = (page) => page.getByRole('button', { name: 'Connect', exact: true }).click();

export const status = (page) => page.locator('#status').textContent();

export async function isConnected(page) {
  await expect(page.locator('#status'), 'status').toSay(/^Connected in /, PATIENCE);
}

/** Says something on one page, and waits until the other shows it. */
export async function says(from, to, text) {
  await from.getByLabel('Message', { exact: true }).fill(text);
  await from.getByRole('button', { name: 'Send' }).click();
  await expect(to.locator('#chat .theirs').last(), 'the chat').toSay(new RegExp(text), PATIENCE);
}

/** Lets two pages connect, the first one first. */
export async function connectBoth(first, second) {
  await pressConnect(first);
  await expect(first.locator('#status'), 'status of the first').toSay(/^Waiting for the other side/, PATIENCE);
  await pressConnect(second);
  await isConnected(first);
  await isConnected(second);
}
