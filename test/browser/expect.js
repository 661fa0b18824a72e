// Waiting for what a page shows. playwright-core has no assertions of its own.

/** Waits until an element's text matches. */
export function expect(locator, what) {
  return {
    async toSay(pattern, patience) {
      let got = '';
      for (const over = Date.now() + patience; Date.now() < over;) {
        got = await locator.textContent().catch(() => '');
        if (pattern.test(got)) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`${what}: got ${JSON.stringify(got)}, want ${pattern}`);
    },
  };
}
