package check

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// known returns the labels of each metric that docs/metrics.md lists. A test of the server compares that page with the server's metrics.
// The metrics of the Go runtime and the process have no labels.
func known(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	metrics := map[string][]string{"up": nil}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| (.*?) \\|").FindAllStringSubmatch(string(page), -1) {
		var labels []string
		for _, label := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[3], -1) {
			labels = append(labels, label[1])
		}
		if row[2] != "histogram" {
			metrics[row[1]] = labels
			continue
		}
		metrics[row[1]+"_sum"], metrics[row[1]+"_count"], metrics[row[1]+"_bucket"] = labels, labels, append(labels, "le")
	}
	for _, name := range regexp.MustCompile("`((?:go|process)_\\w+)`").FindAllStringSubmatch(string(page), -1) {
		metrics[name[1]] = nil
	}
	if len(metrics) < 30 {
		t.Fatalf("docs/metrics.md: got %d metrics, want all of them", len(metrics))
	}
	return metrics
}

// checkQuery parses a query, and checks that the server has each of its metrics and labels.
func checkQuery(t *testing.T, what, query string, metrics map[string][]string) {
	t.Helper()
	query = strings.NewReplacer("$__rate_interval", "5m", "$job", "j", "$instance", ".*").Replace(query)
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	selectors := 0
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		selectors++
		labels, ok := metrics[v.Name]
		if !ok {
			t.Errorf("%s: got the metric %q, which the server does not have", what, v.Name)
		}
		for _, m := range v.LabelMatchers {
			if !slices.Contains(append(labels, model.MetricNameLabel, "job", "instance"), m.Name) {
				t.Errorf("%s: got the label %q of %s, which it does not have", what, m.Name, v.Name)
			}
		}
		return nil
	})
	if selectors == 0 {
		t.Errorf("%s: got no metric in %q", what, query)
	}
}

// alerts returns the rules of the file.
func alerts(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	rules := make(map[string]rulefmt.Rule)
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if _, twice := rules[rule.Alert]; twice {
				t.Errorf("%s: got it twice, want it once", rule.Alert)
			}
			rules[rule.Alert] = rule
		}
	}
	return rules
}

func TestAlerts(t *testing.T) {
	metrics := known(t)
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, rule := range alerts(t) {
		checkQuery(t, name, rule.Expr, metrics)
		if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
			t.Errorf("%s: got %v, want a summary, and a description that says what to do", name, rule.Annotations)
		}
		if s := rule.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: got the severity %q, want page or ticket", name, s)
		}
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("%s: got no word of it in docs/metrics.md", name)
		}
	}
}

// well has the series of a server that was well for half an hour.
const well = `load 1m
  up{job="signal-server",instance="a"} 1x30
  process_start_time_seconds{job="signal-server",instance="a"} 1000x30
  process_open_fds{job="signal-server",instance="a"} 100x30
  process_max_fds{job="signal-server",instance="a"} 1000x30
  signal_ready{job="signal-server",instance="a"} 1x30
  signal_store_bytes{job="signal-server",instance="a"} 10x30
  signal_store_budget_bytes{job="signal-server",instance="a"} 100x30
  signal_panics_total{job="signal-server",instance="a"} 3x30
  signal_accept_errors_total{job="signal-server",instance="a"} 3x30
  signal_connections_turned_away_total{job="signal-server",instance="a",reason="full"} 3x30
  signal_connections_turned_away_total{job="signal-server",instance="a",reason="client"} 0+10x30
  signal_log_lines_lost_total{job="signal-server",instance="a",log="server"} 3x30
  signal_requests_total{job="signal-server",instance="a",route="GET /offer/sdp",status="200",msg="ok"} 0+600x30
  signal_requests_total{job="signal-server",instance="a",route="GET /offer/sdp",status="500",msg="InternalError"} 0x30
  signal_refusals_total{job="signal-server",instance="a",reason="memory"} 3x30
  signal_refusals_total{job="signal-server",instance="a",reason="waits"} 3x30
  signal_refusals_total{job="signal-server",instance="a",reason="blocked"} 0+6x30
  signal_refusals_total{job="signal-server",instance="a",reason="authentication"} 0+6x30
  signal_sessions_opened_total{job="signal-server",instance="a"} 0+100x30
  signal_sessions_completed_total{job="signal-server",instance="a"} 0+90x30
  signal_turn_allocations{job="signal-server",instance="a"} 100x30
  signal_turn_allocations_limit{job="signal-server",instance="a"} 2000x30
  signal_turn_allocations_total{job="signal-server",instance="a",result="created"} 0+100x30
  signal_turn_allocations_total{job="signal-server",instance="a",result="unauthorized"} 0+10x30
  signal_turn_allocations_total{job="signal-server",instance="a",result="quota"} 0+5x30
  signal_turn_allocations_total{job="signal-server",instance="a",result="no_port"} 0x30
  signal_turn_packets_dropped_total{job="signal-server",instance="a",reason="rate"} 0+600x30
  signal_turn_packets_dropped_total{job="signal-server",instance="a",reason="peer"} 0+60000x30
  signal_turn_packets_dropped_total{job="signal-server",instance="a",reason="overrun"} 3x30
  signal_ice_requests_total{job="signal-server",instance="a",result="servers"} 0+100x30
  signal_ice_requests_total{job="signal-server",instance="a",result="refused"} 0+5x30
  signal_store_calls_total{job="signal-server",instance="a"} 0+1000x30
  signal_store_errors_total{job="signal-server",instance="a"} 0+1x30
  signal_request_seconds_bucket{job="signal-server",instance="a",route="r",le="0.003"} 0+100x30
  signal_request_seconds_bucket{job="signal-server",instance="a",route="r",le="1"} 0+100x30
  signal_request_seconds_bucket{job="signal-server",instance="a",route="r",le="+Inf"} 0+100x30
  signal_store_call_seconds_bucket{job="signal-server",instance="a",le="0.003"} 0+100x30
  signal_store_call_seconds_bucket{job="signal-server",instance="a",le="1"} 0+100x30
  signal_store_call_seconds_bucket{job="signal-server",instance="a",le="+Inf"} 0+100x30
`

