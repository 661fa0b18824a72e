// What the parts of the page have in common: finding and making elements, and keeping the focus.

export const $ = (id) => document.getElementById(id);

export function element(name, className, text) {
  const e = document.createElement(name);
  if (className) e.className = className;
  e.textContent = text;
  return e;
}

/**
 * Moves the focus to the first of these that can have it, if what had it is gone: whoever goes by keyboard or ear must not fall out of the
 * page. Nothing scrolls. Whoever has gone somewhere is left there; where the page itself put the focus, on a heading, it goes on from.
 */
export function keepFocus(...places) {
  const { activeElement } = document;
  if (activeElement.tabIndex >= 0 && canHaveFocus(activeElement)) return;
  places.find(canHaveFocus)?.focus({ preventScroll: true });
}

const canHaveFocus = (place) => Boolean(place) && !place.disabled && place.getClientRects().length > 0;
