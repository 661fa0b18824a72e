// The hooks of the caller, onState and onSignal.

/** Calls the hooks until everything is over. */
export class Hooks {
  // set at construction
  #options;
  #over; // a signal
  #isSealed; // a function

  #state = ''; // the last one that holds until another comes: neither retrying nor restarting

  constructor(options, over, isSealed) {
    this.#options = options;
    this.#over = over;
    this.#isSealed = isSealed;
  }

  enter(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.#call('onState', state);
  }

  retrying(error) { this.#call('onState', 'retrying', error); }

  /** The server answers again: tells the state before. */
  recovered() { if (this.#state) this.#call('onState', this.#state); }

  restarting(error) {
    this.#state = '';
    this.#call('onState', 'restarting', error);
  }

  /** at is when the payload was there, in the time of performance.now(): not when all was done that it asks for. */
  signal(direction, type, text, at, error) {
    this.#call('onSignal', { direction, type, text, sealed: this.#isSealed(), at, error });
  }

  /** An error that a hook throws is the caller's. It is reported, and fails nothing here. */
  #call(hook, ...args) {
    if (this.#over.aborted) return;
    try {
      this.#options[hook]?.(...args);
    } catch (error) {
      (globalThis.reportError ?? console.error)(error);
    }
  }
}
