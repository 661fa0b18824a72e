// Writes docs/screenshots: the page on a desktop in light colours, with how it connected, and on a phone in dark ones.

import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { areConnected, openJoiner, openStarter, says } from './demo.js';
import { World, closeBrowser, hasFaded } from './world.js';

const FOLDER = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
const DESKTOP = { viewport: { width: 1280, height: 560 }, colorScheme: 'light' };
const PHONE = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 1.5, isMobile: true, hasTouch: true, colorScheme: 'dark' };

const world = new World();
try {
  await mkdir(FOLDER, { recursive: true });
  const server = await world.server();
  const { page: desktop, link } = await openStarter(world, server.url, DESKTOP);
  const phone = await openJoiner(world, link, PHONE);
  await areConnected(desktop, phone);
  await says(desktop, phone, 'Hello! Can you read this?');
  await says(phone, desktop, 'Loud and clear, and no server in between.');
  await says(desktop, phone, 'Not even when I turn the camera on?');
  await says(phone, desktop, 'Not even then. It only introduced us.');
  await desktop.locator('summary', { hasText: 'How it connects' }).click();
  for (const [name, page] of Object.entries({ desktop, phone })) {
    await page.mouse.move(0, 0);
    await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
    await hasFaded(page);
    await page.screenshot({ path: `${FOLDER}${name}.png`, fullPage: page === desktop });
  }
} finally {
  await world.end();
  await closeBrowser();
}
