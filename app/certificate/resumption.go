package certificate

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
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
	// guarded by mu: what the configurations were made of
	chain   [][]byte
	secrets *[][]byte
	day     int64       // since 1970, in UTC: nodes have one calendar; 0 without secrets
	whole   *tls.Config // for every client
	spared  *tls.Config // for one that spares may have
}

// config returns the configuration for a client that gets this certificate now, and offers this. base is what all have in common; it resumes
// nothing. Open connections keep theirs.
func (r *resumption) config(c *clients, base *tls.Config, certificate *tls.Certificate, o offer) *tls.Config {
	whole, spared := r.configs(c, base, certificate)
	if o.spares(whole) {
		return spared
	}
	return whole
}

func (r *resumption) configs(c *clients, base *tls.Config, certificate *tls.Certificate) (whole, spared *tls.Config) {
	all, day := r.followed.current.Load(), int64(0)
	if all != nil {
		day = time.Now().Unix() / secondsOfDay
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.whole != nil && c.secrets == all && c.day == day && slices.EqualFunc(c.chain, certificate.Certificate, bytes.Equal) {
		return c.whole, c.spared
	}
	c.chain, c.secrets, c.day = certificate.Certificate, all, day
	c.whole = base.Clone()
	c.whole.Certificates = []tls.Certificate{*certificate}
	c.whole.SessionTicketsDisabled = false
	if all != nil {
		c.whole.SetSessionTicketKeys(keys(*all, certificate.Certificate[0], day))
	}
	// Keys of its own, where there are no secrets: by itself crypto/tls would take those of base, which are for all certificates.
	seal, open := c.whole.EncryptTicket, c.whole.DecryptTicket
	c.whole.UnwrapSession = open
	c.whole.WrapSession = func(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		if slices.Contains(postQuantum, state.CurveID) {
			session.Extra = append(session.Extra, appendMark(nil, time.Now()))
		}
		return seal(state, session)
	}
	c.spared = c.whole.Clone()
	c.spared.CurvePreferences = classic
	c.spared.WrapSession = func(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		if state.DidResume {
			session.Extra = append(session.Extra, appendMark(nil, time.Now()))
		}
		return seal(state, session)
	}
	return c.whole, c.spared
}

// What crypto/tls exchanges keys by. A post-quantum exchange is one that no quantum computer is known to break. It costs as much as two.
var (
	postQuantum = []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024}
	classic     = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
)

// mark begins what a ticket says, besides what crypto/tls has it say: that its session descends from a post-quantum key exchange, and when the
// ticket was made.
const mark = "signal-server: post-quantum "

func appendMark(dst []byte, now time.Time) []byte {
	return binary.BigEndian.AppendUint64(append(dst, mark...), uint64(now.Unix()))
}

// markedAt returns when a ticket with this mark was made. ok is false if it is no mark.
func markedAt(extra []byte) (at time.Time, ok bool) {
	made, ok := bytes.CutPrefix(extra, []byte(mark))
	if !ok || len(made) != 8 {
		return at, false
	}
	return time.Unix(int64(binary.BigEndian.Uint64(made)), 0), true
}

const (
	maxTickets = 5                          // that crypto/tls looks at
	spareFor   = 7*24*time.Hour - time.Hour // less than crypto/tls takes a ticket for
)

// spares reports whether the client resumes what descends from a post-quantum key exchange, and may do with X25519 for the fresh key: the traffic's
// keys come from both, so whoever has recorded it needs the secret in the ticket too, which no quantum computer finds. It is true only if
// crypto/tls will take the ticket: a whole handshake is post-quantum for each client that can do it.
func (o *offer) spares(whole *tls.Config) bool {
	if !o.x25519 || !o.fresh {
		return false
	}
	for _, ticket := range o.tickets[:min(len(o.tickets), maxTickets)] {
		session, err := whole.DecryptTicket(ticket, tls.ConnectionState{})
		if err != nil || session == nil {
			continue // crypto/tls passes it over too
		}
		for _, extra := range session.Extra {
			if at, ok := markedAt(extra); ok {
				return time.Since(at) < spareFor
			}
		}
		return false
	}
	return false
}
