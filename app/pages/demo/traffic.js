// Lists the signaling messages and requests as they pass. What they hold is shown as text, and as nothing else.

import { milliseconds } from './progress.js';
import { meaningOf } from './msgs.js';

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
      at, kind: error ? 'bad' : direction, arrow: direction === 'sent' ? '↑' : '↓', spoken: direction,
      name: type === 'sdp' ? typeOf(text) : 'candidate', what, note: sealed && !error ? 'sealed' : '', raw: error ? '' : pretty(text),
    });
  }

  request({ method, path, status, msg, took, at }) {
    const said = status === 0 ? 'No answer.' : meaningOf(msg);
    this.#add({
      at, kind: status === 0 || status >= 400 ? 'bad request' : 'request', arrow: '⇄', spoken: 'request',
      name: `${method} ${path}`, what: said, note: `${status || 'failed'}, ${milliseconds(took)}`,
      raw: msg ? `msg: ${msg}` : '',
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
      element('span', 'what-name', name), element('span', 'what', what), element('span', 'note', note));
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
  text.setAttribute('aria-label', 'The message as it is');
  details.append(head, text);
  return details;
}

function element(name, className, text) {
  const e = document.createElement(name);
  e.className = className;
  e.textContent = text;
  return e;
}

const typeOf = (text) => parse(text)?.type ?? 'sdp';

/** Says what an sdp is about: its media, in a few words. */
function describeSdp(text) {
  const sdp = parse(text)?.sdp;
  if (typeof sdp !== 'string') return 'not an sdp';
  const names = { application: 'data channel', audio: 'audio', video: 'video' };
  const media = [...sdp.matchAll(/^m=(\w+)/gm)].map(([, kind]) => names[kind] ?? kind);
  return `${media.join(', ')} (${new Blob([text]).size} bytes)`;
}

/** Says where a candidate points (RFC 8839, Section 5.1). */
function describeCandidate(text) {
  const candidate = parse(text)?.candidate;
  if (candidate === '') return 'that is all of them';
  const [, , transport, , address, port, , type] = String(candidate).split(' ');
  if (!type) return 'not a candidate';
  const kinds = { host: 'this network', srflx: 'through a NAT', prflx: 'through a NAT', relay: 'by a relay' };
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
