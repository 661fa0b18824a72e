// The demo page, as two people use it.

import assert from 'node:assert/strict';
import { connectBoth, isConnected, openJoiner, openStarter, pressConnect, says } from './demo.js';
import { expect } from './expect.js';
import { PATIENCE, inBrowser } from './world.js';

const failure = (page) => page.getByRole('alert');
const SECRET = 'correct horse battery staple';

inBrowser('two tabs connect by data channel, the offerer first', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await openJoiner(world, link);
  await connectBoth(starter, joiner);
  await says(starter, joiner, 'are you there');
  await says(joiner, starter, 'yes, I am');
});

inBrowser('two tabs connect by data channel, the answerer first', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await openJoiner(world, link);
  await connectBoth(joiner, starter);
  await says(starter, joiner, 'are you there');
});

inBrowser('both tabs report that they connected, and over what', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await openJoiner(world, link);
  const reports = [starter, joiner].map((page) => page.waitForResponse((response) => response.url().endsWith('/outcome')));
  await connectBoth(starter, joiner);
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
  await connectBoth(starter, joiner);
  await says(joiner, starter, 'by events');
});

inBrowser('two tabs see each other’s camera', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { mode: 'camera' });
  const joiner = await openJoiner(world, link);
  await connectBoth(starter, joiner);
  for (const page of [starter, joiner]) {
    await page.waitForFunction(() => {
      const video = document.querySelector('#remote');
      return video.videoWidth > 0 && video.getVideoPlaybackQuality().totalVideoFrames > 5;
    });
  }
  await joiner.getByRole('button', { name: 'Camera off' }).click();
  assert.equal(await joiner.getByRole('button', { name: 'Camera off' }).getAttribute('aria-pressed'), 'true');
});

inBrowser('the same secret on both sides connects, and seals what passes', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { secret: SECRET });
  assert.ok(!link.includes('horse'), 'the secret is not in the link');
  const bodies = [];
  starter.on('request', (request) => bodies.push(request.postData() ?? ''));
  const joiner = await openJoiner(world, link, { secret: SECRET });
  await connectBoth(starter, joiner);
  await says(starter, joiner, 'for your eyes only');
  assert.ok(bodies.some((body) => body.includes('s1.')), 'what is posted is sealed');
  assert.ok(bodies.every((body) => !body.includes('candidate:') && !body.includes('v=0')), 'nothing is posted in the clear');
});

inBrowser('another secret is reported on both sides', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { secret: SECRET });
  const joiner = await openJoiner(world, link, { secret: 'another one' });
  for (const page of [starter, joiner]) await pressConnect(page);
  for (const page of [starter, joiner]) {
    await expect(failure(page), 'the failure').toSay(/The secrets do not match.*same secret on both sides/s, PATIENCE);
  }
});

inBrowser('a missing secret is reported on both sides', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { secret: SECRET });
  const joiner = await openJoiner(world, link.replace('&sealed=1', ''));
  for (const page of [starter, joiner]) await pressConnect(page);
  await expect(failure(joiner), 'the failure').toSay(/A secret is needed/, PATIENCE);
  await expect(failure(starter), 'the failure').toSay(/The other side has no secret/, PATIENCE);
});

inBrowser('two who both start connect, and so do two who both join', async (world) => {
  const server = await world.server();
  const { page: starter } = await openStarter(world, server.url);
  const key = await starter.getByLabel('Key', { exact: true }).inputValue();
  const { page: other } = await openStarter(world, server.url);
  await other.getByLabel('Key', { exact: true }).fill(key);
  await connectBoth(starter, other);
  await says(starter, other, 'who calls whom?');
  for (const page of [starter, other]) {
    await page.reload();
    await page.getByRole('radio', { name: 'I join' }).check();
    await page.getByLabel('Key', { exact: true }).fill(key);
  }
  for (const page of [starter, other]) await pressConnect(page); // at once
  for (const page of [starter, other]) await isConnected(page);
  await says(other, starter, 'never mind');
});

