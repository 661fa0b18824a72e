// Waiting, with an end to it.

const MAX_TIMER = 2 ** 31 - 1; // a longer timer, or Infinity, would fire at once

/** Calls the task after ms, and never if that is longer than a timer can be. Returns what clearTimeout takes. */
export function timer(ms, task) {
  return ms > MAX_TIMER ? undefined : setTimeout(task, ms);
}

/** An AbortSignal that aborts when its parent does, or when the time that it was armed with is over. */
export class Limit {
  #controller = new AbortController();
  #parent;
  #timer;
  #abortWithParent = () => this.#controller.abort(this.#parent.reason);

  constructor(parent) {
    this.#parent = parent;
    if (parent?.aborted) this.#abortWithParent();
    else parent?.addEventListener('abort', this.#abortWithParent, { once: true });
  }

  get signal() { return this.#controller.signal; }

  arm(ms) {
    this.disarm();
    if (ms <= MAX_TIMER) this.#timer = setTimeout(() => this.abort(new DOMException('no answer in time', 'TimeoutError')), ms);
  }

  disarm() { clearTimeout(this.#timer); }

  release() {
    this.disarm();
    this.#parent?.removeEventListener('abort', this.#abortWithParent);
  }

  abort(reason) {
    this.release();
    this.#controller.abort(reason);
  }
}

/** Resolves after ms, or never if that is longer than a timer can be. Rejects with the signal's reason if it aborts first. */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => { clearTimeout(sleeping); reject(signal.reason); };
    const sleeping = timer(ms, () => { signal?.removeEventListener('abort', stop); resolve(); });
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Resolves in the next turn of the event loop. */
export function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/** Settles as the promise does. Rejects with the signal's reason if it aborts first. */
export function unlessAborted(promise, signal) {
  promise.catch(() => {}); // if the signal has aborted, nobody hears of it
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
