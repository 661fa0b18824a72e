import assert from 'node:assert/strict';
import test from 'node:test';
import { randomKey, Session } from '../src/signal.js';
import { envelope, FakeServer } from './fake-server.js';

const url = 'http://signal.example/mounted/here/';
const fast = { base: 1, max: 5 };

function pair(server, options = {}) {
  const of = (role) => new Session({ url: 'http://signal.example', key: 'k', role, fetch: server.fetch, retry: fast, ...options });
  return { offer: of('offer'), answer: of('answer') };
}

/** Answers each request with what the function returns, and keeps the requests. */
function scripted(...answers) {
  const requests = [];
  const fetch = async (href, init) => {
    requests.push({ url: new URL(href), ...init });
    const answer = answers[Math.min(requests.length, answers.length) - 1];
    if (answer instanceof Error) throw answer;
    return answer();
  };
  return { fetch, requests };
}

const ok = (data = null) => () => envelope('', data);

test('what is wrong with the arguments is said at once', () => {
  const make = (options) => () => new Session({ url, key: 'k', role: 'offer', ...options });
  assert.throws(make({ role: 'both' }), /role is both/);
  assert.throws(make({ key: ' ' }), { code: 'KeyIsEmpty' });
  assert.throws(make({ key: undefined }), { code: 'KeyIsEmpty' });
  assert.throws(make({ key: 'x'.repeat(33) }), { code: 'KeyIsTooLong' });
  assert.throws(make({ url: 'ftp://x/' }), /http or https/);
  assert.throws(make({ url: 'http://x/?a=b' }), /query/);
  assert.throws(make({ url: '/relative' }), TypeError); // without a page there is no base for it
  assert.equal(make({ key: ` ${'🔑'.repeat(32)} ` })().key, '🔑'.repeat(32));
});

test('classic: what one puts the other takes, once', async () => {
  const { offer, answer } = pair(new FakeServer());
  await offer.putSdp('the offer', { ttl: 10_000 });
  await offer.addCandidate('o1');
  await offer.addCandidates(['o2', 'o3']);
  await offer.addCandidates([]);
  assert.equal(await answer.takeSdp(), 'the offer');
  assert.equal(await answer.takeSdp(), null);
  assert.equal(await answer.takeCandidate(), 'o1');
  assert.deepEqual(await answer.takeCandidates(), ['o2', 'o3']);
  assert.deepEqual(await answer.takeCandidates(), []);
  assert.equal(await answer.takeCandidate(), null);
  await answer.putSdp('the answer');
  assert.equal(await offer.takeSdp({ wait: 1000 }), 'the answer');
  await assert.rejects(answer.putSdp('again'), { code: 'SdpAlreadyExist', msg: 'sdp已存在', status: 200 });
  await offer.end();
  await offer.end(); // no error
  await assert.rejects(answer.takeSdp(), { code: 'KeyIsExpired' });
});

test('messages: read by cursor, again and again', async () => {
  const { offer, answer } = pair(new FakeServer());
  await assert.rejects(answer.messages(), { code: 'KeyNotFound' });
  const opened = await offer.exchange({ sdp: 'the offer', candidates: ['o1'] });
  assert.deepEqual(opened.messages, []);
  const first = await answer.messages({ wait: 1000 });
  assert.deepEqual(first.messages, [{ type: 'sdp', data: 'the offer' }, { type: 'candidate', data: 'o1' }]);
  assert.deepEqual(await answer.messages(), first);
  assert.deepEqual(await answer.messages({ after: first.next }), { next: first.next, messages: [] });
  const waiting = offer.messages({ after: opened.next, wait: 5000 });
  await answer.exchange({ sdp: 'the answer' }, { after: first.next });
  assert.deepEqual((await waiting).messages, [{ type: 'sdp', data: 'the answer' }]);
});

test('an exchange brings a cursor even where nothing came', async () => {
  const server = new FakeServer();
  const { offer, answer } = pair(server);
  const { next, messages } = await offer.exchange({ sdp: 'the offer' }, { wait: 10 });
  assert.deepEqual(messages, []);
  const [first, second] = server.requests;
  assert.equal(server.requests.length, 2);
  assert.equal(second.query.wait, undefined);
  assert.deepEqual([second.body, second.headers['Idempotency-Key']], [first.body, first.headers['Idempotency-Key']]);
  await answer.end();
  await offer.exchange({ sdp: 'another offer' });
  await assert.rejects(offer.messages({ after: next }), { code: 'KeyIsExpired' }); // that is not the session it was
});

