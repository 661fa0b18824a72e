// The demo page says by which kind of path it is connected and, where there is none, what came of TURN servers.

import assert from 'node:assert/strict';
import { areConnected, failure, isWaiting, openJoiner, openStarter, says } from './demo.js';
import { expect } from './expect.js';
import { PATIENCE, inBrowser } from './world.js';

const TURN = ['--turn', '--turn-listen', '127.0.0.1:0'];

/** Nothing listens at this port, and Chromium says at once that it cannot connect. */
const NOWHERE = 'turn:127.0.0.1:9?transport=tcp';

const short = (page) => page.locator('#path');
const full = (page) => page.locator('[data-lane=ice] dd');

/** Opens both sides of a call, which run these scripts first, and change what the server says of ICE servers as change does. Resolves to both. */
async function open(world, server, { scripts = [], change } = {}) {
  const pages = [await world.page(), await world.page()];
  for (const page of pages) {
    for (const script of scripts) await page.addInitScript(script);
    if (change) await page.route('**/ice', (route) => changed(route, change));
  }
  const [starter, joiner] = pages;
  await starter.goto(server.url);
  await isWaiting(starter);
  await joiner.goto(await starter.getByLabel('Link for the other side').inputValue());
  return pages;
}

async function changed(route, change) {
  const answer = await (await route.fetch()).json();
  answer.data.iceServers = answer.data.iceServers.flatMap((server) => change(server) ?? []);
  await route.fulfill({ json: answer });
}

/** Runs in a page: it connects by relays only. */
function onlyRelays() {
  const Usual = RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Usual {
    constructor(configuration) { super({ ...configuration, iceTransportPolicy: 'relay' }); }
  };
}

/** Runs in a page: it takes only relays from the other side, until letThrough(). */
function relaysFirst() {
  const { addIceCandidate, setRemoteDescription } = RTCPeerConnection.prototype;
  const held = [];
  RTCPeerConnection.prototype.setRemoteDescription = function withoutCandidates({ type, sdp }) {
    return setRemoteDescription.call(this, { type, sdp: sdp.replace(/^a=(candidate|end-of-candidates).*\r\n/gm, '') });
  };
  RTCPeerConnection.prototype.addIceCandidate = function laterUnlessRelay(init) {
    if (/ typ relay /.test(init?.candidate)) return addIceCandidate.call(this, init);
    if (init?.candidate) held.push(() => addIceCandidate.call(this, init));
    return Promise.resolve();
  };
  globalThis.letThrough = () => Promise.all(held.map((add) => add()));
}

/** Runs in a page: no candidate gets through, as behind a firewall, and the page gives up after half a minute, or at giveUp(). */
function letNothingThrough() {
  RTCPeerConnection.prototype.addIceCandidate = () => Promise.resolve();
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (task, ms, ...rest) => {
    if (ms !== 30_000) return setTimeout(task, ms, ...rest);
    globalThis.giveUp = task;
    return 0;
  };
}

/** Runs in a page: its connections can be looked at. */
function keepConnections() {
  const Usual = RTCPeerConnection;
  globalThis.connections = [];
  globalThis.RTCPeerConnection = class extends Usual {
    constructor(...given) {
      super(...given);
      globalThis.connections.push(this);
    }
  };
}

/** Opens both sides of a call that finds no path, and lets them give up, when each has gathered all that it can. Resolves to both. */
async function fail(world, server, { change, gathersAll = true } = {}) {
  const pages = await open(world, server, { scripts: [keepConnections, letNothingThrough], change });
  for (const page of pages) {
    await page.waitForFunction((all) => globalThis.giveUp && (!all || globalThis.connections.at(-1).iceGatheringState === 'complete'), gathersAll);
  }
  await Promise.all(pages.map((page) => page.evaluate(() => globalThis.giveUp()))); // together: who gives up ends the session
  return pages;
}

