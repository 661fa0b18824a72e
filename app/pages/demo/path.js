// By which kind of path a connection goes. No DOM.

/** Addresses that lead nowhere outside of a network: RFC 1918, RFC 3927, RFC 4193, RFC 4291, and names of multicast DNS. */
const WITHIN = /^(10\.|127\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.|f[cd]|fe[89ab]|::1$|.*\.local$)/i;

/** The types of candidates, as ICE calls them (RFC 8445, Section 4). */
export const TYPES = ['host', 'srflx', 'prflx', 'relay'];

/**
 * Returns the path of a connection by its statistics (RTCStatsReport), as the more telling of both ends says; undefined if there is none yet.
 * The other side may use a candidate that this one has met before it was told of it (prflx), which may be of any type. told is what the other
 * side says of its own, if it does.
 *   kind   relay    one side, or both, are reached by a TURN server
 *          nat      a side is seen under another address than its own
 *          local    both are in one network
 *          direct   neither, as far as is known: the internet leads to their own addresses
 *          unknown  the other side does not say
 *   over   what this side speaks to its TURN server: udp, tcp or tls; '' if the relay is the other side's
 *   types  those of both candidates, this side's first
 */
export function pathOf(stats, told) {
  const pair = selectedPair(stats);
  const [mine, theirs] = [stats.get(pair?.localCandidateId), stats.get(pair?.remoteCandidateId)];
  if (!mine || !theirs) return undefined;
  const isMet = theirs.candidateType === 'prflx';
  const types = [mine.candidateType, isMet ? told ?? 'prflx' : theirs.candidateType];
  const over = types[0] === 'relay' ? mine.relayProtocol ?? '' : '';
  if (types.includes('relay')) return { kind: 'relay', over, types };
  if (isMet && !told) return { kind: 'unknown', over, types };
  if (types.some((type) => type !== 'host')) return { kind: 'nat', over, types };
  return { kind: !isMet && isWithin(theirs.address) ? 'local' : 'direct', over, types };
}

/** An address that the browser hides is a name of multicast DNS. */
const isWithin = (address) => !address || WITHIN.test(address);

/** Not every browser names the pair that its transport uses. Then it is, of those that were nominated, the one that carries the most. */
function selectedPair(stats) {
  const all = [...stats.values()];
  const selected = all.find(({ type, selectedCandidatePairId }) => type === 'transport' && selectedCandidatePairId);
  if (selected) return stats.get(selected.selectedCandidatePairId);
  return all.filter(({ type, state, nominated }) => type === 'candidate-pair' && state === 'succeeded' && nominated)
    .reduce((most, next) => (next.bytesSent > (most?.bytesSent ?? -1) ? next : most), undefined);
}
