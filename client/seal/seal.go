// Package seal encrypts and authenticates what two peers say to each other over a signaling session. Neither the server nor anybody
// who watches it can read a description or an address, or replace a fingerprint.
//
// The peers share one secret. From it they derive the session's key, which is all that the server learns, and a key for each role, under
// which that role's payloads are sealed (AES-256-GCM). A payload opens only in the place for which it was sealed: in this session, of this
// role, at this position, after these descriptions.
//
//	keys, err := seal.Derive(secret)                        // once: it is slow on purpose
//	session, err := c.Session(keys.SessionKey(), client.Offer)
//	mine := keys.Offerer()                                  // a new one for each offer
//	payload, err := mine.SealSDP(offer)
//
//	          transcript of ─┐
//	offer   sdp  0           ·
//	        candidates 1 …   offer's sealed sdp
//	answer  sdp  0           offer's sealed sdp
//	        candidates 1 …   both sealed sdps
//
// docs/sealing.md specifies the format, which client/js reads and writes too, and says what it protects against and what it does
// not. This package knows no HTTP, and nothing of what is in a payload.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Errors of this package.
var (
	// ErrNoSecret says that the secret is empty, or that the session key is blank.
	ErrNoSecret = errors.New("seal: no secret, or no key, to derive from")
	// ErrNotSealed says that a payload is not in this format: most likely the peer has no secret.
	ErrNotSealed = errors.New("seal: the payload is not sealed")
	// ErrBroken says that a payload does not open: it was sealed with another secret, changed, or moved from its place.
	ErrBroken = errors.New("seal: the payload does not open: another secret, or it was changed or moved on its way")
	// ErrOrder says that a description was sealed or opened twice, or a payload before the description that it is bound to.
	ErrOrder = errors.New("seal: out of order")
)

const (
	// label keeps the keys derived here apart from those of other uses of the same secret. It changes with the format.
	label = "signal-server seal v1"

	// iterations is the number of PBKDF2-HMAC-SHA-256 iterations that OWASP's Password Storage Cheat Sheet asks for. They take
	// 0.11 s here, and 0.15 s in WebCrypto on the same core.
	iterations = 600_000

	// sessionKeyBytes make a key as hard to guess as that of AES-128, in 22 of the 32 characters that the server allows.
	sessionKeyBytes = 16

	roleKeyBytes = 32 // AES-256
)

// encoding is base64url without padding (RFC 4648, Section 5). Strict refuses stray bits at the end, so that a sealed payload has
// only one spelling. It would skip line breaks; decode refuses those.
var encoding = base64.RawURLEncoding.Strict()

// Keys are derived from a secret. They are safe for concurrent use, and serve any number of sessions one after the other.
type Keys struct {
	// set at construction
	session       string
	offer, answer cipher.AEAD
}

// Derive returns the Keys of a secret, which is any text that is not empty. Their session key is known only to those who know the
// secret. It takes a tenth of a second on purpose: guessing secrets takes as long for each guess.
func Derive(secret string) (*Keys, error) { return derive(secret, "") }

// DeriveForKey is Derive for peers that have agreed on a session key besides the secret. Leading and trailing spaces are cut off the
// key. The server knows it, but a table of guesses that was made for one key is useless against another.
func DeriveForKey(secret, key string) (*Keys, error) {
	key = strings.TrimSpace(key)
	if key == "" {
		return nil, ErrNoSecret
	}
	return derive(secret, key)
}

// Agreed returns what two peers need who have agreed on a key, a secret or both: the key that names their session, and the Keys, which are
// nil without a secret. An empty key is none: then it is derived, as Derive does. client/js's connect has the same rule. Its errors are those
// of Derive and DeriveForKey; without a secret there is none, and the key is as it was given, also if it is empty.
func Agreed(key, secret string) (sessionKey string, keys *Keys, err error) {
	switch {
	case secret == "":
		return key, nil, nil
	case key == "":
		keys, err = Derive(secret)
	default:
		keys, err = DeriveForKey(secret, key)
	}
	if err != nil {
		return "", nil, err
	}
	return keys.SessionKey(), keys, nil
}

// derive returns the Keys for the session of that key. If the key is empty, it is derived too.
func derive(secret, key string) (*Keys, error) {
	if secret == "" {
		return nil, ErrNoSecret
	}
	salt := label
	if key != "" {
		salt += "\n" + key
	}
	master, err := pbkdf2.Key(sha256.New, secret, []byte(salt), iterations, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if key == "" {
		id, err := expand(master, "session", sessionKeyBytes)
		if err != nil {
			return nil, err
		}
		key = encoding.EncodeToString(id)
	}
	offer, err := roleKey(master, Offer)
	if err != nil {
		return nil, err
	}
	answer, err := roleKey(master, Answer)
	if err != nil {
		return nil, err
	}
	return &Keys{session: key, offer: offer, answer: answer}, nil
}

// expand returns n bytes of HKDF-SHA-256 (RFC 5869) for that purpose.
func expand(master []byte, purpose string, n int) ([]byte, error) {
	out, err := hkdf.Key(sha256.New, master, nil, label+" "+purpose, n)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return out, nil
}

func roleKey(master []byte, role Role) (cipher.AEAD, error) {
	key, err := expand(master, string(role), roleKeyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return gcm, nil
}

// SessionKey returns the key to name the session with: 22 characters of base64url, or what DeriveForKey was given.
func (k *Keys) SessionKey() string { return k.session }

// Offerer returns the offerer's side of a session that is about to be opened.
func (k *Keys) Offerer() *Session { return k.side(Offer) }

// Answerer returns the answerer's side of a session that is about to be read from its beginning.
func (k *Keys) Answerer() *Session { return k.side(Answer) }

func (k *Keys) side(role Role) *Session { return &Session{keys: k, role: role, random: rand.Reader} }

func (k *Keys) of(role Role) cipher.AEAD {
	if role == Offer {
		return k.offer
	}
	return k.answer
}
