// What this tab remembers until it is closed: it outlives a reload. Where the browser keeps nothing, the page remembers until it is left.

const PREFIX = 'signal-server-page '; // other pages of this origin, and the browser client, have names of their own

const kept = new Map();

export function recall(name) {
  try {
    return sessionStorage.getItem(PREFIX + name) ?? '';
  } catch {
    return kept.get(name) ?? '';
  }
}

export function remember(name, text) {
  kept.set(name, text);
  try {
    sessionStorage.setItem(PREFIX + name, text);
  } catch { /* it is in kept */ }
}
