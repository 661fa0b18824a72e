import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { Session, SignalError } from '../src/signal.js';
import { envelope } from './fake-server.js';

const source = new URL('../../../custerrors/custerrors.go', import.meta.url);

test('every msg of the server has its name and a text for people here', { skip: !existsSync(source) }, async () => {
  const msgs = [...readFileSync(source, 'utf8').matchAll(/^\t(\w+) +Error = "(.*)"$/gm)];
  assert.ok(msgs.length >= 30, `custerrors has ${msgs.length} texts, or this test cannot read it any more`);
  for (const [, code, text] of msgs) {
    const fetch = async () => new Response(JSON.stringify({ msg: text, data: null }), { status: 200 });
    const error = await new Session({ url: 'http://x/', key: 'k', role: 'answer', fetch }).putSdp('sdp').catch((e) => e);
    assert.ok(error instanceof SignalError, code);
    assert.deepEqual([error.code, error.msg], [code, text]);
    assert.match(error.message, /^[A-Z].*[.?]$/, 'a sentence');
  }
});

test('a msg that this version does not know is passed on', async () => {
  const fetch = async () => new Response('{"msg":"新的","data":null}', { status: 418 });
  const error = await new Session({ url: 'http://x/', key: 'k', role: 'answer', fetch }).end().catch((e) => e);
  assert.deepEqual([error.code, error.msg, error.status, error.request], ['Unknown', '新的', 418, 'DELETE /session']);
  assert.match(error.message, /新的/);
});

test('an error says what a person and a program want to know', async () => {
  const fetch = async () => envelope('CacheOverrunMaxCost', null, { 'Retry-After': '7' });
  const session = new Session({ url: 'http://x/', key: 'k', role: 'offer', fetch, retry: { attempts: 1 } });
  const error = await session.putSdp('sdp').catch((e) => e);
  assert.equal(error.name, 'SignalError');
  assert.equal(error.code, 'CacheOverrunMaxCost');
  assert.equal(error.status, 503);
  assert.equal(error.retryAfter, 7000);
  assert.equal(error.request, 'POST /offer/sdp');
  assert.match(error.message, /full/);
});
