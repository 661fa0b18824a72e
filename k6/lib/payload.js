// Payloads that say whose they are, and the comparison of what came with what was sent.

import { Counter } from 'k6/metrics';

// sdpBytes are the sizes of what browsers send for one audio, one video and one data channel, roughly.
const sdpBytes = { offer: 2100, answer: 2000 };
const candidateBytes = 120;

// perSide is how many candidates each side sends.
export const perSide = 6;

const line = 'a=rtpmap:111 opus/48000/2 "\\" a=fmtp:111 minptime=10;useinbandfec=1\r\n'; // with what JSON must escape
const filler = line.repeat(Math.ceil(sdpBytes.offer / line.length));

// newKey returns a random key of 32 characters.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let key = '';
  for (const byte of bytes) key += hex[byte];
  return key;
}

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

// sdp returns the sdp of that role of the session; note goes into it. ASCII, so that characters are bytes.
export function sdp(key, role, note = '') {
  const head = `v=0\r\no=- ${key} 1 IN IP4 0.0.0.0\r\ns=${role}\r\ni=${note}\r\nt=0 0\r\n`;
  return { type: 'sdp', data: head + filler.slice(0, sdpBytes[role] - head.length) };
}

// noteOf returns the note that was put into an sdp.
export function noteOf(message) {
  return (/\r\ni=(.*)\r\n/.exec(message.data) || ['', ''])[1];
}

// candidates returns the role's candidates with the serial numbers first to last.
export function candidates(key, role, first = 1, last = perSide) {
  const list = [];
  for (let serial = first; serial <= last; serial++) {
    const head = `candidate:${serial} 1 udp 2122260223 ${key}.local ${50000 + serial} typ host ufrag ${role} "\\`;
    list.push({ type: 'candidate', data: head.padEnd(candidateBytes, '.') });
  }
  return list;
}

// data returns the payloads of messages.
export function data(messages) {
  return messages.map((message) => message.data);
}

export const payloads = new Counter('payloads');

// faults counts payloads that did not reach the right peer once, whole and in order.
export const faults = {
  lost: new Counter('payloads_lost'),
  doubled: new Counter('payloads_doubled'),
  reordered: new Counter('payloads_reordered'),
  mixedUp: new Counter('payloads_mixed_up'), // of another session or side
  altered: new Counter('payloads_altered'),
};

// compare counts what is wrong with the messages that a peer got, given what the other one sent, and reports whether nothing
// is. An altered payload is also a lost one: it never came as it was sent.
export function compare(got, want) {
  const count = { lost: 0, doubled: 0, reordered: 0, mixedUp: 0, altered: 0 };
  const places = new Map(want.map((message, place) => [identity(message), place]));
  const sender = want.length > 0 ? senderOf(want[0]) : '';
  const seen = new Set();
  let highest = -1;
  for (const message of got) {
    const place = places.get(identity(message));
    if (place === undefined) {
      const from = senderOf(message);
      count[from && from !== sender ? 'mixedUp' : 'altered']++;
    } else if (seen.has(place)) {
      count.doubled++;
    } else {
      if (place < highest) count.reordered++;
      highest = Math.max(highest, place);
      seen.add(place);
    }
  }
  count.lost = want.length - seen.size;
  payloads.add(got.length);
  let fine = true;
  for (const fault of Object.keys(count)) {
    if (count[fault] === 0) continue;
    faults[fault].add(count[fault]);
    fine = false;
  }
  return fine;
}

function identity({ type, data }) {
  return `${type} ${data}`;
}

// senderOf returns the session and the side that a payload names, or ''.
function senderOf({ data }) {
  const key = /\b[0-9a-f]{32}\b/.exec(data);
  const role = /\b(?:s=|ufrag )(offer|answer)\b/.exec(data);
  return key && role ? `${key[0]} ${role[1]}` : '';
}
