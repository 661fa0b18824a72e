// An invitation: what the page's fragment says. A fragment is never sent to a server, so the key and the secret in it are not either.

const MAX_KEY = 32; // characters (Unicode code points): what the server allows

/**
 * Returns what a fragment (or a whole link) asks its reader to do. Anything that makes no sense is left out, and so is what links of
 * earlier pages say beside that: role and mode.
 */
export function parseInvitation(link) {
  const hash = link.indexOf('#');
  const params = new URLSearchParams(hash < 0 ? '' : link.slice(hash + 1));
  const stun = params.get('stun') ?? '';
  return {
    key: cleanKey(params.get('key') ?? ''),
    secret: params.get('secret') ?? '',
    isSealed: params.get('sealed') === '1', // by a secret that is not in the link
    stun: isStun(stun) ? stun : '',
  };
}

/** Returns the link that invites the other side to this page. A secret is in it only if it was made for that. */
export function invitationLink(page, { key, secret, isSecretInLink, awaitsSecret, stun }) {
  const link = new URL(page);
  const params = new URLSearchParams({ key });
  if (secret && isSecretInLink) params.set('secret', secret);
  if (awaitsSecret || (secret && !isSecretInLink)) params.set('sealed', '1');
  if (stun) params.set('stun', stun);
  link.hash = params;
  return link.href;
}

export const cleanKey = (key) => [...key.trim()].slice(0, MAX_KEY).join('');

/** Reports whether this is the address of a STUN server, as the browser takes it: it throws at any other. */
export function isStun(url) {
  if (!/^stuns?:/.test(url)) return false;
  try {
    new RTCPeerConnection({ iceServers: [{ urls: url }] }).close();
    return true;
  } catch {
    return false;
  }
}

/** Reports whether a host name means the computer that asks, whichever that is. */
export const isThisComputer = (host) => /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(host);
