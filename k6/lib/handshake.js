// The two ways to a connection. Each runs both sides of one session at once, and returns when both have all they need.

import { Counter, Trend } from 'k6/metrics';

import { CandidateNoValues } from './msgs.js';
import { candidates, compare, newKey, perSide, sdp } from './payload.js';
import { now, Peer } from './peer.js';

export const handshakes = new Counter('handshakes'); // complete, and nothing wrong
export const handshakeTime = new Trend('handshake_time', true);
export const handshakeRequests = new Trend('handshake_requests');

// messages is a handshake by messages. With trickle the offerer has half of its candidates only when its offer is on its way:
// four requests.
//
//   answerer  GET  wait ────────────▶ offer, 3 candidates       the answerer is there first, as in pion to pion
//   offerer   POST offer, 3, wait ──▶ answer, 6 candidates
//   answerer  POST answer, 6, wait ─▶ 3 candidates
//   offerer   POST 3 ───────────────▶ nothing new
//
// No Idempotency-Key: with one k6, which is Go's HTTP client, would repeat a request whose connection broke, and hide the fault.
// Without trickle, everything was gathered before: three requests. Fewer cannot do, for the answerer has to ask before it can
// answer.
export async function messages({ trickle = true } = {}) {
  const peers = pair();
  const { offerer, answerer, offer, answer } = peers;
  const early = trickle ? 1 + perSide / 2 : offer.length;
  await timed(peers, [
    async () => {
      await offerer.write(offer.slice(0, early), { held: true });
      await offerer.read(answer.length);
      if (trickle) await offerer.write(offer.slice(early));
    },
    async () => {
      await answerer.read(early);
      await answerer.write(answer, { held: trickle });
      await answerer.read(offer.length);
    },
  ]);
  settle(peers);
}

// classic is a handshake by the endpoints for one payload a request, with waits in place of polls: 18 requests. The offerer's
// candidates go one by one, the answerer's together, so that every endpoint is used. Afterwards both look for what should not
// be there, and the session is ended: 3 more.
export async function classic() {
  const peers = pair();
  const { offerer, answerer, offer, answer } = peers;
  await timed(peers, [
    async () => {
      await offerer.post('/sdp', { key_ttl: 30, data: offer[0].data });
      for (const { data } of offer.slice(1)) await offerer.post('/candidate', data);
      offerer.take('sdp', await offerer.wait('/sdp'));
      while (offerer.news.length < answer.length) offerer.take('candidate', ...await offerer.wait('/candidates'));
    },
    async () => {
      answerer.take('sdp', await answerer.wait('/sdp'));
      await answerer.post('/sdp', answer[0].data);
      await answerer.post('/candidates', answer.slice(1).map(({ data }) => data));
      while (answerer.news.length < offer.length) answerer.take('candidate', await answerer.wait('/candidate'));
    },
  ]);
  for (const peer of [offerer, answerer]) {
    peer.take('candidate', ...await peer.poll('/candidates', '', CandidateNoValues) || []);
  }
  await offerer.end();
  settle(peers);
}

// pair returns two peers with a key of their own, and what they have to tell each other.
export function pair() {
  const key = newKey();
  return {
    offerer: new Peer(key, 'offer'),
    answerer: new Peer(key, 'answer'),
    offer: [sdp(key, 'offer'), ...candidates(key, 'offer')],
    answer: [sdp(key, 'answer'), ...candidates(key, 'answer')],
  };
}

// timed runs both sides at once, and measures how long it takes until the last one is done. If one fails, the other one ends in
// its own way; what has not come by then is lost.
async function timed(peers, sides) {
  const begun = now();
  const results = await Promise.allSettled(sides.map((side) => side()));
  const failed = results.find(({ status }) => status === 'rejected');
  if (failed) {
    agree(peers);
    throw failed.reason;
  }
  handshakeTime.add(now() - begun);
}

// settle counts a handshake that has come to its end.
function settle(peers) {
  handshakeRequests.add(peers.offerer.requests + peers.answerer.requests);
  if (agree(peers)) handshakes.add(1);
}

// agree reports whether each peer got what the other one sent.
export function agree({ offerer, answerer, offer, answer }) {
  const there = compare(answerer.news, offer);
  const back = compare(offerer.news, answer);
  return there && back;
}
