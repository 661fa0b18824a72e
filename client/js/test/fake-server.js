// A server that keeps the wire contract in memory, behind a fetch of its own. Tests can make it fail as real ones do.

const CODES = {
  KeyIsEmpty: ['key为空', 400],
  KeyNotFound: ['key未找到', 200],
  KeyIsExpired: ['key已过期', 200],
  SdpNoValues: ['sdp没有值', 200],
  SdpAlreadyExist: ['sdp已存在', 200],
  CandidateNoValues: ['candidate没有值', 200],
  RouteNotFound: ['路由未找到', 404],
  NotAuthenticated: ['未认证', 401],
  NotAllowed: ['没有权限', 403],
  BodyIsEmpty: ['body为空', 400],
  QueueIsFull: ['队列已满', 429],
  CacheOverrunMaxCost: ['缓存超出MaxCost，服务已达到最大负载', 503],
  ServerIsShuttingDown: ['服务正在关闭', 503],
};

let serial = 0;

export class FakeServer {
  url = `http://signal${++serial}.example/`; // of its own: a page remembers its sessions by URL and key
  requests = []; // that arrived: { method, path, role, query, headers, body }
  sessions = new Map();
  ended = new Set();
  epochs = 0;
  down = false; // no request is answered
  loseAnswers = 0; // how many requests are carried out and lose their answer
  refusals = []; // for the next requests: codes, or functions that return a Response
  events = 'yes'; // 'no': there is no such route; 'held': a proxy keeps the stream to itself
  maxCandidates = 128;
  outcomes = []; // that were reported: { role, result, candidate_type, ms, live }; undefined: there is no such route
  forbidden = false; // whether nobody is let in, as with a token for other keys
  tokens; // a Set of those that let in; undefined: nobody needs one
  ice = { ttl: 3600, iceServers: [] }; // what GET /ice answers, a code, or a function that does what is done instead; undefined: there is no such route
  tickets = false; // whether roles have tickets; a restart forgets them
  #generation = 1;
  #sleepers = new Set();

  /** Takes the place of fetch. */
  fetch = async (href, init = {}) => {
    const url = new URL(href);
    await settled(); // as over a network: never in the same turn
    init.signal?.throwIfAborted();
    if (this.down) throw new TypeError('fetch failed');
    const request = {
      method: init.method, path: url.pathname, query: Object.fromEntries(url.searchParams), headers: init.headers,
      body: init.body, init, role: url.pathname.split('/')[1],
    };
    this.requests.push(request);
    if (request.path === '/ice') return this.#tellIce(request); // and nothing that counts requests of a session counts it
    const refused = this.refusals.shift();
    if (refused) return typeof refused === 'function' ? refused() : envelope(refused, null);
    const answer = await this.#dispatch(request, init.signal);
    const ticket = request.grants && { [ticketHeader(request.role)]: request.grants };
    if (this.loseAnswers > 0) {
      this.loseAnswers--;
      throw new TypeError('fetch failed');
    }
    return answer instanceof Response ? answer : envelope(answer[0], answer[1], ticket);
  };

  /** Forgets everything, as a killed server does. Clients that wait lose the connection. */
  restart() {
    this.sessions.clear();
    this.ended.clear();
    this.#generation++;
    this.#wake();
  }

  kill() {
    this.down = true;
    this.restart();
  }

  /** Ends all waits and streams, as a shutdown does. */
  shutDown() {
    this.closing = true;
    this.#wake();
  }

  /** Returns how many requests of that kind have come, such as "POST /offer/messages". */
  count(name) { return this.requests.filter(({ method, path }) => `${method} ${path}` === name).length; }

  log(key, role) { return this.sessions.get(key)?.logs[role]; }

  async #dispatch(request, signal) {
    const { method, path, role, query, headers } = request;
    const key = headers.key ?? query.key;
    if (!key) return ['KeyIsEmpty', null];
    const name = `${method} ${path.replace(/^\/(offer|answer)\//, '/')}`;
    const token = headers['Idempotency-Key'] ?? query.idempotency_key;
    const wait = Number(query.wait ?? 0) * 1000;
    const context = { key, role, token, wait, signal, after: query.after ?? '', body: request.body, request };
    if (!this.#letsIn(request)) return ['NotAuthenticated', null];
    const refused = this.forbidden ? 'NotAllowed' : this.tickets && this.#gate(context, name);
    if (refused) return [refused, null];
    switch (name) {
      case 'POST /messages': return this.#post(context, JSON.parse(request.body));
      case 'GET /messages': return this.#wait(context, () => this.#read(context));
      case 'GET /events': return this.#stream(context);
      case 'POST /sdp': return this.#put(context, role === 'offer' ? { sdp: JSON.parse(request.body).data } : { sdp: request.body });
      case 'POST /candidate': return this.#put(context, { candidates: [request.body] });
      case 'POST /candidates': return this.#put(context, { candidates: JSON.parse(request.body) });
      case 'GET /sdp': return this.#wait(context, () => this.#take(context, 'sdp'));
      case 'GET /candidate': return this.#wait(context, () => this.#take(context, 'candidate'));
      case 'GET /candidates': return this.#wait(context, () => this.#take(context, 'candidates'));
      case 'POST /outcome': return this.#report(context);
      case 'DELETE /session': return this.#end(context);
      default: return ['RouteNotFound', null];
    }
  }

