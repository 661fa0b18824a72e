// The README's example is run as it stands, in two pages of another origin than the server's.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { PATIENCE, inBrowser } from './world.js';

inBrowser('the README’s five lines connect two pages', async (world) => {
  const server = await world.server();
  const code = await example();
  const origin = await serveCode(world, (role) => code
    .replaceAll('http://localhost:8080', server.url.slice(0, -1))
    .replaceAll("role: 'offer'", `role: '${role}'`));
  const heard = [];
  for (const role of ['offer', 'answer']) {
    const page = await world.page();
    heard.push(page.waitForEvent('console', { predicate: (message) => message.text() === 'hello', timeout: PATIENCE }));
    await page.goto(`${origin}/${role}`);
  }
  await Promise.all(heard);
});

async function example() {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, code] = /## In the browser\n.*?```js\n(.*?)```/s.exec(readme) ?? [];
  assert.ok(code, 'the README has an example under "In the browser"');
  const lines = code.split('\n').filter((line) => line && !line.startsWith('import'));
  assert.equal(lines.length, 5, 'lines of the example');
  return code;
}

/** Serves pages that run the code, and resolves to their origin. */
async function serveCode(world, codeFor) {
  const server = createServer(({ url }, response) => {
    const role = url.slice(1);
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><link rel=icon href="data:,"><script type="module">${codeFor(role)}</script>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  world.defer(() => { server.closeAllConnections(); server.close(); });
  return `http://127.0.0.1:${server.address().port}`;
}
