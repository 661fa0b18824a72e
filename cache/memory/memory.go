// Package memory is the embedded store: sessions in this process's memory, forgotten when it ends.
//
// It is cut into stripes by the key's hash. A stripe is a lock and what it guards: an index (session → record), and a ring that holds every
// message as an entry of its own. The entries of one log are linked in order, so a queue is its session's entries in sequence:
//
//	key ─maphash─▶ stripe ─index─▶ record ─┬─ log of offer:  sdp ▶ entry        candidates ▶ entry ▶ entry ▶ entry
//	                                       └─ log of answer: sdp ▶ entry        candidates ▶ entry ▶ entry
//	ring, oldest first:  [dead][entry][dead][dead][entry][entry] …               (bigcache's queue.BytesQueue, in chunks)
//
// Nothing in index, records and ring holds a pointer per session, so the garbage collector has nothing to follow. What
// is read is copied once, from the ring into the caller's buffer. Memory follows what is alive: space comes back from the
// ring's old end, where the dead are dropped and the living are moved to the new end. Nothing alive is ever evicted:
// new sessions are refused before running ones.
//
// The keys themselves are not kept, only 128 bits of their hash under seeds that are private to the process, so that no
// client can aim at a stripe or make two keys collide.
package memory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/alecthomas/units"

	"signal-server/cache"
	"signal-server/custerrors"
)

const (
	stripes = 32 // a power of two; many more than cores, so that two requests seldom meet at a lock

	// MinMemory is the smallest budget: room for about a hundred usual sessions.
	MinMemory = 1 << 20

	// sweepEvery bounds how long an expired session that nobody asks for keeps its memory. A sweep of 100,000 sessions
	// takes about 1 ms.
	sweepEvery = 250 * time.Millisecond
)

// Config is what a Store is made of. The tags are what a program's flags are made of.
type Config struct {
	cache.Limits `kong:"-"` // they are the same for any store

	// Memory is the budget in bytes for all sessions: MinMemory or more. It covers what they hold, their place in the index and
	// what lies between them. An empty store takes up to 4 MiB, and a 512th of the budget to remember ended
	// sessions. Limits.ClientMemory is a share of it.
	Memory int64 `name:"memory" default:"1GiB" type:"bytes" help:"Memory for sessions; full: no new ones."`
}

// Validate calls wrong if Memory cannot be used: with a pointer to it, and with what is wrong in words that follow the field's name. The
// Limits have a Validate of their own.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if c.Memory < MinMemory {
		wrong(&c.Memory, "is %v, must be %v or more", units.Base2Bytes(c.Memory), units.Base2Bytes(MinMemory))
	}
}

// Store implements cache.Store. New makes one.
type Store struct {
	// set at construction
	limits   cache.Limits
	base     time.Time // the origin of this store's monotonic clock
	seeds    [2]maphash.Seed
	tokens   maphash.Seed
	bells    *cache.Bells
	stopping chan struct{} // closed by Close
	stopped  sync.WaitGroup

	// atomic inside
	budget  budget
	ledger  *cache.Ledger
	answers cache.Durations

	// each under its own lock
	stripes [stripes]stripe
}

var _ cache.Store = (*Store)(nil)

