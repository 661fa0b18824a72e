// How many round trips, one after the other, a tab that comes second needs until it is connected.

import assert from 'node:assert/strict';
import { DelayingProxy } from './proxy.js';
import { inBrowser, quietAt } from './world.js';

const DELAY = 50; // ms of a round trip: what is not needed is not there in time by chance
const MOST = 2; // one brings the offer, the other takes the answer there

/** Runs in a page: prepares begin, which connects and tells where it is by globalThis.state. */
async function prepare() {
  const { connect } = await import(new URL('client/signal.js', document.baseURI));
  globalThis.begin = (options) => {
    const pc = new RTCPeerConnection();
    pc.createDataChannel('chat', { negotiated: true, id: 0 });
    const onState = (state) => { globalThis.state = state; };
    connect(pc, { url: location.origin, onState, ...options }).catch((error) => { globalThis.state = `${error.code}: ${error.message}`; });
  };
}

for (const roles of [['offer', 'answer'], ['auto', 'auto']]) {
  inBrowser(`who comes second connects with ${MOST} round trips: ${roles[1]}`, async (world, t) => {
    const server = await world.server();
    const proxy = new DelayingProxy(server.port, DELAY);
    world.defer(() => proxy.close());
    const [first, second] = [await world.page(server.quiet), await world.page(quietAt(await proxy.listen()))];
    for (const page of [first, second]) await page.evaluate(prepare);
    const key = `trips-${roles[0]}-${Date.now()}`;
    const begin = (page, role) => page.evaluate((options) => globalThis.begin(options), { key, role });

    const offered = first.waitForResponse((response) => response.request().method() === 'POST' && response.url().includes('/offer/messages'));
    await begin(first, roles[0]);
    await offered;
    proxy.count(MOST); // a third one is held: if it is needed, nobody is connected
    await begin(second, roles[1]);
    for (const page of [first, second]) await page.waitForFunction(() => globalThis.state === 'connected');
    t.diagnostic(`${proxy.trips} round trips were answered before both were connected`);
    assert.ok(proxy.trips <= MOST, `got ${proxy.trips} round trips, want ${MOST} at the most`);
    proxy.release();
  });
}
