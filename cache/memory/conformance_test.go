package memory_test

import (
	"testing"

	"signal-server/cache"
	"signal-server/cache/cachetest"
	"signal-server/cache/memory"
)

func TestConformance(t *testing.T) {
	store := func(bytes int64) func(testing.TB, cache.Limits) cache.Store {
		return func(t testing.TB, limits cache.Limits) cache.Store {
			s, err := memory.New(memory.Config{Limits: limits, Memory: bytes})
			if err != nil {
				t.Fatalf("New: got %v, want a store", err)
			}
			return s
		}
	}
	roomy := store(64 << 20) // more than any check writes
	cachetest.Run(t, cachetest.Harness{
		New: func(t testing.TB, limits cache.Limits, _ int) []cache.Store {
			return []cache.Store{roomy(t, limits)} // its memory is of one process: there are no other nodes
		},
		Cramped: store(memory.MinMemory),
		Virtual: true,
	})
}
