// The title of the tab: how it stands, or how many messages have come while nobody looked.

import { t } from './language.js';

let state = '';
let unread = 0;

function show() { document.title = unread ? t('unread', unread) : t('titled', state); }

export function titleIs(text) {
  state = text;
  show();
}

export function messageCame() {
  if (document.hidden) unread++;
  show();
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  unread = 0;
  show();
});
