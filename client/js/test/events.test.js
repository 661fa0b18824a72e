import assert from 'node:assert/strict';
import test from 'node:test';
import { Session } from '../src/signal.js';
import { envelope, FakeServer } from './fake-server.js';

const fast = { base: 1, max: 5 };
const sessionOf = (role, fetch, options) => new Session({ url: 'http://x/', key: 'k', role, fetch, retry: fast, ...options });

/** A fetch that streams each of these lists of chunks once. */
function streaming(...connections) {
  const requests = [];
  const fetch = async (href) => {
    requests.push(new URL(href));
    const chunks = connections.shift() ?? [];
    const body = new ReadableStream({
      start(stream) {
        for (const chunk of chunks) stream.enqueue(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk);
        stream.close();
      },
    });
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream; charset=utf-8' } });
  };
  return { fetch, requests };
}

/** Collects what comes until the error that ends it. */
async function all(events) {
  const got = [];
  try {
    for await (const { type, data, cursor } of events) got.push(`${type} ${data} ${cursor}`);
  } catch (error) {
    return { got, code: error.code };
  }
  return { got };
}

const end = 'event: end\ndata: "key已过期"\n\n';

test('one connection delivers everything, the end included', async () => {
  const server = new FakeServer();
  const offer = sessionOf('offer', server.fetch);
  const answer = sessionOf('answer', server.fetch);
  const events = all(answer.events()); // before the session is open
  await offer.exchange({ sdp: 'line\nline', candidates: ['c1', 'c2'] });
  await offer.addCandidate('c3');
  await offer.end();
  const { got, code } = await events;
  assert.deepEqual(got, ['sdp line\nline 1-1', 'candidate c1 1-2', 'candidate c2 1-3', 'candidate c3 1-4']);
  assert.equal(code, 'KeyIsExpired');
  assert.equal(server.count('GET /answer/events'), 1);
});

test('a stream that is cut goes on where it stopped', async () => {
  const server = new FakeServer();
  const offer = sessionOf('offer', server.fetch);
  await offer.exchange({ sdp: 's', candidates: ['c1'] });
  const got = [];
  for await (const { data } of sessionOf('answer', server.fetch).events()) {
    got.push(data);
    if (data === 'c1') {
      setTimeout(() => server.cutStreams(), 5);
      setTimeout(() => offer.addCandidate('c2'), 30);
    }
    if (data === 'c2') break;
  }
  assert.deepEqual(got, ['s', 'c1', 'c2']);
  assert.equal(server.count('GET /answer/events'), 2);
  assert.equal(server.requests.findLast(({ path }) => path === '/answer/events').query.after, '1-2');
});

test('a server that shuts down is asked again, another one may answer', async () => {
  const stop = 'event: end\ndata: "服务正在关闭"\n\n';
  const { fetch, requests } = streaming([':\n\n', stop], ['id: 1\nevent: sdp\ndata: "s"\n\n', end]);
  assert.deepEqual(await all(sessionOf('answer', fetch).events()), { got: ['sdp s 1'], code: 'KeyIsExpired' });
  assert.equal(requests.length, 2);
});

test('events are read however they are cut and whatever ends their lines', async () => {
  const stream = ': comment\r\rid: 1\r\nevent: sdp\r\ndata: "密\\n"\r\n\r\nid:2\revent:candidate\rdata:"c:"\r\rretry: 5\nevent: later\ndata: "x"\n\n' +
    'data: "no type"\n\nevent: candidate\n\nid: 3\nevent: candidate\ndata: "two\ndata:  lines"\n\n' + end;
  const bytes = new TextEncoder().encode(stream);
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const chunks = [];
    for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.slice(i, i + size));
    const { got, code } = await all(sessionOf('answer', streaming(chunks).fetch, { retry: { attempts: 1 } }).events());
    // A JSON string has no raw line break, so the event of two lines is no message of this protocol.
    assert.deepEqual([got, code], [['sdp 密\n 1', 'candidate c: 2'], 'BrokenAnswer'], `in pieces of ${size}`);
  }
});

test('what is no event of the protocol ends the stream', async () => {
  for (const data of ['{}', 'x', '']) {
    const { fetch } = streaming([`event: sdp\ndata: ${data}\n\n`]);
    assert.equal((await all(sessionOf('answer', fetch, { retry: { attempts: 1 } }).events())).code, 'BrokenAnswer');
  }
  const { fetch } = streaming(['x'.repeat(1 << 20)]);
  assert.equal((await all(sessionOf('answer', fetch).events())).code, 'BrokenAnswer');
});

test('where events do not get through, that is said', async (t) => {
  const server = new FakeServer();
  server.events = 'no';
  assert.equal((await all(sessionOf('answer', server.fetch).events())).code, 'RouteNotFound');
  const page = async () => new Response('<h1>blocked</h1>', { headers: { 'Content-Type': 'text/html' } });
  assert.equal((await all(sessionOf('answer', page, { retry: { attempts: 1 } }).events())).code, 'BrokenAnswer');
  const done = async () => envelope('', null);
  assert.equal((await all(sessionOf('answer', done).events())).code, 'NoStream');

  t.mock.timers.enable({ apis: ['setTimeout'] });
  server.events = 'held';
  const held = all(sessionOf('answer', server.fetch).events());
  while (server.count('GET /answer/events') < 2) await new Promise(setImmediate);
  await new Promise(setImmediate);
  t.mock.timers.tick(5000);
  assert.equal((await held).code, 'NoStream');
});

test('a stream that falls silent is asked for again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const server = new FakeServer();
  const offer = sessionOf('offer', server.fetch);
  await offer.exchange({ sdp: 's' });
  const events = sessionOf('answer', server.fetch).events();
  assert.equal((await events.next()).value.data, 's');
  t.mock.timers.tick(100_000); // the caller takes its time, which is not the stream's fault
  const next = events.next();
  await new Promise(setImmediate);
  t.mock.timers.tick(40_000);
  for (let i = 0; server.count('GET /answer/events') < 2; i++) {
    assert.ok(i < 1000, 'it is not asked for again');
    await new Promise(setImmediate);
    t.mock.timers.tick(5);
  }
  await offer.addCandidate('c');
  assert.equal((await next).value.data, 'c');
  await events.return();
});

test('abort ends the stream with the signal\'s reason', async () => {
  const server = new FakeServer();
  const controller = new AbortController();
  const reason = new Error('enough');
  setTimeout(() => controller.abort(reason), 20);
  await assert.rejects(async () => {
    for await (const message of sessionOf('answer', server.fetch).events({ signal: controller.signal })) assert.fail(message);
  }, (error) => error === reason);
});
