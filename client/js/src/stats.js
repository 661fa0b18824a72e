// Which candidates a connection uses, and could use.

/**
 * Resolves to the type of this side's candidate that the connection uses. In older browsers the transport does not name its pair of
 * candidates. There the pair is one of those that were nominated (RFC 8445, Section 7.2.2): the one that carries the most.
 */
export async function localCandidateType(pc) {
  const stats = await pc.getStats();
  const all = [...stats.values()];
  const selected = all.find(({ type, selectedCandidatePairId }) => type === 'transport' && selectedCandidatePairId);
  const pair = selected ? stats.get(selected.selectedCandidatePairId)
    : all.filter((entry) => works(entry) && entry.nominated)
      .reduce((most, next) => (next.bytesSent > (most?.bytesSent ?? -1) ? next : most), undefined);
  return stats.get(pair?.localCandidateId)?.candidateType;
}

/**
 * Resolves to whether each transport has a pair that works, of candidates of the descriptions that are in force. That pair need not be
 * selected yet: after an ICE restart the side that is controlled may stay on a pair of before for half a minute in Chromium, which
 * works too. If the browser does not tell, it is taken for true.
 */
export async function worksByDescriptions(pc) {
  const stats = await pc.getStats().catch(() => new Map());
  const pairs = [...stats.values()].filter(works).map(({ transportId, localCandidateId, remoteCandidateId }) => ({
    transportId,
    fits: isOf(stats.get(localCandidateId), pc.currentLocalDescription ?? pc.localDescription) &&
      isOf(stats.get(remoteCandidateId), pc.currentRemoteDescription ?? pc.remoteDescription),
  }));
  const transports = new Set(pairs.map(({ transportId }) => transportId));
  return [...transports].every((transport) => pairs.some(({ transportId, fits }) => fits && transportId === transport));
}

const works = ({ type, state }) => type === 'candidate-pair' && state === 'succeeded';

/** A description names the ICE username fragment of its candidates (RFC 8839, Section 5.4). */
function isOf(candidate, description) {
  const ufrag = candidate?.usernameFragment;
  return !ufrag || !description || description.sdp.split(/\r?\n/).includes(`a=ice-ufrag:${ufrag}`);
}
