// The demo page at a server that lets in whoever has a token.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { areConnected, isConnected, isWaiting, openJoiner } from './demo.js';
import { expect } from './expect.js';
import { PATIENCE, inBrowser } from './world.js';

/** Makes a token, and the file that the server knows it by. */
async function mint(world) {
  const folder = await mkdtemp(join(tmpdir(), 'tokens-'));
  world.defer(() => rm(folder, { recursive: true }));
  const file = join(folder, 'tokens');
  const { stdout } = await promisify(execFile)(process.env.SIGNAL_SERVER, ['token', 'somebody', '--file', file]);
  return { file, minted: stdout.trim() };
}

inBrowser('a server that asks for a token: the page asks for it, tells of a wrong one, and keeps it in the tab', async (world) => {
  const { file, minted } = await mint(world);
  const server = await world.server('--auth-tokens-file', file);
  const refused = { expectErrors: [/Failed to load resource.* 401/] };
  const page = await world.page(server.url, refused);
  await expect(page.locator('#asking'), 'the page').toSay(/asks for a token/, PATIENCE);
  const token = page.getByLabel('Token', { exact: true });
  assert.equal(await token.getAttribute('type'), 'password');
  assert.ok(await token.evaluate((field) => field === document.activeElement), 'one can type at once');
  for (const wrong of ['nonsense', '令牌']) {
    await page.keyboard.type(wrong);
    await page.keyboard.press('Enter');
    await expect(page.locator('#asking-wrong'), 'the page').toSay(/does not accept this token/, PATIENCE);
    assert.ok(await token.evaluate((field) => field === document.activeElement));
  }
  await token.fill(minted);
  await page.keyboard.press('Enter');
  await isWaiting(page);
  const joiner = await openJoiner(world, await page.getByLabel('Link for the other side').inputValue(), refused);
  await joiner.getByLabel('Token', { exact: true }).fill(minted);
  await joiner.keyboard.press('Enter');
  await areConnected(page, joiner);
  await page.reload(); // it is not asked again
  await isConnected(page);
});

inBrowser('the page takes no token that another page of its origin keeps', async (world) => {
  const server = await world.server();
  const page = await world.page();
  await page.addInitScript(() => sessionStorage.setItem('token', 'of-another-page'));
  const asked = page.waitForRequest('**/messages*');
  await page.goto(server.url);
  assert.equal((await asked).headers().authorization, undefined);
});