inBrowser('a direct path is told, in short and in full, and vanishes with the call', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  assert.ok(await short(starter).isHidden());
  const joiner = await openJoiner(world, link);
  await areConnected(starter, joiner);
  for (const page of [starter, joiner]) {
    await expect(short(page), 'the path').toSay(/^Direct$/, PATIENCE);
    assert.ok(await short(page).isVisible());
    await expect(full(page), 'the path').toSay(/^direct(, in the same network)? \(host\)$/, PATIENCE); // by the addresses of this machine
  }
  await joiner.getByRole('button', { name: 'Leave' }).click();
  await expect(starter.locator('#ending'), 'the page').toSay(/has left/, PATIENCE);
  for (const page of [starter, joiner]) {
    assert.ok(await short(page).isHidden());
    assert.match(await full(page).textContent(), /^path found$/);
  }
  for (const page of [starter, joiner]) await page.keyboard.press('Enter');
  await areConnected(starter, joiner);
  await expect(short(starter), 'the path').toSay(/^Direct$/, PATIENCE);
});

inBrowser('a relay is told, and how this side reaches it', async (world) => {
  const server = await world.server(...TURN);
  for (const transport of ['udp', 'tcp']) {
    const change = ({ urls, ...rest }) => {
      const left = urls.filter((url) => url.endsWith(`?transport=${transport}`));
      return left.length > 0 ? { ...rest, urls: left } : undefined;
    };
    const pages = await open(world, server, { scripts: [onlyRelays], change });
    await areConnected(...pages);
    for (const page of pages) {
      await expect(short(page), 'the path').toSay(/^Relayed$/, PATIENCE);
      await expect(full(page), 'the path').toSay(new RegExp(`^by a TURN server, over ${transport.toUpperCase()} \\(relay\\)$`), PATIENCE);
    }
    await says(pages[0], pages[1], `by a relay over ${transport}`);
  }
});

inBrowser('a better path that is found later is told', async (world) => {
  const server = await world.server(...TURN);
  const pages = await open(world, server, { scripts: [relaysFirst] });
  await areConnected(...pages);
  for (const page of pages) await expect(short(page), 'the path').toSay(/^Relayed$/, PATIENCE);
  for (const page of pages) await page.evaluate(() => globalThis.letThrough());
  for (const page of pages) {
    await expect(short(page), 'the path').toSay(/^Direct$/, PATIENCE);
    await expect(full(page), 'the path').toSay(/^direct/, PATIENCE);
  }
});

inBrowser('a side that was never told of the other one’s candidates hears from its page by what it is reached', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await world.page();
  await joiner.addInitScript(() => { RTCPeerConnection.prototype.addIceCandidate = () => Promise.resolve(); });
  await joiner.goto(link);
  await areConnected(starter, joiner);
  await expect(full(joiner), 'the path').toSay(/^direct \(host\)$/, PATIENCE);
  await expect(short(joiner), 'the path').toSay(/^Direct$/, PATIENCE);
});

