// What axe finds on a page, and whether it has to be scrolled sideways.

import assert from 'node:assert/strict';
import axe from 'axe-core';
import { hasFaded } from './world.js';

/** Fails if axe finds something on the page, or if it is too wide. */
export async function examine(page, state) {
  await hasFaded(page); // colours are measured
  const told = await findings(page);
  assert.deepEqual(told, [], `${state}: ${told.join('\n')}`);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${state}: got ${overflow} px to scroll sideways, want none`);
}

/** What axe finds on the page as it is, in words; options are those of its run. */
export async function findings(page, options = {}) {
  if (!await page.evaluate(() => 'axe' in globalThis)) await page.evaluate(axe.source);
  const { violations } = await page.evaluate((all) => globalThis.axe.run(all), { ...options, resultTypes: ['violations'] });
  return violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map(({ html, failureSummary }) =>
    `  ${html}\n  ${failureSummary.replaceAll('\n', '\n  ')}`).join('\n')}`);
}
