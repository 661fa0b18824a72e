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

// watched is a store that knows how many requests wait: those that have hung a bell, and have looked once more since then. Before that look
// a waiter may still take something for a client that has just left.
type watched struct {
	cache.Store
	mu sync.Mutex
	// guarded by mu
	waiting map[cache.Key]*waiting
	changed chan struct{} // closed and replaced when waiting changes
}

// waiting is what is known of the requests that wait for a key.
type waiting struct {
	hung   int // bells
	looked int // looks since the first of these was hung
}

func watch(store cache.Store) *watched {
	return &watched{Store: store, waiting: make(map[cache.Key]*waiting), changed: make(chan struct{})}
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

func (w *watched) Take(ctx context.Context, dst []byte, t cache.Take) ([]byte, error) {
	defer w.look(t.Key)
	return w.Store.Take(ctx, dst, t)
}

func (w *watched) Read(ctx context.Context, dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form,
) ([]byte, cache.Cursor, error) {
	defer w.look(key)
	return w.Store.Read(ctx, dst, key, to, after, limit, form)
}

func (w *watched) Write(ctx context.Context, dst []byte, post cache.Write) ([]byte, cache.Cursor, error) {
	defer w.look(post.Key) // over a store that tells, a post that waits hangs its bell before
	return w.Store.Write(ctx, dst, post)
}

// count counts bells of the key.
func (w *watched) count(key cache.Key, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.waiting[key]
	if k == nil {
		k = new(waiting)
		w.waiting[cache.Key(strings.Clone(string(key)))] = k
	}
	if k.hung += n; k.hung == 0 {
		k.looked = 0
	}
	w.changedLocked()
}

// look counts a look at the key.
func (w *watched) look(key cache.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := w.waiting[key]; k != nil && k.hung > 0 {
		k.looked++
		w.changedLocked()
	}
}

func (w *watched) changedLocked() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// await returns when n requests wait for news of the key.
func (w *watched) await(t testing.TB, key string, n int) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		w.mu.Lock()
		var now waiting
		if k := w.waiting[cache.Key(key)]; k != nil {
			now = *k
		}
		changed := w.changed
		w.mu.Unlock()
		if now.hung == n && now.looked >= n {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("waiting requests of the key: got %+v, want %d", now, n)
		}
	}
}
