// Package ticket makes and checks role tickets. The client that opened a session gets one, and the client that first answered it.
// Each shows its ticket to go on as its role.
//
//	secret, role, session's epoch, key ─HMAC-SHA256─▶ MAC
//	ticket = base64url( epoch, 6 bytes ‖ MAC, its first 16 bytes )          30 characters
//
// Nothing is stored. Whoever has the secret can check a ticket, so any node of a fleet can. A ticket is for one session; by the epoch
// the store says whether that session has ended. Whoever sees a ticket can use it.
//
// The package knows neither where in a request a ticket stood nor what a session holds.
package ticket

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"sync/atomic"

	"signal-server/app/secrets"
	"signal-server/cache"
)

const (
	epochBytes = 6  // as in a cursor
	macBytes   = 16 // RFC 2104, Section 5: half of the hash; nobody guesses 128 bits
	rawBytes   = epochBytes + macBytes

	// Length is how long a ticket is, in characters.
	Length = (rawBytes*8 + 5) / 6

	// MinSecret is the least length of a secret, in bytes.
	MinSecret = secrets.Min
)

var encoding = base64.RawURLEncoding.Strict() // RFC 4648, Section 5; Strict leaves one way to write a ticket

// Issuer makes and checks tickets. New or Open makes one. Its methods may be called concurrently. Append and Check neither block nor
// allocate.
type Issuer struct {
	path string // of the secrets; empty: the secret is this process's own

	// atomic
	signers atomic.Pointer[[]*signer] // the first one signs, all check
}

// New returns an Issuer with a random secret. Its tickets are good in this process only.
func New() *Issuer {
	secret := make([]byte, MinSecret)
	rand.Read(secret) // it never fails
	i := new(Issuer)
	i.signers.Store(&[]*signer{newSigner(secret)})
	return i
}

// Open returns an Issuer as the config says, or nil if roles have no tickets. Of the lines of a SecretFile the first one signs, and
// what any of them has signed is good. So secrets are replaced without a break: append the new one on every node, then put it first,
// and take the old one away when the sessions of its time are over.
func Open(config Config) (*Issuer, error) {
	switch {
	case !config.RoleTickets:
		return nil, nil
	case config.SecretFile == "":
		return New(), nil
	}
	i := &Issuer{path: config.SecretFile}
	if err := i.Reload(); err != nil {
		return nil, err
	}
	return i, nil
}

// Reload reads the file again, if there is one. If it fails nothing changes. The error names the file, and quotes nothing of it.
func (i *Issuer) Reload() error {
	if i.path == "" {
		return nil
	}
	signers, err := read(i.path)
	if err != nil {
		return err
	}
	i.signers.Store(&signers)
	return nil
}

// Append appends the ticket of this role in the session of this epoch and key.
func (i *Issuer) Append(dst []byte, key cache.Key, role cache.Role, epoch uint64) []byte {
	var raw [rawBytes]byte
	putEpoch(raw[:], epoch)
	mac := (*i.signers.Load())[0].mac(key, role, epoch)
	copy(raw[epochBytes:], mac[:])
	return encoding.AppendEncode(dst, raw[:])
}

// Check returns the epoch of the session that the ticket is for. ok is false if it is not a ticket of this role and key, whatever is
// wrong with it. How long Check takes does not depend on the right MAC.
//
// hot: every request of a server whose roles have tickets.
func (i *Issuer) Check(ticket []byte, key cache.Key, role cache.Role) (epoch uint64, ok bool) {
	if len(ticket) != Length {
		return 0, false
	}
	var raw [rawBytes + 2]byte // Decode writes whole groups
	if n, err := encoding.Decode(raw[:], ticket); err != nil || n != rawBytes {
		return 0, false
	}
	epoch = epochOf(raw[:])
	if epoch == 0 {
		return 0, false // no session has it
	}
	for _, s := range *i.signers.Load() {
		mac := s.mac(key, role, epoch)
		if hmac.Equal(mac[:], raw[epochBytes:rawBytes]) {
			return epoch, true
		}
	}
	return 0, false
}

func putEpoch(b []byte, epoch uint64) {
	for i := range epochBytes {
		b[i] = byte(epoch >> (8 * (epochBytes - 1 - i)))
	}
}

func epochOf(b []byte) (epoch uint64) {
	for _, c := range b[:epochBytes] {
		epoch = epoch<<8 | uint64(c)
	}
	return epoch
}
