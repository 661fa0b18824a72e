package api_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/cache/memory"
	"signal-server/cache/redis"
	"signal-server/cache/redis/redistest"
)

// newStore returns the store under test, which the caller closes. No other place names a store: the tests are about what clients see,
// whatever keeps the sessions. memory bounds the embedded store.
func newStore(t testing.TB, limits cache.Limits, bytes int64) cache.Store {
	t.Helper()
	switch name := storeName(); name {
	case embedded:
		store, err := memory.New(memory.Config{Limits: limits, Memory: bytes})
		if err != nil {
			t.Fatalf("memory.New: got %v, want a store", err)
		}
		return store
	case "redis":
		store, err := redis.Open(t.Context(), redistest.Start(t).URL(""), limits)
		if err != nil {
			t.Fatalf("redis.Open: got %v, want a store", err)
		}
		return store
	default:
		t.Fatalf("SIGNAL_TEST_STORE: got %q, want %q, redis or nothing", name, embedded)
		return nil
	}
}

const embedded = "memory"

func storeName() string {
	if name := os.Getenv("SIGNAL_TEST_STORE"); name != "" {
		return name
	}
	return embedded
}

// needEmbedded skips a test that is about this process's memory or clock.
func needEmbedded(t testing.TB) {
	t.Helper()
	if name := storeName(); name != embedded {
		t.Skipf("the store %q is outside this process", name)
	}
}

// watched is a store that knows how many requests wait.
type watched struct {
	cache.Store
	mu sync.Mutex
	// guarded by mu
	hung    map[cache.Key]int
	changed chan struct{} // closed and replaced when hung changes
}

func watch(store cache.Store) *watched {
	return &watched{Store: store, hung: make(map[cache.Key]int), changed: make(chan struct{})}
}

func (w *watched) Hang(ctx context.Context, key cache.Key, to cache.Role, bell cache.Bell) error {
	err := w.Store.Hang(ctx, key, to, bell)
	w.count(key, +1)
	return err
}

func (w *watched) Unhang(key cache.Key, to cache.Role, bell cache.Bell) {
	w.Store.Unhang(key, to, bell)
	w.count(key, -1)
}

func (w *watched) count(key cache.Key, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hung[cache.Key(strings.Clone(string(key)))] += n
	close(w.changed)
	w.changed = make(chan struct{})
}

// await returns when n requests wait for news of the key.
func (w *watched) await(t testing.TB, key string, n int) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		w.mu.Lock()
		hung, changed := w.hung[cache.Key(key)], w.changed
		w.mu.Unlock()
		if hung == n {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("waiting requests of the key: got %d, want %d", hung, n)
		}
	}
}
