// A page and a Pion program: client/examples/browser-to-pion.

import { expect } from './expect.js';
import { PATIENCE, Program, inBrowser } from './world.js';

for (const [button, who] of [['Call Pion', 'the browser offers'], ['Let Pion call', 'the browser answers']]) {
  inBrowser(`browser to pion: ${who}, pion echoes and shows its pattern`, async (world) => {
    const server = await world.server();
    const pion = new Program([process.env.BROWSER_TO_PION, '-server', server.url.slice(0, -1), '-listen', '127.0.0.1:0'],
      /open (http:\S+)/);
    world.defer(() => pion.stop('SIGINT'));
    const page = await world.page(await pion.start());
    await page.getByRole('button', { name: button }).click();
    await expect(page.getByRole('status'), 'state').toSay(/^connected$/, PATIENCE);
    await page.getByLabel('Say something').fill('over and back');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('listitem'), 'the echo').toSay(/^over and back$/, PATIENCE);
    await page.waitForFunction(() => {
      const video = document.querySelector('video');
      return video.videoWidth === 320 && video.getVideoPlaybackQuality().totalVideoFrames > 15;
    });
  });
}
