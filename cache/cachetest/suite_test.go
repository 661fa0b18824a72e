package cachetest

import (
	"flag"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"signal-server/cache"
)

func TestMain(m *testing.M) {
	// The failures here are wanted. They need no file to repeat them, and little shrinking. The command line may say otherwise.
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.shrinktime": "1s"} {
		if err := flag.Set(name, value); err != nil {
			panic("BUG: " + err.Error())
		}
	}
	goleak.VerifyTestMain(m)
}

// node is one of several stores over one engine.
type node struct {
	cache.Store
	first  bool // tells what the engine has counted, for all
	closed atomic.Int32
}

func (n *node) Stats() cache.Stats {
	stats := n.Store.Stats()
	if !n.first {
		return cache.Stats{Answering: cache.Distribution{Known: stats.Answering.Known}}
	}
	return stats
}

func (n *node) Close() error {
	n.closed.Add(1)
	return nil
}

// nodes returns a Harness.New that makes as many nodes as asked for over one engine, and wants each to be closed once.
func nodes(engine func(cache.Limits) cache.Store) func(testing.TB, cache.Limits, int) []cache.Store {
	return func(t testing.TB, limits cache.Limits, n int) []cache.Store {
		shared, stores := engine(limits), make([]cache.Store, n)
		for i := range stores {
			own := &node{Store: shared, first: i == 0}
			stores[i] = own
			t.Cleanup(func() {
				if got := own.closed.Load(); got != 1 {
					t.Errorf("node %d: got it closed %d times, want once", i, got)
				}
			})
		}
		return stores
	}
}

func modelHarness() Harness {
	return Harness{
		New: nodes(func(limits cache.Limits) cache.Store { return newModel(limits) }),
		Cramped: func(_ testing.TB, limits cache.Limits) cache.Store {
			return &cramped{model: newModel(limits)}
		},
		Virtual: true,
	}
}

func TestModel(t *testing.T) {
	t.Parallel()
	Run(t, modelHarness())
}

func TestModelThatTells(t *testing.T) {
	t.Parallel()
	h := modelHarness()
	h.New = nodes(func(limits cache.Limits) cache.Store {
		m := newModel(limits)
		m.tells = func(n cache.News) cache.News { return n }
		return m
	})
	Run(t, h)
}

func TestModelWithOneNode(t *testing.T) {
	t.Parallel()
	h := modelHarness()
	h.New = func(_ testing.TB, limits cache.Limits, _ int) []cache.Store { return []cache.Store{newModel(limits)} }
	Run(t, h)
}

// TestModelInRealTime runs the checks of a store in real time, except the one that waits for the end of Grace.
func TestModelInRealTime(t *testing.T) {
	if testing.Short() {
		t.Skip("sleeps for a quarter of a minute")
	}
	t.Parallel()
	h := modelHarness()
	h.Virtual = false
	for _, c := range checks() {
		if c.skip(h) == "" && c.name != graceCheck {
			t.Run(c.name, func(t *testing.T) { c.run(newRig(t, t, h, c.bounds())) })
		}
	}
}
