package cache_test

import (
	"testing"

	"signal-server/cache"
)

func TestForm(t *testing.T) {
	form := cache.Form{SDP: "<s>", Candidate: "<c>", After: "</>", Separator: ","}
	var out []byte
	for i, kind := range []cache.Kind{cache.SDP, cache.Candidate, cache.Candidate} {
		out = form.Begin(out, kind, i == 0)
		out = append(out, 'x')
		out = form.End(out)
	}
	if got, want := string(out), "<s>x</>,<c>x</>,<c>x</>"; got != want {
		t.Errorf("Begin and End: got %s, want %s", got, want)
	}
	allocs := testing.AllocsPerRun(100, func() {
		out = form.End(form.Begin(out[:0], cache.SDP, true))
		out = form.End(form.Begin(out, cache.Candidate, false))
	})
	if allocs != 0 {
		t.Errorf("Begin and End: got %v allocations, want 0", allocs)
	}
}