inBrowser('a key may be typed, or a link pasted', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await world.page(server.url);
  await joiner.getByRole('radio', { name: 'I join' }).check();
  await joiner.getByLabel('Key', { exact: true }).fill(link);
  assert.equal(await joiner.getByLabel('Key', { exact: true }).inputValue(), await starter.getByLabel('Key', { exact: true }).inputValue());
  await connectBoth(starter, joiner);
});

inBrowser('the keyboard is enough', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await openJoiner(world, link);
  for (const page of [starter, joiner]) {
    await page.getByLabel('Key', { exact: true }).focus();
    await page.keyboard.press('Enter');
  }
  await isConnected(starter);
  await isConnected(joiner);
  await starter.waitForFunction(() => document.activeElement.id === 'text'); // the focus is where one goes on
  await starter.keyboard.type('typed');
  await starter.keyboard.press('Enter');
  await expect(joiner.locator('#chat .theirs'), 'the chat').toSay(/typed/, PATIENCE);
});

inBrowser('who hangs up can call again with the same key, and the other side is told', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await openJoiner(world, link);
  for (let i = 0; i < 2; i++) {
    await connectBoth(starter, joiner);
    await starter.getByRole('button', { name: 'Hang up' }).click();
    await expect(joiner.locator('#status'), 'status').toSay(/has left/, PATIENCE);
  }
});

inBrowser('the key reaches no address and no log', async (world) => {
  const server = await world.server();
  const urls = [];
  const { page: starter, link } = await openStarter(world, server.url);
  const key = await starter.getByLabel('Key', { exact: true }).inputValue();
  assert.match(key, /^[A-Za-z0-9_-]{22}$/);
  starter.on('request', (request) => urls.push(request.url()));
  const joiner = await openJoiner(world, link);
  joiner.on('request', (request) => urls.push(request.url()));
  await connectBoth(starter, joiner);
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
  await connectBoth(starter, joiner);
  await joiner.getByLabel('Message', { exact: true }).fill(evil);
  await joiner.getByRole('button', { name: 'Send' }).click();
  await expect(starter.locator('#chat .theirs'), 'the chat').toSay(/<img src=x/, PATIENCE);

  const key = encodeURIComponent(evil.slice(0, 32));
  const invited = await world.page(`${server.url}#key=${key}&role=answer&mode=%3Cb%3E&stun=javascript:alert(1)`);
  assert.equal(await invited.getByLabel('STUN server').inputValue(), '');
  const offer = JSON.stringify({ type: 'offer', sdp: evil });
  await fetch(`${server.url}offer/messages?key=${key}`, {
    method: 'POST', body: JSON.stringify({ sdp: offer, candidates: [evil, JSON.stringify({ candidate: evil })] }),
  });
  await pressConnect(invited);
  await expect(failure(invited), 'the failure').toSay(/something strange/, PATIENCE);
  for (const page of [starter, invited]) {
    assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
    assert.equal(await page.locator('main img').count(), 0);
  }
});

inBrowser('a camera that is refused is explained', async (world) => {
  const server = await world.server();
  const page = await world.page(server.url);
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
  });
  await page.getByRole('radio', { name: 'Camera' }).check();
  await pressConnect(page);
  await expect(failure(page), 'the failure').toSay(/blocked.*Allow them/s, PATIENCE);
});

inBrowser('a connection that fails says what to do', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  const joiner = await openJoiner(world, link);
  for (const page of [starter, joiner]) await page.evaluate(letNothingThrough);
  await pressConnect(starter);
  await pressConnect(joiner);
  await expect(failure(starter), 'the failure').toSay(/No network path works.*TURN/s, PATIENCE);
  assert.ok(await failure(starter).getByRole('listitem').count() >= 2);
});

/** Runs in the page. No candidate gets through, as behind a firewall, and the page gives up after a second in place of half a minute. */
function letNothingThrough() {
  RTCPeerConnection.prototype.addIceCandidate = () => Promise.resolve();
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (task, ms, ...rest) => setTimeout(task, ms === 30_000 ? 1_000 : ms, ...rest);
}
