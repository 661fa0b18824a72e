// What to tell a person when something went wrong: a title, what happened, and what to do about it.

import { meaningOf } from './msgs.js';

const SAME_KEY = 'Check that both sides have the same key, down to capitals.';
const SAME_SECRET = 'Type the same secret on both sides: capitals and spaces count.';
const TRY_AGAIN = 'Press Connect on both sides to try again.';

const NETWORK = [
  'If the two are on different networks, name a STUN server under “More options”.',
  'If that does not help, a firewall or a NAT stands between: then only a TURN server, which relays, connects the two. ' +
    'This page has none; programs pass one to RTCPeerConnection in iceServers.',
  'A VPN, or a guest Wi-Fi that keeps devices apart, has the same effect: try without it.',
];

/** By the error's code (of client/signal.js), or its name (of the browser). */
const ADVICE = {
  SdpAlreadyExist: ['This key is in use', [
    'Two others are connecting by it. A key is good for two: press New for a fresh one, and send the new link.',
    'If it was you, in another tab or browser: hang up there, or wait half a minute.',
  ]],
  Timeout: ['Nobody came in time', [SAME_KEY, TRY_AGAIN]],
  IceFailed: ['No network path works', NETWORK],
  DtlsFailed: ['The connection is not trustworthy', [
    'Try again with a fresh key and a shared secret under “More options”.',
  ]],
  BadPeer: ['The other side sent something strange', ['Is the other side this page, or a program for this server? ' + SAME_KEY]],
  Broken: ['The secrets do not match', [SAME_SECRET, 'If they are the same, somebody has tampered with the messages.']],
  NotSealed: ['The other side has no secret', ['Type the secret on the other side too, or leave it empty here.']],
  Sealed: ['A secret is needed', ['The other side uses a shared secret: type the same one under “More options”.']],
  Unavailable: ['No encryption on this page', ['Browsers have it on https pages and on localhost only: open the page there.']],
  Unreachable: ['The server cannot be reached', ['Is this device online? Is the server running?', TRY_AGAIN]],
  NoAnswer: ['No answer from the server', [
    'If this page is open in many tabs, close some: a browser lets six of them wait for one server, unless it speaks HTTP/2.', TRY_AGAIN,
  ]],
  BrokenAnswer: ['Something else answered', ['A proxy or a sign-in page of the network may stand between: reload this page.']],
  CacheOverrunMaxCost: ['The server is full', ['Try again in a minute.']],
  NotAuthenticated: ['This server asks for a token', ['Ask whoever runs it: this page was opened without one.']],
  ServerIsOverloaded: ['The server is busy', ['Try again in a minute.']],
  TooManyRequests: ['Too fast', ['Wait a minute, then try again.']],
  StoreIsUnavailable: ['The server has trouble', ['Try again in a minute.']],
  ServerIsShuttingDown: ['The server is being restarted', ['Try again in a moment.']],
  KeyIsEmpty: ['A key is missing', ['Type the key that the other side has, or choose “I start”.']],
  KeyIsTooLong: ['The key is too long', ['Take 32 characters at the most.']],
  NotAllowedError: ['Camera and microphone are blocked', ['Allow them for this page in the browser’s address bar, or choose Chat.']],
  NotFoundError: ['No camera or microphone', ['Plug one in, or choose Chat.']],
  NotReadableError: ['The camera is in use', ['Close the other program that uses it, or choose Chat.']],
  InsecureContext: ['No camera on this page', ['Browsers give cameras to https pages and to localhost only: open the page there, or choose Chat.']],
};

/** Returns {title, text, todo} for an error of a call. met says whether the two sides knew each other by then. */
export function adviceFor(error, met) {
  const code = error.code === 'Timeout' && met ? 'IceFailed' : error.code;
  const [title, todo] = ADVICE[code] ?? ADVICE[error.name] ?? ['That did not work', [TRY_AGAIN]];
  const text = error.msg ? meaningOf(error.msg) : error.message;
  return { title, text, todo };
}
