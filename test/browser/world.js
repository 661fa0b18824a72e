// What the tests need around the pages: the server, real Chromium, and pages that are watched for errors. Only loopback is used.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const CI = process.env.CI === 'true';

const FLAGS = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--no-proxy-server',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-features=WebRtcHideLocalIpsWithMdns,Translate,OptimizationHints,MediaRouter', // host candidates with addresses
  '--allow-loopback-in-peer-connection', // there may be no other interface
  '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--host-resolver-rules=MAP signal.test 127.0.0.1', // a name that is not this computer's, to a page
];

const PERMISSIONS = ['camera', 'microphone', 'clipboard-read', 'clipboard-write'];

/** Long enough for a slow machine; only a test that fails takes so long. */
export const PATIENCE = 30_000;

/** Says why a test cannot run here, if so. Where CI=true everything must be there. */
export function missing(...programs) {
  const absent = programs.filter((program) => !existsSync(program));
  if (absent.length === 0) return false;
  if (CI) throw new Error(`missing: ${absent.join(', ')}`);
  return `${absent.join(', ')} is not installed`;
}

/** A document of the server that a browser shows, and that does nothing by itself: for tests that bring their own code. */
export const quietAt = (url) => `${url}healthz`;

/** Resolves when nothing on the page fades or moves any more, but for what does so for ever. */
export const hasFaded = (page) => page.evaluate(() => Promise.allSettled(document.getAnimations()
  .filter(({ effect }) => effect.getTiming().iterations !== Infinity).map(({ finished }) => finished)));

let closing = false; // is arranged for, once a file

/** Declares a test in real Chromium. It gets a World, which ends with it. */
export function inBrowser(name, run, { needs = [], timeout = 120_000 } = {}) {
  if (!closing) after(closeBrowser);
  closing = true;
  test(name, { skip: missing(CHROMIUM, ...needs), timeout }, async (t) => {
    const world = new World();
    const late = once(t.signal, 'abort').then(() => { throw new Error(`not done after ${timeout} ms`); });
    late.catch(() => {}); // it fires after each test
    try {
      await Promise.race([run(world, t), late]);
    } finally {
      await world.end();
    }
  });
}

/** One browser serves a whole file: it takes a second to start. */
let browser;

function launch() {
  browser ??= chromium.launch({ executablePath: CHROMIUM, args: FLAGS, chromiumSandbox: false });
  return browser;
}

export async function closeBrowser() { await (await browser)?.close(); }

/** The processes and pages of one test. */
export class World {
  #ends = [];

  /** Has something ended with the test: the latest first. */
  defer(end) { this.#ends.push(end); }

  /** Ends all, whatever fails on the way, and throws the first failure. */
  async end() {
    const failures = [];
    for (const end of this.#ends.reverse()) await Promise.resolve().then(end).catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  /** Starts the signaling server. */
  async server(...flags) {
    const server = new Server(flags);
    this.defer(() => server.stop());
    await server.start();
    return server;
  }

  /**
   * Opens a page as another person's browser has it, or in a tab beside another page. Errors in it fail the test, but for those
   * that match one of expectErrors. The other options are Playwright's.
   */
  async page(url, { expectErrors = [], beside, ...options } = {}) {
    const context = beside?.context() ?? await (await launch()).newContext({ permissions: PERMISSIONS, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const watched = watch(page, expectErrors);
    this.defer(async () => {
      await page.close();
      if (!beside) await context.close();
      watched.check();
    });
    if (url) await page.goto(url);
    return page;
  }
}

/** Collects what a page complains of: its console, uncaught errors, and reports of its Content-Security-Policy. */
function watch(page, expected) {
  const complaints = [];
  const add = (text) => { if (!expected.some((pattern) => pattern.test(text))) complaints.push(text); };
  page.on('console', (message) => {
    if (message.location().url.endsWith('/favicon.ico')) return; // of a document that names no icon
    if (['error', 'warning'].includes(message.type())) add(`${message.type()}: ${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => add(`uncaught: ${error.stack}`));
  page.addInitScript(() => addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    console.error('violates the policy:', violatedDirective, blockedURI)));
  return {
    check() {
      if (complaints.length > 0) throw new Error(`the page complained:\n${complaints.join('\n')}`);
    },
  };
}

/** A program that says on a line of its output where it listens. */
export class Program {
  #command;
  #address;
  #process;
  lines = []; // of its output, bounded

  constructor(command, address) {
    this.#command = command;
    this.#address = address;
  }

  /** Starts it, and resolves to where it listens. */
  async start() {
    const [program, ...flags] = this.#command;
    const env = { ...process.env, NO_COLOR: '1' }; // some colour the address that they tell where CI is set
    this.#process = spawn(program, flags, { stdio: ['ignore', 'pipe', 'pipe'], env });
    const address = await new Promise((resolve, reject) => {
      for (const output of [this.#process.stdout, this.#process.stderr]) {
        createInterface({ input: output }).on('line', (line) => {
          if (this.lines.push(line) > 1_000) this.lines.shift();
          const [, found] = this.#address.exec(line) ?? [];
          if (found) resolve(found);
        });
      }
      this.#process.once('error', reject);
      this.#process.once('exit', (code) => reject(new Error(`${program} ended with ${code}:\n${this.lines.join('\n')}`)));
    });
    return address;
  }

  /** Ends it: at once with SIGKILL. */
  async stop(signal = 'SIGTERM') {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}

/** The signaling server, which can be killed and started again at the same address. */
export class Server {
  #flags;
  #program;
  address = '127.0.0.1:0';

  constructor(flags) { this.#flags = flags; }

  get url() { return `http://${this.address}/`; }
  get quiet() { return quietAt(this.url); }
  get port() { return Number(this.address.split(':')[1]); }
  get lines() { return this.#program.lines; }

  async start() {
    const command = [process.env.SIGNAL_SERVER, '--listen', this.address, '--admin', '', '--memory', '64MiB', ...this.#flags];
    this.#program = new Program(command, /msg=serving address=(\S+)/);
    this.address = await this.#program.start();
  }

  stop(signal) { return this.#program.stop(signal); }
}
