// The page: from a link to a call, and from the call's events to what is shown.
//
//   waiting, joining ──▶ talking ──▶ over        somebody has left: it takes a person to begin again
//      ▲    │  ▲            └──────▶ lost        the connection broke: the page waits for the other side to come back
//      │    ▼  └── asking, over ◀── refused
//      └── lost

import { randomKey } from '../client/signal.js';
import { adviceFor } from './advice.js';
import { ask, prepareAsking } from './ask.js';
import { Call } from './call.js';
import { addLine, clearChat, hasLines, openChat, prepareChat } from './chat.js';
import { parseInvitation } from './invitation.js';
import { prepareInvitation, showInvitation } from './invite.js';
import { offerOtherLanguage, speak, t } from './language.js';
import { recall, remember } from './memory.js';
import { listMsgs } from './msgs.js';
import { Progress } from './progress.js';
import { closeSettings, prepareSettings } from './settings.js';
import { Stage } from './stage.js';
import { messageCame, titleIs } from './title.js';
import { Traffic } from './traffic.js';
import { $, element, keepFocus } from './view.js';

speak();
const progress = new Progress();
const traffic = new Traffic($('traffic'), $('traffic-empty'));
const stage = new Stage();

let choices; // key, secret, isSecretInLink, awaitsSecret, stun, role, events: what the link and the settings say
let call; // the one that is going on, or being waited for
let latest; // the call that was begun last, whether it goes on or not
let over = Promise.resolve(); // when nothing is left of the calls before
let phase;

/** How long somebody who follows a link looks for the other side before the page says that nobody is there, in ms. */
const ALONE_AFTER = 2_000;
let alone; // the timer

// ─── Phases ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** For each phase: the section that is shown, how the status looks, and where the focus goes if its place is gone. */
const PHASES = {
  waiting: { section: 'invite', kind: 'busy', focus: 'invite-title' },
  joining: { section: 'joining', kind: 'busy', focus: 'joining' },
  alone: { section: 'alone', kind: 'busy', focus: 'alone-title' },
  talking: { section: 'talk', kind: 'good', focus: 'talk-title' },
  lost: { section: 'talk', kind: 'busy', focus: 'talk-title' },
  asking: { section: 'asking', kind: 'bad', focus: 'answer' },
  over: { section: 'ending', kind: 'idle', focus: 'again' },
  failed: { section: 'ending', kind: 'bad', focus: 'again' },
};

function enter(next, status = next) {
  phase = next;
  const { section, kind, focus } = PHASES[next];
  document.body.dataset.phase = next;
  for (const id of ['invite', 'joining', 'alone', 'asking', 'ending']) $(id).hidden = id !== section;
  showTalk();
  $('status').dataset.kind = kind;
  $('camera').hidden = !call;
  $('leave').hidden = !['talking', 'lost'].includes(next);
  $('open-settings').hidden = ['talking', 'lost'].includes(next);
  openChat(next === 'talking');
  say(status);
  const writes = next === 'talking' && !matchMedia('(pointer: coarse)').matches; // where no keyboard would cover the page
  keepFocus(writes && $('text'), $(focus));
}

/** The call is on the page while it goes on, and otherwise as long as there is something in it: one's own picture, or what was said. */
function showTalk() {
  const { section } = PHASES[phase];
  $('talk').hidden = section !== 'talk' && $('stage').hidden && !(section === 'ending' && hasLines());
}

/** Says how it stands, by the name of a text: on the page and in the title. */
function say(status) {
  if ($('status').textContent !== t(status)) $('status').textContent = t(status);
  titleIs(status === 'waiting' ? t('titleWaiting') : t(status));
}

function note(text) {
  $('note').textContent = text;
  $('note').hidden = text === '';
}

