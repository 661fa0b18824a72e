package app_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"signal-server/app/limit"
	"signal-server/cache"
	"signal-server/custerrors"
)

// TestMetricsOfSessions follows sessions from their opening to their end, in every way they end.
func TestMetricsOfSessions(t *testing.T) {
	bubble(t, func(t *testing.T, d *direct) {
		counts := []string{"opened", "answered", "completed", "ended", "expired"}
		want := func(what string, live float64, each ...float64) {
			t.Helper()
			got := scraped(t, d.server)
			for i, name := range counts {
				if got, want := got["signal_sessions_"+name+"_total"], each[i]; got != want {
					t.Errorf("%s: got %v %s, want %v", what, got, name, want)
				}
			}
			if got := got["signal_sessions"]; got != live {
				t.Errorf("%s: got %v live, want %v", what, got, live)
			}
			if held := got["signal_store_bytes"]; (held > 0) != (live > 0) || held > got["signal_store_budget_bytes"] {
				t.Errorf("%s: got %v of %v bytes held", what, held, got["signal_store_budget_bytes"])
			}
			if n := got["signal_session_answer_seconds"]; n != each[1] {
				t.Errorf("%s: got %v times of answers, want %v", what, n, each[1])
			}
		}
		want("nothing yet", 0, 0, 0, 0, 0, 0)
		d.do(t, "POST /offer/messages", "k", `{"sdp":"o"}`)
		d.do(t, "POST /offer/sdp", "l", open("p"))
		want("opened", 2, 2, 0, 0, 0, 0)
		time.Sleep(2 * time.Second)
		d.do(t, "POST /answer/messages", "k", `{"sdp":"a"}`)
		want("answered", 2, 2, 1, 0, 0, 0)
		if got := scraped(t, d.server)["signal_session_answer_seconds_sum"]; got != 2 {
			t.Errorf("the answer came after %v s, want 2", got)
		}
		d.do(t, "GET /offer/messages", "k", "")
		want("completed", 2, 2, 1, 1, 0, 0)
		d.do(t, "DELETE /session", "k", "")
		want("ended", 1, 2, 1, 1, 1, 0)
		time.Sleep(ttl + time.Second)
		want("expired", 0, 2, 1, 1, 1, 1)
	})
}

// TestMetricsOfRequests counts each answer once, by route, status and msg.
func TestMetricsOfRequests(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	for _, tt := range []struct {
		request
		want string
	}{
		{request{line: "GET /answer/sdp", key: key}, `msg="ok",route="GET /answer/sdp",status="200"`},
		{request{line: "GET /answer/sdp", key: key}, `msg="SdpNoValues",route="GET /answer/sdp",status="200"`},
		{request{line: "GET /answer/sdp/", key: key}, `msg="SdpNoValues",route="GET /answer/sdp",status="200"`},
		{request{line: "GET /answer/sdp?wait=0.01", key: key}, `msg="SdpNoValues",route="GET /answer/sdp",status="200"`},
		{request{line: "GET /answer/sdp?wait=0.1", key: key}, `msg="SdpNoValues",route="GET /answer/sdp",status="200"`}, // parked
		{request{line: "GET /answer/sdp"}, `msg="KeyIsEmpty",route="GET /answer/sdp",status="400"`},
		{request{line: "POST /offer/messages", key: key, body: "x"}, `msg="BodyIsNotJSON",route="POST /offer/messages",status="400"`},
		{request{line: "GET /healthz"}, `msg="ok",route="GET /healthz",status="200"`},
		{request{line: "GET /"}, `msg="ok",route="GET /",status="200"`},
		{request{line: "GET /", header: [][2]string{{"If-None-Match", "*"}}}, `msg="ok",route="GET /",status="304"`},
		{request{line: "GET /swagger"}, `msg="ok",route="GET /swagger",status="302"`},
		{request{line: "GET /swagger/none"}, `msg="RouteNotFound",route="GET /swagger/*",status="404"`},
		{request{line: "GET /none"}, `msg="RouteNotFound",route="other",status="404"`},
		{request{line: "PUT /offer/sdp"}, `msg="MethodNotAllowed",route="other",status="405"`},
		{request{line: "OPTIONS /offer/sdp"}, `msg="ok",route="other",status="204"`},
		{request{line: "HEAD /offer/sdp", key: key}, `msg="ok",route="HEAD",status="200"`},
		{request{line: "POST /offer/sdp", body: string(make([]byte, 300<<10))}, `msg="BodyIsTooLong",route="other",status="413"`},
		{request{line: "DELETE /session", key: key}, `msg="ok",route="DELETE /session",status="200"`},
		{request{line: "DELETE /session", key: key}, `msg="KeyIsExpired",route="DELETE /session",status="200"`},
	} {
		before := scraped(t, s.app)
		s.try(t.Context(), tt.request)
		grown(t, s.app, tt.line, before, "signal_requests_total", map[string]float64{tt.want: 1})
	}
}

