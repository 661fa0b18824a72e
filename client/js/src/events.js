// Server-sent events, and the messages in them.

import { codeOf, refusal, SignalError } from './errors.js';

const MAX_EVENT = 1 << 19; // characters: JSON may take 6 for each byte of an sdp of 64 KiB

/** Parses text/event-stream (HTML Living Standard, Section 9.2.6), which arrives in pieces. */
export class EventParser {
  #rest = '';
  #event = { type: 'message', id: '', data: [] };

  *push(text) {
    this.#rest += text;
    if (this.#rest.length > MAX_EVENT) throw new SignalError('BrokenAnswer');
    const lines = this.#rest.split(/\r\n|\n|\r(?=[^])/); // a \r at the very end may be the first half of a line's end
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line !== '') this.#field(line);
      else if (this.#event.data.length > 0) yield this.#finish();
      else this.#event.type = 'message';
    }
  }

  #field(line) {
    const [, name, value] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line);
    if (name === 'data') this.#event.data.push(value);
    else if (name === 'event') this.#event.type = value;
    else if (name === 'id') this.#event.id = value;
  }

  #finish() {
    const { type, id, data } = this.#event;
    this.#event = { type: 'message', id, data: [] };
    return { type, id, data: data.join('\n') };
  }
}

/** Returns the message of an event, or undefined if this version does not know its type. Throws the error that an end event names. */
export function messageOf({ type, id, data }, request) {
  if (type !== 'sdp' && type !== 'candidate' && type !== 'end') return undefined;
  let text;
  try {
    text = JSON.parse(data);
  } catch { /* reported below */ }
  if (typeof text !== 'string') throw new SignalError('BrokenAnswer', { status: 200, request });
  if (type !== 'end') return { type, data: text, cursor: id };
  throw refusal(text, { status: codeOf(text) === 'ServerIsShuttingDown' ? 503 : 200, request });
}
