// The examples of the READMEs, and of docs/sealing.md, are run as they stand, in two pages of another origin than the server's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardedServer, pageWith, serve } from './elsewhere.js';
import { blocks } from './examples.js';
import { PATIENCE, inBrowser } from './world.js';

const REFUSED = [/Failed to load resource.* 401/];

inBrowser('the README’s five lines connect two pages', async (world) => {
  const [{ code }] = await blocks('README.md', 'js');
  const lines = code.split('\n').filter((line) => line && !line.startsWith('import'));
  assert.equal(lines.length, 5, 'lines of the example');
  const url = await serverOf(world);
  const both = (role) => code.replaceAll('http://localhost:8080', url).replaceAll("role: 'offer'", `role: '${role}'`);
  await greetEachOther(world, [both('offer'), both('answer')]);
});

inBrowser('the README’s example connects two pages by the line of docs/sealing.md, too', async (world) => {
  const [{ code }] = await blocks('README.md', 'js');
  const [{ code: line }] = await blocks('docs/sealing.md', 'js');
  const url = await serverOf(world);
  const sealed = (role) => code.replaceAll('http://localhost:8080', url)
    .replace(/^await connect.*$/m, () => `const url = '${url}';\n${line.replace("role: 'offer'", `role: '${role}'`)}`);
  await greetEachOther(world, [sealed('offer'), sealed('answer')]);
});

// ─── client/js/README.md ────────────────────────────────────────────────────────────────────────────────────────────────

const ran = new Set();

/** Declares a test of all examples under a heading, one if it does not say. It gets them as they are in a page that has the module from this server. */
function example(heading, name, run, count = 1) {
  inBrowser(`the client’s README, “${heading}”: ${name}`, async (world) => {
    const found = (await blocks('client/js/README.md', 'js')).filter((block) => block.heading === heading).map(({ code }) => code);
    assert.equal(found.length, count, `examples under ${heading}`);
    ran.add(heading);
    await run(world, (url) => found.map((code) => code.replaceAll("'signal-server-client'", `'${url}/client/signal.js'`).replaceAll('https://signal.example', url)));
  });
}

/** Returns the first example with other lines in place of its last one, which connects: as the README says. */
async function inFirst(url, lines) {
  const [{ code }] = await blocks('client/js/README.md', 'js');
  return code.replaceAll("'signal-server-client'", `'${url}/client/signal.js'`).replace(/^await connect.*$/m, () => lines);
}

example('A data channel', 'connects two pages', async (world, at) => {
  const [code] = at(await serverOf(world));
  await greetEachOther(world, [code, code]);
});

example('A call with cameras', 'each page shows the other’s picture', async (world, at) => {
  const [code] = at(await serverOf(world));
  const origin = await serve(world, () => pageWith(code, '<video autoplay playsinline></video>'));
  const pages = [await world.page(origin), await world.page(origin)];
  for (const page of pages) {
    await page.waitForFunction(() => {
      const { videoWidth, currentTime, srcObject } = document.querySelector('video');
      return videoWidth > 0 && currentTime > 0 && srcObject.getAudioTracks().length === 1;
    });
  }
});

example('A server that asks for a token', 'connects two pages, by a text and by a function', async (world, at) => {
  const { server, token } = await guardedServer(world);
  const url = server.url.slice(0, -1);
  const [text, task] = at(url);
  const withText = await inFirst(url, text.replace('from-whoever-runs-it', token));
  await greetEachOther(world, [withText, withText]);
  const given = []; // by the page's own backend; the first one has expired
  const backend = () => given[given.push(given.length === 0 ? 'expired' : token) - 1];
  const withTask = await inFirst(url, task);
  await greetEachOther(world, [withTask, withTask], { '/signal-token': backend }, { expectErrors: REFUSED });
  assert.deepEqual(given, ['expired', token, token], 'one for each page, and another for the one that was refused');
}, 2);