// ill has, for each alert, the series of a server that is ill, with the values that differ from those of well.
var ill = map[string][][2]string{
	"SignalServerDown":               {{`up{`, "1x10 0x19"}},
	"SignalServerRestarts":           {{`process_start_time_seconds{`, "1x17 2x3 3x3 4x4"}},
	"SignalServerNotReady":           {{`signal_ready{`, "1x10 0x19"}},
	"SignalServerFull":               {{`reason="memory"`, "3x20 4+1x8"}},
	"SignalServerFilling":            {{`signal_store_bytes{`, "81x30"}},
	"SignalServerBug":                {{`signal_panics_total{`, "3x25 4x4"}},
	"SignalServerFewComplete":        {{`signal_sessions_completed_total{`, "0+40x30"}},
	"SignalServerSlow":               {{`signal_request_seconds_bucket{job="signal-server",instance="a",route="r",le="0.003"`, "0+98x30"}},
	"SignalServerStoreFails":         {{`signal_store_errors_total{`, "0+20x30"}},
	"SignalServerStoreSlow":          {{`signal_store_call_seconds_bucket{job="signal-server",instance="a",le="0.003"`, "0+98x30"}},
	"SignalServerOutOfDescriptors":   {{`process_open_fds{`, "910x30"}},
	"SignalServerTurnsAway":          {{`reason="full"`, "0+1x30"}},
	"SignalServerGuessing":           {{`reason="blocked"`, "0+100x30"}},
	"SignalServerTokensRefused":      {{`reason="authentication"`, "0+400x30"}},
	"SignalServerRelaysFilling":      {{`signal_turn_allocations{`, "1700x30"}},
	"SignalServerRelaysRefused":      {{`result="quota"`, "0+30x30"}},
	"SignalServerRelaysUnauthorized": {{`result="unauthorized"`, "0+200x30"}},
	"SignalServerRelaysDrop":         {{`signal_turn_packets_dropped_total{job="signal-server",instance="a",reason="rate"`, "0+12000x30"}},
	"SignalServerICERefused":         {{`result="refused"`, "0+30x30"}},
	"SignalServerLogLost":            {{`signal_log_lines_lost_total{`, "3x25 4x4"}},
}

// further has the other ways in which a server can be ill, for the alerts that know several.
var further = map[string][2]string{
	"SignalServerBug":              {`status="500"`, "0x25 1x4"},
	"SignalServerOutOfDescriptors": {`signal_accept_errors_total{`, "3x25 4x4"},
	"SignalServerTurnsAway":        {`reason="waits"`, "0+1x30"},
	"SignalServerRelaysRefused":    {`result="no_port"`, "0+30x30"},
	"SignalServerRelaysDrop":       {`reason="overrun"`, "0+12000x30"},
}

// TestAlertsFire asks Prometheus itself. A server that is well fires no alert; each that is ill fires its own alert, and no other.
func TestAlertsFire(t *testing.T) {
	rules := alerts(t)
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	ringing := func(t *testing.T, series string) []string {
		storage := promqltest.LoadedStorage(t, series)
		defer storage.Close()
		var names []string
		for _, name := range slices.Sorted(maps.Keys(rules)) {
			query, err := engine.NewInstantQuery(context.Background(), storage, nil, rules[name].Expr, time.Unix(0, 0).Add(29*time.Minute))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			result := query.Exec(context.Background())
			vector, err := result.Vector()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(vector) > 0 {
				names = append(names, name)
			}
			query.Close()
		}
		return names
	}
	if got := ringing(t, well); len(got) > 0 {
		t.Errorf("a server in good order: got the alerts %v, want none", got)
	}
	for name := range rules {
		ways := ill[name]
		if len(ways) == 0 {
			t.Errorf("%s: got no way for it to ring in this test, want one", name)
		}
		if way, ok := further[name]; ok {
			ways = append(ways, way)
		}
		for _, way := range ways {
			if got := ringing(t, changed(t, way)); !slices.Equal(got, []string{name}) {
				t.Errorf("%s, by %s: got the alerts %v, want it alone", name, way[0], got)
			}
		}
	}
}

// changed returns well with new values for the series whose line has the text in it.
func changed(t *testing.T, way [2]string) string {
	t.Helper()
	lines := strings.Split(well, "\n")
	found := false
	for i, line := range lines {
		if strings.Contains(line, way[0]) {
			found = true
			lines[i] = line[:strings.LastIndex(line, "}")+1] + " " + way[1]
		}
	}
	if !found {
		t.Fatalf("no series has %q", way[0])
	}
	return strings.Join(lines, "\n")
}