inBrowser('which path it is, is found in the statistics of any browser', async (world) => {
  const page = await world.page((await world.server()).quiet);
  const told = (mine, theirs, pair = {}, said = undefined) => page.evaluate(async ([local, remote, more, type]) => {
    const { pathOf } = await import(new URL('web/path.js', document.baseURI));
    const stats = [{ id: 'L', ...local }, { id: 'R', ...remote },
      { id: 'P', type: 'candidate-pair', state: 'succeeded', nominated: true, bytesSent: 9, localCandidateId: 'L', remoteCandidateId: 'R', ...more },
      { id: 'Q', type: 'candidate-pair', state: 'succeeded', nominated: true, bytesSent: 1, localCandidateId: 'L', remoteCandidateId: 'L' }];
    if (more.selected) stats.push({ id: 'T', type: 'transport', selectedCandidatePairId: more.selected });
    const path = pathOf(new Map(stats.map((entry) => [entry.id, entry])), type ?? undefined);
    return path && [path.kind, path.over, ...path.types].join(' ');
  }, [mine, theirs, pair, said]);
  const host = (address) => ({ candidateType: 'host', address });
  const of = (candidateType, relayProtocol) => ({ candidateType, relayProtocol });
  for (const address of ['10.0.0.5', '172.16.0.1', '172.31.9.9', '192.168.1.2', '127.0.0.1', '169.254.1.1', 'fd00::2', 'fe80::1', '::1', 'abc.local', undefined]) {
    assert.equal(await told(host(), host(address)), 'local  host host', address);
  }
  for (const address of ['198.51.100.7', '172.32.0.1', '2001:db8::1', '100.64.0.1']) assert.equal(await told(host(), host(address)), 'direct  host host', address);
  assert.equal(await told(of('prflx'), of('host')), 'nat  prflx host');
  for (const mine of ['host', 'srflx']) assert.equal(await told(of(mine), of('prflx')), `unknown  ${mine} prflx`);
  for (const [said, kind] of [['host', 'direct'], ['srflx', 'nat'], ['prflx', 'nat'], ['relay', 'relay']]) {
    assert.equal(await told(of('host'), of('prflx'), {}, said), `${kind}  host ${said}`, 'as the other side says');
  }
  assert.equal(await told(of('host'), host('10.0.0.1'), {}, 'relay'), 'local  host host', 'it is known by what this side was told before');
  assert.equal(await told(of('host'), of('srflx')), 'nat  host srflx');
  assert.equal(await told(of('relay', 'tls'), of('srflx')), 'relay tls relay srflx');
  assert.equal(await told(of('srflx', 'udp'), of('relay')), 'relay  srflx relay', 'the other side’s');
  assert.equal(await told(host(), of('srflx'), { selected: 'Q' }), 'local  host host', 'the one that the transport names');
  assert.equal(await told(host(), of('srflx'), { bytesSent: 0 }), 'local  host host', 'the one that carries the most');
  assert.equal(await told(host(), of('srflx'), { localCandidateId: 'gone' }), undefined);
});

inBrowser('without a path and without a TURN server, it is said how to add one', async (world) => {
  const server = await world.server();
  const pages = await fail(world, server);
  for (const page of pages) await expect(failure(page), 'the failure').toSay(/No network path works.*STUN server in Settings.*no TURN server.*--turn\./s, PATIENCE);
});

inBrowser('a STUN server that is known is not asked for', async (world) => {
  const server = await world.server('--ice-servers', 'stun:127.0.0.1:9');
  const [page] = await fail(world, server, { gathersAll: false }); // nobody answers there
  await expect(failure(page), 'the failure').toSay(/no TURN server/, PATIENCE);
  assert.doesNotMatch(await failure(page).textContent(), /in Settings/);
});

inBrowser('without a path, a TURN server that does not answer is told', async (world) => {
  const server = await world.server(...TURN);
  const change = (one) => (one.credential ? { ...one, urls: [NOWHERE] } : undefined);
  const pages = await fail(world, server, { change });
  for (const page of pages) {
    await expect(failure(page), 'the failure').toSay(/There was a TURN server, but it gave no answer: turn:127\.0\.0\.1:9\?transport=tcp/, PATIENCE);
    assert.doesNotMatch(await failure(page).textContent(), /--turn|in Settings/);
  }
});

