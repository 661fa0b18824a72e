package redis_test

import (
	"context"
	"testing"

	"signal-server/cache"
	"signal-server/cache/cachetest"
	"signal-server/cache/redis"
	"signal-server/cache/redis/redistest"
)

// open returns a store, or ends the test. The caller closes it.
func open(t testing.TB, url string, limits cache.Limits) *redis.Store {
	t.Helper()
	s, err := redis.Open(t.Context(), url, limits)
	if err != nil {
		t.Fatalf("Open: got %v, want a store", err)
	}
	return s
}

// put makes a Write that reads nothing.
func put(store cache.Store, w cache.Write) error {
	_, _, err := store.Write(context.Background(), nil, w)
	return err
}

// harness gives each check two nodes over the server, which it empties.
func harness(server *redistest.Server, url string) cachetest.Harness {
	return cachetest.Harness{
		New: func(t testing.TB, limits cache.Limits, nodes int) []cache.Store {
			server.Do("FLUSHALL")
			stores := make([]cache.Store, nodes)
			for i := range stores {
				stores[i] = open(t, url, limits)
			}
			return stores
		},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	h := harness(server, server.URL(""))
	h.Cramped = func(t testing.TB, limits cache.Limits) cache.Store {
		small := redistest.Start(t, "--maxmemory", "12mb", "--maxmemory-policy", "noeviction")
		return open(t, small.URL(""), limits)
	}
	cachetest.Run(t, h)
}
