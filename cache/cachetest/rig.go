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

// rig is what a check works on: one engine that nobody else uses. Its methods fail the test by themselves.
type rig struct {
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
	r := &rig{TB: tb, h: h, t: t, ctx: ctx, limits: limits, nodes: h.New(tb, limits, nodesWanted)}
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
func (r *rig) node() cache.Store { return r.nodes[int(r.calls.Add(1))%len(r.nodes)] }

// first and last return the stores that are furthest apart: the same one, if there is only one.
func (r *rig) first() cache.Store { return r.nodes[0] }
func (r *rig) last() cache.Store  { return r.nodes[len(r.nodes)-1] }

// background runs f in a goroutine that the rig waits for. f ends when r.ctx does.
func (r *rig) background(f func()) { r.group.Go(f) }

// settle lets goroutines fall asleep. In real time that is only likely, so that no check may depend on it.
func (r *rig) settle() {
	if r.h.Virtual {
		synctest.Wait()
	} else {
		r.pass(100 * time.Millisecond)
	}
}

// pass lets d pass: of the bubble's time if the store's time is virtual.
func (r *rig) pass(d time.Duration) {
	if r.h.Virtual {
		synctime.Pass(d)
		return
	}
	select {
	case <-time.After(d):
	case <-r.ctx.Done():
	}
}

// slack is what a call may take in real time on a machine that is busy with something else.
const slack = 5 * time.Second

// wantTook checks that want has passed since start: exactly that in virtual time, and not much more in real time.
func (r *rig) wantTook(what string, start time.Time, want time.Duration) {
	r.Helper()
	switch got := time.Since(start); {
	case r.h.Virtual && got != want:
		r.Errorf("%s: got an answer after %v, want exactly %v", what, got, want)
	case got < want-10*time.Millisecond || got > want+slack: // the engine's clock may be another one
		r.Errorf("%s: got an answer after %v, want %v", what, got, want)
	}
}

// plain is the Form of a rig's calls. It makes s(…) of an sdp and c(…) of a candidate, so that neither passes for the other.
var plain = cache.Form{SDP: "s(", Candidate: "c(", After: ")", Separator: " "}

// before stands in every dst that a rig hands in.
const before = "before:"

// dst returns a buffer that holds before, with room behind it. A call that fails must return it as it was.
func dst() []byte { return append(make([]byte, 0, 64), before...) }

// appended returns what a call appended to dst. It checks that the call left alone what was there, and appended nothing on an error.
func (r *rig) appended(what string, out []byte, err error) string {
	r.Helper()
	text := string(out)
	if len(text) < len(before) || text[:len(before)] != before {
		r.Errorf("%s: got dst %q, want %q and what was read", what, text, before)
		return text
	}
	if err != nil && len(text) > len(before) {
		r.Errorf("%s: got %q appended to dst by a call that failed with %v, want nothing", what, text[len(before):], err)
	}
	return text[len(before):]
}

// said names an error, nil too.
func said(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// wantError compares as the callers do: with ==.
func (r *rig) wantError(what string, got error, want ...error) {
	r.Helper()
	if slices.Contains(want, got) {
		return
	}
	names := said(want[0])
	for _, err := range want[1:] {
		names += " or " + said(err)
	}
	r.Errorf("%s: got %s, want %s", what, said(got), names)
}
