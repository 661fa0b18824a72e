// The page: from the form to a call, and from the call's events to what is shown.

import { randomKey } from '../client/signal.js';
import { adviceFor } from './advice.js';
import { Call } from './call.js';
import { cleanKey, invitationLink, isStun, parseInvitation } from './invitation.js';
import { listMsgs } from './msgs.js';
import { Progress, milliseconds } from './progress.js';
import { drawQR } from './qr.js';
import { Traffic } from './traffic.js';

const $ = (id) => document.getElementById(id);
const setup = $('setup');
const progress = new Progress(document);
const traffic = new Traffic($('traffic'), $('traffic-empty'));
const HINTS = {
  offer: 'Whoever knows it can take part. This one cannot be guessed.',
  answer: 'Type the key that the other side has, or paste its link.',
};

let attempt = 0; // counts calls, so that what was begun for an earlier one is noticed
let call; // the one that is going on
let stream; // of the camera

// ─── The form ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const chosen = () => ({
  key: cleanKey(setup.elements.key.value),
  role: setup.elements.role.value,
  mode: setup.elements.mode.value,
  secret: setup.elements.secret.value,
  stun: setup.elements.stun.value.trim(),
  events: setup.elements.receive.value === 'events',
});

/**
 * Fills the form. The address bar holds the invitation for the other side, so that it may be copied from there; that this
 * page is the one who invites is in the history's state, which survives a reload and is no part of a link.
 */
function openInvitation() {
  const invited = parseInvitation(location.hash);
  const role = history.state?.role ?? (invited.role || 'offer');
  setup.elements.role.value = role;
  setup.elements.mode.value = invited.mode || 'chat';
  setup.elements.stun.value = invited.stun;
  setup.elements.key.value = invited.key || (role === 'offer' ? randomKey() : '');
  $('more').open = invited.sealed || invited.stun !== '';
  setup.elements.secret.required = invited.sealed && role === 'answer';
  showInvitation();
}

/** Brings the link, its code and the hints in line with the form. */
function showInvitation() {
  const { key, role, mode, secret, stun } = chosen();
  const starts = role === 'offer';
  $('key-hint').textContent = HINTS[role];
  $('new-key').hidden = !starts;
  $('invite').hidden = !starts || key === '';
  setup.elements.stun.setCustomValidity(stun === '' || isStun(stun) ? '' : 'It looks like stun:stun.example.org:3478');
  const page = location.href.replace(/#.*$/s, '');
  if (!starts || key === '') {
    if (starts || history.state) history.replaceState(null, '', page);
    return;
  }
  const link = invitationLink(page, { key, role, mode, sealed: secret !== '', stun });
  history.replaceState({ role }, '', link);
  $('open').href = link;
  $('qr').replaceChildren(drawQR(link, 'QR code of the link'));
}

/** Takes a whole link apart that was pasted as the key. */
function acceptLink() {
  const typed = setup.elements.key.value;
  if (!typed.includes('#')) return;
  const { key, mode, sealed, stun } = parseInvitation(typed);
  if (!key) return;
  setup.elements.key.value = key;
  if (mode) setup.elements.mode.value = mode;
  if (stun) setup.elements.stun.value = stun;
  if (sealed || stun) $('more').open = true;
}

function changeRole() {
  setup.elements.key.value = chosen().role === 'offer' ? randomKey() : '';
  setup.elements.secret.required = false;
  showInvitation();
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText($('open').href);
    $('copy').textContent = 'Copied';
  } catch {
    $('copy').textContent = 'Copy it from the address bar';
  }
  setTimeout(() => { $('copy').textContent = 'Copy link'; }, 2_000);
}

// ─── The call ─────────────────────────────────────────────────────────────────────────────────────────────────────────

