// Lists the signaling messages and requests as they pass. What they hold is shown as text, and as nothing else.

import { t } from './language.js';
import { meaningOf } from './msgs.js';
import { milliseconds } from './progress.js';
import { element } from './view.js';

const MOST = 200; // rows; the oldest go first

export class Traffic {
  #list;
  #empty;

  constructor(list, empty) {
    this.#list = list;
    this.#empty = empty;
  }

  clear() {
    this.#list.replaceChildren();
    this.#empty.hidden = false;
  }

  signal({ direction, type, text, sealed, error, at }) {
    const what = error ? error.message : type === 'sdp' ? describeSdp(text) : describeCandidate(text);
    this.#add({
      at, kind: error ? 'bad' : direction, arrow: direction === 'sent' ? '↑' : '↓', spoken: t(direction === 'sent' ? 'sent' : 'received'),
      name: type === 'sdp' ? typeOf(text) : t('candidate'), what, note: sealed && !error ? t('sealed') : '', raw: error ? '' : pretty(text),
    });
  }

  request({ method, path, waits, status, msg, took, at }) {
    const name = `${method} ${path}`;
    this.#add({
      at, kind: status === 0 || status >= 400 ? 'bad request' : 'request', arrow: '⇄', spoken: t('request'),
      name: waits ? t('waits', name) : name, what: status === 0 ? t('noAnswer') : meaningOf(msg),
      note: `${status || t('requestFailed')}, ${milliseconds(took)}`, raw: msg ? t('rawAnswer', msg) : '',
    });
  }

  #add({ at, kind, arrow, spoken, name, what, note, raw }) {
    this.#empty.hidden = true;
    const atEnd = this.#list.scrollTop + this.#list.clientHeight >= this.#list.scrollHeight - 8;
    const row = document.createElement('li');
    row.className = kind;
    const head = document.createElement(raw ? 'summary' : 'div');
    head.className = 'line';
    const sign = element('span', 'arrow', arrow);
    sign.setAttribute('aria-hidden', 'true');
    head.append(element('span', 'at', milliseconds(at)), sign, element('span', 'unseen', spoken),
      breakable(name), element('span', 'what', what), element('span', 'note-of', note));
    row.append(raw ? unfolding(head, raw) : head);
    this.#list.append(row);
    if (this.#list.childElementCount > MOST) this.#list.firstElementChild.remove();
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }
}

function unfolding(head, raw) {
  const details = document.createElement('details');
  const text = element('pre', 'raw', raw);
  text.tabIndex = 0; // it scrolls
  text.setAttribute('role', 'region');
  text.setAttribute('aria-label', t('raw'));
  details.append(head, text);
  return details;
}

/** A name that breaks at slashes, and nowhere within a word. */
function breakable(name) {
  const span = element('span', 'what-name', '');
  for (const part of name.split(/(?=\/)/)) span.append(part, document.createElement('wbr'));
  return span;
}

const typeOf = (text) => parse(text)?.type ?? 'sdp';

/** Says what an sdp is about: its media, in a few words. */
function describeSdp(text) {
  const sdp = parse(text)?.sdp;
  if (typeof sdp !== 'string') return t('notSdp');
  const names = { application: t('dataChannel'), audio: t('audio'), video: t('videoMedia') };
  const media = [...sdp.matchAll(/^m=(\w+)/gm)].map(([, kind]) => names[kind] ?? kind);
  return `${media.join(', ')} (${t('bytes', new Blob([text]).size)})`;
}

/** Says where a candidate points (RFC 8839, Section 5.1). */
function describeCandidate(text) {
  const candidate = parse(text)?.candidate;
  if (candidate === '') return t('allCandidates');
  const [, , transport, , address, port, , type] = String(candidate).split(' ');
  if (!type) return t('notCandidate');
  const kinds = { host: t('viaHost'), srflx: t('viaNat'), prflx: t('viaNat'), relay: t('viaRelay') };
  return `${address.includes(':') ? `[${address}]` : address}:${port} ${transport.toLowerCase()}, ${kinds[type] ?? type}`;
}

/** Lays an sdp out by lines. */
function pretty(text) {
  const sdp = parse(text)?.sdp;
  return typeof sdp === 'string' ? sdp.trim() : text;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
