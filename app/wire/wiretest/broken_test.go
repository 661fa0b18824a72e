package wiretest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signal-server/test/recorder"
)

// failures runs the check, and returns its failures.
func (c *check) failures(t *testing.T, h Harness) []string {
	return recorder.Failures(t, func(t testing.TB) {
		rig := newRig(t, h)
		rig.patience, rig.drain = 2*time.Second, time.Second
		c.run(rig)
	})
}

func allFaults() []fault { return slices.Concat(faults, bodyFaults) }

// TestEachCheckHasAFault wants every check to find a fault in TestBrokenWires.
func TestEachCheckHasAFault(t *testing.T) {
	for _, c := range checks() {
		if !slices.ContainsFunc(allFaults(), func(f fault) bool { return slices.Contains(f.foundBy, c.name) }) {
			t.Errorf("%s: got no fault that it is shown to find, want one", c.name)
		}
	}
}

// TestBrokenWires wants the checks that are named with a fault to find it.
func TestBrokenWires(t *testing.T) {
	for _, f := range allFaults() {
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
