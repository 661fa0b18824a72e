package iceserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // #nosec G505 -- what TURN servers verify
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"signal-server/app/secrets"
)

// Secrets are what a TURN server and whoever gives out its credentials share. The first one signs, all verify, so that a secret can be
// replaced without a break. The methods may be called concurrently.
type Secrets struct {
	// set at construction
	path string // "": the secret is random

	// atomic
	all atomic.Pointer[[][]byte] // never empty; what it points to never changes
}

// OpenSecrets reads the file of secrets, as package secrets has it, or makes one that is random where path is empty: good in this process
// only. The error names the file, and quotes nothing of it.
func OpenSecrets(path string) (*Secrets, error) {
	s := &Secrets{path: path}
	if path == "" {
		random := make([]byte, secrets.Min)
		rand.Read(random) // never fails
		s.all.Store(&[][]byte{random})
		return s, nil
	}
	return s, s.Reload()
}

// Reload reads the file again. If that fails nothing changes.
func (s *Secrets) Reload() error {
	if s.path == "" {
		return nil
	}
	all, err := secrets.Read(s.path)
	if err != nil {
		return err
	}
	s.all.Store(&all)
	return nil
}

// Credential is what a TURN client authenticates by: the long-term credential of RFC 8489, Section 9.2.
type Credential struct{ Username, Password string }

// Issue returns a credential that is good until then, for whoever asks (draft-uberti-behave-turn-rest-00, Section 2.2). Who is told apart by
// others only as far as two credentials of the same one look alike; it does not stand in it.
func (s *Secrets) Issue(who string, until time.Time) Credential {
	secret := (*s.all.Load())[0]
	username := strconv.FormatInt(until.Unix(), 10) + ":" + userOf(secret, who)
	return Credential{Username: username, Password: password(secret, username)}
}

// Passwords returns the passwords that make a good credential with that username, one for each secret.
func (s *Secrets) Passwords(username string) []string {
	all := *s.all.Load()
	good := make([]string, len(all))
	for i, secret := range all {
		good[i] = password(secret, username)
	}
	return good
}

// ParseUsername returns what a username says: of whom the credential is, and until when it is good for new relays. A username that other programs
// made by the same secret may have no user.
func ParseUsername(username string) (user string, until time.Time, ok bool) {
	seconds, user, _ := strings.Cut(username, ":")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || n < 0 || n > maxSeconds {
		return "", time.Time{}, false
	}
	return user, time.Unix(n, 0), true
}

const maxSeconds = 1 << 40 // of a time that can still be added to

// userLength is that of a user in a username: 66 bits.
const userLength = 11

// userOf returns whose credential it is, in letters that no client of TURN, no parser of a Link header and no log cuts at.
func userOf(secret []byte, who string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("user\x00"))
	mac.Write([]byte(who))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))[:userLength]
}

func password(secret []byte, username string) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
