// Pages of another origin than the server's, and a server that asks them for a token.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Starts a web server that answers a path with what bodyFor returns for it, or resolves to: a text, or undefined. Resolves to its
 * origin.
 */
export async function serve(world, bodyFor) {
  const server = createServer(async ({ url }, response) => {
    const body = await bodyFor(url);
    if (body === undefined) response.statusCode = 404;
    response.setHeader('Content-Type', url.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  world.defer(() => { server.closeAllConnections(); server.close(); });
  return `http://127.0.0.1:${server.address().port}`;
}

/** Returns a page that runs the code as a module, with this in its body. */
export function pageWith(code, body = '') {
  return `<!doctype html><link rel=icon href="data:,"><body>${body}<script type="module">${code}</script>`;
}

/** Makes a folder that ends with the test, and resolves to its path. */
export async function folder(world) {
  const path = await mkdtemp(join(tmpdir(), 'signal-browser-'));
  world.defer(() => rm(path, { recursive: true }));
  return path;
}

/** Starts a signaling server that lets in who has a token. Resolves to it and the token. */
export async function guardedServer(world, ...flags) {
  const tokens = join(await folder(world), 'tokens');
  const token = execFileSync(process.env.SIGNAL_SERVER, ['token', 'page', '--file', tokens], { encoding: 'utf8' }).trim();
  return { token, server: await world.server('--auth-tokens-file', tokens, ...flags) };
}