inBrowser('without a path, a TURN server that refuses the credential is told, with what the browser says', async (world) => {
  const server = await world.server(...TURN);
  const change = (one) => (one.credential ? { ...one, credential: 'wrong' } : one);
  const pages = await fail(world, server, { change });
  for (const page of pages) {
    await expect(failure(page), 'the failure').toSay(/it refused the credential: turn:127\.0\.0\.1:\d+\?transport=\w+.*\(401 [^)]+\)/, PATIENCE);
    assert.doesNotMatch(await failure(page).textContent(), /gave this side a relay|no answer/);
    await page.setViewportSize({ width: 320, height: 568 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${over} px to scroll sideways`);
  }
});

inBrowser('without a path, a relay that was of no use is told', async (world) => {
  const server = await world.server(...TURN);
  const pages = await fail(world, server);
  for (const page of pages) {
    await expect(failure(page), 'the failure').toSay(/There was a TURN server, and it gave this side a relay.*relay ports/s, PATIENCE);
    assert.doesNotMatch(await failure(page).textContent(), /refused|no answer|no TURN/);
  }
});

inBrowser('whatever came of TURN servers is told in both languages', async (world) => {
  const server = await world.server();
  const url = 'turn:turn.example.org?transport=udp';
  const error = (code) => ({ urls: [url], gaveRelay: false, errors: [{ code, text: 'said', urls: [url] }] });
  const cases = {
    'no TURN server': { urls: [], errors: [] }, 'no answer': { urls: [url], errors: [] }, 'this side a relay': { urls: [url], gaveRelay: true, errors: [] },
    'refused the credential': error(401), 'no more relays': error(486), 'no relay left': error(508), 'not reached': error(701), 'gave no relay': error(500),
  };
  for (const language of ['en', 'zh']) {
    const page = await world.page(`${server.url}?lang=${language}`);
    await page.locator('#qr svg').waitFor();
    for (const [name, turn] of Object.entries(cases)) {
      const { todo } = await page.evaluate(async (became) => {
        const { adviceFor } = await import(new URL('web/advice.js', document.baseURI));
        return adviceFor({ code: 'IceFailed' }, true, became);
      }, turn);
      assert.ok(todo.every((text) => /\p{Script=Han}/u.test(text) === (language === 'zh')), `${language}, ${name}: ${todo}`);
      if (language === 'en') assert.ok(todo.some((text) => text.includes(name)), `${name}: got ${todo}`);
      const [code] = (turn.errors ?? []).map((one) => `${one.code} ${one.text}`);
      if (turn.urls.length > 0 && !turn.gaveRelay) assert.ok(todo.some((text) => text.includes(url) && text.includes(code ?? '')), `${name}: got ${todo}`);
      assert.ok(todo.every((text) => !text.includes('{}')), `${name}: got ${todo}`);
    }
  }
});

inBrowser('the server’s list is used, with a STUN server of one’s own in place of the server’s', async (world) => {
  const server = await world.server(...TURN);
  const own = 'stun:127.0.0.1:9';
  const page = await world.page();
  await page.addInitScript(keepConnections);
  const urls = () => page.evaluate(() => globalThis.connections.at(-1)?.getConfiguration().iceServers.flatMap((one) => one.urls) ?? []);
  await page.goto(server.url);
  await page.waitForFunction(() => globalThis.connections.at(-1)?.getConfiguration().iceServers.length > 0);
  assert.deepEqual((await urls()).map((url) => url.replace(/:\d+(?=\?|$)/, '')), ['stun:127.0.0.1', 'turn:127.0.0.1?transport=udp', 'turn:127.0.0.1?transport=tcp']);
  const theirs = (await urls()).slice(1);
  await page.goto(`${server.url}#key=own-${Date.now()}&stun=${encodeURIComponent(own)}`);
  await page.reload();
  await page.waitForFunction(() => globalThis.connections.at(-1)?.getConfiguration().iceServers.length > 0);
  assert.deepEqual(await urls(), [own, ...theirs]);
});

inBrowser('beside a STUN server of one’s own the server’s TURN servers are asked for anew, before their credentials end', async (world) => {
  const server = await world.server(...TURN, '--ice-ttl', '1h');
  const page = await world.page();
  await page.clock.install();
  await page.addInitScript(keepConnections);
  let asked = 0;
  await page.route('**/ice', (route) => {
    asked++;
    return changed(route, (one) => ({ ...one, ...one.username && { username: `list ${asked}` } }));
  });
  const names = () => page.evaluate(() => globalThis.connections.at(-1)?.getConfiguration().iceServers.map((one) => one.username || one.urls).join() ?? '');
  await page.goto(`${server.url}#key=again-${Date.now()}&stun=stun:127.0.0.1:9`);
  await expect({ textContent: names }, 'the servers').toSay(/^stun:127\.0\.0\.1:9,list 1$/, PATIENCE);
  await page.clock.fastForward('29:00');
  await page.clock.fastForward('02:00');
  await expect({ textContent: names }, 'the servers').toSay(/^stun:127\.0\.0\.1:9,list 2$/, PATIENCE);
});
