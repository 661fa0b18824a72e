// connect again: after a reload in the middle of a handshake, and after the network was lost under a connection.

import assert from 'node:assert/strict';
import { Relay, relayCandidates } from './relay.js';
import { PATIENCE, inBrowser } from './world.js';

const WITHIN = 5_000; // ms: the two find each other again without anybody's help

/** Runs in a page: prepares begin, which connects and tells where it is by globalThis.state, and result. */
async function prepare() {
  const { connect } = await import(new URL('client/signal.js', document.baseURI));
  globalThis.begin = (options, fresh = true) => {
    if (fresh) {
      globalThis.pc = new RTCPeerConnection();
      globalThis.channel = pc.createDataChannel('chat', { negotiated: true, id: 0 });
      channel.onmessage = ({ data }) => { globalThis.heard = data; };
    }
    globalThis.state = globalThis.result = undefined;
    const onState = (state) => { globalThis.state = state; };
    connect(pc, { url: location.origin, onState, ...options }).then(
      (result) => { globalThis.result = result; }, (error) => { globalThis.result = { error: `${error.code}: ${error.message}` }; });
  };
}

const open = async (world, server, options) => {
  const page = await world.page(server.quiet, options);
  await page.evaluate(prepare);
  return page;
};
const begin = (page, options, fresh) => page.evaluate(([o, f]) => globalThis.begin(o, f), [options, fresh]);
const reaches = (page, state) => page.waitForFunction((wanted) => globalThis.state === wanted, state);
const resultOf = async (page) => (await page.waitForFunction(() => globalThis.result)).jsonValue();

/** The pages say something to each other. */
async function talk(from, to, text) {
  await from.evaluate((said) => new Promise((resolve) => {
    const say = () => { channel.send(said); resolve(); };
    if (channel.readyState === 'open') say();
    else channel.onopen = say;
  }), text);
  await to.waitForFunction((said) => globalThis.heard === said, text);
}

for (const flags of [[], ['--role-tickets']]) {
  for (const roles of [['offer', 'answer'], ['auto', 'auto']]) {
    for (const which of [0, 1]) {
      inBrowser(`a page is reloaded between the answer and the connection: ${roles[which]}, the ${which ? 'second' : 'first'} one ${flags}`, async (world) => {
        const server = await world.server(...flags);
        const tries = { expectErrors: [/Failed to load resource.* 403/] }; // a page that has not got its ticket yet asks whether it may
        const pages = [await open(world, server, tries), await open(world, server, tries)];
        for (const page of pages) await page.evaluate(() => { RTCPeerConnection.prototype.addIceCandidate = () => Promise.resolve(); }); // no path is found
        const key = `again-${Date.now()}`;
        const offered = pages[0].waitForRequest('**/offer/messages*');
        await begin(pages[0], { key, role: roles[0] });
        await offered;
        await begin(pages[1], { key, role: roles[1] });
        for (const page of pages) await reaches(page, 'connecting');
        await pages[which].reload(); // before paths are found: a late candidate would connect the two by the session that is left
        const stays = pages[1 - which];
        await stays.evaluate(() => { // from here on paths are found
          const { contentWindow } = document.body.appendChild(document.createElement('iframe'));
          RTCPeerConnection.prototype.addIceCandidate = contentWindow.RTCPeerConnection.prototype.addIceCandidate;
        });
        await pages[which].evaluate(prepare);
        const begun = Date.now();
        await begin(pages[which], { key, role: roles[which] });
        for (const page of pages) assert.equal((await resultOf(page)).error, undefined);
        const took = Date.now() - begun;
        await talk(pages[0], pages[1], 'there you are');
        assert.ok(took < WITHIN, `connected after ${took} ms, want less than ${WITHIN}`);
      });
    }
  }
}