test('requests are made as the contract says', async () => {
  const { fetch, requests } = scripted(ok({ next: 'c', messages: [] }));
  const session = new Session({ url, key: 'a key', role: 'offer', fetch });
  await session.exchange({ sdp: 's', candidates: ['c'], ttl: 2500 }, { after: 'cur/sor', wait: 1500 });
  const [r] = requests;
  assert.equal(r.url.href, 'http://signal.example/mounted/here/offer/messages?after=cur%2Fsor&wait=1.500');
  assert.equal(r.method, 'POST');
  assert.deepEqual(JSON.parse(r.body), { key_ttl: 2.5, sdp: 's', candidates: ['c'] });
  assert.equal(r.headers.key, 'a key');
  assert.match(r.headers['Idempotency-Key'], /^[\w-]{22}$/);
  assert.deepEqual([r.cache, r.credentials, r.redirect, r.referrerPolicy], ['default', 'omit', 'error', 'no-referrer']);
  await session.messages();
  assert.equal(requests[1].cache, 'no-store');
});

test('a page of another origin asks without preflights', async (t) => {
  t.after(() => { delete globalThis.location; });
  globalThis.location = { origin: 'https://page.example', href: 'https://page.example/dir/' };
  const { fetch, requests } = scripted(ok({ next: 'c', messages: [] }));
  const session = new Session({ url, key: 'k', role: 'answer', fetch });
  await session.exchange({ sdp: 's' }, { wait: 1000 });
  await session.messages();
  await session.end();
  const [post, get, end] = requests;
  assert.deepEqual([post.headers, get.headers], [{}, {}]);
  assert.equal(typeof post.body, 'string'); // which fetch sends as text/plain
  assert.equal(post.url.searchParams.get('key'), 'k');
  assert.match(post.url.searchParams.get('idempotency_key'), /^[\w-]{22}$/);
  assert.deepEqual([end.headers, end.url.search], [{ key: 'k' }, '']); // one URL for all sessions

  const own = new Session({ url: '../signal', key: 'k', role: 'answer', fetch });
  assert.equal(own.url, 'https://page.example/signal');
  await own.exchange({ sdp: 's' });
  assert.equal(requests[3].headers.key, 'k');
  assert.equal(requests[3].url.search, '');
});

test('the key goes where it is wanted, and never as a header that would change it', async () => {
  const { fetch, requests } = scripted(ok());
  for (const [key, keyIn, inHeader] of [['k', 'query', false], ['k', 'header', true], ['ключ', 'header', false], ['é', undefined, false]]) {
    await new Session({ url, key, keyIn, role: 'offer', fetch }).addCandidate('c');
    const { headers, url: { searchParams } } = requests.at(-1);
    assert.deepEqual([headers.key, searchParams.get('key')], inHeader ? [key, null] : [undefined, key]);
  }
});

test('a write whose answer is lost is repeated with its token, and applied once', async () => {
  const server = new FakeServer();
  const { offer } = pair(server);
  await offer.exchange({ sdp: 's' });
  server.loseAnswers = 2;
  await offer.addCandidate('c');
  assert.deepEqual(server.log('k', 'offer').candidates, ['c']);
  const tokens = server.requests.slice(1).map((r) => r.headers['Idempotency-Key']);
  assert.equal(tokens.length, 3);
  assert.equal(new Set(tokens).size, 1);
  await offer.addCandidate('c');
  assert.notEqual(server.requests.at(-1).headers['Idempotency-Key'], tokens[0]);
});

test('a take is repeated by its token, and what it took is not lost with the answer', async () => {
  const server = new FakeServer();
  const { offer, answer } = pair(server);
  await offer.exchange({ sdp: 'the offer', candidates: ['c1', 'c2'] });
  for (const [take, want] of [[() => answer.takeSdp(), 'the offer'], [() => answer.takeCandidate(), 'c1'], [() => answer.takeCandidates(), ['c2']]]) {
    const asked = server.requests.length;
    server.loseAnswers = 2;
    assert.deepEqual(await take(), want);
    const tokens = server.requests.slice(asked).map(({ headers }) => headers['Idempotency-Key']);
    assert.equal(tokens.length, 3);
    assert.equal(new Set(tokens).size, 1);
    assert.match(tokens[0], /^[\w-]{22}$/);
  }
  assert.equal(await answer.takeCandidate(), null);
});

