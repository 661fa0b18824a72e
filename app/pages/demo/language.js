// The language that the page speaks: that of the browser, unless the address says another one (?lang=en, ?lang=zh).

import { TEXTS } from './texts.js';

const LANGUAGES = ['en', 'zh']; // the order of each text in the tables
const TAGS = ['en', 'zh-Hans'];

const asked = new URLSearchParams(location.search).get('lang') ?? navigator.language;
const chosen = asked.toLowerCase().startsWith('zh') ? 1 : 0;

/** Returns the one of a pair of texts that the page speaks, with a value in place of each {}. */
export function inLanguage(pair, ...values) {
  const left = values.values();
  return pair[chosen].replaceAll('{}', () => left.next().value ?? '');
}

/** Returns a text of the table, with a value in place of each {}. */
export function t(name, ...values) {
  if (!Object.hasOwn(TEXTS, name)) throw new Error(`the table has no text ${name}`);
  return inLanguage(TEXTS[name], ...values);
}

/** Puts the texts where the page names them, and shows it. */
export function speak(root = document) {
  for (const element of root.querySelectorAll('[data-text]')) element.textContent = t(element.dataset.text);
  for (const element of root.querySelectorAll('[data-label]')) element.setAttribute('aria-label', t(element.dataset.label));
  for (const element of root.querySelectorAll('[data-placeholder]')) element.placeholder = t(element.dataset.placeholder);
  document.documentElement.lang = TAGS[chosen];
  delete document.documentElement.dataset.loading;
}

/** Makes a link lead to this page in the other language, the invitation kept. */
export function offerOtherLanguage(link) {
  const other = LANGUAGES[1 - chosen];
  link.textContent = t('otherLanguage');
  link.lang = link.hreflang = TAGS[1 - chosen];
  link.href = `?lang=${other}`;
  link.addEventListener('click', (event) => {
    event.preventDefault();
    location.assign(`?lang=${other}${location.hash}`);
  });
}
