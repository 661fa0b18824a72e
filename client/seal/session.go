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

// Role is the side of a session that a peer is on, as it is written in what a payload is bound to.
type Role string

// The roles.
const (
	Offer  Role = "offer"
	Answer Role = "answer"
)

// Session is one side of one session: from its offer to its end. Another offer, even under the same key, is another Session.
// It is safe for concurrent use; what it seals is posted in the order in which it was sealed.
type Session struct {
	// set at construction
	keys   *Keys
	role   Role
	random io.Reader

	mu sync.Mutex
	// guarded by mu
	offer, answer log
}

// log is how far one role's payloads have come.
type log struct {
	sdp        string // sealed; empty: none yet
	candidates int
}

// prefix names the format and its version. No JSON text begins like it.
const prefix = "s1."

// Sealed reports whether a payload looks sealed: whether the peer who sent it was given a secret.
func Sealed(payload string) bool { return strings.HasPrefix(payload, prefix) }

// SealSDP seals this side's description, once. The answerer has opened the offer before. The error is ErrOrder, or says that
// the system has no random bytes.
func (s *Session) SealSDP(text string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.logLocked(s.role)
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

// SealCandidate seals this side's next candidate, after its description. Errors as of SealSDP.
func (s *Session) SealCandidate(text string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.logLocked(s.role)
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

// OpenSDP opens the other side's description, once. The offerer has sealed its own before. The error is ErrNotSealed,
// ErrBroken or ErrOrder; none of them changes the Session.
func (s *Session) OpenSDP(sealed string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	theirs := s.logLocked(s.other())
	if theirs.sdp != "" {
		return "", ErrOrder
	}
	text, err := s.openLocked(0, sealed)
	if err != nil {
		return "", err
	}
	theirs.sdp = sealed
	return text, nil
}

// OpenCandidate opens the other side's next candidate, after its description. Errors as of OpenSDP. A payload that does not
// open takes no position: a stray one can be passed over, and the next one still opens.
func (s *Session) OpenCandidate(sealed string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	theirs := s.logLocked(s.other())
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

func (s *Session) other() Role {
	if s.role == Offer {
		return Answer
	}
	return Offer
}

func (s *Session) logLocked(role Role) *log {
	if role == Offer {
		return &s.offer
	}
	return &s.answer
}

func (s *Session) sealLocked(position int, text string) (string, error) {
	bound, err := s.boundLocked(s.role, position)
	if err != nil {
		return "", err
	}
	aead := s.keys.of(s.role)
	out := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	if _, err := io.ReadFull(s.random, out); err != nil {
		return "", fmt.Errorf("seal: nonce: %w", err)
	}
	out = aead.Seal(out, out, []byte(text), bound)
	return prefix + encoding.EncodeToString(out), nil
}

func (s *Session) openLocked(position int, sealed string) (string, error) {
	bound, err := s.boundLocked(s.other(), position)
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
	text, err := aead.Open(nil, in[:aead.NonceSize()], in[aead.NonceSize():], bound)
	if err != nil || !utf8.Valid(text) {
		return "", ErrBroken
	}
	return string(text), nil
}

// boundLocked returns what a payload is bound to besides its key: the associated data of the encryption. A session is told from
// an earlier one under the same secret by the random nonces in its sealed descriptions.
func (s *Session) boundLocked(from Role, position int) ([]byte, error) {
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

// decode returns the bytes of base64url in its one spelling: encoding alone would skip line breaks.
func decode(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := encoding.DecodeString(text)
	return b, err == nil
}
