// axe looks at the page in each state, at each width, in both colour schemes and both languages.

import assert from 'node:assert/strict';
import { findings } from './axe.js';
import { EXPECTED, SCREENS, eachLook, eachState } from './states.js';
import { inBrowser } from './world.js';

for (const locale of ['en-US', 'zh-CN']) {
  inBrowser(`axe finds nothing, ${locale}`, async (world) => {
    const told = [];
    await eachState(world, { locale, reducedMotion: 'reduce', expectErrors: EXPECTED }, async (page, state) => {
      await eachLook(page, SCREENS, ['light', 'dark'], async (look) => {
        told.push(...(await findings(page)).map((finding) => `${state}, ${look}: ${finding}`));
      });
    });
    assert.deepEqual(told, [], told.join('\n'));
  }, { timeout: 240_000 });
}
