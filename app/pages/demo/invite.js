// The invitation as it is shown: the link, ways to send it, and its QR code.

import { invitationLink, isThisComputer } from './invitation.js';
import { t } from './language.js';
import { drawQR } from './qr.js';
import { $ } from './view.js';

const page = () => location.origin + location.pathname;
const isLocal = isThisComputer(location.hostname);

export function prepareInvitation() {
  $('copy').addEventListener('click', copy);
  $('link').addEventListener('focus', () => $('link').select());
  $('share').hidden = !navigator.share;
  $('share').addEventListener('click', () => navigator.share({ url: $('link').value }).catch(() => {})); // a person may think better of it
}

/** Brings link, code and address in line with the choices. */
export function showInvitation(choices) {
  const link = invitationLink(page(), choices);
  history.replaceState(null, '', location.search + new URL(link).hash);
  $('link').value = $('open').href = link;
  const code = drawCode(link);
  $('qr').replaceChildren(...code ? [code] : []);
  $('qr').hidden = !code;
  $('qr').classList.toggle('faint', isLocal);
  $('qr-caption').textContent = t(isLocal ? 'qrLocal' : code ? 'qrCaption' : 'qrLong');
  const own = choices.secret !== '' && !choices.isSecretInLink;
  $('seal').checked = choices.secret !== '';
  $('seal').disabled = !isSecureContext;
  $('seal-hint').textContent = t(!isSecureContext ? 'sealInsecure' : own ? 'sealOwn' : 'sealHint');
}

function drawCode(link) {
  try {
    return drawQR(link, t('qr'));
  } catch {
    return undefined; // it holds 2,331 bytes
  }
}

async function copy() {
  let said = 'copied';
  try {
    await navigator.clipboard.writeText($('link').value);
  } catch { // a page that was opened without HTTPS has no clipboard
    $('link').focus();
    $('link').select();
    said = document.execCommand('copy') ? 'copied' : 'copyByHand';
  }
  $('copy').textContent = t(said);
  setTimeout(() => { $('copy').textContent = t('copy'); }, 2_000);
}
