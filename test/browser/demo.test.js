// The demo page, as two people use it.

import assert from 'node:assert/strict';
import { areConnected, choose, failure, isWaiting, keyOf, openJoiner, openStarter, says } from './demo.js';
import { expect, watch } from './expect.js';
import { ELSEWHERE } from './states.js';
import { PATIENCE, inBrowser } from './world.js';

const SECRET = 'correct horse battery staple';

inBrowser('two tabs say hello after one act: the link is opened', async (world) => {
  const server = await world.server();
  const { page: starter } = await openStarter(world, server.url);
  const opened = starter.waitForEvent('popup');
  await starter.getByRole('link', { name: 'Open in a new tab' }).click();
  const joiner = await opened;
  await areConnected(starter, joiner);
  await says(starter, joiner, 'are you there');
  await says(joiner, starter, 'yes, I am');
});

inBrowser('who follows a link before the other side is there is told, and connected when it comes', async (world) => {
  const server = await world.server();
  const link = `${server.url}#key=early-${Date.now()}`;
  const first = await openJoiner(world, link);
  await expect(first.locator('#alone'), 'the page').toSay(/Nobody else is here yet.*good for two/s, PATIENCE);
  await isWaiting(first);
  await first.getByRole('heading', { name: 'Nobody else is here yet' }).waitFor();
  const second = await openJoiner(world, link);
  await areConnected(first, second);
  await says(second, first, 'here I am');
});

inBrowser('links of earlier pages still join', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await openJoiner(world, `${link}&role=answer&mode=camera`);
  await areConnected(starter, joiner);
  assert.equal(await joiner.getByRole('switch', { name: 'Camera' }).getAttribute('aria-checked'), 'false');
});

inBrowser('both tabs report that they connected, and over what', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await world.page();
  const reports = [starter, joiner].map((page) => page.waitForResponse((response) => response.url().endsWith('/outcome')));
  await joiner.goto(link);
  await areConnected(starter, joiner);
  for (const response of await Promise.all(reports)) {
    const { result, candidate_type: type, ms } = JSON.parse(response.request().postData());
    assert.deepEqual([result, type, response.status()], ['connected', 'host', 200]);
    assert.ok(ms > 0 && ms < PATIENCE, `${ms} ms`);
    assert.equal((await response.json()).msg, '');
  }
});

inBrowser('two tabs connect by event streams', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { events: true });
  const joiner = await openJoiner(world, link, { events: true });
  await areConnected(starter, joiner);
  await says(joiner, starter, 'by events');
});

inBrowser('one switch seals the call, and the other side gets the secret by the link', async (world) => {
  const server = await world.server();
  const { page: starter, link: before } = await openStarter(world, server.url);
  const code = () => starter.locator('#qr path').getAttribute('d');
  const codeBefore = await code();
  await starter.getByRole('switch', { name: 'End-to-end encryption' }).check();
  const link = await starter.getByLabel('Link for the other side').inputValue();
  assert.match(link, /#key=[\w-]{22}&secret=[\w-]{22}$/);
  assert.equal(keyOf(link), keyOf(before));
  assert.notEqual(await code(), codeBefore, 'the QR code is of the link');
  const sent = [];
  const joiner = await world.page();
  for (const page of [starter, joiner]) page.on('request', (request) => sent.push(`${request.url().replace(/#.*/, '')} ${request.postData() ?? ''}`));
  await joiner.goto(link);
  await areConnected(starter, joiner);
  await says(starter, joiner, 'for your eyes only');
  const secret = new URLSearchParams(new URL(link).hash.slice(1)).get('secret');
  assert.ok(sent.some((text) => text.includes('s1.')), 'what is posted is sealed');
  assert.ok(sent.every((text) => !/candidate:|v=0/.test(text)), 'nothing is posted in the clear');
  assert.deepEqual([...sent, ...server.lines].filter((text) => text.includes(secret)), [], 'the secret reaches nobody');
});

inBrowser('a secret of one’s own is not in the link, and is asked for', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { secret: SECRET });
  assert.ok(!link.includes('horse'), 'the secret is not in the link');
  const joiner = await openJoiner(world, link);
  await expect(joiner.locator('#asking'), 'the page').toSay(/A secret is needed/, PATIENCE);
  await joiner.getByLabel('Secret', { exact: true }).fill(SECRET);
  await joiner.keyboard.press('Enter');
  await areConnected(starter, joiner);
});

