// The demo page where people have chosen colours of their own, such as the contrast themes of Windows.

import assert from 'node:assert/strict';
import { openStarter } from './demo.js';
import { inBrowser } from './world.js';

const background = (button) => button.evaluate((element) => getComputedStyle(element).backgroundColor);

inBrowser('in forced colours one sees whether a switch is on', async (world) => {
  const server = await world.server();
  const { page } = await openStarter(world, server.url, { forcedColors: 'active', reducedMotion: 'reduce' });
  const off = await background(page.getByRole('switch', { name: 'Camera' }));
  await page.getByRole('switch', { name: 'Camera' }).click();
  await page.getByRole('button', { name: 'Mute' }).click();
  await page.mouse.move(0, 0);
  for (const button of [page.getByRole('switch', { name: 'Camera' }), page.getByRole('button', { name: 'Mute' })]) {
    assert.notEqual(await background(button), off);
  }
  const seal = page.getByRole('switch', { name: 'End-to-end encryption' });
  assert.equal(await seal.evaluate((box) => getComputedStyle(box, '::after').content), 'none', 'nothing covers the mark of the browser');
});
