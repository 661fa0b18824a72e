// base64url without padding (RFC 4648, Section 5).

/** Returns a key that nobody can guess: 128 random bits. */
export function randomKey() {
  return toBase64url(crypto.getRandomValues(new Uint8Array(16)));
}

export function toBase64url(bytes) {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** Returns the bytes that a text stands for. The text has to be their only spelling; for any other it returns undefined. */
export function fromBase64url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  return toBase64url(bytes) === text ? bytes : undefined; // another spelling has stray bits at its end
}