  #letsIn({ headers }) {
    const [, bearer] = /^Bearer (.+)$/.exec(headers.Authorization) ?? [];
    return !this.tokens || this.tokens.has(bearer);
  }

  /** It needs no key and knows no session, and a server that is about to end refuses it. */
  #tellIce(request) {
    if (!this.ice) return envelope('RouteNotFound', null);
    if (!this.#letsIn(request)) return envelope('NotAuthenticated', null);
    if (this.closing) return envelope('ServerIsShuttingDown', null);
    if (typeof this.ice === 'function') return this.ice(request);
    return typeof this.ice === 'string' ? envelope(this.ice, null) : envelope('', this.ice);
  }

  /**
   * Returns why a client may not act as the role. It may if it has the role's ticket or puts an sdp; until the session is answered,
   * any answerer may.
   */
  #gate({ key, role, body, request: { headers, query } }, name) {
    const session = this.sessions.get(key);
    const roles = role === 'session' ? ['offer', 'answer'] : [role];
    const shown = roles.map((r) => headers[ticketHeader(r)]).find(Boolean) ?? query.ticket;
    if (shown) {
      const [generation, of, epoch] = shown.split('.');
      if (Number(generation) !== this.#generation || !roles.includes(of)) return 'NotAllowed';
      return session?.epoch === Number(epoch) || name === 'POST /outcome' ? undefined : 'KeyIsExpired';
    }
    if (!session) return undefined; // everybody is told so
    const written = name === 'POST /messages' ? JSON.parse(body) : { sdp: name === 'POST /sdp' ? body : undefined };
    if (Object.keys(written).length === 0) return 'BodyIsEmpty'; // the body says whether it takes a ticket
    const putsSdp = written.sdp !== undefined;
    const mayAnswer = role === 'answer' && session.logs.answer.sdp === undefined;
    return putsSdp || mayAnswer ? undefined : 'NotAllowed';
  }

  #put(context, write) {
    const code = this.#write(context, write);
    return [code, null];
  }

  async #post(context, write) {
    // With the cursor of an ended session, nothing is written to the session that came after it.
    const session = this.sessions.get(context.key);
    if (session && context.after && epochOf(context.after) !== session.epoch) return ['KeyIsExpired', null];
    const code = this.#write(context, write);
    if (code) return [code, null];
    return this.#wait(context, () => this.#read(context), context.wait === 0);
  }

  #write(context, write) {
    const code = this.#apply(context, write);
    if (this.tickets && code === '' && write.sdp !== undefined) {
      context.request.grants = `${this.#generation}.${context.role}.${this.sessions.get(context.key).epoch}`;
    }
    return code;
  }

  #apply({ key, role, token }, { sdp, candidates = [] }) {
    let session = this.sessions.get(key);
    if (session?.tokens.has(role + token)) return '';
    if (candidates.length + (session?.logs[role].candidates.length ?? 0) > this.maxCandidates) return 'QueueIsFull';
    if (sdp !== undefined && role === 'offer') {
      if (session) return 'SdpAlreadyExist';
      session = { epoch: ++this.epochs, logs: { offer: newLog(), answer: newLog() }, tokens: new Set(), taken: new Map() };
      this.sessions.set(key, session);
      this.ended.delete(key);
    }
    if (!session) return this.ended.has(key) ? 'KeyIsExpired' : 'KeyNotFound';
    const log = session.logs[role];
    if (sdp !== undefined && role === 'answer') {
      if (log.sdp !== undefined) return 'SdpAlreadyExist';
    }
    if (sdp !== undefined) log.sdp = sdp;
    log.candidates.push(...candidates);
    if (token) session.tokens.add(role + token);
    this.#wake();
    return '';
  }

  #read({ key, role, after }) {
    const session = this.sessions.get(key);
    if (!session) return [this.ended.has(key) ? 'KeyIsExpired' : 'KeyNotFound', null];
    if (after && epochOf(after) !== session.epoch) return ['KeyIsExpired', null];
    const log = session.logs[other(role)];
    const messages = log.sdp === undefined ? []
      : [{ type: 'sdp', data: log.sdp }, ...log.candidates.map((data) => ({ type: 'candidate', data }))];
    const from = after ? Number(after.split('-')[1]) : 0;
    const next = `${session.epoch}-${Math.max(from, messages.length)}`;
    if (messages.length > from) return ['', { next, messages: messages.slice(from) }];
    return [log.sdp === undefined ? 'SdpNoValues' : 'CandidateNoValues', null, { next, messages: [] }];
  }

  #take({ key, role, token }, what) {
    const session = this.sessions.get(key);
    if (session?.taken.has(role + token)) return ['', session.taken.get(role + token)]; // a repetition
    const [code, data] = this.#takeNew(session, { key, role }, what);
    if (token && code === '') session.taken.set(role + token, data);
    return [code, data];
  }

  #takeNew(session, { key, role }, what) {
    if (!session) return [this.ended.has(key) ? 'KeyIsExpired' : 'KeyNotFound', null];
    const log = session.logs[other(role)];
    if (what === 'sdp') {
      if (log.sdp === undefined || log.sdpTaken) return ['SdpNoValues', null];
      log.sdpTaken = true;
      return ['', log.sdp];
    }
    const left = log.candidates.slice(log.taken);
    if (left.length === 0) return ['CandidateNoValues', null];
    log.taken += what === 'candidate' ? 1 : left.length;
    return ['', what === 'candidate' ? left[0] : left];
  }

  #end({ key }) {
    if (!this.sessions.delete(key)) return [this.ended.has(key) ? 'KeyIsExpired' : 'KeyNotFound', null];
    this.ended.add(key);
    this.#wake();
    return ['', null];
  }

  #report({ key, role, body }) {
    this.outcomes?.push({ role, ...JSON.parse(body), live: this.sessions.has(key) });
    return [this.outcomes ? '' : 'RouteNotFound', null];
  }

  /** Looks until there is something, the time is over, or the client is gone. */
  async #wait({ role, wait, signal }, look, emptyIsFine = false) {
    const over = performance.now() + wait;
    for (;;) {
      const [code, data, empty] = look();
      const mayCome = code === 'SdpNoValues' || code === 'CandidateNoValues' || (code === 'KeyNotFound' && role === 'answer');
      if (emptyIsFine && empty) return ['', empty];
      if (!mayCome || performance.now() >= over) return [code, data];
      await this.#sleep(over - performance.now(), signal);
      if (this.down) throw new TypeError('fetch failed');
      if (this.closing) return ['ServerIsShuttingDown', null];
    }
  }

  #stream(context) {
    if (this.events === 'no') return ['RouteNotFound', null];
    const { signal } = context;
    let { after } = context;
    const encoder = new TextEncoder();
    const body = new ReadableStream({
      start: async (stream) => {
        const send = (text) => stream.enqueue(encoder.encode(text));
        signal?.addEventListener('abort', () => { try { stream.error(signal.reason); } catch { /* closed already */ } });
        if (this.events === 'held') return;
        send(':\n\n');
        try {
          for (let wasOpen = false; ;) {
            const [code, data] = this.#read({ ...context, after });
            if (data) {
              const from = data.next.split('-')[1] - data.messages.length;
              for (const [i, m] of data.messages.entries()) {
                send(`id: ${data.next.split('-')[0]}-${from + i + 1}\nevent: ${m.type}\ndata: ${JSON.stringify(m.data)}\n\n`);
              }
              after = data.next;
            } else if (code === 'KeyIsExpired' || (code === 'KeyNotFound' && (wasOpen || context.role === 'offer'))) {
              send(`id: end\nevent: end\ndata: ${JSON.stringify(CODES.KeyIsExpired[0])}\n\n`);
              return stream.close();
            }
            wasOpen ||= code !== 'KeyNotFound';
            await this.#sleep(60_000, signal);
            if (this.down || this.cut) return stream.error(new TypeError('cut'));
            if (this.closing) {
              send(`id: end\nevent: end\ndata: ${JSON.stringify(CODES.ServerIsShuttingDown[0])}\n\n`);
              return stream.close();
            }
          }
        } catch { /* the client has gone */ }
      },
    });
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  }

  /** Cuts all streams and waits. */
  cutStreams() {
    this.cut = true;
    this.#wake();
    setTimeout(() => { this.cut = false; });
  }

  #wake() { for (const wake of [...this.#sleepers]) wake(); }

  #sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      const done = (settle) => () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        signal?.removeEventListener('abort', gone);
        settle();
      };
      const wake = done(resolve);
      const gone = done(() => reject(signal.reason));
      const timer = setTimeout(wake, Math.min(ms, 60_000));
      this.#sleepers.add(wake);
      signal?.addEventListener('abort', gone);
    });
  }
}

export function envelope(code, data, headers = {}) {
  const [msg, status] = CODES[code] ?? ['', 200];
  const retry = status === 429 || status === 503 ? { 'Retry-After': '1' } : {};
  return new Response(JSON.stringify({ msg, data }), { status, headers: { 'Content-Type': 'application/json', ...retry, ...headers } });
}

const ticketHeader = (role) => ({ offer: 'X-Offer-Ticket', answer: 'X-Answer-Ticket' })[role];
const newLog = () => ({ sdp: undefined, candidates: [], taken: 0 });
const other = (role) => (role === 'offer' ? 'answer' : 'offer');
const epochOf = (cursor) => Number(cursor.split('-')[0]);
const settled = () => new Promise((resolve) => { setImmediate(resolve); });
