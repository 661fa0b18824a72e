// A program that uses the client by its types. It is checked and never run.

import {
  connect, ConnectError, deriveSecret, randomKey, Seal, SealError, Session, SignalError,
  type Connected, type ConnectOptions, type SignalCode, type TokenFunction,
} from 'signal-server-client';

let cached: string | undefined;

const token: TokenFunction = async (refused) => {
  if (cached === undefined || cached === refused) cached = await (await fetch('/signal-token')).text();
  return cached;
};

const options: ConnectOptions = { url: new URL('https://signal.example'), key: randomKey(), role: 'auto', token, onState: (state) => state === 'retrying' };

export async function call(pc: RTCPeerConnection): Promise<Connected | SignalCode | string> {
  try {
    return await connect(pc, options);
  } catch (error) {
    if (error instanceof SignalError) return error.code;
    if (error instanceof ConnectError && error.code === 'IceFailed') return error.message;
    if (error instanceof SealError) return error.code;
    throw error;
  }
}

export async function underneath(): Promise<void> {
  const shared = await deriveSecret('correct horse battery staple');
  const seal = new Seal(shared, 'offer');
  const session = new Session({ url: 'https://signal.example', key: shared.key, role: 'offer', token: 'a-token' });
  const { next } = await session.exchange({ sdp: await seal.sealSdp('v=0') }, { wait: 1000, idempotencyKey: randomKey() });
  const pc = new RTCPeerConnection({ iceServers: await session.iceServers({ signal: AbortSignal.timeout(1000) }) });
  await connect(pc, { ...options, ice: false });
  for await (const { type, data, cursor } of session.events({ after: next })) console.log(type, data, cursor);
}

export const servers: ConnectOptions[] = [
  { ...options, ice: { urls: 'stun:stun.example' } },
  { ...options, ice: [{ urls: ['turn:turn.example'], username: 'u', credential: 'c' }] },
];

export const wrong: ConnectOptions[] = [
  // @ts-expect-error servers without URLs
  { url: '/', key: 'k', role: 'offer', ice: [{ username: 'u' }] },
  // @ts-expect-error a role that there is not
  { url: '/', key: 'k', role: 'both' },
  // @ts-expect-error a token that is no text
  { url: '/', key: 'k', role: 'offer', token: 5 },
  // @ts-expect-error a function that returns no text
  { url: '/', key: 'k', role: 'offer', token: async () => 5 },
  // @ts-expect-error no URL
  { key: 'k', role: 'offer' },
];

// @ts-expect-error the Idempotency-Key is no token
export const renamed = (session: Session) => session.exchange({}, { token: 'x' });
