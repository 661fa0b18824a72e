// Settings: what hardly anybody needs, in a dialog. Escape and Cancel leave all as it was.

import { randomKey } from '../client/signal.js';
import { cleanKey, isStun, parseInvitation } from './invitation.js';
import { t } from './language.js';
import { $ } from './view.js';

const dialog = $('settings');
const fields = $('choices').elements;
let pasted; // what the last link said that was pasted as the key

/** Prepares the dialog. current returns the choices as they are; apply takes new ones. */
export function prepareSettings(current, apply) {
  $('open-settings').addEventListener('click', () => {
    const { key, secret, isSecretInLink, stun, role, events } = current();
    fields.key.value = key;
    fields.secret.value = isSecretInLink ? '' : secret;
    fields.stun.value = stun;
    fields.role.value = role;
    fields.receive.value = events ? 'events' : 'poll';
    checkStun();
    dialog.showModal();
  });
  $('cancel').addEventListener('click', () => dialog.close());
  $('new-key').addEventListener('click', () => { fields.key.value = randomKey(); });
  dialog.addEventListener('click', ({ target }) => { if (target === dialog) dialog.close(); }); // beside it
  fields.key.addEventListener('input', acceptLink);
  fields.stun.addEventListener('input', checkStun);
  $('choices').addEventListener('submit', (event) => {
    event.preventDefault();
    const key = cleanKey(fields.key.value);
    if (!key) return;
    const before = current();
    const secret = fields.secret.value;
    const keeps = secret === '' && before.isSecretInLink && key !== pasted?.key; // what the switch has made
    dialog.close();
    apply({
      key,
      secret: keeps ? before.secret : secret,
      isSecretInLink: keeps,
      awaitsSecret: secret === '' && (key === pasted?.key ? pasted.isSealed : before.awaitsSecret && key === before.key),
      stun: fields.stun.value.trim(),
      role: fields.role.value,
      events: fields.receive.value === 'events',
    });
  });
}

export function closeSettings() { dialog.close(); }

/** Takes a whole link apart that was pasted as the key. */
function acceptLink() {
  if (!fields.key.value.includes('#')) return;
  const invitation = parseInvitation(fields.key.value);
  const { key, secret, stun } = invitation;
  if (!key) return;
  pasted = invitation;
  fields.key.value = key;
  if (secret) fields.secret.value = secret;
  if (stun) fields.stun.value = stun;
}

function checkStun() {
  const stun = fields.stun.value.trim();
  fields.stun.setCustomValidity(stun === '' || isStun(stun) ? '' : t('stunWrong'));
}
