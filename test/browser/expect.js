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

/**
 * Watches what an element says from now on, however shortly it says it: who asks for its text now and then may miss that. Resolves once it watches,
 * with a function that waits until the text has matched, and resolves to all that was said. A page watches one element at a time.
 */
export async function watch(page, selector, pattern) {
  await page.evaluate(([of, source, flags]) => {
    const element = document.querySelector(of);
    const wanted = new RegExp(source, flags);
    const watched = globalThis.watched = { said: [], matched: false };
    const look = () => {
      watched.said.push(element.textContent);
      watched.matched ||= wanted.test(element.textContent);
    };
    look();
    new MutationObserver(look).observe(element, { childList: true, characterData: true, subtree: true });
  }, [selector, pattern.source, pattern.flags]);
  return async (patience) => {
    const matched = await page.waitForFunction(() => globalThis.watched.matched, null, { timeout: patience }).catch(() => undefined);
    const said = await page.evaluate(() => globalThis.watched.said);
    if (!matched) throw new Error(`${selector}: got ${JSON.stringify(said)}, want ${pattern}`);
    return said;
  };
}
