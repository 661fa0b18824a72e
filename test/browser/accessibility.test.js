// axe looks at the page in each state, in both colour schemes, on a desktop and on a phone.

import { examine } from './axe.js';
import { connectBoth, openJoiner, openStarter, pressConnect, says } from './demo.js';
import { expect } from './expect.js';
import { PATIENCE, inBrowser } from './world.js';

const SCREENS = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
};

for (const colorScheme of ['light', 'dark']) {
  for (const [name, screen] of Object.entries(SCREENS)) {
    inBrowser(`axe finds nothing on a ${name} in ${colorScheme} colours`, async (world) => {
      const look = { ...screen, colorScheme, reducedMotion: 'reduce' };
      const server = await world.server();
      const { page: starter, link } = await openStarter(world, server.url, { ...look, mode: 'camera' });
      for (const summary of await starter.locator('summary').all()) await summary.click();
      await examine(starter, 'before a call');
      const joiner = await openJoiner(world, link, look);
      await examine(joiner, 'invited');
      await connectBoth(starter, joiner);
      await says(starter, joiner, 'hello');
      await joiner.locator('#traffic summary').first().click();
      for (const page of [starter, joiner]) await examine(page, 'connected');
      await starter.getByRole('button', { name: 'Hang up' }).click();

      const { page: first } = await openStarter(world, server.url, { ...look, secret: 'one' });
      const { page: second } = await openStarter(world, server.url, { ...look, secret: 'another' });
      await second.getByLabel('Key', { exact: true }).fill(await first.getByLabel('Key', { exact: true }).inputValue());
      await pressConnect(first);
      await expect(first.locator('#status'), 'status').toSay(/Waiting/, PATIENCE);
      await examine(first, 'waiting');
      await pressConnect(second);
      await expect(second.getByRole('alert'), 'the failure').toSay(/secrets do not match/, PATIENCE);
      await examine(second, 'failed');
    });
  }
}
