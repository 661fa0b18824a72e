// A call on the demo page: camera, leaving, and what happens when a side is lost.

import assert from 'node:assert/strict';
import { areConnected, failure, isConnected, isWaiting, openJoiner, openStarter, says, seesTheOther } from './demo.js';
import { expect, watch } from './expect.js';
import { Relay, relayCandidates } from './relay.js';
import { PATIENCE, inBrowser } from './world.js';

const camera = (page) => page.getByRole('switch', { name: 'Camera' });
const focused = (page) => page.evaluate(() => document.activeElement.id);
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** Two pages that are connected. */
async function pair(world, options = {}) {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, options);
  const joiner = await openJoiner(world, link, options);
  await areConnected(starter, joiner);
  return { server, starter, joiner, link };
}

inBrowser('a camera may be turned on before the call, and on the other side later', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { ...PHONE, camera: true });
  await starter.waitForFunction(() => document.querySelector('#local').videoWidth > 0);
  const joiner = await openJoiner(world, link, PHONE);
  await areConnected(starter, joiner);
  await seesTheOther(joiner);
  const stage = await joiner.locator('#stage').boundingBox();
  assert.ok(stage.y >= 0 && stage.y + stage.height <= PHONE.viewport.height, `the video is on the screen: ${JSON.stringify(stage)}`);
  assert.ok(await starter.locator('#remote').isHidden(), 'no black picture of a side that shows nothing');
  await camera(joiner).click();
  await seesTheOther(starter);
  await says(starter, joiner, 'I see you');
  await camera(joiner).click();
  await starter.locator('#remote').waitFor({ state: 'hidden' });
  await camera(joiner).click();
  await seesTheOther(starter);
  const heard = () => starter.evaluate(() => document.querySelector('#remote').srcObject.getAudioTracks().length);
  assert.equal(await heard(), 1);
  await joiner.getByRole('button', { name: 'Mute' }).click();
  assert.equal(await joiner.getByRole('button', { name: 'Mute' }).getAttribute('aria-pressed'), 'true');
});

inBrowser('nobody is asked for a camera who did not turn it on', async (world) => {
  const server = await world.server();
  const pages = [await world.page(), await world.page()];
  for (const page of pages) {
    await page.addInitScript(() => {
      const { getUserMedia } = MediaDevices.prototype;
      globalThis.asked = 0;
      MediaDevices.prototype.getUserMedia = function counted(...wish) {
        globalThis.asked++;
        return getUserMedia.apply(this, wish);
      };
    });
  }
  await pages[0].goto(server.url);
  await isWaiting(pages[0]);
  await pages[0].evaluate(() => { document.querySelector('#camera').click(); });
  await pages[1].goto(await pages[0].getByLabel('Link for the other side').inputValue());
  await areConnected(...pages);
  await seesTheOther(pages[1]);
  assert.deepEqual(await Promise.all(pages.map((page) => page.evaluate(() => globalThis.asked))), [1, 0]);
});

inBrowser('a camera that is refused is told, and the chat goes on', async (world) => {
  const { starter, joiner } = await pair(world);
  await starter.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
  });
  await camera(starter).click();
  await expect(starter.locator('#note'), 'the note').toSay(/blocked.*go on writing/s, PATIENCE);
  assert.equal(await camera(starter).getAttribute('aria-checked'), 'false');
  await starter.keyboard.press('Escape');
  assert.ok(await starter.locator('#note').isHidden(), 'Escape takes the note away');
  await says(starter, joiner, 'no camera here');
});

inBrowser('who leaves can call again by the same link, and the other side is told', async (world) => {
  const { starter, joiner } = await pair(world);
  for (let i = 0; i < 2; i++) {
    await says(starter, joiner, `round ${i}`);
    await starter.getByRole('button', { name: 'Leave' }).click();
    await expect(joiner.locator('#ending'), 'the page').toSay(/The other side has left/, PATIENCE);
    await expect(starter.locator('#ending'), 'the page').toSay(/You have left/, PATIENCE);
    for (const page of [starter, joiner]) assert.equal(await focused(page), 'again', 'the focus is not lost');
    assert.ok(await joiner.locator('#chat').isVisible(), 'what was said can still be read');
    for (const page of [starter, joiner]) await page.keyboard.press('Enter');
    await areConnected(starter, joiner);
  }
});

