// Behind nginx, with its buffering on as it is by default: events stream, and two tabs connect.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { areConnected, openJoiner, openStarter, says } from './demo.js';
import { PATIENCE, inBrowser } from './world.js';

const NGINX = process.env.NGINX ?? '/usr/sbin/nginx';

inBrowser('events stream through nginx as they come', async (world) => {
  const url = await behindNginx(world);
  const stop = AbortSignal.timeout(PATIENCE);
  const stream = await fetch(`${url}answer/events?key=streamed`, { signal: stop });
  const text = stream.body.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await text.read()).value, ':\n\n', 'what comes before there is a session');

  for (const [body, want] of [
    [{ sdp: 'the offer' }, /^id: \S+\nevent: sdp\ndata: "the offer"\n\n$/],
    [{ candidates: ['c1'] }, /^id: \S+\nevent: candidate\ndata: "c1"\n\n$/],
  ]) {
    const posted = await fetch(`${url}offer/messages?key=streamed`, { method: 'POST', body: JSON.stringify(body), signal: stop });
    assert.equal((await posted.json()).msg, '');
    const { done, value } = await text.read(); // while the stream is open: nothing ends it
    assert.ok(!done);
    assert.match(value, want);
  }
  await text.cancel();
}, { needs: [NGINX] });

inBrowser('two tabs connect through nginx by event streams', async (world) => {
  const url = await behindNginx(world);
  const { page: starter, link } = await openStarter(world, url, { events: true });
  const joiner = await openJoiner(world, link, { events: true });
  await areConnected(starter, joiner);
  await says(starter, joiner, 'through a proxy');
}, { needs: [NGINX] });

/** Starts the server with nginx in front of it, and resolves to nginx's URL. */
async function behindNginx(world) {
  const server = await world.server();
  const folder = await mkdtemp(join(tmpdir(), 'nginx-'));
  world.defer(() => rm(folder, { recursive: true }));
  const port = await freePort();
  const proxy = fileURLToPath(new URL('../../deploy/nginx/proxy.conf', import.meta.url));
  const values = { listen: `127.0.0.1:${port}`, servers: `server ${server.address};`, folder, proxy };
  const template = await readFile(new URL('nginx.conf', import.meta.url), 'utf8');
  const file = join(folder, 'nginx.conf');
  const asRoot = process.getuid() === 0 ? 'user root;\n' : ''; // the folder is the starter's only
  await writeFile(file, asRoot + template.replace(/\{\{(\w+)\}\}/g, (_, name) => values[name]));
  const nginx = spawn(NGINX, ['-c', file, '-p', folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  world.defer(async () => {
    const ended = once(nginx, 'exit');
    if (nginx.exitCode === null && nginx.kill('SIGTERM')) await ended;
  });
  await untilOpen(port, nginx);
  return `http://127.0.0.1:${port}/`;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** nginx does not say when it is ready. */
async function untilOpen(port, nginx) {
  while (nginx.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const open = await Promise.race([once(socket, 'connect').then(() => true, () => false), once(nginx, 'exit').then(() => false)]);
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nginx ended with ${nginx.exitCode}`);
}