// TestMetricsOfTime wants about one request in 16 to be timed, of those that do not wait, and each wait.
func TestMetricsOfTime(t *testing.T) {
	d := newDirect(t)
	defer d.store.Close()
	const requests = 1000 // that none is timed has a chance of 1 in 10^28
	for range requests {
		d.do(t, "GET /answer/sdp", "k", "")
	}
	before := scraped(t, d.server)
	n := before[`signal_request_seconds{route="GET /answer/sdp"}`]
	if n == 0 || n > requests/4 || before[`signal_request_seconds{route="GET /answer/sdp"}_sum`] <= 0 {
		t.Errorf("%d requests: got %v timed, want about a sixteenth", requests, n)
	}
	d.do(t, "POST /offer/sdp", "k", open("o"))
	for _, tt := range []struct{ line, key, result string }{
		{"GET /answer/candidate?wait=0.01", "k", "nothing"},
		{"GET /answer/sdp?wait=0.05", "other", "nothing"},
		{"GET /answer/sdp?wait=1", "k", "news"},
		{"GET /answer/messages?wait=1&after=AAAAAAABAAE", "k", "ended"},
	} {
		before := scraped(t, d.server)
		d.do(t, tt.line, tt.key, "")
		grown(t, d.server, tt.line, before, "signal_wait_seconds", map[string]float64{`result="` + tt.result + `"`: 1})
	}
	for range requests {
		d.do(t, "GET /answer/candidate?wait=0", "k", "")
	}
	if got := scraped(t, d.server)[`signal_request_seconds{route="GET /answer/candidate"}`]; got != 0 {
		t.Errorf("%d requests with ?wait: got %v timed, want none", requests, got)
	}
}

// eventually wants the series to become so much: what the test waits for is not its own.
func (s *server) eventually(t *testing.T, series string, want float64) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(ms) {
		got, ok := scraped(t, s.app)[series]
		if ok && got == want {
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%s: got %v, want %v", series, got, want)
		}
	}
}

func TestMetricsOfWaitsAndStreams(t *testing.T) {
	s := serve(t)
	key := newKey()
	wait := s.start(t, request{line: "GET /answer/sdp?wait=20", key: key})
	l := s.listen(t, "/answer/events?key="+key)
	s.eventually(t, "signal_waits", 1)
	s.eventually(t, "signal_streams", 1)
	if got := scraped(t, s.app)["signal_connections"]; got != 2 {
		t.Errorf("a wait and a stream: got %v connections, want 2", got)
	}
	before := scraped(t, s.app)
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	wait().expect(t, "the wait", "", `"o"`)
	l.want(":", event("sdp", `"o"`))
	s.eventually(t, "signal_waits", 0)
	grown(t, s.app, "the wait", before, "signal_wait_seconds", map[string]float64{`result="news"`: 1})
	s.do(t, request{line: "DELETE /session", key: key})
	l.want(end(custerrors.KeyIsExpired))
	s.eventually(t, "signal_streams", 0)
	s.eventually(t, `signal_requests_total{msg="ok",route="GET /answer/events",status="200"}`, 1)
}

