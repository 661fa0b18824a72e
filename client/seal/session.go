package seal

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Role is the side of a session that a peer is on. A payload is bound to this text.
type Role string

// The roles.
const (
	Offer  Role = "offer"
	Answer Role = "answer"
)

// Session is one side of one session: from its offer to its end. Another offer, even under the same key, is another Session.
// It is safe for concurrent use. Post payloads in the order in which they were sealed.
type Session struct {
	// set at construction
	keys   *Keys
	role   Role
	random io.Reader

	mu sync.Mutex
	// guarded by mu
	offer, answer progress
}

// progress is how far one role's payloads have come.
type progress struct {
	sdp        string // sealed; empty: none yet
	candidates int
}

// prefix names the format and its version. No JSON text begins with it.
const prefix = "s1."

// Sealed reports whether a payload looks sealed, which means that the peer that sent it has a secret.
func Sealed(payload string) bool { return strings.HasPrefix(payload, prefix) }

// SealSDP seals this side's description, once. The answerer must have opened the offer before. The error is ErrOrder, or that of the
// system's random source.
func (s *Session) SealSDP(text string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.progressLocked(s.role)
	if mine.sdp != "" {
		return "", ErrOrder
	}
	sealed, err := s.sealLocked(0, text)
	if err != nil {
		return "", err
	}
	mine.sdp = sealed
	return sealed, nil
}

// SealCandidate seals this side's next candidate, after its description. Its errors are those of SealSDP.
func (s *Session) SealCandidate(text string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.progressLocked(s.role)
	if mine.sdp == "" {
		return "", ErrOrder
	}
	sealed, err := s.sealLocked(mine.candidates+1, text)
	if err != nil {
		return "", err
	}
	mine.candidates++
	return sealed, nil
}

// TakeBack says that the last n candidates that this side has sealed were refused, and will not be posted: the next ones are sealed for
// their places. A server that has read them could hand them out in those places, which are this side's own candidates all the same.
func (s *Session) TakeBack(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.progressLocked(s.role)
	mine.candidates = max(0, mine.candidates-n)
}

// OpenSDP opens the other side's description, once. The offerer must have sealed its own before. The error is ErrNotSealed, ErrBroken or
// ErrOrder, and leaves the Session as it was. A refusal is ErrBroken, whether it opens or not.
func (s *Session) OpenSDP(sealed string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	theirs := s.progressLocked(s.other())
	if theirs.sdp != "" {
		return "", ErrOrder
	}
	text, err := s.openLocked(0, sealed)
	if err == nil && s.role == Offer && text == Refused { // the answerer has this secret, and got another offer than this side's
		err = ErrBroken
	}
	if err != nil {
		return "", err
	}
	theirs.sdp = sealed
	return text, nil
}

// OpenCandidate opens the other side's next candidate, after its description. Its errors are those of OpenSDP. A payload that does
// not open takes no position: a stray one can be skipped, and the next one still opens.
func (s *Session) OpenCandidate(sealed string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	theirs := s.progressLocked(s.other())
	if theirs.sdp == "" {
		return "", ErrOrder
	}
	text, err := s.openLocked(theirs.candidates+1, sealed)
	if err != nil {
		return "", err
	}
	theirs.candidates++
	return text, nil
}

// Refused is what an answerer says in place of its description when it cannot open the offer: as it stands if it has no secret, otherwise
// sealed by Refuse.
const Refused = "refused"

// Refuse returns the payload that an answerer posts as its description if OpenSDP has failed for offer, which may be any text. No offerer
// whose offer did not open can open it: so it learns at once that the two secrets differ. The error is that of the system's random source.
func (k *Keys) Refuse(offer string) (string, error) { return k.Answerer().refuse(offer) }

func (s *Session) refuse(offer string) (string, error) {
	s.offer.sdp = offer // as it came: the refusal is bound to it, as an answer is
	return s.SealSDP(Refused)
}

func (s *Session) other() Role {
	if s.role == Offer {
		return Answer
	}
	return Offer
}

func (s *Session) progressLocked(role Role) *progress {
	if role == Offer {
		return &s.offer
	}
	return &s.answer
}

func (s *Session) sealLocked(position int, text string) (string, error) {
	associated, err := s.associatedDataLocked(s.role, position)
	if err != nil {
		return "", err
	}
	aead := s.keys.of(s.role)
	out := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	if _, err := io.ReadFull(s.random, out); err != nil {
		return "", fmt.Errorf("seal: nonce: %w", err)
	}
	out = aead.Seal(out, out, []byte(text), associated)
	return prefix + encoding.EncodeToString(out), nil
}

func (s *Session) openLocked(position int, sealed string) (string, error) {
	associated, err := s.associatedDataLocked(s.other(), position)
	if err != nil {
		return "", err
	}
	if !Sealed(sealed) {
		return "", ErrNotSealed
	}
	aead := s.keys.of(s.other())
	in, ok := decode(sealed[len(prefix):])
	if !ok || len(in) < aead.NonceSize() {
		return "", ErrBroken
	}
	text, err := aead.Open(nil, in[:aead.NonceSize()], in[aead.NonceSize():], associated)
	if err != nil || !utf8.Valid(text) {
		return "", ErrBroken
	}
	return string(text), nil
}

// associatedDataLocked returns the associated data of the encryption, which binds a payload to its place in the session. The random
// nonces in the sealed descriptions distinguish a session from an earlier one under the same secret.
func (s *Session) associatedDataLocked(from Role, position int) ([]byte, error) {
	transcript := ""
	switch offer, answer := s.offer.sdp, s.answer.sdp; {
	case from == Offer && position == 0:
	case offer == "":
		return nil, ErrOrder
	case from == Answer && position > 0:
		transcript = offer + "\n" + answer
	default:
		transcript = offer
	}
	hash := sha256.Sum256([]byte(transcript))
	return []byte(strings.Join([]string{
		label,
		string(from),
		strconv.Itoa(position),
		encoding.EncodeToString(hash[:]),
		s.keys.session, // last, because it may hold anything
	}, "\n")), nil
}

// decode returns the bytes that a text of base64url stands for. It refuses line breaks, which encoding alone would skip.
func decode(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := encoding.DecodeString(text)
	return b, err == nil
}
