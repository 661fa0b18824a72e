// The token by which a server with --auth-… knows a client, and where it comes from.

import { unlessAborted } from './time.js';

/** Reports whether a header can carry the text as a token, whole: the server trims spaces, and fetch takes no other characters. */
export const isToken = (text) => typeof text === 'string' && /^[\x21-\x7e]+$/.test(text);

/** What the caller gave as its token: a text, a function that is asked for one, or nothing. It is kept in memory only. */
export class TokenSource {
  #given;
  #last; // { token }: what the function gave last, which may be none; unless the server has refused it

  constructor(given) { this.#given = given; }

  /**
   * Calls the task with the token for one request. If the server refuses it and it came from a function, the function is told and asked
   * once more, and so is the server. atOnce is for a request that the page may not be there to wait for: it goes out in this very turn
   * if any token is known.
   */
  async use(task, { signal, atOnce = false } = {}) {
    if (typeof this.#given !== 'function') return task(this.#given);
    const token = atOnce && this.#last ? this.#last.token : await this.#ask(undefined, signal);
    try {
      return await this.#try(task, token);
    } catch (error) {
      if (error?.code !== 'NotAuthenticated') throw error;
    }
    return this.#try(task, await this.#ask(token ?? '', signal));
  }

  async #try(task, token) {
    try {
      return await task(token);
    } catch (error) {
      if (error?.code === 'NotAuthenticated' && this.#last?.token === token) this.#last = undefined; // and no newer one that came meanwhile
      throw error;
    }
  }

  async #ask(refused, signal) {
    signal?.throwIfAborted();
    const given = this.#given;
    const asked = (async () => given(refused))();
    const token = await (signal ? unlessAborted(asked, signal) : asked) ?? undefined;
    if (token !== undefined && !isToken(token)) { // which is not told: it may be a secret with a line break
      throw new TypeError('the token function returned something else than a token: visible ASCII characters, or undefined for none');
    }
    this.#last = { token };
    return token;
  }
}
