// Shows how far a call is: three lanes of states, and the times that were measured.

import { t } from './language.js';
import { Steps } from './steps.js';
import { $, element } from './view.js';

/** How states are told, by the names of their texts, and whether they are idle, busy, good or bad. */
const STATES = {
  signaling: {
    waiting: ['stateWaiting', 'busy'], connecting: ['stateExchanged', 'busy'], connected: ['stateDone', 'good'], done: ['stateDone', 'good'],
    retrying: ['stateRetrying', 'busy'], restarting: ['stateRestarting', 'busy'], failed: ['stateFailed', 'bad'],
  },
  ice: {
    new: ['idle', 'idle'], checking: ['stateChecking', 'busy'], connected: ['statePath', 'good'], completed: ['statePath', 'good'],
    disconnected: ['statePathLost', 'busy'], failed: ['stateNoPath', 'bad'], closed: ['stateClosed', 'idle'],
  },
  connection: {
    new: ['idle', 'idle'], connecting: ['stateConnecting', 'busy'], connected: ['stateDone', 'good'],
    disconnected: ['stateInterrupted', 'busy'], failed: ['stateFailed', 'bad'], closed: ['stateClosed', 'idle'],
  },
};

const NAMES = {
  key: 'stepKey', secret: 'stepSecret', 'offer sent': 'stepOfferSent', 'offer received': 'stepOfferGot', 'answer sent': 'stepAnswerSent',
  'answer received': 'stepAnswerGot', ice: 'stepIce', connected: 'stepConnected', open: 'stepOpen',
};

/** How the kinds of path (path.js) are told, by the names of their texts: in full and, where it is known, in short. */
const PATHS = {
  local: ['pathLocal', 'direct'], direct: ['pathDirect', 'direct'], nat: ['pathNat', 'direct'], relay: ['pathRelayTheirs', 'relayed'],
  unknown: ['pathUnknown'],
};

const SVG = 'http://www.w3.org/2000/svg';

export class Progress {
  #steps;
  #ice; // its state, if there is one
  #path; // as path.js has it, if one is known

  constructor() { this.reset(); }

  reset() {
    this.#steps = new Steps();
    this.#ice = this.#path = undefined;
    for (const lane of Object.keys(STATES)) this.#show(lane, 'idle', 'idle');
    $('path').hidden = $('marks').hidden = $('together').hidden = true;
  }

  state(lane, state) {
    this.#show(lane, ...STATES[lane][state]);
    if (lane !== 'ice') return;
    this.#ice = state;
    this.#showPath(STATES.ice[state][1] === 'good');
  }

  /** Tells of this path, as long as it works; of none if there is no call. */
  path(path) {
    this.#path = path;
    if (this.#ice) this.state('ice', this.#ice);
  }

  mark(name, at) {
    this.#steps.mark(name, at);
    const { list, met = 0 } = this.#steps;
    const whole = list.at(-1).at - met || 1;
    $('marks').replaceChildren(...list.map((step) => markRow(t(NAMES[step.name]), step.at, Math.max(0, step.at - met) / whole)));
    $('marks').hidden = list.length < 2;
    const connected = list.find((step) => step.name === 'connected');
    if (met && connected) $('together').textContent = t('together', milliseconds(connected.at - met));
    $('together').hidden = !met || !connected;
  }

  #show(lane, told, kind) {
    const row = $('progress').querySelector(`[data-lane=${lane}]`);
    row.dataset.kind = kind;
    row.querySelector('dd').textContent = t(told);
  }

  /** Says which path it is in place of that there is one. */
  #showPath(works) {
    const { kind, over, types = [] } = works && this.#path || {};
    const [full, short] = PATHS[kind] ?? [];
    $('path').hidden = !short;
    $('path').textContent = short ? t(short) : '';
    if (!full) return;
    const told = [...new Set(types)].join(', ');
    $('progress').querySelector('[data-lane=ice] dd').textContent = over ? t('pathRelay', over.toUpperCase(), told) : t(full, told);
  }
}

function markRow(name, at, share) {
  const row = document.createElement('li');
  row.append(element('span', '', name), bar(share), element('span', 'number', milliseconds(at)));
  return row;
}

/** Draws a share of 1. It says nothing that the number beside it does not. */
function bar(share) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  for (const [name, width] of [['track', 1], ['share', share]]) {
    const rect = document.createElementNS(SVG, 'rect');
    rect.setAttribute('class', name);
    rect.setAttribute('width', `${(width * 100).toFixed(1)}%`);
    rect.setAttribute('height', '100%');
    rect.setAttribute('rx', '3');
    svg.append(rect);
  }
  return svg;
}

export const milliseconds = (ms) => (ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
