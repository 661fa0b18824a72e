// The examples of the READMEs, and of docs/sealing.md, are run as they stand, in two pages of another origin than the server's.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { PATIENCE, inBrowser } from './world.js';

inBrowser('the README’s five lines connect two pages', async (world) => {
  const [code] = await examples('README.md');
  const lines = code.split('\n').filter((line) => line && !line.startsWith('import'));
  assert.equal(lines.length, 5, 'lines of the example');
  const url = await serverOf(world);
  const both = (role) => code.replaceAll('http://localhost:8080', url).replaceAll("role: 'offer'", `role: '${role}'`);
  await heardIn(world, { offer: both('offer'), answer: both('answer') }, ['offer', 'answer']);
});

inBrowser('the two examples of the client’s README connect two pages', async (world) => {
  const [offer, answer] = await examples('client/js/README.md');
  const url = await serverOf(world);
  const here = (code) => code.replaceAll("'./signal.js'", `'${url}/client/signal.js'`).replaceAll('https://signal.example', url);
  await heardIn(world, { offer: here(offer), answer: here(answer) }, ['answer']);
});

inBrowser('the README’s example connects two pages by the line of docs/sealing.md, too', async (world) => {
  const [code] = await examples('README.md');
  const [line] = await examples('docs/sealing.md');
  const url = await serverOf(world);
  const sealed = (role) => code.replaceAll('http://localhost:8080', url)
    .replace(/^await connect.*$/m, () => `const url = '${url}';\n${line.replace("role: 'offer'", `role: '${role}'`)}`);
  await heardIn(world, { offer: sealed('offer'), answer: sealed('answer') }, ['offer', 'answer']);
});

/** The code of a page's examples. */
async function examples(name) {
  const page = await readFile(new URL(`../../${name}`, import.meta.url), 'utf8');
  const all = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code);
  assert.ok(all.length, `${name} has an example`);
  return all;
}

async function serverOf(world) {
  return (await world.server()).url.slice(0, -1);
}

/** Opens a page for each role, which runs its code, and waits until the consoles of the listeners have a hello. */
async function heardIn(world, codes, listeners) {
  const origin = await serveCode(world, (role) => codes[role]);
  const heard = [];
  for (const role of Object.keys(codes)) {
    const page = await world.page();
    if (listeners.includes(role)) {
      heard.push(page.waitForEvent('console', { predicate: (message) => message.text() === 'hello', timeout: PATIENCE }));
    }
    await page.goto(`${origin}/${role}`);
  }
  await Promise.all(heard);
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