inBrowser('another secret is reported on both sides', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { secret: SECRET });
  const joiner = await openJoiner(world, link);
  await joiner.getByLabel('Secret', { exact: true }).fill('another one');
  await joiner.getByRole('button', { name: 'Continue' }).click();
  for (const page of [starter, joiner]) {
    await expect(failure(page), 'the failure').toSay(/The secrets do not match.*same secret on both sides/s, PATIENCE);
  }
  assert.equal(await joiner.evaluate(() => document.activeElement.id), 'again', 'the focus is where one goes on');
});

inBrowser('a missing secret is reported on one side and asked for on the other', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { secret: SECRET });
  const joiner = await openJoiner(world, link.replace('&sealed=1', ''));
  await expect(failure(starter), 'the failure').toSay(/The other side has no secret/, PATIENCE);
  await joiner.getByLabel('Secret', { exact: true }).fill(SECRET);
  await joiner.keyboard.press('Enter');
  await starter.getByRole('button', { name: 'Try again' }).click();
  await areConnected(starter, joiner);
});

inBrowser('a key may be chosen, a link pasted, and the role fixed', async (world) => {
  const server = await world.server();
  const [starter, joiner] = [await world.page(server.url), await world.page(server.url)];
  const key = `ours-${Date.now()}`;
  await choose(starter, { key, role: 'answer' });
  const link = await starter.getByLabel('Link for the other side').inputValue();
  assert.equal(keyOf(link), key);
  await choose(joiner, { key: link, role: 'offer' });
  await areConnected(starter, joiner);
  await starter.locator('summary', { hasText: 'How it connects' }).click();
  await expect(starter.locator('#marks'), 'the times').toSay(/Offer received.*Answer sent.*Path found.*Connected/s, PATIENCE);
  await expect(starter.locator('#together'), 'the time that counts').toSay(/^Connected \d+ ms after/, PATIENCE);
});

inBrowser('Escape leaves the settings as they were, and what is not valid is not taken', async (world) => {
  const server = await world.server();
  const { page, link } = await openStarter(world, server.url);
  const settings = page.getByRole('button', { name: 'Settings' });
  await settings.click();
  await page.getByLabel('Key', { exact: true }).fill('never');
  await page.getByLabel('STUN server').fill('javascript:alert(1)');
  await page.keyboard.press('Enter');
  assert.ok(await page.getByRole('dialog').isVisible(), 'the dialog stays: there is a mistake in it');
  await page.keyboard.press('Escape');
  assert.ok(!await page.getByRole('dialog').isVisible());
  assert.equal(await page.getByLabel('Link for the other side').inputValue(), link);
  assert.ok(await settings.evaluate((button) => button === document.activeElement), 'the focus is back where it was');
});