// TestMetricsOfClientsThatLeave has clients leave waits, in place and parked: the server refuses nobody, and answers nobody.
func TestMetricsOfClientsThatLeave(t *testing.T) {
	for _, age := range ages {
		s := serve(t)
		key := newKey()
		before := scraped(t, s.app)
		conn, _ := s.dial(t)
		fmt.Fprintf(conn, "GET /answer/sdp?wait=20 HTTP/1.1\r\nHost: x\r\nkey: %s\r\n\r\n", key)
		s.grow(t, key, 1, age)
		conn.Close()
		s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")}) // which wakes the wait
		s.eventually(t, `signal_requests_total{msg="gone",route="GET /answer/sdp",status="499"}`, 1)
		grown(t, s.app, "a client that left", before, "signal_wait_seconds", map[string]float64{`result="gone"`: 1})
		grown(t, s.app, "a client that left", before, "signal_refusals_total", nil)
	}
}

// TestMetricsOfShutdown ends the server while requests wait, in place and parked: they count as failed, and as refused.
func TestMetricsOfShutdown(t *testing.T) {
	for _, age := range ages {
		s := serve(t)
		key := newKey()
		wait := s.start(t, request{line: "GET /answer/sdp?wait=20", key: key})
		s.grow(t, key, 1, age)
		before := scraped(t, s.app)
		s.stop()
		wait().expect(t, "a wait", custerrors.ServerIsShuttingDown, "")
		grown(t, s.app, "the end", before, "signal_wait_seconds", map[string]float64{`result="failed"`: 1})
		grown(t, s.app, "the end", before, "signal_refusals_total", map[string]float64{`reason="shutdown"`: 1})
		grown(t, s.app, "the end", before, "signal_requests_total",
			map[string]float64{`msg="ServerIsShuttingDown",route="GET /answer/sdp",status="503"`: 1})
		if after := scraped(t, s.app); after["signal_ready"] != 0 || after["signal_waits"] != 0 {
			t.Errorf("after the end: got signal_ready %v, signal_waits %v, want 0 of both", after["signal_ready"], after["signal_waits"])
		}
	}
}

// unavailable is a store that cannot be reached.
type unavailable struct{ cache.Store }

func (unavailable) Open(context.Context, cache.Key, time.Duration, cache.Token, *cache.Batch) error {
	return fmt.Errorf("%w: a test", custerrors.StoreIsUnavailable)
}

func (unavailable) Ready(context.Context) error { return custerrors.StoreIsUnavailable }

// TestMetricsOfRefusals provokes every refusal: it counts for its reason, and for no other.
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
		{"authentication", tokens, nil, request{line: "GET /answer/sdp", key: "k"}},
		{"permission", tokens, nil, request{line: "GET /answer/sdp", key: "l", header: [][2]string{{"Authorization", "Bearer " + one}}}},
		{
			"permission", func(o *options) { o.config.AllowOrigins = []string{"https://a.example"} }, nil,
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
			s.try(t.Context(), request{line: "GET /readyz"}) // which is no refusal, whatever it says
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
		for i := 0; ; i++ {
			before := scraped(t, s.app)
			if a, _ := s.try(t.Context(), request{line: "POST /offer/sdp", key: fmt.Sprint("k", i), body: open("o")}); a.status == 503 {
				grown(t, s.app, "an open too many", before, "signal_refusals_total", map[string]float64{`reason="memory"`: 1})
				break
			}
		}
		if got := scraped(t, s.app)["signal_ready"]; got != 0 {
			t.Errorf("a full server: got signal_ready %v, want 0", got)
		}
	})
	t.Run("waits", func(t *testing.T) {
		s := serve(t, func(o *options) { o.config.MaxWaits = 1 })
		s.listen(t, "/answer/events?key=k")
		before := scraped(t, s.app)
		s.try(t.Context(), request{line: "GET /answer/sdp?wait=1", key: "k"})
		grown(t, s.app, "a wait too many", before, "signal_refusals_total", map[string]float64{`reason="waits"`: 1})
	})
	t.Run("client_waits", func(t *testing.T) {
		s := serve(t, clients(limit.Config{Waits: 1}))
		s.listen(t, "/answer/events?key=k")
		before := scraped(t, s.app)
		s.try(t.Context(), request{line: "GET /answer/sdp?wait=1", key: "k"})
		grown(t, s.app, "a wait too many", before, "signal_refusals_total", map[string]float64{`reason="client_waits"`: 1})
	})
	t.Run("slow", func(t *testing.T) {
		s := serve(t, func(o *options) { o.config.ReadTimeout = 200 * ms })
		before := scraped(t, s.app)
		conn, br := s.dial(t)
		fmt.Fprint(conn, "GET /offer")
		readAnswer(t, br, "GET").expect(t, "half a request", custerrors.RequestIsTooSlow, "")
		grown(t, s.app, "half a request", before, "signal_refusals_total", map[string]float64{`reason="slow"`: 1})
	})
}

