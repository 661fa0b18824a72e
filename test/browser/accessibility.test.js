// axe looks at the page in each state, at each width, in both colour schemes and both languages.

import assert from 'node:assert/strict';
import { findings } from './axe.js';
import { EXPECTED, SCREENS, eachLook, eachState } from './states.js';
import { inBrowser } from './world.js';

const WIDTHS = SCREENS.filter(([width]) => width !== 480);
const COLOURS = { runOnly: { type: 'tag', values: ['cat.color'] } }; // nothing else is another in the dark

for (const locale of ['en-US', 'zh-CN']) {
  inBrowser(`axe finds nothing, ${locale}`, async (world) => {
    const told = [];
    await eachState(world, { locale, reducedMotion: 'reduce', expectErrors: EXPECTED }, async (page, state) => {
      await eachLook(page, WIDTHS, ['light', 'dark'], async (look) => {
        told.push(...(await findings(page, look.endsWith('dark') ? COLOURS : {})).map((finding) => `${state}, ${look}: ${finding}`));
      });
    });
    assert.deepEqual(told, [], told.join('\n'));
  }, { timeout: 240_000 });
}
