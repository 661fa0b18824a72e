// A page and a Go program that each say where the server is and what both know: client/js's connect and pionsignal's Connect.

import assert from 'node:assert/strict';
import { Program, inBrowser } from './world.js';

/** Runs in a page: connects, says hello, and resolves to what the Go program makes of it. */
async function connectAndSay(options) {
  const { connect } = await import(new URL('client/signal.js', document.baseURI));
  const pc = new RTCPeerConnection();
  const channel = pc.createDataChannel('chat', { negotiated: true, id: 0 });
  const heard = new Promise((resolve) => { channel.onmessage = ({ data }) => resolve(data); });
  channel.onopen = () => channel.send('hello');
  await connect(pc, { url: location.origin, ...options });
  return heard;
}

const CALLS = {
  'a key, roles found out': { key: 'k-1', role: 'auto' },
  'a key and a secret': { key: 'k-1', secret: 'correct horse battery staple', role: 'auto' },
  'a secret alone': { secret: 'correct horse battery staple', role: 'auto' },
  'a key, the page offers': { key: 'k-1', role: 'offer', pion: 'answer' },
  'a secret alone, the page answers': { secret: 'correct horse battery staple', role: 'answer', pion: 'offer' },
};

for (const [name, { pion: role = '', ...options }] of Object.entries(CALLS)) {
  for (const first of ['the page', 'the program']) {
    inBrowser(`a page and a Go program: ${name}; ${first} comes first`, async (world) => {
      const server = await world.server();
      const page = await world.page(server.url);
      const program = new Program([process.env.PIONPEER, server.url.slice(0, -1), options.key ?? '', options.secret ?? '', role],
        /connecting to (\S+)/);
      world.defer(() => program.stop('SIGINT'));
      const asks = () => page.waitForRequest(/\/(offer|answer)\/messages/);
      let heard;
      if (first === 'the page') {
        const asked = asks();
        heard = page.evaluate(connectAndSay, options);
        await asked;
        await program.start();
      } else {
        await program.start();
        heard = page.evaluate(connectAndSay, options);
      }
      assert.equal(await heard, 'hello back');
    });
  }
}
