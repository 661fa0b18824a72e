// The demo page in each state, at each width: nothing sticks out, what matters is on the first screen, and nothing lies over anything else.
// With SCREENSHOTS=DIRECTORY it keeps a picture of each.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { EXPECTED, SCREENS, eachLook, eachState } from './states.js';
import { inBrowser } from './world.js';

const FOLDER = process.env.SCREENSHOTS;
const COLOURS = FOLDER ? ['light', 'dark'] : ['light']; // they move nothing

/** Devices, and which screens they have. */
const DEVICES = {
  phone: { options: { isMobile: true, hasTouch: true }, screens: SCREENS.filter(([width]) => width < 1000) },
  desktop: { options: {}, screens: SCREENS.filter(([width]) => width > 1000) },
};

/** What has to be on the first screen in each state, whole. */
const FIRST = {
  waiting: ['#status', '#camera', '#copy', '#link'], 'waiting-localhost': ['#status', '#camera', '#copy'], 'waiting-sealed': ['#copy'],
  'waiting-camera': ['#local', '#camera', '#microphone', '#link'], settings: ['#settings h2'], joining: ['#status', '#camera'], alone: ['#alone h1'],
  connected: ['#status', '#path', '#camera', '#leave', '#text'], chat: ['#leave', '#text', '#chat .theirs:last-of-type'],
  'camera-theirs': ['#stage', '#remote', '#leave', '#text'], camera: ['#stage', '#remote', '#local', '#microphone', '#leave', '#text'],
  curious: ['#stage', '#leave'], 'camera-refused': ['#note', '#leave', '#text'], lost: ['#status', '#note', '#leave'], left: ['#again', '#ending h1'],
  'secret-asked': ['#answer'], 'token-asked': ['#answer', '#asking-wrong', '#ask button'], failed: ['#again', '#ending h1'],
};

for (const [device, { options, screens }] of Object.entries(DEVICES)) {
  for (const locale of ['en-US', 'zh-CN']) {
    inBrowser(`each state on a ${device}, ${locale}`, async (world) => {
      const [[width, height]] = screens;
      const look = { ...options, viewport: { width, height }, locale, reducedMotion: 'reduce', expectErrors: EXPECTED };
      const seen = [], wrong = [];
      await eachState(world, look, async (page, state) => {
        seen.push(state);
        await eachLook(page, screens, COLOURS, async (name) => {
          if (FOLDER) await keep(page, state === 'curious', `${state}-${name}-${locale.slice(0, 2)}`);
          const found = await page.evaluate(faults, { first: FIRST[state], touch: Boolean(options.hasTouch) });
          wrong.push(...found.map((fault) => `${state}, ${name}: ${fault}`));
        });
      });
      assert.deepEqual(wrong, []);
      assert.deepEqual(seen.toSorted(), Object.keys(FIRST).toSorted());
    }, { timeout: 240_000 });
  }
}

async function keep(page, fullPage, file) {
  await mkdir(FOLDER, { recursive: true });
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${FOLDER}/${file}.png`, fullPage });
}

/** Runs in the page, and returns what is wrong with it. */
function faults({ first, touch }) {
  const wrong = [];
  const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (over > 0) wrong.push(`${over} px to scroll sideways`);
  if (scrollY !== 0) wrong.push(`it is scrolled by ${scrollY} px`);
  if (document.activeElement === document.body) wrong.push('the focus is lost');
  for (const selector of first) {
    const element = document.querySelector(selector);
    const { left, top, right, bottom, width, height } = element?.getBoundingClientRect() ?? {};
    if (!width || !height) wrong.push(`${selector} is not there`);
    else if (top < 0 || left < 0 || right > innerWidth + .5 || bottom > innerHeight + .5) wrong.push(`${selector} is not on the first screen: ${left},${top} to ${right},${bottom}`);
  }
  for (const name of document.querySelectorAll('#traffic .what-name')) {
    for (const part of name.childNodes) {
      if (part.nodeType !== Node.TEXT_NODE) continue;
      for (const { index, 0: word } of part.textContent.matchAll(/[\w/]+/g)) {
        const range = document.createRange();
        range.setStart(part, index);
        range.setEnd(part, index + word.length);
        const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
        if (lines > 1) wrong.push(`${word} is broken`);
      }
    }
  }
  const dialog = document.querySelector('dialog[open]');
  const controls = [...(dialog ?? document).querySelectorAll('button, a, input, select, summary, h1, h2, #status, #note, video')]
    .filter((e) => e.checkVisibility() && !e.closest('.unseen') && !e.classList.contains('unseen') && e.getClientRects().length > 0);
  const boxes = controls.map((e) => [e, e.getBoundingClientRect()]);
  const told = (e) => `${e.tagName.toLowerCase()}#${e.id || e.textContent.trim().slice(0, 20)}`;
  for (const [i, [a, A]] of boxes.entries()) {
    for (const [b, B] of boxes.slice(i + 1)) {
      if (a.contains(b) || b.contains(a) || (a.id === 'remote' && b.id === 'local')) continue;
      if ([a, b].some((e) => e.closest('.traffic, .scroll, dialog .actions'))) continue; // what scrolls passes under what stays
      if (Math.min(A.right, B.right) - Math.max(A.left, B.left) > 1 && Math.min(A.bottom, B.bottom) - Math.max(A.top, B.top) > 1) wrong.push(`${told(a)} lies over ${told(b)}`);
    }
    if (touch && a.matches('button, a, input:not([type=checkbox]), select, .curious > details > summary') && (A.height < 44 || A.width < 44)) wrong.push(`${told(a)} is ${A.width} × ${A.height} px: too small to touch`);
    if (a.matches('button, a, h1, h2, #status') && (a.scrollWidth > a.clientWidth + 1 && a.clientWidth > 0)) wrong.push(`${told(a)}: its text sticks out`);
  }
  return wrong;
}