// New returns an empty store, whose background sweep runs until Close. The error names what is wrong with the Config.
func New(c Config) (*Store, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	s := &Store{
		limits:   c.Limits,
		base:     time.Now(),
		seeds:    [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		tokens:   maphash.MakeSeed(),
		bells:    cache.NewBells(),
		stopping: make(chan struct{}),
		budget:   newBudget(c.Memory),
		ledger:   cache.NewLedger(clientShare(&c)),
	}
	for i := range s.stripes {
		s.stripes[i].init(s, int(c.Memory/stripes))
	}
	s.stopped.Go(s.sweep)
	return s, nil
}

func (c *Config) validate() error {
	var errs []error
	c.Validate(func(_ any, format string, args ...any) {
		errs = append(errs, fmt.Errorf("memory "+format, args...))
	})
	if c.TTL <= 0 || c.Lifetime <= 0 {
		errs = append(errs, fmt.Errorf("TTL %v and lifetime %v must be more than zero", c.TTL, c.Lifetime))
	}
	if c.Candidates < 1 || c.Candidates >= cache.MaxLog {
		errs = append(errs, fmt.Errorf("candidates is %d, must be 1 to %d", c.Candidates, cache.MaxLog-1))
	}
	if c.SessionBytes < 1 || c.SessionBytes > cache.MaxSessionBytes {
		errs = append(errs, fmt.Errorf("session bytes is %v, must be 1B to %v", units.Base2Bytes(c.SessionBytes), units.Base2Bytes(cache.MaxSessionBytes)))
	}
	return errors.Join(errs...)
}

// id is a key's hash: all that is kept of it.
type id struct{ hi, lo uint64 }

func (s *Store) locate(key cache.Key) (id, *stripe) {
	k := id{maphash.String(s.seeds[0], string(key)), maphash.String(s.seeds[1], string(key))}
	return k, &s.stripes[k.hi%stripes]
}

// now is the time since the store was made.
func (s *Store) now() time.Duration { return time.Since(s.base) }

// Write implements cache.Store.
//
// hot: no allocation but growth of dst, and a new chunk of the ring every few hundred messages of a store that grows.
func (s *Store) Write(_ context.Context, dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
	k, stripe := s.locate(w.Key)
	st, now := s.stamp(w.Token, w.Route, w.Body), s.now()

	stripe.mu.Lock()
	r, err := stripe.putLocked(k, now, st, &w, &s.limits)
	if err != nil {
		stripe.mu.Unlock()
		return dst, w.After, err
	}
	dst, next, err := stripe.readLocked(dst, r, w.From, w.After, w.Limit, w.Form)
	stripe.mu.Unlock()
	if w.Opens {
		s.ringBoth(w.Key)
	} else {
		s.bells.Ring(w.Key, w.From.Other(), cache.News{})
	}
	return dst, next, err
}

// Take implements cache.Store.
//
// hot: no allocation but growth of dst.
func (s *Store) Take(_ context.Context, dst []byte, t cache.Take) ([]byte, error) {
	k, stripe := s.locate(t.Key)
	st, now := s.stamp(t.Token, t.Route, nil), s.now()

	stripe.mu.Lock()
	defer stripe.mu.Unlock()
	r, err := stripe.visitLocked(k, now)
	if err != nil {
		return dst, err
	}
	if t.In != 0 && t.In != r.epoch {
		return dst, custerrors.KeyIsExpired
	}
	return stripe.takeLocked(dst, r, &t, st)
}

// Read implements cache.Store.
//
// hot: no allocation but growth of dst.
func (s *Store) Read(_ context.Context, dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int,
	form *cache.Form,
) ([]byte, cache.Cursor, error) {
	k, stripe := s.locate(key)
	now := s.now()

	stripe.mu.Lock()
	defer stripe.mu.Unlock()
	r, err := stripe.visitLocked(k, now)
	if err != nil {
		return dst, after, err
	}
	return stripe.readLocked(dst, r, to, after, limit, form)
}

// Touch implements cache.Store.
func (s *Store) Touch(_ context.Context, key cache.Key) (cache.Lease, error) {
	k, stripe := s.locate(key)
	now := s.now()

	stripe.mu.Lock()
	defer stripe.mu.Unlock()
	r, err := stripe.visitLocked(k, now)
	if err != nil {
		return cache.Lease{}, err
	}
	return cache.Lease{Epoch: r.epoch, TTL: r.ttl, Left: r.end - now, Answered: r.log(cache.Answer).sdp.first != 0}, nil
}

// End implements cache.Store.
func (s *Store) End(_ context.Context, key cache.Key) error {
	k, stripe := s.locate(key)
	now := s.now()

	stripe.mu.Lock()
	r, err := stripe.visitLocked(k, now)
	if err == nil {
		stripe.counts.ended++
		stripe.endLocked(r, now)
		stripe.cleanLocked(cleanPerCall)
	}
	stripe.mu.Unlock()
	if err == nil {
		s.ringBoth(key)
	}
	return err
}

func (s *Store) ringBoth(key cache.Key) {
	s.bells.Ring(key, cache.Offer, cache.News{})
	s.bells.Ring(key, cache.Answer, cache.News{})
}

// Hang implements cache.Store. It always succeeds, and no ring is missed.
func (s *Store) Hang(_ context.Context, key cache.Key, to cache.Role, bell cache.Bell) error {
	s.bells.Hang(key, to, bell)
	return nil
}

// Unhang implements cache.Store.
func (s *Store) Unhang(key cache.Key, to cache.Role, bell cache.Bell) { s.bells.Unhang(key, to, bell) }

// Gave implements cache.Store. It is not called: no ring of this store says what is new.
func (s *Store) Gave(cache.Role) {}

// Tells implements cache.Store: a look costs as little as a ring.
func (s *Store) Tells() bool { return false }

// Ready implements cache.Store. The error is custerrors.CacheOverrunMaxCost.
func (s *Store) Ready(context.Context) error {
	if s.budget.full() {
		return custerrors.CacheOverrunMaxCost
	}
	return nil
}

// Close implements cache.Store.
func (s *Store) Close() error {
	close(s.stopping)
	s.stopped.Wait()
	return nil
}

// sweep ends expired sessions that nobody asks for, settles what is set aside for the others, and cleans, until Close.
func (s *Store) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for i := range s.stripes {
				s.stripes[i].sweep(s.now(), s.limits.Lifetime)
			}
		case <-s.stopping:
			return
		}
	}
}
