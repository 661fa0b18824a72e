// Shows how far a call is: three lanes of states, one sentence, and the times that were measured.

/** How states are told, and whether they are idle, busy, good or bad. */
const STATES = {
  signaling: {
    preparing: ['preparing', 'busy'], waiting: ['waiting for the other side', 'busy'], connecting: ['exchanged', 'busy'],
    connected: ['done', 'good'], done: ['done', 'good'], retrying: ['trying again', 'busy'], restarting: ['starting over', 'busy'],
    failed: ['failed', 'bad'],
  },
  ice: {
    new: ['idle', 'idle'], checking: ['checking paths', 'busy'], connected: ['path found', 'good'], completed: ['path found', 'good'],
    disconnected: ['path lost, looking again', 'busy'], failed: ['no path', 'bad'], closed: ['closed', 'idle'],
  },
  connection: {
    new: ['idle', 'idle'], connecting: ['encrypting', 'busy'], connected: ['connected', 'good'],
    disconnected: ['interrupted', 'busy'], failed: ['failed', 'bad'], closed: ['closed', 'idle'],
  },
};

const MARKS = { secret: 'Secret stretched', offer: 'Offer', answer: 'Answer', ice: 'Path found', connected: 'Connected', open: 'Channel open' };

const SVG = 'http://www.w3.org/2000/svg';

export class Progress {
  #root;
  #marks = new Map(); // name → milliseconds since the key was there

  constructor(root) { this.#root = root; }

  reset() {
    this.#marks.clear();
    for (const lane of Object.keys(STATES)) this.#show(lane, 'idle', 'idle');
    this.#find('#measured').hidden = true;
  }

  say(sentence) { this.#find('#status').textContent = sentence; }

  state(lane, state) {
    const [told, kind] = STATES[lane][state] ?? [state, 'busy'];
    this.#show(lane, told, kind);
  }

  /** Notes when something happened. After a restart, the later time counts. */
  mark(name, at) {
    this.#marks.set(name, at);
    if (this.#marks.has('connected')) this.#showMarks();
  }

  get total() { return this.#marks.get('connected'); }

  /** From the moment when this side knew that the other one is there: by its answer or, where this side answered, by its offer. */
  together(role) { return this.total - this.#marks.get(role === 'offer' ? 'answer' : 'offer'); }

  figures(role) {
    this.#find('#total').textContent = milliseconds(this.total);
    this.#find('#together').textContent = milliseconds(this.together(role));
    this.#find('#measured').hidden = false;
  }

  #show(lane, told, kind) {
    const row = this.#find(`[data-lane=${lane}]`);
    row.dataset.kind = kind;
    row.querySelector('dd').textContent = told;
  }

  #showMarks() {
    const longest = Math.max(...this.#marks.values());
    const rows = [...this.#marks].filter(([name]) => MARKS[name]).sort(([, a], [, b]) => a - b)
      .map(([name, at]) => markRow(MARKS[name], at, at / longest));
    this.#find('#marks').replaceChildren(...rows);
  }

  #find(selector) { return this.#root.querySelector(selector); }
}

function markRow(name, at, share) {
  const row = document.createElement('li');
  const label = document.createElement('span');
  label.textContent = name;
  const number = document.createElement('span');
  number.className = 'number';
  number.textContent = milliseconds(at);
  row.append(label, bar(share), number);
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
