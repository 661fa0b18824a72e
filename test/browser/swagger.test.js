// The API's browser works under its own policy, and asks this server.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { examine } from './axe.js';
import { PATIENCE, inBrowser } from './world.js';

const TOKEN = 'swagger-test-token';

/** The route whose summary begins so, opened. */
async function opened(page, summary) {
  const route = page.locator('.opblock', { hasText: summary });
  await route.getByRole('button').first().click();
  await route.locator('.opblock-body').waitFor();
  return route;
}

/** Fills one field of the dialog of authorizations, as somebody who has read its name. */
async function authorize(page, name, value) {
  await page.getByRole('button', { name: 'Authorize', exact: true }).first().click();
  const field = page.locator('.auth-container', { hasText: `Name: ${name}` });
  await field.getByRole('textbox').fill(value);
  await field.getByRole('button', { name: 'Authorize', exact: true }).click();
  await page.locator('.close-modal').click();
}

/** Sends the route's request for a role, and resolves when the answer with that status and text is shown. */
async function execute(route, role, status, text) {
  const tryIt = route.locator('.try-out__btn'); // it says Cancel when it is on
  if (await tryIt.innerText() === 'Try it out') await tryIt.click();
  if (role) await route.getByLabel('role', { exact: true }).selectOption(role);
  await route.getByRole('button', { name: 'Execute' }).click();
  await route.locator('.live-responses-table tr.response', { hasText: text }).filter({ hasText: String(status) }).waitFor({ timeout: PATIENCE });
}

inBrowser('the API’s browser sends a request and shows the answer', async (world) => {
  const server = await world.server();
  const page = await world.page(`${server.url}swagger/index.html`);
  await execute(await opened(page, '/healthz'), '', 200, '"msg": ""');
  assert.equal(await page.getByText('Explore').count(), 0, 'the bar for the URL of another description');
});

inBrowser('Authorize gives every route the key and the token', async (world) => {
  const folder = mkdtempSync(join(tmpdir(), 'tokens-'));
  world.defer(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'tokens');
  writeFileSync(file, `sha256:${createHash('sha256').update(TOKEN).digest('hex')}\n`);
  const server = await world.server('--auth-tokens-file', file);
  const open = () => world.page(`${server.url}swagger/index.html`, { expectErrors: [/status of 401/] });

  const stranger = await open();
  await authorize(stranger, 'key', 'a key by hand');
  const post = await opened(stranger, 'Write, and read');
  await execute(post, 'offer', 401, '未认证');
  await authorize(stranger, 'Authorization', 'a wrong token');
  await execute(post, 'offer', 401, '未认证');

  const user = await open();
  await authorize(user, 'key', 'a key by hand');
  await authorize(user, 'Authorization', TOKEN); // without Bearer
  await execute(await opened(user, 'Write, and read'), 'offer', 200, '"messages": []');
  await execute(await opened(user, 'after a cursor'), 'answer', 200, '"type": "sdp"');
});

inBrowser('a link to a route opens it', async (world) => {
  const server = await world.server();
  const page = await world.page(`${server.url}swagger/index.html`);
  await opened(page, 'after a cursor');
  const linked = await world.page(page.url());
  await linked.locator('.opblock.is-open', { hasText: 'after a cursor' }).waitFor();
});

inBrowser('a stream is not offered to be tried: it has no end', async (world) => {
  const server = await world.server();
  const page = await world.page(`${server.url}swagger/index.html`);
  const stream = await opened(page, 'Stream the other');
  await stream.getByText('curl -N').waitFor();
  assert.equal(await stream.getByRole('button', { name: 'Try it out' }).count(), 0, 'Try it out');
});

inBrowser('each route shows refusals that look like refusals', async (world) => {
  const server = await world.server();
  const page = await world.page(`${server.url}swagger/index.html`);
  for (const summary of ['Write, and read', 'Stream the other']) {
    const route = await opened(page, summary);
    const shown = await route.locator('tr[data-code="429"] pre').innerText();
    const { msg, data } = JSON.parse(shown);
    assert.ok(['队列已满', '请求太频繁'].includes(msg) && data === null, `${summary}: got ${shown}, want a msg of 429 and null`);
  }
});

inBrowser('behind a proxy that puts it below a folder, with origins that are a list', async (world) => {
  const server = await world.server('--allow-origins', 'https://example.org', '--own-names', '127.0.0.1');
  const proxy = createServer((from, to) => {
    if (!from.url.startsWith('/signal/')) return void to.writeHead(404).end();
    const forwarded = request({
      host: '127.0.0.1', port: server.port, method: from.method, path: from.url.slice('/signal'.length),
      headers: { ...from.headers, 'x-forwarded-prefix': '/signal' },
    }, (answer) => {
      to.writeHead(answer.statusCode, answer.headers);
      answer.pipe(to);
    });
    from.pipe(forwarded);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  world.defer(() => new Promise((resolve) => { proxy.close(resolve); proxy.closeAllConnections(); }));
  for (const base of [server.url, `http://127.0.0.1:${proxy.address().port}/signal/`]) {
    const page = await world.page(`${base}swagger/index.html`);
    await authorize(page, 'key', `from ${base.length}`);
    await execute(await opened(page, 'Write, and read'), 'offer', 200, '"messages": []');
    await page.getByRole('link', { name: 'Demo' }).click();
    await page.waitForURL(base);
  }
});

const WIDTHS = [320, 390, 768, 1280];
for (const colorScheme of ['light', 'dark']) {
  inBrowser(`axe finds nothing on the API’s page in ${colorScheme} colours, and nothing sticks out`, async (world) => {
    const server = await world.server();
    const page = await world.page(`${server.url}swagger/index.html`, { colorScheme, reducedMotion: 'reduce' });
    await page.locator('.opblock').first().waitFor();
    const everyWidth = async (state) => {
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 800 });
        await examine(page, `${width}: ${state}`);
      }
    };
    await everyWidth('as it opens');
    const stream = await opened(page, 'Stream the other');
    await everyWidth('a stream');
    await stream.getByRole('button').first().click();
    await page.getByRole('button', { name: 'Authorize', exact: true }).first().click();
    await everyWidth('what authorizes');
    await page.locator('.close-modal').click();
    await authorize(page, 'key', `axe, ${colorScheme}`);
    await execute(await opened(page, 'Write, and read'), 'offer', 200, '"messages": []');
    await everyWidth('a route that was tried');
  });
}
