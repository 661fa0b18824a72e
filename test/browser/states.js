// The demo page in each of its states, as people meet them. Tests look at all of them.

import { failure, seesTheOther } from './demo.js';
import { expect } from './expect.js';
import { PATIENCE } from './world.js';

const camera = (page) => page.locator('#camera');
const shows = (page, selector) => page.locator(selector).waitFor({ timeout: PATIENCE });

/** A name that leads to this computer, and that the page takes for another one: a phone could open such a link. */
export const ELSEWHERE = 'signal.test';

/** Widths and heights that people have. */
export const SCREENS = [[320, 568], [360, 740], [390, 844], [412, 915], [480, 900], [768, 1024], [1280, 800]];

/** Shows a page on each screen, in each of the colours, and hands it to see(name of the look). */
export async function eachLook(page, screens, colours, see) {
  for (const [width, height] of screens) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of colours) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await see(`${width}-${colorScheme}`);
    }
  }
}

/** Brings pages of this look (options of Playwright) into each state in turn, and hands them to see(page, name). */
export async function eachState(world, look, see) {
  const server = await world.server();
  const language = look.locale === 'zh-CN' ? '?lang=zh' : '?lang=en';

  const elsewhere = await world.page(server.url.replace('127.0.0.1', ELSEWHERE) + language, look);
  await shows(elsewhere, '#qr svg');
  await see(elsewhere, 'waiting');

  const starter = await world.page(server.url + language, look);
  await shows(starter, '#qr svg');
  await see(starter, 'waiting-localhost');
  await starter.locator('#open-settings').click();
  await see(starter, 'settings');
  await starter.keyboard.press('Escape');
  await starter.locator('#seal').evaluate((seal) => seal.click()); // where it would have to be scrolled to
  await see(starter, 'waiting-sealed');
  await camera(starter).click();
  await shows(starter, '#local');
  await see(starter, 'waiting-camera');
  await camera(starter).click();

  const early = await world.page(undefined, look);
  await early.addInitScript(holdTimer, ALONE_AFTER);
  await early.goto(`${server.url}${language}#key=early`);
  await shows(early, '[data-phase=joining] #status:not(:empty)');
  await see(early, 'joining');
  await early.waitForFunction(() => globalThis.held);
  await early.evaluate(() => globalThis.held());
  await shows(early, '#alone');
  await see(early, 'alone');

  const joiner = await world.page(withLanguage(await starter.locator('#link').inputValue(), language), look);
  for (const page of [starter, joiner]) await shows(page, '#path');
  await see(starter, 'connected');
  for (const [from, to, text] of SAID) await tells(from ? starter : joiner, to ? starter : joiner, text);
  await see(joiner, 'chat');
  await camera(joiner).click();
  await seesTheOther(starter);
  await see(starter, 'camera-theirs');
  await camera(starter).click();
  await seesTheOther(joiner);
  await see(starter, 'camera');
  await unfold(starter, true);
  await see(starter, 'curious');
  await unfold(starter, false);
  await joiner.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
  });
  await camera(joiner).click();
  await camera(joiner).click();
  await shows(joiner, '#note');
  await see(joiner, 'camera-refused');
  await joiner.goto('about:blank');
  await shows(starter, '[data-phase=lost] #talk');
  await see(starter, 'lost');
  await joiner.goto(await starter.evaluate(() => location.href));
  await shows(joiner, '#talk .chat');
  await joiner.locator('#leave').click();
  await shows(starter, '#ending');
  await see(starter, 'left');

  await early.goto(`${server.url}${language}#key=sealed&sealed=1`);
  await shows(early, '#asking');
  await see(early, 'secret-asked');
  await early.route('**/*messages*', (route) => route.fulfill({ status: 401, json: { msg: '未认证', data: null } }));
  await early.goto(server.url + language);
  await shows(early, '#asking');
  await early.locator('#answer').fill('wrong');
  await early.keyboard.press('Enter');
  await early.locator('#asking-wrong:not(:empty)').waitFor();
  await see(early, 'token-asked');
  await early.unrouteAll();
  await early.route('**/*messages*', (route) => route.fulfill({ json: { msg: 'sdp已存在', data: null } }));
  await early.locator('#answer').fill('right');
  await early.keyboard.press('Enter');
  await failure(early).waitFor();
  await see(early, 'failed');
}

/** How long the page looks for the other side before it says that nobody is there, in ms. */
const ALONE_AFTER = 2_000;

/** Runs in the page. A timer of so many ms fires when the test says so. */
function holdTimer(wanted) {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (task, ms, ...rest) => {
    if (ms !== wanted) return setTimeout(task, ms, ...rest);
    globalThis.held = task;
    return 0;
  };
}

/** The console of a browser says so of the answers that these states need. */
export const EXPECTED = [/Failed to load resource/, /Cross-Origin-Opener-Policy header has been ignored/];

const SAID = [
  [true, false, 'Hello! Can you read this?'],
  [false, true, 'Loud and clear, and with no server in between.'],
  [true, false, 'Shall I turn the camera on?'],
];

/** Unfolds all that is for the curious, and the first of the messages, or folds it again. */
const unfold = (page, open) => page.evaluate((value) => {
  for (const details of [...document.querySelectorAll('.curious > details'), document.querySelector('#traffic details')]) details.open = value;
  scrollTo(0, 0);
}, open);

async function tells(from, to, text) {
  await from.locator('#text').fill(text);
  await from.keyboard.press('Enter');
  await expect(to.locator('#chat .theirs').last(), 'the chat').toSay(new RegExp(text.replace(/[?.]/g, '.')), PATIENCE);
}

function withLanguage(link, language) {
  const url = new URL(link);
  url.search = language;
  return url.href;
}
