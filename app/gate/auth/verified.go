package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// maxVerifiedAge bounds how long a JWT is good before it is verified again. The requests of a handshake fit into it.
	maxVerifiedAge = time.Minute
	// maxVerified bounds how many JWTs are remembered: some 700 KiB.
	maxVerified = 4096
)

// verified remembers which JWTs were good, by their digests. Only good tokens get in, so a stranger cannot push others out. There are
// two maps: when the young one is full it becomes the old one, and the old one is dropped.
type verified struct {
	mu sync.RWMutex
	// guarded by mu
	young, old map[[sha256.Size]byte]believed
}

type believed struct {
	grant Grant
	until time.Time
}

// find returns the grant of the JWT that has this digest, if it is still good now.
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

// put remembers a JWT until it expires, for maxVerifiedAge at the most.
func (v *verified) put(digest *[sha256.Size]byte, grant Grant, now, expiry time.Time) {
	until := now.Add(maxVerifiedAge)
	if expiry.Before(until) {
		until = expiry
	}
	if !now.Before(until) { // it has expired, and is good by the leeway only
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.young == nil || len(v.young) >= maxVerified/2 {
		v.young, v.old = make(map[[sha256.Size]byte]believed), v.young
	}
	v.young[*digest] = believed{grant, until}
}
