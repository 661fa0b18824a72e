package cachetest

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"signal-server/cache"
	"signal-server/test/recorder"
)

// failures runs the check, and returns its failures.
func (c *check) failures(t *testing.T, h Harness) (failures []string) {
	c.where(t, h, func(t *testing.T) {
		failures = recorder.Failures(t, func(r testing.TB) { c.run(newRig(r, t, h, c.bounds())) })
	})
	return failures
}

// provable returns the checks that can be made on the model, by name.
func provable() map[string]check {
	suite := make(map[string]check)
	for _, c := range checks() {
		if c.skip(modelHarness()) == "" {
			suite[c.name] = c
		}
	}
	return suite
}

// TestEachCheckHasAFault wants every check to find a fault in TestBrokenStores.
func TestEachCheckHasAFault(t *testing.T) {
	unproven := provable()
	for _, f := range faults {
		for _, name := range f.found() {
			delete(unproven, name)
		}
	}
	for name := range unproven {
		t.Errorf("%s: got no fault that it is shown to find, want one", name)
	}
}

// TestBrokenStores wants the checks that are named with a fault to find it.
func TestBrokenStores(t *testing.T) {
	t.Parallel()
	suite := provable()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			h := modelHarness()
			h.New = nodes(func(limits cache.Limits) cache.Store {
				b := &broken{model: newModel(limits), board: cache.NewBells()}
				f.breaks(b)
				return b
			})
			if f.evicts {
				h.Cramped = func(_ testing.TB, limits cache.Limits) cache.Store {
					return &cramped{model: newModel(limits), evicts: true}
				}
			}
			for _, name := range f.found() {
				c, ok := suite[name]
				if !ok {
					t.Errorf("%q: got no such check, want one", name)
					continue
				}
				if got := c.failures(t, h); len(got) == 0 {
					t.Errorf("%s: got no failure, want it to find the fault", name)
				} else {
					t.Logf("%s: %.300s", name, got[0])
				}
			}
		})
	}
}

// found returns the checks that find the fault: each of those of waits finds it with a Sleeper, too, if that is checked.
func (f *fault) found() []string {
	all := slices.Clone(f.foundBy)
	for _, c := range sleeperChecks() {
		if slices.Contains(f.foundBy, strings.TrimPrefix(c.name, "sleeper/")) {
			all = append(all, c.name)
		}
	}
	return all
}

// broken is the model with a fault: a function that is set replaces what the model does.
type broken struct {
	*model

	// set at construction
	open   writing // a Write that opens and reads nothing
	append writing // a Write that appends and reads nothing
	swap   writing // a Write that reads, too
	take   func(dst []byte, t cache.Take) ([]byte, error)
	read   func(dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form) ([]byte, cache.Cursor, error)
	touch  func(key cache.Key) (cache.Lease, error)
	end    func(key cache.Key) error
	unhang func(key cache.Key, to cache.Role, bell cache.Bell)
	ready  error
	stats  func(*cache.Stats) // changes what is told

	times atomic.Int64 // of nowAndThen

	// With deaf, bells hang here, and each write to the model is followed by a call of ring.
	deaf  bool
	board *cache.Bells
	ring  func(what string, key cache.Key, to cache.Role)
}

// writing does what a Write does, perhaps with a fault.
type writing func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error)

func (m *model) write(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
	return m.Write(ctx, dst, w)
}

// refused returns what a Write returns that did nothing.
func refused(dst []byte, w cache.Write, err error) ([]byte, cache.Cursor, error) {
	return dst, w.After, err
}

var ctx = context.Background()

func (b *broken) rings(err error, what string, key cache.Key, roles ...cache.Role) error {
	if err == nil && b.deaf {
		for _, role := range roles {
			b.ring(what, key, role)
		}
	}
	return err
}

func (b *broken) Write(_ context.Context, dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
	faulty, what, roles := b.append, "append", []cache.Role{w.From.Other()}
	switch {
	case w.Limit > 0:
		faulty, what, roles = b.swap, "", nil
	case w.Opens:
		faulty, what, roles = b.open, "open", cache.Roles[:]
	}
	if faulty != nil {
		return faulty(dst, w)
	}
	out, next, err := b.model.write(dst, w)
	return out, next, b.rings(err, what, w.Key, roles...)
}

func (b *broken) Take(_ context.Context, dst []byte, t cache.Take) ([]byte, error) {
	if b.take != nil {
		return b.take(dst, t)
	}
	return b.model.Take(ctx, dst, t)
}

func (b *broken) Read(_ context.Context, dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int,
	form *cache.Form,
) ([]byte, cache.Cursor, error) {
	if b.read != nil {
		return b.read(dst, key, to, after, limit, form)
	}
	return b.model.Read(ctx, dst, key, to, after, limit, form)
}

func (b *broken) Touch(_ context.Context, key cache.Key) (cache.Lease, error) {
	if b.touch != nil {
		return b.touch(key)
	}
	return b.model.Touch(ctx, key)
}

func (b *broken) End(_ context.Context, key cache.Key) error {
	if b.end != nil {
		return b.end(key)
	}
	return b.rings(b.model.End(ctx, key), "end", key, cache.Roles[:]...)
}

func (b *broken) Hang(_ context.Context, key cache.Key, to cache.Role, bell cache.Bell) error {
	if b.deaf {
		b.board.Hang(key, to, bell)
		return nil
	}
	return b.model.Hang(ctx, key, to, bell)
}

func (b *broken) Unhang(key cache.Key, to cache.Role, bell cache.Bell) {
	switch {
	case b.unhang != nil:
		b.unhang(key, to, bell)
	case b.deaf:
		b.board.Unhang(key, to, bell)
	default:
		b.model.Unhang(key, to, bell)
	}
}

func (b *broken) Ready(context.Context) error { return b.ready }

func (b *broken) Stats() cache.Stats {
	stats := b.model.Stats()
	if b.stats != nil {
		b.stats(&stats)
	}
	return stats
}

// in gives f the session as it is, if there is one, with the lock held.
func (m *model) in(key cache.Key, f func(*session)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[key]; s != nil {
		f(s)
	}
}

// has reports whether the role has used the token.
func (s *session) has(by cache.Role, token cache.Token) bool {
	_, ok := s.used[stamp{by, token}]
	return ok
}