inBrowser('a page that is reloaded in the middle of a call comes back to it by itself', async (world) => {
  const { starter, joiner } = await pair(world);
  for (const [page, other] of [[starter, joiner], [joiner, starter]]) {
    await says(page, other, 'before');
    const isLost = await watch(other, '#status', /Connection lost/);
    await page.reload();
    await isLost(PATIENCE);
    await areConnected(starter, joiner);
    await says(page, other, 'after');
    await says(other, page, 'welcome back');
  }
  assert.match(await joiner.locator('#chat').textContent(), /welcome back/);
});

inBrowser('a tab that is closed is noticed by its end, and not by its silence', async (world) => {
  const { starter, joiner } = await pair(world);
  const isLost = await watch(joiner, '#status', /Connection lost/);
  await starter.close({ runBeforeUnload: true });
  const said = await isLost(PATIENCE);
  assert.ok(!said.some((text) => /interrupted/.test(text)), 'nothing of a network that is interrupted');
});

inBrowser('both pages are reloaded, and find each other again', async (world) => {
  const { starter, joiner } = await pair(world);
  await Promise.all([starter.reload(), joiner.reload()]);
  await areConnected(starter, joiner);
  await says(starter, joiner, 'still us');
});

inBrowser('a camera that is on stays on when the connection is lost', async (world) => {
  const { starter, joiner } = await pair(world);
  await camera(starter).click();
  await seesTheOther(joiner);
  await joiner.reload();
  await areConnected(starter, joiner);
  await seesTheOther(joiner);
});

inBrowser('a network that is lost is told, and when it is back so is the call', async (world) => {
  const server = await world.server();
  const relay = new Relay();
  world.defer(() => relay.close());
  const pages = [await world.page(), await world.page()];
  for (const page of pages) {
    await page.exposeFunction('relayed', (address, port) => relay.portFor(address, port));
    await page.addInitScript(relayCandidates);
  }
  await pages[0].goto(server.url);
  await isWaiting(pages[0]);
  await pages[1].goto(await pages[0].getByLabel('Link for the other side').inputValue());
  await areConnected(...pages);
  await says(pages[0], pages[1], 'before');
  relay.isCut = true;
  for (const page of pages) await expect(page.locator('#status'), 'status').toSay(/The network is interrupted/, PATIENCE);
  for (const page of pages) await expect(page.locator('#status'), 'status').toSay(/Connection lost/, PATIENCE * 2);
  relay.isCut = false;
  await areConnected(...pages);
  await says(pages[1], pages[0], 'and after');
});

inBrowser('a call goes on without the server', async (world) => {
  const { server, starter, joiner } = await pair(world, { expectErrors: [/Failed to load resource/] });
  await server.stop('SIGKILL');
  await says(starter, joiner, 'who needs it');
  await camera(joiner).click();
  await seesTheOther(starter);
});

