// What axe finds on a page, and whether it has to be scrolled sideways.

import assert from 'node:assert/strict';
import axe from 'axe-core';

export async function examine(page, state) {
  await page.waitForTimeout(200); // colours fade, and are measured
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map(({ html, failureSummary }) =>
    `  ${html}\n  ${failureSummary.replaceAll('\n', '\n  ')}`).join('\n')}`);
  assert.deepEqual(told, [], `${state}: ${told.join('\n')}`);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${state}: got ${overflow} px to scroll sideways, want none`);
}