async function start() {
  const mine = ++attempt;
  const options = chosen();
  progress.reset();
  traffic.clear();
  $('failure').hidden = true;
  $('chat').replaceChildren();
  enter('calling');
  let begun;
  try {
    if (options.mode === 'camera' && !await showCamera(mine)) return;
    call = begun = new Call({ ...options, stream, url: new URL('.', location.href.replace(/#.*$/s, '')).href });
    follow(begun, options);
    progress.state('signaling', 'preparing');
    progress.say(options.secret ? 'Stretching the secret…' : 'Getting ready…');
    const role = await begun.connect();
    enter('connected');
    progress.figures(role);
    progress.say(`Connected in ${milliseconds(progress.together(role))}.`);
  } catch (error) {
    if (mine !== attempt) return; // hung up, which has been told
    finish();
    showFailure(error, begun?.met);
  }
}

/** Turns the camera on, and reports whether that is still wanted: the browser may have asked for leave meanwhile. */
async function showCamera(mine) {
  progress.say('Asking for the camera…');
  const opened = await openCamera();
  if (mine !== attempt) {
    for (const track of opened.getTracks()) track.stop();
    return false;
  }
  stream = opened;
  showStream('local', stream);
  return true;
}

async function openCamera() {
  if (!navigator.mediaDevices) {
    throw Object.assign(new Error('This page was opened without https.'), { code: 'InsecureContext' });
  }
  return navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: true });
}

const SENTENCES = {
  waiting: { offer: 'Waiting for the other side to join…', answer: 'Waiting for the other side to start…' },
  connecting: 'Found each other. Connecting…',
  retrying: 'The server does not answer. Trying again…',
  restarting: 'The session is gone. Starting over…',
};

/** Shows what happens in the call, as long as it is the one that is going on. */
function follow(current, { role }) {
  const on = (type, show) => current.addEventListener(type, ({ detail }) => { if (call === current) show(detail); });
  on('state', ({ lane, state }) => {
    progress.state(lane, state);
    const sentence = lane === 'signaling' && SENTENCES[state];
    if (sentence) progress.say(sentence[role] ?? sentence);
  });
  on('mark', ({ name, at }) => progress.mark(name, at));
  on('signal', (message) => traffic.signal(message));
  on('request', (request) => traffic.request(request));
  on('track', ({ stream: remote }) => showStream('remote', remote));
  on('text', ({ text }) => addChat('theirs', text));
  on('open', () => setChat(true));
  on('closed', () => { finish(); progress.say('The other side has left, or the connection is lost.'); });
}

function hangUp() {
  finish();
  progress.say('You hung up.');
}

/** Puts the page back to where a call can begin. */
function finish() {
  attempt++;
  call?.hangUp();
  call = undefined;
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  $('stage').hidden = true;
  $('remote').srcObject = $('local').srcObject = null;
  setChat(false);
  enter('idle');
}

function showFailure(error, met) {
  const { title, text, todo } = adviceFor(error, met);
  $('failure-title').textContent = title;
  $('failure-text').textContent = text;
  $('failure-advice').replaceChildren(...todo.map((advice) => {
    const item = document.createElement('li');
    item.textContent = advice;
    return item;
  }));
  $('failure').hidden = false;
  progress.state('signaling', 'failed');
  progress.say('It did not work.');
  $('failure').scrollIntoView({ block: 'nearest' });
}

// ─── Chat and camera ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Sets how far the page is: idle, calling or connected. The style sheet leaves out what is of no use then. */
function enter(phase) {
  const busy = phase !== 'idle';
  const focused = setup.contains(document.activeElement);
  document.body.dataset.phase = phase;
  for (const field of setup.elements) if (field.id !== 'hang-up' && field.id !== 'copy') field.disabled = busy;
  $('connect').hidden = busy;
  $('hang-up').hidden = !busy;
  if (focused && !setup.contains(document.activeElement)) $(busy ? 'hang-up' : 'connect').focus();
}

function setChat(open) {
  for (const field of $('say').elements) field.disabled = !open;
  if (open) $('text').focus();
}

const MOST_LINES = 500; // of the chat: the other side may say as much as it likes
const LONGEST = 10_000; // characters of a line

function addChat(whose, text) {
  const line = document.createElement('p');
  line.className = whose;
  const who = document.createElement('span');
  who.className = 'unseen';
  who.textContent = whose === 'mine' ? 'You: ' : 'The other side: ';
  line.append(who, text.slice(0, LONGEST));
  $('chat').append(line);
  if ($('chat').childElementCount > MOST_LINES) $('chat').firstElementChild.remove();
  $('chat').scrollTop = $('chat').scrollHeight;
}

function showStream(id, shown) {
  $('stage').hidden = false;
  if ($(id).srcObject !== shown) $(id).srcObject = shown;
}

/** Turns tracks of one kind on or off, without a new negotiation. */
function toggle(button, kind) {
  const off = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', String(off));
  for (const track of stream?.getTracks() ?? []) if (track.kind === kind) track.enabled = !off;
}

// ─── Wiring ───────────────────────────────────────────────────────────────────────────────────────────────────────────

setup.addEventListener('submit', (event) => { event.preventDefault(); start(); });
setup.addEventListener('input', ({ target }) => {
  if (target.name === 'role') return changeRole();
  if (target.name === 'key') acceptLink();
  showInvitation();
});
$('new-key').addEventListener('click', () => { setup.elements.key.value = randomKey(); showInvitation(); });
$('copy').addEventListener('click', copyLink);
$('hang-up').addEventListener('click', hangUp);
$('microphone').addEventListener('click', ({ currentTarget }) => toggle(currentTarget, 'audio'));
$('camera').addEventListener('click', ({ currentTarget }) => toggle(currentTarget, 'video'));
$('requests').addEventListener('change', ({ target }) => $('traffic').classList.toggle('without-requests', !target.checked));
$('say').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value;
  if (text.trim() === '' || !call?.say(text)) return;
  addChat('mine', text);
  $('text').value = '';
});
window.addEventListener('hashchange', () => { if (!call) openInvitation(); });

listMsgs($('msgs'));
progress.reset();
openInvitation();
