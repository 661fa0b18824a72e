package client

import (
	"crypto/rand"
	"encoding/base64"
)

// RandomKey returns a new key for a session: 22 characters of base64url from 16 random bytes, which nobody can guess. Both peers need the
// same one: send it over a channel that you trust, and use it for two peers.
func RandomKey() string {
	var random [16]byte
	rand.Read(random[:]) // it does not fail
	return base64.RawURLEncoding.EncodeToString(random[:])
}
