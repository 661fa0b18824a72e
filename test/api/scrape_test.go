package api_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	appserver "signal-server/app/server"
	"signal-server/app/turn"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"signal-server/app/watch/metrics"
	"signal-server/custerrors"
)

// scrape is what /metrics said: a number for each name with its labels, name{a="x",b="y"}. The number of a histogram is its count, and
// that of name_sum its sum.
type scrape map[string]float64

// exposed returns the text of /metrics.
func exposed(t testing.TB, a *appserver.Server) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	a.Admin().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics: got %d %s, want 200", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

func families(t testing.TB, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("/metrics: got what cannot be parsed: %v", err)
	}
	return families
}

func scraped(t testing.TB, a *appserver.Server) scrape {
	t.Helper()
	out := make(scrape)
	for name, family := range families(t, exposed(t, a)) {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			series := name
			if len(labels) > 0 {
				series += "{" + strings.Join(labels, ",") + "}"
			}
			switch family.GetType() {
			case dto.MetricType_COUNTER:
				out[series] = m.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				out[series] = m.GetGauge().GetValue()
			case dto.MetricType_HISTOGRAM:
				out[series] = float64(m.GetHistogram().GetSampleCount())
				out[series+"_sum"] = m.GetHistogram().GetSampleSum()
			}
		}
	}
	return out
}

// grown checks that these series of signal_ have grown by so much since before, and all others of the same name not at all.
func grown(t testing.TB, a *appserver.Server, what string, before scrape, name string, want map[string]float64) {
	t.Helper()
	after := scraped(t, a)
	for _, series := range slices.Sorted(maps.Keys(after)) {
		if bare, labels, _ := strings.Cut(series, "{"); bare == name && !strings.HasSuffix(labels, "_sum") {
			if got, want := after[series]-before[series], want[strings.TrimSuffix(labels, "}")]; got != want {
				t.Errorf("%s: got %s grown by %v, want %v", what, series, got, want)
			}
		}
	}
	for labels := range want {
		series := name
		if labels != "" {
			series += "{" + labels + "}"
		}
		if _, ok := after[series]; !ok {
			t.Errorf("%s: got no %s, want it", what, series)
		}
	}
}

func TestMetricsAreWellFormed(t *testing.T) {
	s := serve(t)
	text := exposed(t, s.app)
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: got %s", p.Metric, p.Text)
	}
	got := families(t, text)
	for _, m := range metricsOf(s.app) {
		if !strings.HasPrefix(m.Name, "signal_") {
			t.Errorf("%s: got no prefix signal_, want it", m.Name)
		}
		if f := got[m.Name]; f != nil && f.GetHelp() != m.Help {
			t.Errorf("%s: got the help %q, want %q", m.Name, f.GetHelp(), m.Help)
		}
	}
	for _, name := range []string{"go_goroutines", "go_memstats_heap_inuse_bytes", "process_open_fds", "process_max_fds", "process_resident_memory_bytes"} {
		if got[name] == nil {
			t.Errorf("got no %s, want it", name)
		}
	}
}

// TestNothingOfRequestsIsInMetrics asks for all kinds of paths and keys. Nothing of them is in the metrics, and the values of all labels are
// from lists that were fixed before.
func TestNothingOfRequestsIsInMetrics(t *testing.T) {
	s := serve(t, func(o *options) { o.config.Gate.AllowOrigins = []string{"https://a.example"} })
	routes := make(map[string]bool)
	for series := range scraped(t, s.app) {
		if _, rest, ok := strings.Cut(series, `route="`); ok {
			route, _, _ := strings.Cut(rest, `"`)
			routes[route] = true
		}
	}
	msgs := map[string]bool{"ok": true}
	for _, e := range custerrors.All() {
		msgs[e.Name()] = true
	}
	const secret = "s3cret"
	for i, line := range []string{
		"GET /" + secret, "GET /offer/sdp/" + secret, "POST /offer/sdp?x=" + secret, "GET /answer/messages?wait=" + secret, "GET /web/" + secret,
		"PUT /offer/sdp", "OPTIONS /" + secret, "BREW /" + secret, "HEAD /offer/" + secret, "GET /offer/events?after=" + secret,
		"GET /swagger/" + secret, "DELETE /session", "GET /", "GET /readyz", "GET /client/signal.js", "GET /swagger/index.html",
	} {
		for _, header := range [][][2]string{nil, {{"Origin", "https://" + secret + ".example"}}, {{"Accept", secret}}} {
			s.try(t.Context(), request{line: line, key: fmt.Sprintf("%s-%d", secret, i), header: header, body: `{"data":"` + secret + `"}`})
		}
	}
	conn, br := s.dial(t)
	fmt.Fprintf(conn, "GET %s\r\n\r\n", secret)
	readAnswer(t, br, "GET")
	text := exposed(t, s.app)
	if bytes.Contains(text, []byte(secret)) {
		t.Errorf("got %q in what is told:\n%s", secret, text)
	}
	for series := range scraped(t, s.app) {
		name, labels, _ := strings.Cut(series, "{")
		if name != "signal_requests_total" {
			continue
		}
		var msg, route, status string
		if _, err := fmt.Sscanf(strings.ReplaceAll(labels, ",", " "), "msg=%q route=%q status=%q", &msg, &route, &status); err != nil {
			t.Fatalf("%s: %v", series, err)
		}
		if !msgs[msg] || !routes[route] || len(status) != 3 {
			t.Errorf("got %s, want labels that were there before", series)
		}
	}
}

// TestMetricsPage compares docs/metrics.md with the metrics that there are; -update writes the page.
func TestMetricsPage(t *testing.T) {
	needEmbedded(t)
	const path = "../../docs/metrics.md"
	const begin, end = "<!-- metrics:begin (generated: go test ./test/api -run TestMetricsPage -update) -->\n", "<!-- metrics:end -->\n"
	s := serve(t)
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	old, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s: got no markers, want %q and %q", path, begin, end)
	}
	own := append(metricsOf(s.app), new(turn.Server).Metrics()...) // those of a server with --turn
	table := "\n" + metricsTable(own, families(t, exposed(t, s.app))) + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table {
		t.Errorf("%s: got\n%s\nwant\n%s", path, old, table)
	}
}

func metricsTable(own []*metrics.Metric, all map[string]*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString("| metric | kind | labels | what it says |\n|---|---|---|---|\n")
	for _, m := range own {
		labels := ""
		for i, l := range m.Labels {
			labels += [...]string{"", ", "}[min(i, 1)] + "`" + l + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Kind, labels, strings.ReplaceAll(m.Help, "|", `\|`))
	}
	var others []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasPrefix(name, "signal_") {
			others = append(others, "`"+name+"`")
		}
	}
	fmt.Fprintf(&b, "\nOf the Go runtime and the process, as the Go client of Prometheus has them: %s.\n", strings.Join(others, ", "))
	return b.String()
}

// metricsOf returns the server's own metrics.
func metricsOf(a *appserver.Server) (all []*metrics.Metric) {
	for _, source := range a.Sources() {
		all = append(all, source.Metrics()...)
	}
	return all
}
