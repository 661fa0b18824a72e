// What payloads are: the JSON of a description, and candidates in the forms that programs send.

/** Returns the description that a text is. */
export function descriptionOf(text, wanted) {
  const { type, sdp } = JSON.parse(text) ?? {};
  if (type !== wanted || typeof sdp !== 'string') throw new TypeError(`it is not the JSON of an ${wanted}`);
  return { type, sdp };
}

/**
 * Returns the candidate that a text is, for addIceCandidate: the JSON of an RTCIceCandidateInit, or of null, which is the end of all
 * candidates. It may also be what pion's pion-to-pion example sends: the bare line (RFC 8839, Section 5.1). That names no media
 * section, and is taken for one of the first.
 */
export function candidateOf(text) {
  const line = text.trim();
  if (/^(a=)?candidate:/.test(line)) return { candidate: line.replace(/^a=/, ''), sdpMLineIndex: 0 };
  const init = JSON.parse(text);
  if (init !== null && typeof init?.candidate !== 'string') throw new TypeError('it is not the JSON of a candidate');
  return init;
}

/** Reports whether a candidate says that no more come (RFC 8838, Section 13). */
export const isEnd = (candidate) => candidate === null || candidate.candidate === '';

/** Returns the priority of a candidate (RFC 8839, Section 5.1), or 0 if it names none. */
export const priorityOf = ({ candidate }) => Number(/^candidate:\S+ \d+ \S+ (\d+) /.exec(candidate)?.[1] ?? 0);