test('what is repeated and what is not', async () => {
  const html = (status) => () => new Response('<h1>proxy</h1>', { status });
  const cut = () => new Response('{"msg":"","da', { status: 200 });
  const cases = [
    [new TypeError('fetch failed'), 5], [html(502), 5], [html(503), 5], [html(504), 5], [html(429), 5], [cut, 5],
    [html(404), 1], [html(500), 1], [() => envelope('QueueIsFull', null), 1], [() => envelope('RouteNotFound', null), 1],
    [() => envelope('KeyIsExpired', null), 1],
  ];
  for (const [answer, attempts] of cases) {
    const { fetch, requests } = scripted(answer);
    const session = new Session({ url, key: 'k', role: 'offer', fetch, retry: fast });
    await assert.rejects(session.messages(), { name: 'SignalError' });
    assert.equal(requests.length, attempts, String(answer));
  }
});

test('a refusal is not asked about again before Retry-After', async () => {
  const { fetch, requests } = scripted(() => envelope('CacheOverrunMaxCost', null, { 'Retry-After': '0.' }),
    () => envelope('CacheOverrunMaxCost', null, { 'Retry-After': '1' }), ok());
  const pauses = [];
  const session = new Session({ url, key: 'k', role: 'offer', fetch, retry: fast, onRetry: ({ retryAfter }) => pauses.push(retryAfter) });
  const begun = performance.now();
  await session.putSdp('s');
  assert.equal(requests.length, 3);
  assert.deepEqual(pauses, [0, 1000]);
  assert.ok(performance.now() - begun >= 999);
});

test('a repetition waits only for the rest of the time', async () => {
  const { fetch, requests } = scripted(new TypeError('fetch failed'), ok({ next: 'c', messages: [] }));
  const session = new Session({ url, key: 'k', role: 'offer', fetch, retry: { base: 200, max: 200 } });
  await session.messages({ wait: 5000 });
  const [first, second] = requests.map((r) => Number(r.url.searchParams.get('wait')));
  assert.equal(first, 5);
  assert.ok(second <= 4.91 && second > 4, `waits ${second}`);
});

test('abort ends a request and a pause with the signal\'s reason', async () => {
  const reason = new Error('enough');
  const hang = (href, { signal }) => new Promise((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason)); });
  const down = async () => { throw new TypeError('fetch failed'); };
  for (const fetch of [hang, down]) {
    const controller = new AbortController();
    const session = new Session({ url, key: 'k', role: 'offer', fetch, retry: { base: 60_000, max: 60_000 } });
    const asked = session.messages({ signal: controller.signal });
    setTimeout(() => controller.abort(reason), 5);
    await assert.rejects(asked, (error) => error === reason);
  }
  const session = new Session({ url, key: 'k', role: 'offer', fetch: hang });
  await assert.rejects(session.messages({ signal: AbortSignal.abort(reason) }), (error) => error === reason);
});

test('an answer that does not come in time is asked for again, and told apart from a lost connection', async () => {
  const hang = (href, { signal }) => new Promise((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason)); });
  const session = new Session({ url, key: 'k', role: 'offer', fetch: hang, timeout: 5, retry: { attempts: 2, base: 1, max: 1 } });
  const error = await session.messages({ wait: 10 }).catch((e) => e);
  assert.equal(error.code, 'NoAnswer');
  assert.match(error.message, /other tabs/);
  assert.equal(error.cause.name, 'TimeoutError');
});

test('an answer that is not of the protocol is not passed on', async () => {
  const bad = [
    null, { next: 1, messages: [] }, { next: 'c' }, { next: 'c', messages: [{ type: 'candidate', data: 'x' }] },
    { next: 'c', messages: [{ type: 'sdp', data: 'x' }, { type: 'sdp', data: 'x' }] }, { next: 'c', messages: [{ type: 'sdp' }] },
    { next: '', messages: [{ type: 'sdp', data: 'x' }] }, { next: 'c', messages: [{ type: 'x', data: 'x' }] },
  ];
  for (const data of bad) {
    const { fetch } = scripted(ok(data));
    const session = new Session({ url, key: 'k', role: 'offer', fetch, retry: { attempts: 1 } });
    await assert.rejects(session.messages(), { code: 'BrokenAnswer' }, JSON.stringify(data));
  }
});

test('onAnswer tells that the server is there', async () => {
  let heard = 0;
  const { fetch } = scripted(new TypeError('fetch failed'), () => envelope('KeyNotFound', null));
  const session = new Session({ url, key: 'k', role: 'offer', fetch, retry: fast, onAnswer: () => heard++ });
  await assert.rejects(session.messages(), { code: 'KeyNotFound' });
  assert.equal(heard, 1);
});

test('keys are random', () => {
  assert.match(randomKey(), /^[\w-]{22}$/);
  assert.notEqual(randomKey(), randomKey());
});
