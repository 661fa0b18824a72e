package certificate

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"signal-server/app/secrets"
)

// resumption is what clients resume TLS by: a ticket that the server gives them at the end of a handshake, sealed under a key that only
// servers know (RFC 8446, Section 2.2; RFC 5077). With secrets all nodes come to the same keys:
//
//	secret, certificate, day ─HKDF-SHA256─▶ key
//
// The first secret of today seals. Whatever else may have sealed a ticket that is still good opens it. So keys change by themselves each
// day, and with the certificate. Without secrets each certificate has random keys of this process, which crypto/tls changes each day.
type resumption struct {
	// set at construction
	followed followed[string, [][]byte] // current is nil without secrets
	path     string                     // of the secrets; empty: none
	log      *slog.Logger
}

// openResumption reads the file of secrets, if there is one.
func openResumption(path string, log *slog.Logger) (*resumption, error) {
	r := &resumption{path: path, log: log}
	if path == "" {
		return r, nil
	}
	const what = "secrets of TLS resumption"
	r.followed.read = func() (string, error) { return readBounded(what, path) }
	r.followed.parse = func(content string) (*[][]byte, error) {
		all, err := secrets.Parse([]byte(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", what, path, err)
		}
		return &all, nil
	}
	return r, r.followed.open()
}

// prepare reads the file again. Without one it does nothing.
func (r *resumption) prepare() (install func(), err error) {
	if r.path == "" {
		return func() {}, nil
	}
	return r.followed.prepare()
}

// run takes over what the file holds until ctx ends.
func (r *resumption) run(ctx context.Context) {
	if r.path == "" {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var seen looked[string]
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, taken, err := r.followed.look(seen)
		switch {
		case err != nil:
			r.log.Error("the new secrets of TLS resumption are not taken: those before go on", "error", err)
		case taken:
			r.log.Info("new secrets of TLS resumption are in use")
		}
		seen = now
	}
}

const (
	secondsOfDay = 24 * 60 * 60

	// A ticket is good for seven days (RFC 8446, Section 4.6.1), so it may have been sealed on any of the seven days before. A node whose clock
	// is ahead seals by tomorrow's key already.
	daysBack, daysAhead = 7, 1
)

// keys returns the keys of that day for the certificate: the first one seals.
func keys(all [][]byte, leaf []byte, today int64) (keys [][32]byte) {
	fingerprint := sha256.Sum256(leaf)
	add := func(day int64) {
		for _, secret := range all {
			key, err := hkdf.Key(sha256.New, secret, fingerprint[:], "signal-server TLS resumption, day "+strconv.FormatInt(day, 10), 32)
			if err != nil {
				panic("BUG: a key of TLS resumption: " + err.Error()) // 32 bytes are no more than a hash has
			}
			keys = append(keys, [32]byte(key))
		}
	}
	for back := range int64(daysBack + 1) {
		add(today - back)
	}
	for ahead := range int64(daysAhead) {
		add(today + ahead + 1)
	}
	return keys
}

// clients are those that get the same certificate, and what serves them. The zero value is for none yet.
type clients struct {
	mu sync.Mutex
	// guarded by mu: what config was made of
	chain   [][]byte
	secrets *[][]byte
	day     int64 // since 1970, in UTC: nodes have one calendar; 0 without secrets
	config  *tls.Config
}

// config returns the configuration for the clients that get this certificate now. base is what it has in common with all others; it resumes
// nothing. Open connections keep theirs.
func (r *resumption) config(c *clients, base *tls.Config, certificate *tls.Certificate) *tls.Config {
	all, day := r.followed.current.Load(), int64(0)
	if all != nil {
		day = time.Now().Unix() / secondsOfDay
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.config != nil && c.secrets == all && c.day == day && slices.EqualFunc(c.chain, certificate.Certificate, bytes.Equal) {
		return c.config
	}
	c.chain, c.secrets, c.day = certificate.Certificate, all, day
	c.config = base.Clone()
	c.config.Certificates = []tls.Certificate{*certificate}
	c.config.SessionTicketsDisabled = false
	if all != nil {
		c.config.SetSessionTicketKeys(keys(*all, certificate.Certificate[0], day))
	} else { // by keys of its own; crypto/tls would take those of base, which are for all certificates
		c.config.WrapSession, c.config.UnwrapSession = c.config.EncryptTicket, c.config.DecryptTicket
	}
	return c.config
}
