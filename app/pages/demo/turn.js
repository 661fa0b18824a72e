// What became of the TURN servers that a peer connection was given. No DOM.

export const isTurn = (url) => /^turns?:/.test(url);

/** The errors of one peer connection's TURN servers are bounded by its URLs: the browser tells of no other ones. */
export class TurnServers {
  #pc;
  #errors = new Map(); // by URL: {code, text}, the latest

  /** Whether one of them has given this side a relay. */
  gaveRelay = false;

  constructor(pc) {
    this.#pc = pc;
    pc.addEventListener('icecandidate', ({ candidate }) => { if (candidate?.type === 'relay') this.gaveRelay = true; });
    pc.addEventListener('icecandidateerror', ({ url, errorCode, errorText }) => {
      if (isTurn(url)) this.#errors.set(url, { code: errorCode, text: errorText });
    });
  }

  /** Their URLs. */
  get urls() { return this.#known.filter(isTurn); }

  /** Whether there is a STUN server beside them. */
  get hasStun() { return this.#known.some((url) => !isTurn(url)); }

  get #known() { return (this.#pc.getConfiguration().iceServers ?? []).flatMap(({ urls }) => urls); }

  /**
   * What the browser said of those that gave no relay, as {code, text, urls}: one for each code. The code is that of the TURN server's answer
   * (RFC 8656, Section 19), or 701 if there was none. Browsers do not tell of every failure.
   */
  get errors() {
    const byCode = new Map();
    for (const [url, { code, text }] of this.#errors) byCode.set(code, { code, text, urls: [...byCode.get(code)?.urls ?? [], url] });
    return [...byCode.values()];
  }
}