inBrowser('two who lost the network connect again on the same peer connections', async (world) => {
  const server = await world.server();
  const relay = new Relay();
  world.defer(() => relay.close());
  const pages = [await open(world, server), await open(world, server)];
  for (const page of pages) {
    await page.exposeFunction('relayed', (address, port) => relay.portFor(address, port));
    await page.evaluate(relayCandidates);
  }
  const key = `lost-${Date.now()}`;
  const connectBoth = async (fresh) => {
    for (const [i, role] of ['offer', 'answer'].entries()) await begin(pages[i], { key, role }, fresh);
  };
  const ufragOf = (page) => page.evaluate(() => /a=ice-ufrag:(\S+)/.exec(pc.localDescription.sdp)[1]);
  await connectBoth(true);
  for (const page of pages) assert.equal((await resultOf(page)).error, undefined);
  await talk(pages[0], pages[1], 'before');
  const before = await ufragOf(pages[0]);

  relay.isCut = true;
  for (const page of pages) await page.waitForFunction(() => ['disconnected', 'failed'].includes(pc.connectionState));
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  await pages[1].route('**/answer/messages*', async (route) => { // the answer takes longer than the path of before
    if (route.request().method() === 'POST') await held;
    await route.continue();
  });
  await connectBoth(false);
  await reaches(pages[1], 'connecting');
  relay.isCut = false;
  for (const page of pages) await page.waitForFunction(() => pc.connectionState === 'connected');
  await pages[0].waitForTimeout(500);
  for (const page of pages) assert.equal(await page.evaluate(() => globalThis.result), undefined, 'the path of before is not taken for the new one');
  release();
  const begun = Date.now();
  for (const page of pages) assert.deepEqual(await resultOf(page).then(({ error, rounds }) => [error, rounds]), [undefined, 1]);
  assert.ok(Date.now() - begun < WITHIN, `connected ${Date.now() - begun} ms after the answer`);
  assert.notEqual(await ufragOf(pages[0]), before);
  for (const page of pages) assert.equal(await page.evaluate(() => pc.signalingState), 'stable');
  await talk(pages[1], pages[0], 'and after');
});

inBrowser('event streams hand each candidate over once', async (world) => {
  const server = await world.server();
  const pages = [await open(world, server), await open(world, server)];
  for (const page of pages) {
    await page.evaluate(() => {
      globalThis.got = [];
      const { addIceCandidate } = RTCPeerConnection.prototype;
      RTCPeerConnection.prototype.addIceCandidate = function counted(init) {
        globalThis.got.push(init.candidate);
        return globalThis.held ? Promise.resolve() : addIceCandidate.call(this, init);
      };
    });
  }
  for (let i = 0; i < 10; i++) {
    const key = `once-${i}-${Date.now()}`;
    for (const page of pages) await page.evaluate(() => { globalThis.got.length = 0; globalThis.held = true; });
    for (const [j, role] of ['answer', 'offer'].entries()) {
      await begin(pages[j], { key, role, events: true, batchDelay: 0, timeout: i === 0 ? 3_000 : 1_500 });
    }
    for (const page of pages) await resultOf(page); // it times out, and by then all has come
    for (const page of pages) {
      const got = await page.evaluate(() => globalThis.got);
      assert.ok(got.length > 0, 'candidates');
      assert.equal(new Set(got).size, got.length, `something came twice: ${got}`);
    }
  }
}, { timeout: PATIENCE * 4 });

for (const [ice, within] of [[false, WITHIN], [true, 2 * WITHIN]]) { // an offer with ice stands in line twice: GET /ice comes before it
  inBrowser(`one page that waits for many leaves connections for others, ice: ${ice}`, async (world, t) => {
    const server = await world.server();
    const waiting = await open(world, server);
    const other = await world.page(server.quiet, { beside: waiting });
    await other.evaluate(prepare);
    const prefix = `many-${Date.now()}`;
    await waiting.evaluate(async (keys) => {
      const { Session } = await import(new URL('client/signal.js', document.baseURI));
      globalThis.found = keys.map((key) => new Session({ url: location.origin, key, role: 'answer' }).messages({ wait: 25_000 }));
    }, Array.from({ length: 9 }, (_, i) => `${prefix}-${i}`));
    await waiting.waitForTimeout(500);
    const begun = Date.now();
    await begin(other, { key: `${prefix}-8`, role: 'offer', ice });
    await waiting.evaluate(() => globalThis.found[8]);
    const took = Date.now() - begun;
    t.diagnostic(`the offer is there after ${took} ms`);
    assert.ok(took < within, `the offer is there after ${took} ms, want less than ${within}`);
  });
}
