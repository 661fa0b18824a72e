package ticket

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"signal-server/cache"
)

// signer makes MACs under one secret.
type signer struct {
	desks sync.Pool // of *desk: a new HMAC costs two hashes more than one that is reset
}

// desk is what a MAC is made with, one at a time.
type desk struct {
	mac     hash.Hash
	message []byte
	sum     []byte
}

func newSigner(secret []byte) *signer {
	secret = bytes.Clone(secret)
	return &signer{desks: sync.Pool{New: func() any {
		return &desk{
			mac:     hmac.New(sha256.New, secret),
			message: make([]byte, 0, 1+epochBytes+4*cache.MaxKeyLength),
			sum:     make([]byte, 0, sha256.Size),
		}
	}}}
}

// mac returns the MAC of the role, the epoch and the key, in this order. What has a fixed length comes first, so no two of these
// triples make the same message. A JWT never begins with the byte of a role, so its MAC is another one even under the same secret.
func (s *signer) mac(key cache.Key, role cache.Role, epoch uint64) (mac [macBytes]byte) {
	d, _ := s.desks.Get().(*desk)
	defer s.desks.Put(d)
	m := append(d.message[:0], byte(role))
	m = m[:1+epochBytes]
	putEpoch(m[1:], epoch)
	d.message = append(m, key...)
	d.mac.Reset()
	d.mac.Write(d.message)
	d.sum = d.mac.Sum(d.sum[:0])
	copy(mac[:], d.sum)
	return mac
}
