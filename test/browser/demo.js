// How a person uses the demo page, in terms of what the page shows.

import { expect } from './expect.js';
import { PATIENCE } from './world.js';

/** Opens the page, and returns it with the link for the other side: by then it waits. */
export async function openStarter(world, url, { secret = '', stun = '', events = false, camera = false, ...context } = {}) {
  const page = await world.page(url, context);
  await isWaiting(page);
  const reads = events && page.waitForRequest('**/offer/events*'); // or the answer would come with the request that brings the offer
  if (secret || stun || events) await choose(page, { secret, stun, events });
  await reads;
  if (camera) await page.getByRole('switch', { name: 'Camera' }).click();
  return { page, link: await page.getByLabel('Link for the other side').inputValue() };
}

/** Opens the link as the other side, or, to read by events, pastes it into the settings: who opens it joins at once. */
export async function openJoiner(world, link, { events = false, ...context } = {}) {
  if (!events) return world.page(link, context);
  const page = await world.page(new URL('.', link).href, context);
  await choose(page, { key: link, events });
  return page;
}

/** Chooses something in the settings. */
export async function choose(page, { key, secret, stun, events, role }) {
  await page.getByRole('button', { name: 'Settings' }).click();
  if (key) await page.getByLabel('Key', { exact: true }).fill(key);
  if (secret) await page.getByLabel('Secret of your own').fill(secret);
  if (stun) await page.getByLabel('STUN server').fill(stun);
  if (events) await page.getByLabel('Receive by').selectOption('events');
  if (role) await page.getByLabel('Who calls').selectOption(role);
  await page.getByRole('button', { name: 'Apply' }).click();
}

/** The key that the page's link has. */
export const keyOf = (link) => new URLSearchParams(new URL(link).hash.slice(1)).get('key');

export const isWaiting = (page) => shows(page, /^Waiting for the other side/);

export const isConnected = (page) => shows(page, /^Connected$/);

const shows = (page, pattern) => expect(page.locator('#status'), 'status').toSay(pattern, PATIENCE);

/** Waits until each of the pages is connected. */
export async function areConnected(...pages) {
  for (const page of pages) await isConnected(page);
}

/** Says something on one page, and waits until the other shows it. */
export async function says(from, to, text) {
  await from.getByLabel('Message', { exact: true }).fill(text);
  await from.getByRole('button', { name: 'Send' }).click();
  await expect(to.locator('#chat .theirs').last(), 'the chat').toSay(new RegExp(text), PATIENCE);
}

/** Waits until a page shows moving pictures of the other side. */
export const seesTheOther = (page) => page.waitForFunction(() => {
  const video = document.querySelector('#remote');
  return video.checkVisibility() && video.videoWidth > 0 && video.getVideoPlaybackQuality().totalVideoFrames > 5;
});

/** What went wrong, as the page says it. */
export const failure = (page) => page.locator('#ending[role=alert]');
