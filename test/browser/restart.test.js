// Connections that break and servers that go away: the client starts over without help.

import assert from 'node:assert/strict';
import { areConnected, openJoiner, openStarter, says } from './demo.js';
import { expect } from './expect.js';
import { CuttingProxy } from './proxy.js';
import { PATIENCE, inBrowser, quietAt } from './world.js';

/** What the browser itself says of a server that is gone. */
const gone = { expectErrors: [/Failed to load resource/] };

inBrowser('the server is killed and restarted while the offer waits', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, gone);
  await server.stop('SIGKILL');
  await expect(starter.locator('#status'), 'status').toSay(/Trying again/, PATIENCE);
  await server.start();
  const joiner = await openJoiner(world, link, gone);
  await areConnected(starter, joiner);
  await says(starter, joiner, 'still here');
});

inBrowser('the server is killed and restarted between the offer and the answer', async (world) => {
  const server = await world.server();
  const starter = await world.page(undefined, gone);
  const offered = starter.waitForRequest('**/offer/messages*');
  await starter.goto(server.url);
  await offered; // so the joiner answers
  const link = await starter.getByLabel('Link for the other side').inputValue();
  const joiner = await world.page(undefined, gone);
  let restarted = false;
  await joiner.route('**/answer/messages*', async (route) => { // the answer finds a server that knows nothing of the offer
    if (route.request().method() === 'POST' && !restarted) {
      restarted = true;
      await server.stop('SIGKILL');
      await server.start();
    }
    await route.continue();
  });
  await joiner.goto(link);
  await areConnected(starter, joiner);
  assert.ok(restarted);
  await says(joiner, starter, 'once more');
});

inBrowser('a server that shuts down in order is survived too', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { ...gone, events: true });
  await server.stop();
  await server.start();
  const joiner = await openJoiner(world, link, { ...gone, events: true });
  await areConnected(starter, joiner);
});

inBrowser('an event stream that is cut in the middle goes on without loss or repetition', async (world) => {
  const server = await world.server();
  const proxy = new CuttingProxy(server.port, { path: '/answer/events', after: [400, 700, 500, 900] });
  world.defer(() => proxy.close());
  const page = await world.page(quietAt(await proxy.listen()), { expectErrors: [/ERR_INCOMPLETE_CHUNKED_ENCODING|Failed to load resource/] });
  const { got, want } = await page.evaluate(async () => {
    const { Session, randomKey } = await import(new URL('client/signal.js', document.baseURI));
    const key = randomKey();
    const [offer, answer] = ['offer', 'answer'].map((role) => new Session({ url: location.origin, key, role }));
    const want = [['sdp', 'the offer'], ...Array.from({ length: 60 }, (_, i) => ['candidate', `candidate ${i} ${'x'.repeat(40)}`])];
    const post = async () => {
      await offer.exchange({ sdp: want[0][1], candidates: [want[1][1]] });
      for (const [, candidate] of want.slice(2)) await offer.addCandidate(candidate);
    };
    const posted = post();
    const got = [];
    for await (const { type, data } of answer.events()) {
      got.push([type, data]);
      if (got.length === want.length) break;
    }
    await posted;
    return { got, want };
  });
  assert.deepEqual(got, want);
  assert.equal(proxy.cuts, 4);
});

inBrowser('two tabs connect although their event streams are cut', async (world) => {
  const server = await world.server();
  const proxy = new CuttingProxy(server.port, { path: '/events', after: [150, 180, 260, 900, 1_500] });
  world.defer(() => proxy.close());
  const url = await proxy.listen();
  const cut = { events: true, expectErrors: [/ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|Failed to load resource/] };
  const { page: starter, link } = await openStarter(world, url, cut);
  const joiner = await openJoiner(world, link, cut);
  await areConnected(starter, joiner);
  await says(starter, joiner, 'through and through');
  assert.ok(proxy.cuts > 0, 'nothing was cut');
});
