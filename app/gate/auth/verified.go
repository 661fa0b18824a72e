package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// maxVerifiedAge bounds how long a JWT is believed without verifying it again: long enough for a handshake's requests.
	maxVerifiedAge = time.Minute
	// maxVerified bounds how many are remembered: some 700 KiB.
	maxVerified = 4096
)

// verified remembers which JWTs were good, by their digests. Only a token that is good gets in, so a stranger cannot push others
// out. It is two maps: when the young one is full it becomes the old one, and what the old one held is forgotten.
type verified struct {
	mu sync.RWMutex
	// guarded by mu
	young, old map[[sha256.Size]byte]believed
}

type believed struct {
	grant Grant
	until time.Time
}

// find returns the grant of the JWT that has this digest, if it is to be believed now.
//
// hot: called for every request with a JWT.
func (v *verified) find(digest *[sha256.Size]byte, now time.Time) (Grant, bool) {
	v.mu.RLock()
	b, ok := v.young[*digest]
	if !ok {
		b, ok = v.old[*digest]
	}
	v.mu.RUnlock()
	if !ok || !now.Before(b.until) {
		return Grant{}, false
	}
	return b.grant, true
}

// put remembers a JWT, until it expires or maxVerifiedAge is over.
func (v *verified) put(digest *[sha256.Size]byte, grant Grant, now, expiry time.Time) {
	until := now.Add(maxVerifiedAge)
	if expiry.Before(until) {
		until = expiry
	}
	if !now.Before(until) { // within the leeway
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.young == nil || len(v.young) >= maxVerified/2 {
		v.young, v.old = make(map[[sha256.Size]byte]believed), v.young
	}
	v.young[*digest] = believed{grant, until}
}
