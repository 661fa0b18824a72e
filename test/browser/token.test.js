// Pages of another origin at a server that asks for a token.

import assert from 'node:assert/strict';
import { guardedServer, pageWith, serve } from './elsewhere.js';
import { inBrowser } from './world.js';

const REFUSED = [/Failed to load resource.* 401/];

/** Returns a page that begins as the function is called, and tells how it went by globalThis.heard and globalThis.failed. */
const pageOf = (url) => pageWith(`
  import { connect } from '${url}client/signal.js';
  globalThis.begin = (token, options) => {
    globalThis.asked = [];
    const given = [...token];
    const pc = new RTCPeerConnection();
    const channel = pc.createDataChannel('chat', { negotiated: true, id: 0 });
    channel.onopen = () => channel.send('hello');
    channel.onmessage = ({ data }) => { globalThis.heard = data; };
    const onState = (state) => { globalThis.state = state; };
    const next = async (refused) => { asked.push(refused); return given.length > 1 ? given.shift() : given[0]; };
    connect(pc, { url: '${url}', token: token.length > 1 ? next : token[0], onState, ...options })
      .catch((error) => { globalThis.failed = error.code ?? error.message; });
  };`);

async function open(world, server, options) {
  const page = await world.page(undefined, options);
  const requests = [];
  page.on('request', (request) => { if (request.url().startsWith(server.url) && !request.url().endsWith('.js')) requests.push(request); });
  await page.goto(await serve(world, () => pageOf(server.url)));
  return { page, requests };
}

const isForICE = (request) => new URL(request.url()).pathname === '/ice';

const begin = ({ page }, ...args) => page.evaluate((given) => begin(...given), args); // in the page, where begin is another one

for (const [roles, events] of [[['offer', 'answer'], false], [['auto', 'auto'], false], [['offer', 'answer'], true]]) {
  inBrowser(`pages of another origin connect with a token, which is in no URL: ${roles}${events ? ', by events' : ''}`, async (world) => {
    const { server, token } = await guardedServer(world);
    const [first, second] = [await open(world, server), await open(world, server, { expectErrors: REFUSED })];
    const key = `token-${Date.now()}`;
    await begin(first, [token], { key, role: roles[0], events });
    await begin(second, ['expired', token], { key, role: roles[1], events });
    for (const { page } of [first, second]) await page.waitForFunction(() => globalThis.heard === 'hello');
    const ended = await until(() => first.requests.concat(second.requests).find((request) => request.method() === 'DELETE'));
    assert.equal((await ended.response()).status(), 200);
    assert.deepEqual((await second.page.evaluate(() => asked)).filter((refused) => refused), ['expired']);
    for (const request of [...first.requests, ...second.requests]) {
      const { authorization, key: inHeader } = await request.allHeaders();
      assert.equal(inHeader, isForICE(request) ? undefined : key, request.url());
      if (request !== second.requests[0]) assert.equal(authorization, `Bearer ${token}`, request.url());
      for (const secret of [token, key]) assert.ok(!request.url().includes(secret), request.url());
    }
    for (const line of server.lines) assert.ok(!line.includes(token) && !line.includes(key), line);
  });
}

inBrowser('a browser asks once whether a page of another origin may, for each URL, and sessions share most of them', async (world, t) => {
  const { server, token } = await guardedServer(world);
  const sides = [await open(world, server), await open(world, server)];
  const preflights = [];
  for (const { page } of sides) {
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Network.enable');
    devtools.on('Network.requestWillBeSent', ({ request: { method, url, headers } }) => {
      if (method === 'OPTIONS') preflights.push(`${headers['Access-Control-Request-Method']} ${new URL(url).pathname}${new URL(url).search}`);
    });
  }
  const handshake = async (number) => {
    const before = preflights.length;
    const outcomes = () => sides.flatMap(({ requests }) => requests.filter((request) => request.url().endsWith('/outcome')));
    for (const [i, role] of ['answer', 'offer'].entries()) await begin(sides[i], [token], { key: `preflights-${number}`, role, batchDelay: 2_000 });
    for (const { page } of sides) await page.waitForFunction(() => globalThis.heard === 'hello');
    await until(() => outcomes().length === 2 * number && sides[1].requests.filter((request) => request.method() === 'DELETE').length === number);
    await Promise.all(outcomes().map((request) => request.response()));
    for (const { page } of sides) await page.evaluate(() => { globalThis.heard = undefined; });
    return preflights.slice(before);
  };
  const [first, second] = [await handshake(1), await handshake(2)];
  t.diagnostic(`${first.length} preflights of both sides at first, then ${second.length}`);
  assert.ok(first.length > second.length, `${first.length} and ${second.length} preflights`);
  assert.deepEqual(second.filter((asked) => !/^GET |[?&]after=/.test(asked)), []); // a GET that no cache stores is asked about each time
});

inBrowser('a page of another origin that is left ends its session, with the token that its function gave last', async (world) => {
  const { server, token } = await guardedServer(world);
  const left = await open(world, server, { expectErrors: REFUSED });
  const key = `left-${Date.now()}`;
  await begin(left, ['expired', token], { key, role: 'offer' });
  const ask = async () => (await fetch(`${server.url}answer/messages`, { headers: { key, Authorization: `Bearer ${token}` } })).json();
  await until(async () => (await ask()).msg === '');
  await left.page.goto('about:blank');
  await until(async () => (await ask()).msg === 'key已过期');
});

inBrowser('a page of another origin without a token, or with a wrong one, is told so, after one request each, and one for ICE servers', async (world) => {
  const { server } = await guardedServer(world);
  for (const [token, requests] of [[[undefined], 1], [['wrong'], 1], [['wrong', 'wrong-too'], 2]]) {
    const page = await open(world, server, { expectErrors: REFUSED });
    await begin(page, token, { key: 'k', role: 'answer' });
    await page.page.waitForFunction(() => globalThis.failed);
    assert.equal(await page.page.evaluate(() => globalThis.failed), 'NotAuthenticated');
    await page.page.waitForTimeout(300); // in which nothing else comes
    const forICE = page.requests.filter(isForICE).length;
    assert.equal(page.requests.length - forICE, requests, `${token}`);
    assert.ok(forICE >= 1 && forICE <= requests, `${token}: ${forICE} times`);
  }
});

/** Resolves to what the task returns, as soon as that is true. */
async function until(task) {
  for (const over = Date.now() + 30_000; Date.now() < over; await new Promise((resolve) => { setTimeout(resolve, 20); })) {
    const result = await task();
    if (result) return result;
  }
  throw new Error('it does not happen');
}
