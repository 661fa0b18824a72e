// The steps that a call takes, in the order in which they can happen. No DOM.

const ORDER = [
  'key', 'secret', 'offer sent', 'offer received', 'answer sent', 'answer received', 'ice', 'connected', 'open',
];

/** Steps that a call may do without: the other side takes them, or nobody. */
const OPTIONAL = new Set(['secret', 'offer sent', 'offer received', 'answer sent', 'answer received']);

/**
 * When each step was taken. Events of a browser come in an order of their own: it may tell of the path before it tells of the description
 * that led there. Here a step is never earlier than the one before it, and one that was taken implies those before it.
 */
export class Steps {
  #at = new Map(); // name → milliseconds

  /** Notes a step. A second offer begins anew: what came after the first one no longer counts. */
  mark(name, at) {
    const place = ORDER.indexOf(name);
    if (place < 0) throw new Error(`BUG: no step is called ${name}`);
    if (this.#at.has(name) && !name.startsWith('offer')) return;
    if (name.startsWith('offer')) for (const step of ORDER.slice(ORDER.indexOf('offer sent'))) this.#at.delete(step);
    this.#at.set(name, at);
  }

  /**
   * When this side knew that the other one is there: by its answer or, where this side answers, by its offer. undefined if it does not know.
   * What comes before is a person's time.
   */
  get met() { return this.list.find(({ name }) => name.endsWith(' received'))?.at; }

  /** Returns the steps up to the last one that was taken, as {name, at}. */
  get list() {
    const last = ORDER.findLastIndex((name) => this.#at.has(name));
    const taken = ORDER.slice(0, last + 1).filter((name) => this.#at.has(name) || !OPTIONAL.has(name));
    const list = [];
    let latest = 0;
    for (const [i, name] of taken.entries()) {
      const told = this.#at.get(name) ?? Math.min(...taken.slice(i).map((later) => this.#at.get(later) ?? Infinity));
      latest = Math.max(latest, told);
      list.push({ name, at: latest });
    }
    return list;
  }
}