inBrowser('the key reaches no address and no log', async (world) => {
  const server = await world.server();
  const urls = [];
  const { page: starter, link } = await openStarter(world, server.url);
  const key = keyOf(link);
  assert.match(key, /^[A-Za-z0-9_-]{22}$/);
  starter.on('request', (request) => urls.push(request.url()));
  const joiner = await world.page();
  joiner.on('request', (request) => urls.push(request.url()));
  await joiner.goto(link);
  await areConnected(starter, joiner);
  assert.ok(urls.length > 0);
  const sent = urls.map((url) => url.replace(/#.*/, ''));
  assert.deepEqual(sent.filter((url) => url.includes(key)), []);
  assert.deepEqual(server.lines.filter((line) => line.includes(key)), []);
});

inBrowser('nothing that a payload or a link holds can run or inject', async (world) => {
  const server = await world.server();
  const evil = '<img src=x onerror="globalThis.hacked = true"><script>globalThis.hacked = true</script>';
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await openJoiner(world, link);
  await areConnected(starter, joiner);
  await joiner.getByLabel('Message', { exact: true }).fill(evil);
  await joiner.getByRole('button', { name: 'Send' }).click();
  await expect(starter.locator('#chat .theirs'), 'the chat').toSay(/<img src=x/, PATIENCE);

  const key = encodeURIComponent(evil.slice(0, 32));
  const offer = JSON.stringify({ type: 'offer', sdp: evil });
  await fetch(`${server.url}offer/messages?key=${key}`, {
    method: 'POST', body: JSON.stringify({ sdp: offer, candidates: [evil, JSON.stringify({ candidate: evil })] }),
  });
  const invited = await world.page(`${server.url}#key=${key}&role=answer&mode=%3Cb%3E&stun=javascript:alert(1)`);
  await expect(failure(invited), 'the failure').toSay(/something strange/, PATIENCE);
  await invited.getByRole('button', { name: 'Settings' }).click();
  assert.equal(await invited.getByLabel('STUN server').inputValue(), '');
  for (const page of [starter, invited]) {
    assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
    assert.equal(await page.locator('main img').count(), 0);
  }
});

inBrowser('a connection that fails says what to do', async (world) => {
  const server = await world.server();
  const [starter, joiner] = [await world.page(), await world.page()];
  for (const page of [starter, joiner]) await page.addInitScript(letNothingThrough);
  await starter.goto(server.url);
  await isWaiting(starter);
  await joiner.goto(await starter.getByLabel('Link for the other side').inputValue());
  await expect(failure(starter), 'the failure').toSay(/No network path works.*TURN/s, PATIENCE);
  assert.ok(await failure(starter).getByRole('listitem').count() >= 2);
});

/** Runs in the page. No candidate gets through, as behind a firewall, and the page gives up after a second in place of half a minute. */
function letNothingThrough() {
  RTCPeerConnection.prototype.addIceCandidate = () => Promise.resolve();
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (task, ms, ...rest) => setTimeout(task, ms === 30_000 ? 1_000 : ms, ...rest);
}

inBrowser('two who are connecting by a link leave no place for a third', async (world) => {
  const server = await world.server();
  const key = `taken-${Date.now()}`;
  const post = (role, sdp) => fetch(`${server.url}${role}/messages?key=${key}`, { method: 'POST', body: JSON.stringify({ sdp }) });
  await post('offer', JSON.stringify({ type: 'offer', sdp: await offerOf(await world.page(server.url)) }));
  await post('answer', 'somebody was faster');
  const third = await openJoiner(world, `${server.url}#key=${key}`);
  await expect(failure(third), 'the failure').toSay(/This link is in use.*good for two/s, PATIENCE);
  await third.getByRole('button', { name: 'Start a new call' }).click();
  await isWaiting(third);
  assert.notEqual(keyOf(await third.getByLabel('Link for the other side').inputValue()), key);
});

/** An offer that a page has made. */
const offerOf = (page) => page.evaluate(async () => {
  const pc = new RTCPeerConnection();
  pc.createDataChannel('chat');
  return (await pc.createOffer()).sdp;
});

inBrowser('a server that is full is waited for', async (world) => {
  const server = await world.server();
  const page = await world.page(undefined, { expectErrors: [/Failed to load resource.* 503/] });
  const full = { status: 503, json: { msg: '缓存超出MaxCost，服务已达到最大负载', data: null } };
  await page.route('**/offer/messages*', (route) => route.fulfill(full));
  await page.goto(server.url);
  await expect(page.locator('#status'), 'status').toSay(/The server is full/, PATIENCE);
  await page.unroute('**/offer/messages*');
  await isWaiting(page);
  const joiner = await openJoiner(world, await page.getByLabel('Link for the other side').inputValue());
  await areConnected(page, joiner);
});

inBrowser('the link is copied on a page that has no clipboard, and shared where the device can', async (world) => {
  const server = await world.server();
  const page = await world.page(undefined, { expectErrors: [/Cross-Origin-Opener-Policy header has been ignored/] });
  await page.addInitScript(() => { navigator.share = (data) => { globalThis.shared = data; return Promise.resolve(); }; });
  await page.goto(server.url.replace('127.0.0.1', ELSEWHERE)); // by HTTP, as from a phone in the same network
  await isWaiting(page);
  assert.equal(await page.evaluate(() => navigator.clipboard), undefined);
  const isCopied = await watch(page, '#copy', /^Copied$/);
  await page.getByRole('button', { name: 'Copy link' }).click();
  await isCopied(PATIENCE);
  const link = await page.getByLabel('Link for the other side').inputValue();
  await page.getByRole('button', { name: 'Share' }).click();
  assert.deepEqual(await page.evaluate(() => globalThis.shared), { url: link });
  const joiner = await world.page(link, { expectErrors: [/Cross-Origin-Opener-Policy header has been ignored/] });
  await areConnected(page, joiner);
  await joiner.getByRole('switch', { name: 'Camera' }).click();
  await expect(joiner.locator('#note'), 'the note').toSay(/only on pages that were opened by HTTPS/, PATIENCE);
  await says(joiner, page, 'by plain HTTP');
});

inBrowser('a link that a phone cannot open says so, and one that it can does not', async (world) => {
  const server = await world.server();
  const caption = async (url) => {
    const page = await world.page(url, { expectErrors: [/Cross-Origin-Opener-Policy header has been ignored/] });
    await isWaiting(page);
    return page.locator('#qr-caption').textContent();
  };
  const { port } = new URL(server.url);
  for (const host of ['127.0.0.1', 'localhost', 'page.localhost']) {
    const url = `http://${host}:${port}/`;
    assert.match(await caption(url), /A phone cannot open this link.*HTTPS/, host);
  }
  assert.match(await caption(`http://${ELSEWHERE}:${port}/`), /scan it with a phone/);
});
