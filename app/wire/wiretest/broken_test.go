package wiretest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is a testing.TB that a check may fail.
type recorder struct {
	testing.TB // the test that wants the failure

	mu sync.Mutex
	// guarded by mu
	failures []string
	cleanups []func()
}

func (r *recorder) fail(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, text)
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// cleanup calls what was registered, the last first. One that fails fatally does not keep the others from being called.
func (r *recorder) cleanup() {
	for _, f := range slices.Backward(r.cleanups) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		<-done
	}
}

func (r *recorder) Helper()                           {}
func (r *recorder) Log(...any)                        {}
func (r *recorder) Logf(string, ...any)               {}
func (r *recorder) Fail()                             { r.fail("Fail") }
func (r *recorder) FailNow()                          { r.fail("FailNow"); runtime.Goexit() }
func (r *recorder) Error(args ...any)                 { r.fail(fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.fail(fmt.Sprintf(format, args...)) }
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }

// failures runs the check, and returns its failures.
func (c *check) failures(t *testing.T, h Harness) []string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { // because a fatal failure ends the goroutine
		defer close(done)
		rig := newRig(r, h)
		rig.patience, rig.drain = 2*time.Second, time.Second
		c.run(rig)
	}()
	<-done
	r.cleanup()
	return r.failures
}

// TestEachCheckHasAFault wants every check to find a fault in TestBrokenWires.
func TestEachCheckHasAFault(t *testing.T) {
	for _, c := range checks() {
		if !slices.ContainsFunc(faults, func(f fault) bool { return slices.Contains(f.foundBy, c.name) }) {
			t.Errorf("%s: got no fault that it is shown to find, want one", c.name)
		}
	}
}

// TestBrokenWires wants the checks that are named with a fault to find it.
func TestBrokenWires(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			for _, name := range f.foundBy {
				i := slices.IndexFunc(checks(), func(c check) bool { return c.name == name })
				if i < 0 {
					t.Errorf("%q: got no such check, want one", name)
					continue
				}
				b := &broken{}
				h := echoes(b)
				f.breaks(t, b, &h)
				got := checks()[i].failures(t, h)
				if !slices.ContainsFunc(got, func(failure string) bool { return strings.Contains(failure, f.says) }) {
					t.Errorf("%s: got the failures %.300q, want one that says %q", name, got, f.says)
				}
			}
		})
	}
}

// TestHarnessesThatLack wants a harness to say what a wire has not.
func TestHarnessesThatLack(t *testing.T) {
	full := echoes(Echo{})
	for want, change := range map[string]func(*Harness){
		"":                                 func(*Harness) {},
		"NewStore, Refusal, Opens or Asks": func(h *Harness) { h.Asks = nil },
		"either Waits or NoWaits":          func(h *Harness) { h.Waits = nil },
		"either Streams or NoStreams":      func(h *Harness) { h.NoStreams = "both" },
		"either Seats or NoSeats":          func(h *Harness) { h.Seats = nil },
		"Tells":                            func(h *Harness) { h.Tells = nil },
	} {
		h := full
		change(&h)
		if got := h.lacks(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
