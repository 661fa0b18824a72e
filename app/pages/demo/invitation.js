// An invitation: what the page's fragment says. A fragment is never sent to a server, so the key in it is not either.

const MAX_KEY = 32; // characters (Unicode code points): what the server allows

/** Returns what a fragment (or a whole link) asks its reader to do. Anything that makes no sense is left out. */
export function parseInvitation(link) {
  const hash = link.indexOf('#');
  const params = new URLSearchParams(hash < 0 ? '' : link.slice(hash + 1));
  return {
    key: cleanKey(params.get('key') ?? ''),
    role: oneOf(params.get('role'), ['offer', 'answer']),
    mode: oneOf(params.get('mode'), ['chat', 'camera']),
    sealed: params.get('sealed') === '1',
    stun: isStun(params.get('stun') ?? '') ? params.get('stun') : '',
  };
}

/** Returns the link that invites the other side to this page. */
export function invitationLink(page, { key, role, mode, sealed, stun }) {
  const link = new URL(page);
  const params = new URLSearchParams({ key, role: role === 'offer' ? 'answer' : 'offer', mode });
  if (sealed) params.set('sealed', '1');
  if (stun) params.set('stun', stun);
  link.hash = params;
  return link.href;
}

export const cleanKey = (key) => [...key.trim()].slice(0, MAX_KEY).join('');

export const isStun = (url) => /^stuns?:[A-Za-z0-9.\-[\]:]+(\?transport=(udp|tcp))?$/.test(url);

const oneOf = (value, choices) => (choices.includes(value) ? value : '');
