// The msg texts that the scripts meet, byte for byte those of custerrors; a test there compares them, by these lines.
export const KeyNotFound = 'key未找到';
export const KeyIsExpired = 'key已过期';
export const SdpNoValues = 'sdp没有值';
export const CandidateNoValues = 'candidate没有值';

// nameOf is what a check calls a msg.
export function nameOf(msg) {
  return names[msg] || 'no msg';
}

const names = {
  [KeyNotFound]: 'KeyNotFound',
  [KeyIsExpired]: 'KeyIsExpired',
  [SdpNoValues]: 'SdpNoValues',
  [CandidateNoValues]: 'CandidateNoValues',
};