// ─── The call ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Begins to wait for the other side, in this phase. */
async function begin(next) {
  const before = latest;
  before?.end();
  over = over.then(() => before?.settled());
  clearTimeout(alone);
  progress.reset();
  traffic.clear();
  stage.clear();
  const url = new URL('.', location.origin + location.pathname).href;
  const current = call = latest = new Call({ ...choices, token: recall('token') || undefined, stream: stage.stream, url });
  enter(next);
  note(next === 'lost' ? t('lostText') : '');
  follow(current);
  try {
    await over;
    if (call === current) await current.connect();
  } catch (error) {
    if (call !== current) return;
    call = undefined;
    refused(error, current);
  }
}

/** Begins anew with other choices. */
function choose(next) {
  choices = next;
  showInvitation(choices);
}

const USUAL = { secret: '', isSecretInLink: false, awaitsSecret: false, stun: '', role: 'auto', events: false };

/** Begins a call of one's own. Whoever has the link of the one before knows nothing of this one's. */
function beginFresh() {
  const secret = choices?.isSecretInLink ? randomKey() : choices?.secret ?? '';
  choose({ ...USUAL, ...choices, awaitsSecret: false, key: randomKey(), secret });
  remember('mine', choices.key);
  clearChat();
  begin('waiting');
}

/** Reads the address: with a key somebody joins, and without one somebody begins. */
function openLink() {
  const { key, secret, isSealed, stun } = parseInvitation(location.hash);
  if (!key) return beginFresh();
  const awaitsSecret = isSealed && secret === '';
  choose({ ...USUAL, events: Boolean(choices?.events), key, secret, isSecretInLink: secret !== '', awaitsSecret, stun });
  clearChat();
  return beginAgain();
}

/** Begins with the choices as they are. A call that the other side has sealed does not begin without the secret. */
function beginAgain() {
  if (choices.awaitsSecret) return askSecret();
  return begin(recall('mine') === choices.key ? 'waiting' : 'joining');
}

/** What to say while signaling is in these states. */
function statusOf(state, error) {
  if (state === 'retrying') return { CacheOverrunMaxCost: 'full', ServerIsOverloaded: 'busy', TooManyRequests: 'busy' }[error?.code] ?? 'retrying';
  if (['connecting', 'connected', 'done'].includes(state)) return 'connecting'; // signaling is done before people can talk
  return { alone: 'waiting' }[phase] ?? phase;
}

/** Shows what happens in the call, as long as it is the one that is going on. */
function follow(current) {
  const on = (type, show) => current.addEventListener(type, ({ detail }) => { if (call === current) show(detail); });
  on('state', ({ lane, state, error }) => {
    progress.state(lane, state);
    if (lane === 'signaling' && phase !== 'talking') say(statusOf(state, error));
    if (lane === 'signaling') clearTimeout(alone);
    if (lane === 'signaling' && state === 'waiting' && phase === 'joining') alone = setTimeout(() => enter('alone', 'waiting'), ALONE_AFTER);
    if (lane === 'connection' && phase === 'talking') say(state === 'disconnected' ? 'interrupted' : 'connected');
  });
  on('path', ({ path }) => progress.path(path));
  on('mark', ({ name, at }) => progress.mark(name, at));
  on('signal', (message) => traffic.signal(message));
  on('request', (request) => traffic.request(request));
  on('track', ({ stream }) => stage.take(stream));
  on('camera', ({ on: isOn }) => stage.theirs(isOn));
  on('text', ({ text }) => { addLine('theirs', text); messageCame(); });
  on('open', talk);
  on('closed', ({ left }) => { if (left) leftBy('leftTitle'); else begin('lost'); });
}

function talk() {
  clearTimeout(alone);
  closeSettings();
  enter('talking', 'connected');
  note('');
  if (stage.isOn && !call.takesVideo) note(t('cameraUnseen'));
  scrollTo({ top: 0 });
}

function leave() {
  call?.leave();
  call = undefined;
  leftBy('hungUpTitle');
}

/** The call is over because somebody left. */
function leftBy(title) {
  stop();
  showEnding({ title: t(title), text: t('endedText'), again: 'again', todo: [] });
  enter('over');
}

