// Package accesslog writes a line about each request, or about a sample of them. It knows no HTTP: an Entry says what there is to log.
//
//	request ──Write──▶ queue ──one goroutine──▶ slog.Handler ──▶ disk
//	             └── full: dropped, and counted ◀── failed ──┘
//
// A line has no key, but a salted hash of it. So the lines of one session can be found by each other, and no line gives the key away. No
// request waits for a disk: lines that a slow or full disk does not take are dropped and counted.
package accesslog

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	random "math/rand/v2"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"signal-server/cache"
)

const (
	// queued is how many lines may wait for the disk, 200 bytes each. It bridges a tenth of a second in which the disk takes nothing, at
	// 40,000 requests a second.
	queued = 4096

	// flushFor bounds how long Close waits for a disk that hangs.
	flushFor = 2 * time.Second

	// minSalt is in bytes. Nobody finds a salt of that length by trying.
	minSalt, maxSalt = 16, 4096

	// hashBytes is how many bytes of a hash are kept. Among a million sessions two have the same with a chance of 1 in 10^7.
	hashBytes = 8
)

// Config says what is logged.
type Config struct {
	// Share is the part of requests that is logged, picked at random; 0: none, 1: all.
	Share Share `name:"access-log" default:"off" help:"Share of requests with a line: 1, 0.01, off."`
	// SaltFile has the salt of hashes, 16 to 4096 bytes. Nodes that share it give a key the same hash. If it is empty each process has a
	// random salt, and nobody can try keys against its log.
	SaltFile string `name:"access-log-salt-file" secret:"" placeholder:"FILE" help:"Salt of the hashes that stand for keys in it."`
	// Clients says that lines have the client's address.
	Clients bool `name:"access-log-clients" help:"Log the client's address, too."`
}

// Validate calls wrong for each mistake: with a pointer to the field, and with what is wrong in words that follow the field's name. It
// reads no file.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if !c.Share.valid() {
		wrong(&c.Share, "is %v, must be 0 to 1", float64(c.Share))
	}
}

// Log is a log of requests. New makes one, and Close ends it. Its other methods may be called concurrently; a nil Log logs nothing.
type Log struct {
	// set at construction
	share   float64
	clients bool
	salt    [sha256.Size]byte
	handler slog.Handler
	queue   chan slog.Record
	closing chan struct{} // closed by Close
	ended   chan struct{} // closed by the goroutine that writes

	// atomic
	lost atomic.Int64
}

// Entry is what there is to log of a request. Its strings must not be the request's own, which end with it.
type Entry struct {
	Route, Status, Msg string
	Client             netip.Addr    // the zero one: not known
	Took               time.Duration // 0: not known
	Received, Sent     int           // bytes of the bodies

	session [hashBytes]byte // zero: no key
}

// Of sets the session by its key, which is not kept.
func (e *Entry) Of(l *Log, key cache.Key) {
	if key == "" {
		return
	}
	var salted [sha256.Size + 4*cache.MaxKeyLength]byte
	n := copy(salted[:], l.salt[:])
	n += copy(salted[n:], key)
	sum := sha256.Sum256(salted[:n]) // only a quarter of it is kept, so nobody can compute the hash of a longer text from it
	copy(e.session[:], sum[:])
}

// New returns a Log that writes to the handler, or nil if the config logs nothing. Validate must have passed the config. The error says
// what is wrong with the SaltFile.
func New(c Config, handler slog.Handler) (*Log, error) {
	if !c.Share.valid() {
		return nil, errors.New("BUG: accesslog.New of a Config that Validate refuses")
	}
	salt, err := c.salt()
	if err != nil || c.Share == 0 {
		return nil, err
	}
	l := &Log{
		share: float64(c.Share), clients: c.Clients, salt: sha256.Sum256(salt), handler: handler,
		queue: make(chan slog.Record, queued), closing: make(chan struct{}), ended: make(chan struct{}),
	}
	go l.write()
	return l, nil
}

func (c *Config) salt() ([]byte, error) {
	if c.SaltFile == "" {
		salt := make([]byte, sha256.Size)
		rand.Read(salt) // never fails, since Go 1.24
		return salt, nil
	}
	salt, err := os.ReadFile(c.SaltFile)
	if err != nil {
		return nil, err
	}
	if len(salt) < minSalt || len(salt) > maxSalt {
		return nil, fmt.Errorf("%s has %d bytes, must have %d to %d", c.SaltFile, len(salt), minSalt, maxSalt)
	}
	return salt, nil
}

// Picks reports whether the caller should log the request that comes now.
//
// hot: every request.
func (l *Log) Picks() bool { return l != nil && (l.share == 1 || random.Float64() < l.share) } // #nosec G404 -- a sample

// Clients reports whether an Entry should have the client's address.
func (l *Log) Clients() bool { return l.clients }

// Write logs a request that Picks has picked, with the time of the call. It does not block. After Close lines are dropped and counted.
func (l *Log) Write(e *Entry) {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	r.AddAttrs(slog.String("route", e.Route), slog.String("status", e.Status), slog.String("result", e.Msg))
	if e.session != [hashBytes]byte{} {
		r.AddAttrs(slog.String("session", hex.EncodeToString(e.session[:])))
	}
	if e.Client.IsValid() {
		r.AddAttrs(slog.String("client", e.Client.String()))
	}
	if e.Took > 0 {
		r.AddAttrs(slog.Duration("took", e.Took))
	}
	r.AddAttrs(slog.Int("received", e.Received), slog.Int("sent", e.Sent))
	select {
	case <-l.closing:
		l.lost.Add(1)
		return
	default:
	}
	select {
	case l.queue <- r:
	default:
		l.lost.Add(1)
	}
}

// Lost returns how many lines were dropped because the queue was full, or could not be written.
func (l *Log) Lost() int64 {
	if l == nil {
		return 0
	}
	return l.lost.Load()
}

// write is the one goroutine that writes.
func (l *Log) write() {
	defer close(l.ended)
	for {
		select {
		case r := <-l.queue:
			l.put(r)
		case <-l.closing:
			for {
				select {
				case r := <-l.queue:
					l.put(r)
				default:
					return
				}
			}
		}
	}
}

func (l *Log) put(r slog.Record) {
	if err := l.handler.Handle(context.Background(), r); err != nil {
		l.lost.Add(1)
	}
}

// Close writes what is queued. It gives up after two seconds, so a disk that hangs does not keep the server from ending.
func (l *Log) Close() {
	if l == nil {
		return
	}
	close(l.closing)
	timer := time.NewTimer(flushFor)
	defer timer.Stop()
	select {
	case <-l.ended:
	case <-timer.C:
	}
}