example('ICE servers', 'a connection has the servers that the server tells of', async (world, at) => {
  const stun = 'stun:stun.example:3478';
  const server = await world.server('--ice-servers', stun);
  const [code] = at(server.url.slice(0, -1));
  const page = await world.page();
  const said = page.waitForEvent('console', { predicate: (message) => message.type() === 'log', timeout: PATIENCE });
  await page.goto(await serve(world, () => pageWith(`${code}\nconsole.log(pc.getConfiguration().iceServers.flatMap(({ urls }) => urls).join());`)));
  assert.equal((await said).text(), stun);
});

example('Sealed end to end', 'connects two pages, and the server learns nothing', async (world, at) => {
  const url = await serverOf(world);
  const [line] = at(url);
  const code = await inFirst(url, line);
  const bodies = [];
  const pages = await greetEachOther(world, [code, code], {}, {}, (page) => page.on('request', (request) => bodies.push(request.postData() ?? '')));
  assert.equal(pages.length, 2);
  assert.ok(bodies.some((body) => body.includes('"s1.')), 'something sealed has passed');
  assert.ok(bodies.every((body) => !body.includes('candidate:') && !body.includes('ice-ufrag')));
});

example('Cleaning up', 'hangs up before the other comes, calls again at once, and hangs up a connection', async (world, at) => {
  const url = await serverOf(world);
  const [code] = at(url);
  const twice = code.replace('const hangUp = ', "call(at, () => console.log('of the first call'))(); // mounted twice\n$&");
  assert.notEqual(twice, code);
  const told = `${twice.replace('chat.onopen', 'globalThis.chat = chat;\n  $&')}\nglobalThis.hangUp = hangUp;`;
  const [first, second] = await greetEachOther(world, [told, told]);
  await first.evaluate(() => globalThis.hangUp());
  await second.waitForFunction(() => globalThis.chat.readyState === 'closed');
});

example('Errors', 'each line is reached', async (world, at) => {
  const { server } = await guardedServer(world);
  const free = await world.server();
  const opened = await fetch(`${free.url}offer/messages`, { method: 'POST', headers: { key: 'shared-by-both' }, body: '{"sdp":"of another"}' });
  assert.equal((await opened.json()).msg, '');
  const nobody = await world.server();
  for (const [there, want] of [[server, /^sign in first$/], [free, /^two others are on this line$/], [nobody, /^Nobody answered within 0.5 s/]]) {
    const [code] = at(there.url.slice(0, -1));
    const page = await world.page(undefined, { expectErrors: REFUSED });
    const said = page.waitForEvent('console', { predicate: (message) => message.type() === 'log', timeout: PATIENCE });
    await page.goto(await serve(world, () => pageWith(there === nobody ? code.replace('60_000', '500') : code)));
    assert.match((await said).text(), want);
  }
});

test('each example of the client’s README is run', async () => {
  assert.deepEqual(ran, new Set((await blocks('client/js/README.md', 'js')).map(({ heading }) => heading)));
});

async function serverOf(world) {
  return (await world.server()).url.slice(0, -1);
}

/**
 * Opens a page for each code, which runs it, and waits until each console has the hello of the other. files are what their origin
 * serves besides; prepare gets each page before it is opened. Resolves to the pages.
 */
async function greetEachOther(world, codes, files = {}, options = {}, prepare = () => {}) {
  const origin = await serve(world, (path) => files[path]?.() ?? (codes[path.slice(1)] && pageWith(codes[path.slice(1)])));
  const pages = [];
  const heard = [];
  for (const number of codes.keys()) {
    const page = await world.page(undefined, options);
    prepare(page);
    heard.push(page.waitForEvent('console', { predicate: (message) => message.text() === 'hello', timeout: PATIENCE }));
    await page.goto(`${origin}/${number}`);
    pages.push(page);
  }
  await Promise.all(heard);
  return pages;
}
