package wiretest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"signal-server/cache"
)

// watched is a store that knows how many bells hang, and that can be held: whoever asks it something then waits.
type watched struct {
	cache.Store
	held sync.RWMutex // for writing, while the store is held

	// atomic
	hung, asking atomic.Int64 // bells that hang; calls under way
	touched      atomic.Int64 // calls of Touch that have returned
}

// enter begins a call, which leave ends.
func (w *watched) enter() (leave func()) {
	w.asking.Add(1)
	w.held.RLock()
	return func() {
		w.held.RUnlock()
		w.asking.Add(-1)
	}
}

// hold holds the store, and returns what lets it go.
func (w *watched) hold() (release func()) {
	w.held.Lock()
	return w.held.Unlock
}

// Write implements cache.Store.
func (w *watched) Write(ctx context.Context, dst []byte, write cache.Write) ([]byte, cache.Cursor, error) {
	defer w.enter()()
	return w.Store.Write(ctx, dst, write)
}

// Take implements cache.Store.
func (w *watched) Take(ctx context.Context, dst []byte, t cache.Take) ([]byte, error) {
	defer w.enter()()
	return w.Store.Take(ctx, dst, t)
}

// Read implements cache.Store.
func (w *watched) Read(ctx context.Context, dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form,
) ([]byte, cache.Cursor, error) {
	defer w.enter()()
	return w.Store.Read(ctx, dst, key, to, after, limit, form)
}

// Touch implements cache.Store.
func (w *watched) Touch(ctx context.Context, key cache.Key) (cache.Lease, error) {
	defer w.enter()()
	defer w.touched.Add(1)
	return w.Store.Touch(ctx, key)
}

// Hang implements cache.Store.
func (w *watched) Hang(ctx context.Context, key cache.Key, to cache.Role, bell cache.Bell) error {
	err := w.Store.Hang(ctx, key, to, bell)
	w.hung.Add(1)
	return err
}

// Unhang implements cache.Store.
func (w *watched) Unhang(key cache.Key, to cache.Role, bell cache.Bell) {
	w.Store.Unhang(key, to, bell)
	w.hung.Add(-1)
}

// awaitHung returns once so many bells hang: so many wait for news.
func (s *served) awaitHung(what string, n int) {
	s.rig.Helper()
	s.rig.eventually(what, func() error {
		if got := s.store.hung.Load(); got != int64(n) {
			return fmt.Errorf("got %d that wait for news, want %d", got, n)
		}
		return nil
	})
}

// awaitAsleep returns once what was sent since then, when Touch had been called so often, waits for a bell of which it knows the session.
// From then on it looks only when the bell has rung, and first at the client.
func (s *served) awaitAsleep(what string, n int, touched int64) {
	s.rig.Helper()
	s.awaitHung(what, n)
	s.rig.eventually(what, func() error {
		if s.store.touched.Load() == touched {
			return errors.New("got a wait that does not know its session, want it to look which one it is")
		}
		return nil
	})
}

// awaitAsking returns once so many calls are under way.
func (s *served) awaitAsking(what string, n int) {
	s.rig.Helper()
	s.rig.eventually(what, func() error {
		if got := s.store.asking.Load(); got != int64(n) {
			return fmt.Errorf("got %d that ask the store, want %d", got, n)
		}
		return nil
	})
}
