// The demo page speaks English and Chinese.

import assert from 'node:assert/strict';
import { areConnected, choose, openJoiner, openStarter, says } from './demo.js';
import { expect } from './expect.js';
import { PATIENCE, inBrowser } from './world.js';

const HAN = /\p{Script=Han}/u;

inBrowser('each text is there in both languages', async (world) => {
  const page = await world.page((await world.server()).quiet);
  const texts = await page.evaluate(async () => (await import(new URL('web/texts.js', document.baseURI))).TEXTS);
  const names = Object.keys(texts);
  assert.ok(names.length > 100, `got ${names.length} texts`);
  const alike = [];
  for (const name of names) {
    const [english, chinese, ...more] = texts[name];
    assert.ok(english && chinese && more.length === 0, `${name}: got ${JSON.stringify(texts[name])}, want two texts`);
    assert.ok(name === 'otherLanguage' || !HAN.test(english), `${name}: got ${english}, want English`);
    assert.equal(english.split('{}').length, chinese.split('{}').length, `${name}: the same values in both`);
    if (!HAN.test(chinese)) alike.push(name);
  }
  assert.deepEqual(alike, ['titled', 'candidate', 'otherLanguage'], 'texts that are no Chinese');
});

inBrowser('each text is used', async (world) => {
  const server = await world.server();
  const page = await world.page(server.url);
  const unused = await page.evaluate(async () => {
    const { TEXTS } = await import(new URL('web/texts.js', document.baseURI));
    const files = performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => name.includes('/web/') && name.endsWith('.js') && !name.endsWith('texts.js'));
    const all = (await Promise.all([document.baseURI, ...files].map(async (name) => (await fetch(name)).text()))).join('\n');
    return Object.keys(TEXTS).filter((name) => !new RegExp(`['"]${name}['"]`).test(all));
  });
  assert.deepEqual(unused, []);
});

inBrowser('a browser that speaks Chinese gets a page in Chinese, whatever happens', async (world) => {
  const server = await world.server();
  const chinese = { locale: 'zh-CN' };
  const starter = await world.page(server.url, chinese);
  await expect(starter.locator('#status'), 'status').toSay(/等待对方加入/, PATIENCE);
  assert.equal(await starter.evaluate(() => document.documentElement.lang), 'zh-Hans');
  await onlyChinese(starter, 'waiting');
  await starter.getByRole('button', { name: '设置' }).click();
  await onlyChinese(starter, 'settings');
  await starter.keyboard.press('Escape');
  const link = await starter.getByLabel('邀请链接', { exact: true }).inputValue();
  assert.ok(!link.includes('lang='), 'the other side has a language of its own');
  const joiner = await world.page(link, chinese);
  for (const page of [starter, joiner]) await expect(page.locator('#status'), 'status').toSay(/^已连接$/, PATIENCE);
  for (const page of [starter, joiner]) {
    for (const summary of await page.locator('.curious > details > summary').all()) await summary.click();
    await onlyChinese(page, 'connected');
  }
  assert.equal(await starter.title(), '已连接 · signal-server');
  await joiner.getByRole('button', { name: '离开' }).click();
  await expect(starter.locator('#ending'), 'the page').toSay(/对方已离开/, PATIENCE);
  for (const page of [starter, joiner]) await onlyChinese(page, 'over');
  await joiner.goto(`${server.url}#key=sealed-${Date.now()}&sealed=1`);
  await expect(joiner.locator('#asking'), 'the page').toSay(/需要输入密码/, PATIENCE);
  await onlyChinese(joiner, 'asked for the secret');
});

/** What may stand in Latin letters on a Chinese page: names, keys, and what the wire calls things. */
const NAMES = new RegExp([
  'signal-server', 'English', 'API', 'key', 'HTTPS?', 'STUN', 'TURN', 'NAT', 'JSON', 'VPN', 'Wi-Fi', 'offer', 'answer', 'candidate', 'sdp', 'ms', 's', 'udp', 'tcp', 'UDP', 'TCP', 'host', 'srflx', 'prflx', 'relay',
  'GET', 'POST', 'DELETE', '/[a-z]+', '[0-9a-f.:[\\]]+', '[0-9a-f-]+\\.local', 'ctx', 'MaxCost', 'OnEvict', 'data', 'body', 'UTF-8', 'cursor', 'wait', 'Idempotency-Key', 'ASCII',
].map((name) => `(?<![A-Za-z0-9_-])${name}(?![\\w-])`).join('|'), 'g');

/** Checks that whatever a page shows or says to those who hear it is Chinese. */
async function onlyChinese(page, state) {
  const texts = await page.evaluate(() => {
    const found = [document.title];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { parentElement, data } = walker.currentNode;
      if (!parentElement.closest('noscript') && parentElement.checkVisibility()) found.push(data);
    }
    for (const name of ['aria-label', 'title', 'alt', 'placeholder']) {
      for (const e of document.querySelectorAll(`[${name}]`)) if (e.checkVisibility() && e.id !== 'stun') found.push(e.getAttribute(name));
    }
    return found.map((text) => text.trim()).filter(Boolean);
  });
  assert.ok(texts.length > 5, `${state}: got ${texts.length} texts`);
  const foreign = texts.filter((text) => /[A-Za-z]{2}/.test(text.replace(NAMES, '')));
  assert.deepEqual(foreign, [], `${state}: what is no Chinese`);
}

inBrowser('the language can be changed, and the call is found again', async (world) => {
  const server = await world.server();
  const { page: starter, link } = await openStarter(world, server.url);
  await starter.getByRole('link', { name: '中文' }).click();
  await expect(starter.locator('#status'), 'status').toSay(/等待对方加入/, PATIENCE);
  assert.equal(await starter.getByLabel('邀请链接', { exact: true }).inputValue(), link);
  await starter.getByRole('link', { name: 'English' }).click();
  const joiner = await openJoiner(world, link);
  await areConnected(starter, joiner);
  await says(joiner, starter, 'in any language');
});

inBrowser('settings that are not the usual ones survive their own dialog', async (world) => {
  const { page } = await openStarter(world, (await world.server()).url);
  await choose(page, { stun: 'stun:127.0.0.1:9', events: true, role: 'offer' });
  await page.getByRole('button', { name: 'Settings' }).click();
  assert.equal(await page.getByLabel('STUN server').inputValue(), 'stun:127.0.0.1:9');
  assert.equal(await page.getByLabel('Receive by').inputValue(), 'events');
  assert.equal(await page.getByLabel('Who calls').inputValue(), 'offer');
  assert.match(await page.getByLabel('Link for the other side').inputValue(), /&stun=stun%3A127\.0\.0\.1%3A9$/);
});
