package metrics_test

import (
	"testing"

	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

// told is a Sink that remembers.
type told map[string]float64

func (s told) Value(m *metrics.Metric, value float64, labels ...string) {
	name := m.Name
	for _, l := range labels {
		name += "|" + l
	}
	s[name] += value
}

func (s told) Durations(m *metrics.Metric, d cache.Distribution, labels ...string) {
	s.Value(m, float64(d.Count()), labels...)
}

func report(s metrics.Source) told {
	out := make(told)
	s.Report(out)
	return out
}

func TestRequests(t *testing.T) {
	r := metrics.NewRequests()
	one, two := r.Route("GET /one"), r.Route("GET /two")
	if again := r.Route("GET /one"); again != one || one == two {
		t.Errorf("routes: got %d, %d, and %d for the first again, want two that differ", one, two, again)
	}
	for shard := range uint8(100) {
		r.Count(shard, one, r.Of(custerrors.KeyNotFound))
		r.Count(shard, two, metrics.OK)
	}
	r.Count(0, one, r.OfStatus(304))
	r.Count(0, one, r.OfStatus(200))
	r.Count(0, two, r.Of("no such msg"))
	r.Took(two, 5)
	got := report(r)
	want := told{
		"signal_requests_total|GET /one|200|KeyNotFound":   100,
		"signal_requests_total|GET /one|200|ok":            1,
		"signal_requests_total|GET /one|304|ok":            1,
		"signal_requests_total|GET /one|500|InternalError": 0,
		"signal_requests_total|GET /two|200|ok":            100,
		"signal_requests_total|GET /two|500|InternalError": 1,
		"signal_request_seconds|GET /two":                  1,
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s: got %v, want %v", name, got[name], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := r.EndedWith(custerrors.KeyNotFound, two); got != 100 {
		t.Errorf("Answered: got %d, want 100", got)
	}
	if got := r.EndedWith(custerrors.KeyNotFound, one); got != 0 {
		t.Errorf("Answered, but for the route: got %d, want 0", got)
	}
}

// TestEveryMsgIsAnEnding checks that no two msgs share an Ending, and that each has the label of its msg.
func TestEveryMsgIsAnEnding(t *testing.T) {
	r := metrics.NewRequests()
	route := r.Route("r")
	seen := map[metrics.Ending]custerrors.Error{metrics.OK: ""}
	for _, e := range custerrors.All() {
		end := r.Of(e)
		if other, ok := seen[end]; ok {
			t.Errorf("%q and %q: got one ending, want two", e, other)
		}
		seen[end] = e
		if _, _, msg := r.Label(route, end); msg != e.Name() {
			t.Errorf("%q: got the label %q, want %q", e, msg, e.Name())
		}
	}
}

func TestTooManyRoutes(t *testing.T) {
	r := metrics.NewRequests()
	defer func() {
		if recover() == nil {
			t.Error("65 routes: got no panic, want one: it is a bug here")
		}
	}()
	for i := range 65 {
		r.Route(string(rune('a' + i)))
	}
}

func TestCountAllocates(t *testing.T) {
	r := metrics.NewRequests()
	route := r.Route("r")
	if got := testing.AllocsPerRun(1000, func() { r.Count(7, route, r.Of(custerrors.CandidateNoValues)); r.Took(route, 5) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func BenchmarkCount(b *testing.B) {
	r := metrics.NewRequests()
	route := r.Route("r")
	for name, msg := range map[string]custerrors.Error{"done": "", "refused": custerrors.CandidateNoValues} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Count(7, route, r.Of(msg))
			}
		})
	}
}
