// One side of a session, as a client of the protocol: each answer is checked, each request counted.

import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter } from 'k6/metrics';

import { target, timeout, wait } from './env.js';
import { nameOf } from './msgs.js';

// now is milliseconds since the run began, of one clock for all virtual users.
export function now() {
  return exec.instance.currentTestRunDuration;
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// failures counts iterations that did not get to their end.
export const failures = new Counter('failures');

// lateNews counts held requests that got their news only after lateAfter milliseconds. A server that fails to wake a request answers it
// when the wait is over, and everything else looks well.
export const lateNews = new Counter('late_news');
export const lateAfter = Math.min(wait, 5) * 1000;

// counted returns the function for k6 to iterate. k6 logs an exception and carries on as if nothing had happened.
export function counted(iterate) {
  return async (data) => {
    try {
      await iterate(data);
    } catch (error) {
      failures.add(1);
      complain(error);
    }
  };
}

let complaints = 3; // of each virtual user: enough to see why, not enough to fill a disk

export function complain(error) {
  if (complaints-- > 0) console.error(error.message || String(error));
}

export class Peer {
  constructor(key, role, patience = wait) {
    this.key = key;
    this.role = role;
    this.patience = patience; // how long a held request asks to be held, in seconds
    this.requests = 0;
    this.cursor = '';
    this.news = []; // what came from the other peer
  }

  // poll takes without waiting what is there, which is null if the msg is one of those wanted. A path begins at the role's own.
  poll(path, ...want) {
    return this.ask('GET', path, { want });
  }

  // wait is a request that is held until there is something to take.
  wait(path) {
    return this.ask('GET', path, { held: true });
  }

  // post sends text as it is, anything else as JSON.
  post(path, body, options = {}) {
    return this.ask('POST', path, { ...options, body });
  }

  // end ends the session.
  end() {
    return this.ask('DELETE', '/session');
  }

  // read returns after all news up to that many messages is there.
  async read(count) {
    for (let attempt = 0; this.news.length < count && attempt < count; attempt++) {
      this.took(await this.ask('GET', '/messages', { held: true, cursor: true }));
    }
  }

  // write posts messages, and reads what the answer brings. A repetition with the same token is not applied again.
  async write(messages, { held = false, token } = {}) {
    this.took(await this.post('/messages', bodyOf(messages), { held, cursor: true, token }));
  }

  took(data) {
    this.cursor = data.next;
    this.news.push(...data.messages);
  }

  // take puts payloads that came one by one to the news.
  take(type, ...payloads) {
    for (const data of payloads) this.news.push({ type, data });
  }

  // ask sends a request and returns the answer's data. An answer other than wanted is counted, and thrown.
  async ask(method, path, options = {}) {
    this.requests++;
    const { name, url, body, params } = this.request(method, path, options);
    const response = await http.asyncRequest(method, url, body, params);
    const data = accept(name, response, options.want || ['']);
    if (options.held && data !== null && response.timings.duration >= (options.late || lateAfter)) lateNews.add(1);
    return data;
  }

  // leave sends a request that is held, and hangs up after so many milliseconds.
  async leave(method, path, milliseconds, options = {}) {
    this.requests++;
    const { url, body, params } = this.request(method, path, { ...options, held: true });
    params.timeout = `${milliseconds}ms`;
    params.throw = true; // otherwise k6 logs a warning
    params.responseCallback = null; // it is no failure
    params.tags = { ...params.tags, name: 'left' };
    try {
      await http.asyncRequest(method, url, body, params);
    } catch (error) {
      if (String(error).endsWith('request timeout')) return;
      throw error;
    }
    throw new Error(`${method} ${path}: got an answer, want to be held for ${milliseconds} ms`);
  }

  request(method, path, { body, held = false, cursor = false, token }) {
    const query = [];
    if (held) query.push(`wait=${this.patience}`);
    if (cursor && this.cursor) query.push(`after=${this.cursor}`);
    const route = path === '/session' ? path : `/${this.role}${path}`;
    const headers = { key: this.key };
    const isText = typeof body === 'string';
    if (body !== undefined) headers['Content-Type'] = isText ? 'text/plain' : 'application/json';
    if (token) headers['Idempotency-Key'] = token;
    return {
      name: `${method} ${route}`,
      url: target + route + (query.length > 0 ? `?${query.join('&')}` : ''),
      body: body === undefined || isText ? body : JSON.stringify(body),
      params: {
        headers,
        timeout: `${(held ? this.patience : 0) + timeout}s`,
        // k6's own name of a request would be its whole URL, with the cursor: a new one each time.
        tags: { name: `${method} ${route}`, held: held ? 'yes' : 'no' },
      },
    };
  }
}

// bodyOf returns messages as POST messages takes them.
export function bodyOf(messages) {
  const body = { candidates: [] };
  for (const { type, data } of messages) {
    if (type === 'sdp') body.sdp = data;
    else body.candidates.push(data);
  }
  return body;
}

// accept checks an answer, whose msg must be one of those wanted, and returns its data.
function accept(name, response, want) {
  const envelope = parse(response);
  const fine = check(envelope, {
    [`${name}: an envelope`]: (e) => e.whole,
    [`${name}: ${want.map(nameOf).join(' or ')}`]: (e) => want.includes(e.msg) && (e.msg === '' || e.data === null),
  });
  if (!fine) {
    const got = response.error || `${response.status} ${response.body}`;
    throw new Error(`${name}: got ${got}, want ${want.map(nameOf).join(' or ')}`);
  }
  return envelope.data;
}

function parse(response) {
  try {
    const { msg, data, ...more } = JSON.parse(response.body);
    const whole = typeof msg === 'string' && data !== undefined && Object.keys(more).length === 0 &&
      response.status === 200 && response.headers['Content-Type'] === 'application/json';
    return { msg, data, whole };
  } catch {
    return { whole: false };
  }
}
