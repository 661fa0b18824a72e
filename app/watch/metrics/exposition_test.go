package metrics_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signal-server/app/watch/metrics"
	"signal-server/cache"
)

// source is a Source of one test.
type source struct {
	metrics []*metrics.Metric
	report  func(metrics.Sink)
}

func (s source) Metrics() []*metrics.Metric { return s.metrics }
func (s source) Report(to metrics.Sink)     { s.report(to) }

func TestHandler(t *testing.T) {
	count := &metrics.Metric{Name: "x_total", Help: "Counted.", Kind: metrics.Counter, Labels: []string{"by"}}
	level := &metrics.Metric{Name: "x_level", Help: "Now.", Kind: metrics.Gauge}
	times := &metrics.Metric{Name: "x_seconds", Help: "Took.", Kind: metrics.Histogram, From: time.Millisecond, To: time.Second}
	none := &metrics.Metric{Name: "x_none", Help: "Not known.", Kind: metrics.Gauge}
	var took cache.Durations
	for _, d := range []time.Duration{time.Microsecond, time.Millisecond, 2 * time.Millisecond, time.Second, time.Hour} {
		took.Observe(d)
	}
	h := metrics.Handler(slog.New(slog.DiscardHandler), source{[]*metrics.Metric{count, level, times, none}, func(to metrics.Sink) {
		to.Value(count, 3, "a")
		to.Value(count, 0, "b")
		to.Value(level, -2)
		to.Value(none, cache.Unknown)
		to.Durations(times, took.Distribution())
		to.Durations(none, cache.Distribution{})
	}})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		"# HELP x_total Counted.\n# TYPE x_total counter\n", `x_total{by="a"} 3`, `x_total{by="b"} 0`, "# TYPE x_level gauge\nx_level -2\n",
		"# TYPE x_seconds histogram\nx_seconds_bucket{le=\"0.001\"} 2\nx_seconds_bucket{le=\"0.003\"} 3\n",
		"x_seconds_bucket{le=\"0.3\"} 3\nx_seconds_bucket{le=\"1\"} 4\nx_seconds_bucket{le=\"+Inf\"} 5\n", "x_seconds_count 5\n", "go_goroutines ",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("got no %q, want it in\n%s", want, w.Body)
		}
	}
	if w.Code != 200 || strings.Contains(w.Body.String(), "x_none") {
		t.Errorf("got %d, want 200, and nothing that is not known in\n%s", w.Code, w.Body)
	}
}

func TestNamesAreUnique(t *testing.T) {
	one := source{[]*metrics.Metric{{Name: "x", Help: "One."}}, nil}
	two := source{[]*metrics.Metric{{Name: "x", Help: "Two."}}, nil}
	defer func() {
		if recover() == nil {
			t.Error("one name in two sources: got no panic, want one: it is a bug here")
		}
	}()
	metrics.Handler(slog.New(slog.DiscardHandler), one, two)
}
