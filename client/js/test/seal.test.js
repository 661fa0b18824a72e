import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { deriveSecret, Seal } from '../src/signal.js';

const file = new URL('../../seal/testdata/vectors.json', import.meta.url);
const skip = !existsSync(file);
const { derivations, cases } = skip ? { derivations: [], cases: [] } : JSON.parse(readFileSync(file, 'utf8'));

/** Derivations, which take a tenth of a second each. */
const derived = new Map();
function sharedOf(secret, key) {
  const name = `${secret}\n${key}`;
  if (!derived.has(name)) derived.set(name, deriveSecret(secret, key));
  return derived.get(name);
}

const nameOf = ({ type, do: verb }) => verb + (type === 'sdp' ? 'Sdp' : 'Candidate');
const bytesOf = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'));

test('vectors: session keys', { skip }, async () => {
  assert.ok(derivations.length > 0);
  for (const { secret, key, sessionKey } of derivations) {
    assert.equal((await sharedOf(secret, key)).key, sessionKey);
    assert.equal((await deriveSecret(new TextEncoder().encode(secret), key)).key, sessionKey);
  }
});

for (const { name, secret, key, role, steps } of cases) {
  test(`vectors: ${name}`, async (t) => {
    const seal = new Seal(await sharedOf(secret, key), role);
    for (const step of steps) {
      const { text, sealed, nonce, error } = step;
      if (nonce) {
        const random = t.mock.method(globalThis.crypto, 'getRandomValues', (array) => { array.set(bytesOf(nonce)); return array; });
        assert.equal(await seal[nameOf(step)](text), sealed);
        random.mock.restore();
      } else if (error) {
        await assert.rejects(seal[nameOf(step)](sealed), { name: 'SealError', code: error });
      } else {
        assert.equal(await seal[nameOf(step)](sealed), text);
      }
    }
  });
}

const offer = '{"type":"offer","sdp":"v=0"}';

async function begin() {
  const shared = await sharedOf('correct horse battery staple');
  return { offerer: new Seal(shared, 'offer'), answerer: new Seal(shared, 'answer') };
}

test('any text goes there and back', async () => {
  const { offerer, answerer } = await begin();
  await answerer.openSdp(await offerer.sealSdp(offer));
  for (const text of ['', '密码 🔑', '\ufeffmark', 'x'.repeat(48 << 10)]) {
    assert.equal(await answerer.openCandidate(await offerer.sealCandidate(text)), text);
  }
});

test('each bit counts', async () => {
  const { offerer, answerer } = await begin();
  const sealed = await offerer.sealSdp(offer);
  const raw = Buffer.from(sealed.slice(3), 'base64url');
  for (let bit = 0; bit < raw.length * 8; bit++) {
    raw[bit >> 3] ^= 1 << (bit & 7);
    await assert.rejects(answerer.openSdp(`s1.${raw.toString('base64url')}`), { code: 'Broken' });
    raw[bit >> 3] ^= 1 << (bit & 7);
  }
  assert.equal(await answerer.openSdp(sealed), offer);
});

test('calls that are not waited for keep their order', async () => {
  const { offerer, answerer } = await begin();
  const texts = ['c1', 'c2', 'c3'];
  const sealed = await Promise.all([offerer.sealSdp(offer), ...texts.map((text) => offerer.sealCandidate(text))]);
  const opened = await Promise.all([answerer.openSdp(sealed[0]), ...sealed.slice(1).map((text) => answerer.openCandidate(text))]);
  assert.deepEqual(opened, [offer, ...texts]);
});

test('out of order', async () => {
  const { offerer, answerer } = await begin();
  const order = { name: 'SealError', code: 'Order' };
  await assert.rejects(offerer.sealCandidate('c'), order);
  await assert.rejects(answerer.sealSdp('a'), order);
  await assert.rejects(offerer.openSdp('s1.x'), order);
  await assert.rejects(answerer.openCandidate('s1.x'), order);
  await offerer.sealSdp(offer);
  await assert.rejects(offerer.sealSdp(offer), order);
});

test('what there is to derive from', async (t) => {
  await assert.rejects(deriveSecret(''), { code: 'NoSecret' });
  await assert.rejects(deriveSecret(undefined), { code: 'NoSecret' });
  await assert.rejects(deriveSecret('s', ' '), { code: 'KeyIsEmpty' });
  assert.equal((await sharedOf('s', ' k ')).key, 'k');
  assert.throws(() => new Seal({ key: 'k' }, 'offer'), TypeError);
  const shared = await sharedOf('s', ' k ');
  assert.throws(() => new Seal(shared, 'both'), TypeError);
  assert.deepEqual(Reflect.ownKeys(shared), ['key']); // the keys of roles cannot be reached
  t.mock.getter(globalThis.crypto, 'subtle', () => undefined); // as on a page that is neither https nor on localhost
  await assert.rejects(deriveSecret('s'), { code: 'Unavailable' });
});