/** The call did not come about. */
function refused(error, { met, turn }) {
  if (error.code === 'NotAuthenticated') return askToken();
  if (error.code === 'Sealed') return askSecret();
  stop();
  progress.state('signaling', 'failed');
  showEnding({ ...adviceFor(error, met, turn), again: 'tryAgain', isAlert: true });
  return enter('failed', 'over');
}

function stop() {
  clearTimeout(alone);
  call?.end();
  call = undefined;
  progress.path(undefined);
  stage.turnOff();
  stage.clear();
}

function showEnding({ title, text, todo, again, isAlert }) {
  if (isAlert) $('ending').setAttribute('role', 'alert');
  else $('ending').removeAttribute('role');
  $('ending-title').textContent = title;
  $('ending-text').textContent = text;
  $('ending-text').hidden = text === '';
  $('ending-advice').replaceChildren(...todo.map(adviceRow));
  $('ending-advice').hidden = todo.length === 0;
  $('again').textContent = t(again);
}

/** A flag breaks nowhere. */
function adviceRow(advice) {
  const row = document.createElement('li');
  row.append(...advice.split(/(--[\w-]+)/).map((part) => (part.startsWith('--') ? element('code', '', part) : part)));
  return row;
}

// ─── What is asked for ────────────────────────────────────────────────────────────────────────────────────────────────

function askToken() {
  const wrong = recall('token') ? 'tokenWrong' : undefined;
  remember('token', '');
  stop();
  ask({ title: 'tokenTitle', text: 'tokenText', label: 'token', wrong }, (token) => {
    remember('token', token);
    if (isToken(token)) beginAgain();
    else askToken();
  });
  enter('asking', 'asked');
}

const isToken = (text) => /^[\x21-\x7e]+$/.test(text); // what a header can carry

function askSecret() {
  stop();
  choose({ ...choices, awaitsSecret: true }); // for the address: a reload has to ask, too
  ask({ title: 'secretTitle', text: 'secretText', label: 'secretLabel' }, (secret) => {
    choose({ ...choices, secret, isSecretInLink: false, awaitsSecret: false });
    beginAgain();
  });
  enter('asking', 'asked');
}

// ─── Wiring ───────────────────────────────────────────────────────────────────────────────────────────────────────────

prepareInvitation();
prepareAsking();
prepareChat((text) => call?.say(text), note);
prepareSettings(() => choices, (next) => {
  if (next.key !== choices.key) remember('mine', next.key);
  choose(next);
  beginAgain();
});
$('seal').addEventListener('change', ({ target }) => {
  choose({ ...choices, secret: target.checked ? randomKey() : '', isSecretInLink: target.checked });
  begin('waiting');
});
$('leave').addEventListener('click', leave);
$('again').addEventListener('click', beginAgain);
for (const button of document.querySelectorAll('[data-act=fresh]')) button.addEventListener('click', beginFresh);
stage.addEventListener('camera', ({ detail: { stream } }) => {
  call?.show(stream);
  if (stream && phase === 'talking' && !call.takesVideo) note(t('cameraUnseen'));
});
stage.addEventListener('trouble', ({ detail: { text } }) => note(text && t(text)));
stage.addEventListener('shown', () => { if (phase) showTalk(); });
$('requests').addEventListener('change', ({ target }) => $('traffic').classList.toggle('without-requests', !target.checked));
addEventListener('keydown', ({ key, isComposing }) => { if (key === 'Escape' && !isComposing) note(''); });
addEventListener('hashchange', openLink);
addEventListener('pagehide', () => { if (call?.met) call.end(); }); // or the other side would take 15 s to notice
addEventListener('pageshow', ({ persisted }) => { if (persisted && call) beginAgain(); }); // the browser has kept a page that was left
listMsgs($('msgs'));
offerOtherLanguage($('language'));
openLink();
