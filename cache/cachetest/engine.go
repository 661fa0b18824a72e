package cachetest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/cache"
	"signal-server/test/synctime"
)

// engine is one engine that nobody else uses: its stores, its time, and the test that it belongs to.
type engine struct {
	// set at construction
	testing.TB
	h      Harness
	t      *testing.T // for bubbles: failures go to TB
	ctx    context.Context
	limits cache.Limits
	nodes  []cache.Store

	// atomic
	calls atomic.Uint32

	group sync.WaitGroup // what background started
}

// nodesWanted is how many stores a rig asks for. Two find what one node hides from another, as well as more would.
const nodesWanted = 2

// newRig returns a rig over a fresh engine, taken down by tb.Cleanup.
func newRig(tb testing.TB, t *testing.T, h Harness, limits cache.Limits) *rig {
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{engine: engine{TB: tb, h: h, t: t, ctx: ctx, limits: limits, nodes: h.New(tb, limits, nodesWanted)}}
	if len(r.nodes) == 0 {
		tb.Fatal("got no store from the harness, want one at least")
	}
	tb.Cleanup(func() {
		cancel()
		r.group.Wait()
		for i, store := range r.nodes {
			if slices.Contains(r.nodes[:i], store) {
				continue
			}
			if err := store.Close(); err != nil {
				tb.Errorf("Close: got %v, want nil", err)
			}
		}
	})
	return r
}

// node returns the stores in turn.
func (e *engine) node() cache.Store { return e.nodes[int(e.calls.Add(1))%len(e.nodes)] }

// first and last return the stores that are furthest apart: the same one, if there is only one.
func (e *engine) first() cache.Store { return e.nodes[0] }
func (e *engine) last() cache.Store  { return e.nodes[len(e.nodes)-1] }

// background runs f in a goroutine. The engine waits for it at its end; f ends when e.ctx does.
func (e *engine) background(f func()) { e.group.Go(f) }

// settle lets goroutines fall asleep. In real time that is only likely, so that no check may depend on it.
func (e *engine) settle() {
	if e.h.Virtual {
		synctest.Wait()
	} else {
		e.pass(100 * time.Millisecond)
	}
}

// pass lets d pass: of the bubble's time if the store's time is virtual.
func (e *engine) pass(d time.Duration) {
	if e.h.Virtual {
		synctime.Pass(d)
		return
	}
	select {
	case <-time.After(d):
	case <-e.ctx.Done():
	}
}

// slack is what a call may take in real time on a machine that is busy with something else.
const slack = 5 * time.Second

// wantTook checks that want has passed since start: exactly that in virtual time, and not much more in real time.
func (e *engine) wantTook(what string, start time.Time, want time.Duration) {
	e.Helper()
	switch got := time.Since(start); {
	case e.h.Virtual && got != want:
		e.Errorf("%s: got an answer after %v, want exactly %v", what, got, want)
	case got < want-10*time.Millisecond || got > want+slack: // the engine's clock may be another one
		e.Errorf("%s: got an answer after %v, want %v", what, got, want)
	}
}
