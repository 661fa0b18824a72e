// The package as users get it: packed and installed as client/js/README.md says into projects that have nothing else of this repository, built by
// Vite, opened without a bundler, and checked by TypeScript. What they run is taken from client/js/README.md.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { folder, guardedServer, serve } from './elsewhere.js';
import { blocks } from './examples.js';
import { Program, PATIENCE, World, inBrowser } from './world.js';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const TOOL = (name) => join(REPOSITORY, 'test/npm/node_modules/.bin', name);
const README = 'client/js/README.md';

const run = (cwd, program, ...args) => promisify(execFile)(program, args, { cwd, timeout: 60_000 });

/** Makes a project, beside a checkout, and types what the README says to install the package. Resolves to its path. */
async function project(world, files) {
  const parent = await folder(world);
  await symlink(REPOSITORY, join(parent, 'signal-server'));
  const path = join(parent, 'app');
  await mkdir(path);
  await write(path, { 'package.json': JSON.stringify({ name: 'app', private: true, type: 'module' }), ...files });
  for (const { code } of await blocks(README, 'sh')) {
    for (const line of code.trim().split('\n')) await run(path, 'bash', '-c', line.replace('npm install', 'npm install --offline --no-audit --no-fund'));
  }
  return path;
}

async function write(path, files) {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(path, name, '..'), { recursive: true });
    await writeFile(join(path, name), text);
  }
}

/** The code of the README that connects by a token which the page's own backend gives. */
async function mainOf(url) {
  const [{ code: first }, ...others] = await blocks(README, 'js');
  const { code } = others.findLast(({ heading }) => heading === 'A server that asks for a token');
  assert.match(code, /\/signal-token/);
  return first.replace(/^await connect.*$/m, () => code.replace('https://signal.example', url));
}

/** Opens the page twice, and waits until each console has the hello of the other. */
async function greetEachOther(world, at) {
  const heard = [];
  for (let i = 0; i < 2; i++) {
    const page = await world.page();
    heard.push(page.waitForEvent('console', { predicate: (message) => message.text() === 'hello', timeout: PATIENCE }));
    await page.goto(at);
  }
  await Promise.all(heard);
}

inBrowser('a project of Vite connects with a token: as it is developed, and as it is built', async (world) => {
  const { server, token } = await guardedServer(world);
  const path = await project(world, {
    'index.html': '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/main.js"></script>',
    'main.js': await mainOf(server.url),
    'public/signal-token': token,
  });
  await run(path, TOOL('vite'), 'build', '--logLevel', 'warn');
  for (const how of [['preview'], []]) {
    const vite = new Program([TOOL('vite'), ...how, path, '--host', '127.0.0.1', '--port', '0'], /Local:\D*(http:\/\/127\.0\.0\.1:\d+\/)/);
    world.defer(() => vite.stop());
    await greetEachOther(world, await vite.start());
  }
});

inBrowser('a page without a bundler connects with a token, with the module from npm and with the server’s own', async (world) => {
  const { server, token } = await guardedServer(world);
  const [{ code: html }] = await blocks(README, 'html');
  const page = `<!doctype html><link rel="icon" href="data:,">${html}`;
  const path = await project(world, { 'index.html': page, 'main.js': await mainOf(server.url) });
  const text = await readFile(new URL(`../../${README}`, import.meta.url), 'utf8');
  const own = 'https://signal.example/client/signal.js';
  assert.ok(text.includes(`\`${own}\``), 'the README names the other place');
  const served = page.replace(/"\.\/node_modules.*?"/, JSON.stringify(own.replace('https://signal.example/', server.url)));
  assert.notEqual(served, page);
  await write(path, { 'served.html': served, 'signal-token': token });
  const origin = await serve(world, (url) => readFile(join(path, normalize(url)), 'utf8').catch(() => undefined));
  for (const name of ['index.html', 'served.html']) await greetEachOther(world, `${origin}/${name}`);
});

test('TypeScript takes the package’s types, and the README’s examples by them', async () => {
  const world = new World();
  try {
    const path = await project(world, {});
    await write(path, { 'consumer.ts': await readFile(join(REPOSITORY, 'test/npm/consumer.ts'), 'utf8') });
    const all = await blocks(README, 'js');
    for (const [i, { code }] of all.entries()) {
      const has = (name) => new RegExp(`\\b${name}\\b.*= |import .*\\b${name}\\b`).test(code);
      const connect = has('connect') ? '' : "import { connect } from 'signal-server-client';\n";
      const pc = has('pc') ? '' : 'const pc = new RTCPeerConnection();\n';
      await write(path, { [`example${i}.js`]: connect + pc + code });
    }
    const check = (...args) => run(path, TOOL('tsc'), '--noEmit', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler',
      '--lib', 'es2022,dom,dom.iterable,dom.asynciterable', '--types', '', ...args).catch((error) => assert.fail(error.stdout || error.message));
    await check('--strict', 'consumer.ts');
    await check('--checkJs', '--strict', 'false', ...all.map((_, i) => `example${i}.js`));
  } finally {
    await world.end();
  }
});

test('the package has what users need, and nothing else', async () => {
  const { stdout } = await run(join(REPOSITORY, 'client/js'), 'npm', 'pack', '--dry-run', '--json');
  const [{ files, name, version }] = JSON.parse(stdout);
  assert.deepEqual(files.map(({ path }) => path).sort(), ['LICENSE', 'README.md', 'dist/signal.js', 'dist/signal.js.map', 'package.json', 'signal.d.ts']);
  const [{ code }] = await blocks(README, 'sh');
  assert.ok(code.includes(`./${name}-${version}.tgz`), `the README installs ${name} ${version}`);
});
