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

const SVG = 'http://www.w3.org/2000/svg';

export class Progress {
  #steps;

  constructor() { this.reset(); }

  reset() {
    this.#steps = new Steps();
    for (const lane of Object.keys(STATES)) this.#show(lane, 'idle', 'idle');
    $('marks').hidden = $('together').hidden = true;
  }

  state(lane, state) { this.#show(lane, ...STATES[lane][state]); }

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
