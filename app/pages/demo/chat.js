// The chat: what both sides have said, and the field for what to say next.

import { t } from './language.js';
import { $, element } from './view.js';

const MOST_LINES = 500; // the other side may say as much as it likes
const LONGEST = 10_000; // characters of a line

let isAtEnd = true; // of the log: whoever reads what was said before is not torn away

function showEnd() { if (isAtEnd) $('chat').scrollTop = $('chat').scrollHeight; }

/** Prepares the field. say sends a text, and reports whether that was possible. */
export function prepareChat(say, complain) {
  $('say').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = $('text').value;
    if (text.trim() === '') return;
    if (!say(text)) {
      complain(t('unsent'));
      return;
    }
    addLine('mine', text);
    $('text').value = '';
    $('text').focus();
  });
  const chat = $('chat');
  chat.addEventListener('scroll', () => { isAtEnd = chat.scrollTop + chat.clientHeight >= chat.scrollHeight - 8; });
  new ResizeObserver(showEnd).observe(chat);
}

/** Lets people write, or not. */
export function openChat(open) {
  for (const field of $('say').elements) field.disabled = !open;
  $('hello').hidden = hasLines();
}

export const hasLines = () => $('chat').childElementCount > 0;

export function clearChat() { $('chat').replaceChildren(); }

/** Adds a line of one side: mine or theirs. */
export function addLine(whose, text) {
  const line = document.createElement('p');
  line.className = whose;
  // Arabic or Hebrew runs from right to left, whatever stands before it: bdi goes by its own text.
  line.append(element('span', 'unseen', t(whose === 'mine' ? 'you' : 'they')), element('bdi', '', text.slice(0, LONGEST)));
  $('chat').append(line);
  if ($('chat').childElementCount > MOST_LINES) $('chat').firstElementChild.remove();
  if (whose === 'mine') isAtEnd = true;
  showEnd();
  $('hello').hidden = true;
}
