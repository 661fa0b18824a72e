// Which candidates a connection uses.

/**
 * Resolves to the pairs of candidates, as { local, remote } of their stats, one for each transport. In older browsers a transport does
 * not name its pair. There the pair is one of those that were nominated (RFC 8445, Section 7.2.2): the one that carries the most.
 */
export async function pairsOf(pc) {
  const stats = await pc.getStats();
  const all = [...stats.values()];
  const named = all.filter(({ type, selectedCandidatePairId: id }) => type === 'transport' && id).map(({ selectedCandidatePairId: id }) => stats.get(id));
  const busiest = () => all.filter(({ type, state, nominated }) => type === 'candidate-pair' && state === 'succeeded' && nominated)
    .reduce((most, next) => (next.bytesSent > (most?.bytesSent ?? -1) ? next : most), undefined);
  return (named.length > 0 ? named : [busiest()]).filter(Boolean)
    .map(({ localCandidateId, remoteCandidateId }) => ({ local: stats.get(localCandidateId), remote: stats.get(remoteCandidateId) }));
}

/**
 * Resolves to whether the connection uses candidates of the descriptions that are in force. After an ICE restart it goes on with
 * those of before until the new ones work (RFC 8445, Section 9). If the browser does not tell, it is taken for true.
 */
export async function isOfDescriptions(pc) {
  const pairs = await pairsOf(pc).catch(() => []);
  return pairs.every(({ local, remote }) =>
    isOf(local, pc.currentLocalDescription ?? pc.localDescription) && isOf(remote, pc.currentRemoteDescription ?? pc.remoteDescription));
}

/** A description names the ICE username fragment of its candidates (RFC 8839, Section 5.4). */
function isOf(candidate, description) {
  const ufrag = candidate?.usernameFragment;
  return !ufrag || !description || description.sdp.split(/\r?\n/).includes(`a=ice-ufrag:${ufrag}`);
}
