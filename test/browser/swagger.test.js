// The API's browser works under its own policy, and asks this server.

import { PATIENCE, inBrowser } from './world.js';

inBrowser('the API’s browser sends a request and shows the answer', async (world) => {
  const server = await world.server();
  const page = await world.page(`${server.url}swagger/index.html`);
  const operation = page.locator('.opblock', { hasText: '/healthz' });
  await operation.getByRole('button').first().click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  await operation.locator('.live-responses-table', { hasText: '"msg": ""' }).waitFor({ timeout: PATIENCE });
});