// TestMetricsOfPanics has the store panic in a handler; of panics elsewhere, the tests of bugs.
func TestMetricsOfPanics(t *testing.T) {
	s := serve(t, func(o *options) {
		o.wrap = func(store cache.Store) cache.Store { return &faulty{store, aPanic} }
	})
	before := scraped(t, s.app)
	s.try(t.Context(), request{line: "POST /offer/candidate", key: "k", body: "c"})
	grown(t, s.app, "a panic", before, "signal_panics_total", map[string]float64{"": 1})
	grown(t, s.app, "a panic", before, "signal_requests_total", map[string]float64{`msg="InternalError",route="other",status="500"`: 1})
	s.log.Reset()
}

func TestMetricsOfConnections(t *testing.T) {
	s := serve(t, func(o *options) { o.config.MaxConnections = 1 })
	before := scraped(t, s.app)
	s.do(t, request{line: "GET /healthz"}) // its connection stays
	_, br := s.dial(t)
	br.ReadByte() // the end of one that is turned away, whatever comes before it
	s.eventually(t, "signal_connections_turned_away_total", 1)
	grown(t, s.app, "two connections", before, "signal_connections_accepted_total", map[string]float64{"": 1})
	after := scraped(t, s.app)
	if after["signal_connections"] != 1 || after["signal_connections_limit"] != 1 || after["signal_accept_errors_total"] != 0 {
		t.Errorf("got %v open of %v, %v errors, want 1 of 1 and none", after["signal_connections"], after["signal_connections_limit"],
			after["signal_accept_errors_total"])
	}
}

// TestScrapesUnderLoad counts exactly what was asked, by many at once, while others scrape.
func TestScrapesUnderLoad(t *testing.T) {
	s := serve(t)
	const askers, each = 8, 100
	before := scraped(t, s.app)
	stop := make(chan struct{})
	var scraping, asking sync.WaitGroup
	for range 2 {
		scraping.Go(func() {
			for last := 0.0; ; {
				got := scraped(t, s.app)[`signal_requests_total{msg="KeyNotFound",route="GET /answer/sdp",status="200"}`]
				if got < last {
					t.Errorf("got the counter going down from %v to %v", last, got)
				}
				last = got
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for range askers {
		asking.Go(func() {
			for range each {
				s.do(t, request{line: "GET /answer/sdp", key: "k"})
			}
		})
	}
	asking.Wait()
	close(stop)
	scraping.Wait()
	grown(t, s.app, "many at once", before, "signal_requests_total",
		map[string]float64{`msg="KeyNotFound",route="GET /answer/sdp",status="200"`: askers * each})
}

// TestLostLines has the server log to a full disk: the line is lost and counted, and service goes on.
func TestLostLines(t *testing.T) {
	s := serve(t, func(o *options) {
		o.wrap = func(store cache.Store) cache.Store {
			return &faulty{store, func() error { return errors.New("a bug") }}
		}
		o.logTo = fullDisk{}
	})
	before := scraped(t, s.app)
	if a, err := s.try(t.Context(), request{line: "POST /offer/candidate", key: "k", body: "c"}); err != nil || a.status != 500 {
		t.Errorf("a bug: got %d %v, want 500", a.status, err)
	}
	grown(t, s.app, "a full disk", before, "signal_log_lines_lost_total", map[string]float64{`log="server"`: 1})
	s.do(t, request{line: "GET /healthz"})
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
