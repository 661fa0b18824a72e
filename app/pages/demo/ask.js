// Asks for one thing without which there is no call: a token of the server's, or the secret of the other side.

import { t } from './language.js';
import { $ } from './view.js';

let answered = () => {};

export function prepareAsking() {
  $('ask').addEventListener('submit', (event) => {
    event.preventDefault();
    const answer = $('answer').value.trim();
    if (answer) answered(answer);
  });
  $('answer').addEventListener('input', () => complain(''));
}

/** Asks, and hands the answer to take. title, text and label are names of texts; wrong, if there is one, says why it is asked again. */
export function ask({ title, text, label, wrong }, take) {
  $('asking-title').textContent = t(title);
  $('asking-text').textContent = t(text);
  $('asking-label').textContent = t(label);
  $('answer').value = '';
  answered = take;
  complain(wrong ? t(wrong) : '');
}

function complain(text) {
  $('asking-wrong').textContent = text;
  if (text) $('answer').setAttribute('aria-invalid', 'true');
  else $('answer').removeAttribute('aria-invalid');
}
