// The examples on the pages of this repository.

import { readFile } from 'node:fs/promises';

/** Resolves to the blocks of a kind on a page, in order, with the heading that each stands under. */
export async function blocks(page, kind) {
  const text = await readFile(new URL(`../../${page}`, import.meta.url), 'utf8');
  let heading = '';
  const found = [];
  for (const [, title, of, code] of text.matchAll(/^#+ (.*)$|^```(\w*)\n([^]*?)^```$/gm)) {
    if (title !== undefined) heading = title;
    else if (of === kind) found.push({ heading, code });
  }
  if (found.length === 0) throw new Error(`${page} has no block of ${kind}`);
  return found;
}
