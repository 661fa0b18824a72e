package api_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"signal-server/app/gate/limit"
	"signal-server/cache"
	"signal-server/custerrors"
)

// unavailable is a store that cannot be reached.
type unavailable struct{ cache.Store }

func (unavailable) Write(_ context.Context, dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
	return dst, w.After, fmt.Errorf("%w: a test", custerrors.StoreIsUnavailable)
}

func (unavailable) Ready(context.Context) error { return custerrors.StoreIsUnavailable }

// TestMetricsOfRefusals provokes every refusal. Each counts for its reason, and for no other. Slow clients have a test of their own.
func TestMetricsOfRefusals(t *testing.T) {
	loopback, err := limit.ParseProxies([]string{"loopback"})
	if err != nil {
		t.Fatal(err)
	}
	clients := func(c limit.Config) func(*options) {
		c.Block = time.Minute
		return func(o *options) { o.config.Clients, o.config.Proxies = c, loopback }
	}
	once := limit.Rate{Events: 1, Per: time.Hour}
	tokens, _, one, _ := guarded(t)
	for _, tt := range []struct {
		reason string
		change func(*options)
		first  []request // let in
		last   request   // refused
	}{
		{"requests", clients(limit.Config{Requests: once}), []request{{line: "GET /answer/sdp", key: "k"}}, request{line: "GET /answer/sdp", key: "k"}},
		{
			"opens", clients(limit.Config{Opens: once}),
			[]request{{line: "POST /offer/sdp", key: "k", body: open("o")}},
			request{line: "POST /offer/sdp", key: "l", body: open("o")},
		},
		{"wrong_keys", clients(limit.Config{WrongKeys: once}), []request{{line: "GET /answer/sdp", key: "k"}}, request{line: "GET /answer/sdp", key: "l"}},
		{"queue", nil, []request{{line: "POST /offer/sdp", key: "k", body: open("o")}}, request{line: "POST /offer/candidates", key: "k", body: times(129, "c")}},
		{"bytes", nil, nil, request{line: "POST /offer/sdp", key: "k", body: open(string(make([]byte, 70<<10)))}},
		{
			"bodies", func(o *options) { o.config.Wire.BodiesBytes = 4 << 10 }, nil,
			request{line: "POST /offer/sdp", key: "k", body: open(strings.Repeat("o", 5<<10))},
		},
		{"authentication", tokens, nil, request{line: "GET /answer/sdp", key: "k"}},
		{"permission", tokens, nil, request{line: "GET /answer/sdp", key: "l", header: [][2]string{{"Authorization", "Bearer " + one}}}},
		{
			"permission", func(o *options) { o.config.Gate.AllowOrigins = []string{"https://a.example"} }, nil,
			request{line: "GET /answer/sdp", key: "l", header: [][2]string{{"Origin", "https://b.example"}}},
		},
		{"store", func(o *options) { o.wrap = func(s cache.Store) cache.Store { return unavailable{s} } }, nil, request{line: "POST /offer/sdp", key: "k", body: open("o")}},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			change := tt.change
			if change == nil {
				change = func(*options) {}
			}
			s := serve(t, change)
			for _, r := range tt.first {
				if a, err := s.try(t.Context(), r); err != nil || a.status != 200 {
					t.Fatalf("%s: got %d %v, want it let in", r.line, a.status, err)
				}
			}
			s.try(t.Context(), request{line: "GET /readyz"}) // which is no refusal, whatever the answer
			before := scraped(t, s.app)
			a, err := s.try(t.Context(), tt.last)
			if err != nil || a.status < 400 {
				t.Fatalf("%s: got %d %v, want it refused", tt.last.line, a.status, err)
			}
			grown(t, s.app, tt.last.line, before, "signal_refusals_total", map[string]float64{`reason="` + tt.reason + `"`: 1})
		})
	}
	t.Run("memory", func(t *testing.T) {
		needEmbedded(t)
		s := serve(t, func(o *options) { o.memory = 1 << 20 })
		offer := open(strings.Repeat("o", 2600)) // as large as is usual: of what is set aside for less, a part is given back after 2 s
		for i := 0; ; i++ {
			before := scraped(t, s.app)
			if a, _ := s.try(t.Context(), request{line: "POST /offer/sdp", key: fmt.Sprint("k", i), body: offer}); a.status == 503 {
				grown(t, s.app, "an open too many", before, "signal_refusals_total", map[string]float64{`reason="memory"`: 1})
				break
			}
		}
		if got := scraped(t, s.app)["signal_ready"]; got != 0 {
			t.Errorf("a full server: got signal_ready %v, want 0", got)
		}
	})
	t.Run("client_memory", func(t *testing.T) {
		s := shared(t)
		for i := 0; ; i++ {
			before := scraped(t, s.app)
			if a, _ := s.try(t.Context(), request{line: "POST /offer/sdp", key: fmt.Sprint("k", i), body: open("o")}); a.status == 429 {
				grown(t, s.app, "an open too many", before, "signal_refusals_total", map[string]float64{`reason="client_memory"`: 1})
				break
			}
		}
	})
	t.Run("waits", func(t *testing.T) {
		s := serve(t, func(o *options) { o.config.Gate.MaxWaits = 1 })
		s.listen(t, "/answer/events?key=k")
		before := scraped(t, s.app)
		s.try(t.Context(), request{line: "GET /answer/sdp?wait=1", key: "k"})
		grown(t, s.app, "a wait too many", before, "signal_refusals_total", map[string]float64{`reason="waits"`: 1})
	})
	t.Run("blocked", func(t *testing.T) {
		s := serve(t, clients(limit.Config{WrongKeys: once}))
		guess := request{line: "GET /answer/sdp", key: "k"}
		const blocked = `signal_clients{state="blocked"}`
		for n := 0; scraped(t, s.app)[blocked] == 0; n++ { // a client that does not wait as it is told to
			if s.try(t.Context(), guess); n == 1000 {
				t.Fatalf("%d guesses: got nobody blocked, want him who guesses", n)
			}
		}
		before := scraped(t, s.app)
		s.try(t.Context(), guess)
		grown(t, s.app, "a blocked client", before, "signal_refusals_total", map[string]float64{`reason="blocked"`: 1})
		grown(t, s.app, "a blocked client", before, "signal_clients", nil)
		if known := before[`signal_clients{state="known"}`]; known != 1 || before[blocked] != 1 {
			t.Errorf("one client: got %v known and %v blocked, want 1 and 1", known, before[blocked])
		}
	})
	t.Run("client_waits", func(t *testing.T) {
		s := serve(t, clients(limit.Config{Waits: 1}))
		s.listen(t, "/answer/events?key=k")
		before := scraped(t, s.app)
		s.try(t.Context(), request{line: "GET /answer/sdp?wait=1", key: "k"})
		grown(t, s.app, "a wait too many", before, "signal_refusals_total", map[string]float64{`reason="client_waits"`: 1})
	})
}

// TestMetricsOfSlowClients sends half a request.
func TestMetricsOfSlowClients(t *testing.T) {
	s := serve(t, func(o *options) { o.config.Link.ReadTimeout = 200 * ms })
	before := scraped(t, s.app)
	conn, br := s.dial(t)
	fmt.Fprint(conn, "GET /offer")
	readAnswer(t, br, "GET").expect(t, "half a request", custerrors.RequestIsTooSlow, "")
	grown(t, s.app, "half a request", before, "signal_refusals_total", map[string]float64{`reason="slow"`: 1})
}