inBrowser('a program that is no page gets the text, and nothing that pages tell each other', async (world) => {
  const server = await world.server();
  const program = await world.page(server.quiet);
  const key = `program-${Date.now()}`;
  const joined = program.evaluate(async (shared) => {
    const { connect } = await import(new URL('client/signal.js', document.baseURI));
    const pc = new RTCPeerConnection();
    globalThis.heard = [];
    globalThis.aside = [];
    const mine = pc.createDataChannel('mine');
    pc.ondatachannel = ({ channel }) => { channel.onmessage = ({ data }) => { globalThis.heard.push(data); mine.send(`echo ${data}`); }; };
    pc.createDataChannel('page', { negotiated: true, id: 100 }).onmessage = ({ data }) => globalThis.aside.push(data);
    await connect(pc, { url: location.origin, key: shared, role: 'offer' });
  }, key);
  const page = await openJoiner(world, `${server.url}#key=${key}`);
  await joined;
  await isConnected(page);
  await camera(page).click();
  await expect(page.locator('#note'), 'the note').toSay(/takes no video/, PATIENCE);
  await page.getByLabel('Message', { exact: true }).fill('hello');
  await page.keyboard.press('Enter');
  await expect(page.locator('#chat .theirs').last(), 'the chat').toSay(/echo hello/, PATIENCE);
  await page.getByRole('button', { name: 'Leave' }).click();
  assert.deepEqual(await program.evaluate(() => [globalThis.heard, globalThis.aside]), [['hello'], []]);
});

inBrowser('a third who opens the link while two talk is told, and disturbs nobody', async (world) => {
  const { starter, joiner, link } = await pair(world);
  const third = await openJoiner(world, link);
  await expect(third.locator('#alone'), 'the page').toSay(/good for two.*two others/s, PATIENCE);
  await third.getByRole('button', { name: 'Start a call of my own' }).waitFor();
  await says(starter, joiner, 'just us');
  await third.getByRole('button', { name: 'Start a call of my own' }).click();
  await third.getByRole('heading', { name: 'Send this link to one person' }).waitFor();
});

inBrowser('a tab that waits and is duplicated is connected with its copy', async (world) => {
  const server = await world.server();
  const { page: starter } = await openStarter(world, server.url);
  const opened = starter.waitForEvent('popup');
  await starter.evaluate(() => { open(location.href); }); // with a copy of what the tab remembers, as a duplicate has
  const copy = await opened;
  await areConnected(starter, copy);
  await says(starter, copy, 'me, too');
});

inBrowser('the keyboard is enough', async (world) => {
  const server = await world.server();
  const { page: starter } = await openStarter(world, server.url);
  assert.equal(await focused(starter), 'invite-title');
  await starter.keyboard.press('Tab');
  assert.equal(await focused(starter), 'link');
  await starter.keyboard.press('Tab');
  assert.equal(await focused(starter), 'copy');
  const isCopied = await watch(starter, '#copy', /^Copied$/);
  await starter.keyboard.press('Enter');
  await isCopied(PATIENCE);
  const joiner = await openJoiner(world, await starter.evaluate(() => navigator.clipboard.readText()));
  await areConnected(starter, joiner);
  for (const page of [starter, joiner]) assert.equal(await focused(page), 'text', 'the focus is where one goes on');
  await starter.keyboard.type('typed');
  await starter.keyboard.press('Enter');
  await expect(joiner.locator('#chat .theirs'), 'the chat').toSay(/typed/, PATIENCE);
  assert.equal(await focused(starter), 'text');
  await starter.keyboard.type('a draft');
  await starter.keyboard.press('Escape');
  assert.equal(await starter.locator('#text').inputValue(), 'a draft', 'nothing that was written is lost');
  const { href } = new URL(joiner.url());
  await joiner.goto('about:blank'); // the field is closed meanwhile
  await expect(starter.locator('#status'), 'status').toSay(/Connection lost/, PATIENCE);
  assert.equal(await focused(starter), 'talk-title');
  await joiner.goto(href);
  await isConnected(starter);
  assert.equal(await focused(starter), 'text', 'and it goes on there');
});

inBrowser('on a phone no keyboard covers the call when it begins', async (world) => {
  const { starter, joiner } = await pair(world, PHONE);
  for (const page of [starter, joiner]) assert.notEqual(await focused(page), 'text');
  assert.equal(await focused(starter), 'talk-title');
});

inBrowser('the title tells how it stands, and of messages while nobody looks', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  assert.equal(await starter.title(), 'Waiting · signal-server');
  const joiner = await openJoiner(world, link);
  await areConnected(starter, joiner);
  assert.equal(await starter.title(), 'Connected · signal-server');
  await says(joiner, starter, 'seen');
  assert.equal(await starter.title(), 'Connected · signal-server');
  const look = (hidden) => starter.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await look(true);
  for (const text of ['one', 'two']) await says(joiner, starter, text);
  assert.equal(await starter.title(), '(2) New message · signal-server');
  await look(false);
  assert.equal(await starter.title(), 'Connected · signal-server');
  await joiner.getByRole('button', { name: 'Leave' }).click();
  await expect(starter.locator('#ending'), 'the page').toSay(/has left/, PATIENCE);
  assert.equal(await starter.title(), 'Not connected · signal-server');
});

inBrowser('sound that a browser holds back is offered by a button', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url, { camera: true });
  const joiner = await world.page();
  await joiner.addInitScript(() => { // as a browser does on a page that nobody has touched
    const { play } = HTMLMediaElement.prototype;
    HTMLMediaElement.prototype.play = function refusing() {
      return this.muted || navigator.userActivation.isActive ? play.call(this) : Promise.reject(new DOMException('no gesture', 'NotAllowedError'));
    };
  });
  await joiner.goto(link);
  await areConnected(starter, joiner);
  await seesTheOther(joiner);
  await joiner.getByRole('button', { name: 'Turn sound on' }).click();
  await joiner.getByRole('button', { name: 'Turn sound on' }).waitFor({ state: 'hidden' });
  assert.ok(await joiner.getByRole('switch', { name: 'Camera' }).evaluate((button) => button === document.activeElement), 'the focus is not lost');
  assert.equal(await joiner.locator('#remote').evaluate((video) => video.muted), false);
});

inBrowser('steps are shown in an order that can be', async (world) => {
  const page = await world.page((await world.server()).quiet);
  const listed = (...marks) => page.evaluate(async (all) => {
    const { Steps } = await import(new URL('web/steps.js', document.baseURI));
    const steps = new Steps();
    for (const [name, at] of all) steps.mark(name, at);
    return steps.list.map((step) => `${step.name} ${step.at}`);
  }, marks);
  const met = (name) => page.evaluate(async (last) => {
    const { Steps } = await import(new URL('web/steps.js', document.baseURI));
    const steps = new Steps();
    for (const [i, step] of ['key', 'offer sent', last, 'connected'].entries()) steps.mark(step, i);
    return steps.met;
  }, name);
  assert.deepEqual([await met('answer received'), await met('ice')], [2, undefined], 'when the other side is there');
  assert.deepEqual(await listed(['key', 1], ['offer sent', 5], ['ice', 30], ['answer received', 35], ['open', 40], ['connected', 42]),
    ['key 1', 'offer sent 5', 'answer received 35', 'ice 35', 'connected 42', 'open 42'], 'what the browser tells too early or too late');
  assert.deepEqual(await listed(['key', 1], ['offer received', 5], ['answer sent', 9], ['open', 20]),
    ['key 1', 'offer received 5', 'answer sent 9', 'ice 20', 'connected 20', 'open 20'], 'a later step implies those before it');
  assert.deepEqual(await listed(['key', 1], ['offer sent', 5], ['answer received', 9], ['ice', 10], ['offer sent', 50]),
    ['key 1', 'offer sent 50'], 'a second offer begins anew');
});

inBrowser('a call that fails can be tried again', async (world) => {
  const server = await world.server();
  const page = await world.page(undefined, { expectErrors: [/Failed to load resource/] });
  await page.route('**/offer/messages*', (route) => route.fulfill({ status: 500, json: { msg: '服务器内部错误', data: null } }));
  await page.route('**/answer/messages*', (route) => route.fulfill({ status: 400, json: { msg: '请求格式错误', data: null } }));
  await page.goto(server.url);
  await expect(failure(page), 'the failure').toSay(/did not work/, PATIENCE);
  assert.equal(await focused(page), 'again');
  await page.unrouteAll();
  await page.keyboard.press('Enter');
  await isWaiting(page);
});
