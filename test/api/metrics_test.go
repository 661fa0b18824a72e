package api_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"signal-server/app/watch/accesslog"
	"signal-server/cache"
	"signal-server/custerrors"
	"signal-server/test/synctime"
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
		synctime.Pass(2 * time.Second)
		d.do(t, "POST /answer/messages", "k", `{"sdp":"a"}`)
		want("answered", 2, 2, 1, 0, 0, 0)
		if got := scraped(t, d.server)["signal_session_answer_seconds_sum"]; got != 2 {
			t.Errorf("the answer came after %v s, want 2", got)
		}
		d.do(t, "GET /offer/messages", "k", "")
		want("completed", 2, 2, 1, 1, 0, 0)
		d.do(t, "DELETE /session", "k", "")
		want("ended", 1, 2, 1, 1, 1, 0)
		synctime.Pass(ttl + time.Second)
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
		{request{line: "GET /swagger/none"}, `msg="RouteNotFound",route="other",status="404"`},
		{request{line: "GET /none"}, `msg="RouteNotFound",route="other",status="404"`},
		{request{line: "PUT /offer/sdp"}, `msg="MethodNotAllowed",route="other",status="405"`},
		{request{line: "OPTIONS /offer/sdp"}, `msg="ok",route="other",status="204"`},
		{request{line: "HEAD /offer/sdp", key: key}, `msg="ok",route="HEAD",status="200"`},
		{request{line: "POST /offer/sdp", body: string(make([]byte, 300<<10))}, `msg="KeyIsEmpty",route="POST /offer/sdp",status="400"`},
		{request{line: "POST /offer/sdp", key: key, body: string(make([]byte, 300<<10))}, `msg="BodyIsTooLong",route="POST /offer/sdp",status="413"`},
		{
			request{line: "POST /offer/candidate", key: key, body: "x", header: [][2]string{{"Content-Encoding", "br"}}},
			`msg="BodyIsCompressed",route="POST /offer/candidate",status="415"`,
		},
		{request{line: "DELETE /session", key: key}, `msg="ok",route="DELETE /session",status="200"`},
		{request{line: "DELETE /session", key: key}, `msg="KeyIsExpired",route="DELETE /session",status="200"`},
	} {
		before := scraped(t, s.app)
		s.try(t.Context(), tt.request)
		grown(t, s.app, tt.line, before, "signal_requests_total", map[string]float64{tt.want: 1})
	}
}

// telling is a store with other numbers.
type telling struct {
	cache.Store
	stats cache.Stats
}

func (s *telling) Stats() cache.Stats { return s.stats }

// TestMetricsOfTheStore uses a store that has a number of each kind, and then none. Each number appears as what it is.
func TestMetricsOfTheStore(t *testing.T) {
	times := func(n int) cache.Distribution {
		var d cache.Durations
		for range n {
			d.Observe(time.Second)
		}
		return d.Distribution()
	}
	const unknown = cache.Unknown
	store := new(telling)
	s := serve(t, func(o *options) {
		o.wrap = func(own cache.Store) cache.Store {
			store.Store = own
			return store
		}
	})
	for name, tt := range map[string]struct {
		stats cache.Stats
		want  map[string]float64
	}{
		"all": {
			cache.Stats{
				Opened: 1, Answered: 2, Completed: 3, Ended: 4, Expired: 5, Live: 6, Held: 7, Budget: 8, Trips: 9, Failed: 10,
				Answering: times(11), Tripping: times(12),
			},
			map[string]float64{
				"signal_sessions_opened_total": 1, "signal_sessions_answered_total": 2, "signal_sessions_completed_total": 3,
				"signal_sessions_ended_total": 4, "signal_sessions_expired_total": 5, "signal_sessions": 6, "signal_store_bytes": 7,
				"signal_store_budget_bytes": 8, "signal_store_calls_total": 9, "signal_store_errors_total": 10,
				"signal_session_answer_seconds": 11, "signal_session_answer_seconds_sum": 11,
				"signal_store_call_seconds": 12, "signal_store_call_seconds_sum": 12,
			},
		},
		"none": {
			cache.Stats{
				Opened: unknown, Answered: unknown, Completed: unknown, Ended: unknown, Expired: unknown, Live: unknown, Held: unknown,
				Budget: unknown, Trips: unknown, Failed: unknown,
			},
			map[string]float64{},
		},
	} {
		store.stats = tt.stats
		got := scraped(t, s.app)
		maps.DeleteFunc(got, func(series string, _ float64) bool {
			return !strings.HasPrefix(series, "signal_session") && !strings.HasPrefix(series, "signal_store")
		})
		if !maps.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// TestMetricsOfOutcomes reports how clients' attempts ended. What a client reports twice counts once.
func TestMetricsOfOutcomes(t *testing.T) {
	s := serve(t)
	before := scraped(t, s.app)
	key := newKey()
	report := func(role, body string) step { return step{line: "POST /" + role + "/outcome", body: body} }
	s.scriptOf(t, key, opened("o"), report("offer", connected), report("offer", connected), report("answer", gaveUp))
	const relayed = `candidate_type="relay",result="connected",role="offer"`
	grown(t, s.app, "reports", before, "signal_outcome_seconds",
		map[string]float64{relayed: 1, `candidate_type="",result="failed",role="answer"`: 1})
	if got := scraped(t, s.app)["signal_outcome_seconds{"+relayed+"}_sum"]; got != 1.2345 {
		t.Errorf("a report of 1234.5 ms: got %v s", got)
	}
}

// TestMetricsOfConfiguration checks the metrics of what the server was configured with.
func TestMetricsOfConfiguration(t *testing.T) {
	s := serve(t, func(o *options) {
		o.config.Gate.MaxWaits, o.config.Link.MaxConnections, o.config.Version = 7, 9, "v1.2.3"
	})
	got := scraped(t, s.app)
	built := fmt.Sprintf(`signal_build_info{goversion=%q,revision="",version="v1.2.3"}`, runtime.Version())
	for series, want := range map[string]float64{"signal_waits_limit": 7, "signal_connections_limit": 9, built: 1} {
		if got, ok := got[series]; !ok || got != want {
			t.Errorf("%s: got %v, %v, want %v", series, got, ok, want)
		}
	}
}

// TestMetricsOfTime checks that about one in 16 of the requests that do not wait is timed, and each wait.
func TestMetricsOfTime(t *testing.T) {
	d := newDirect(t)
	defer d.store.Close()
	const requests = 1000 // the chance that none is timed is 1 in 10^28
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

// eventually waits until the series is so much. It is for what happens without the test's doing.
func (s *server) eventually(t *testing.T, series string, want float64) {
	t.Helper()
	again, timeout := time.NewTicker(ms), time.After(20*time.Second)
	defer again.Stop()
	for {
		got, ok := scraped(t, s.app)[series]
		if ok && got == want {
			return
		}
		select {
		case <-again.C:
		case <-timeout:
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

// TestMetricsOfClientsThatLeave lets clients leave waits, in place and parked. The server refuses nobody, and answers nobody.
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

// TestMetricsOfShutdown ends the server while requests wait, in place and parked. They count as failed, and as refused.
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

// TestMetricsOfPanics lets the store panic in a handler. The tests of bugs do so elsewhere.
func TestMetricsOfPanics(t *testing.T) {
	s := serve(t, func(o *options) {
		o.wrap = func(store cache.Store) cache.Store { return &faulty{store, aPanic} }
	})
	before := scraped(t, s.app)
	s.try(t.Context(), request{line: "POST /offer/candidates", key: "k", body: `["` + strings.Repeat("c", 4000) + `","` + strings.Repeat("d", 4000) + `"]`})
	grown(t, s.app, "a panic", before, "signal_panics_total", map[string]float64{"": 1})
	if got := scraped(t, s.app)["signal_bodies_bytes"]; got != 0 {
		t.Errorf("a panic: got %v bytes of bodies left, want 0", got)
	}
	grown(t, s.app, "a panic", before, "signal_requests_total", map[string]float64{`msg="InternalError",route="other",status="500"`: 1})
	s.log.Drain()
}

// TestScrapesUnderLoad lets many ask at once while others scrape. Every request is counted, exactly.
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

// TestLostLines lets the server log to a full disk, and the access log too. The lines are lost and counted, and the server goes on.
func TestLostLines(t *testing.T) {
	access, err := accesslog.New(accesslog.Config{Share: 1}, slog.NewTextHandler(fullDisk{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(o *options) {
		o.config.Access = access
		o.wrap = func(store cache.Store) cache.Store {
			return &faulty{store, func() error { return errors.New("a bug") }}
		}
		o.logTo = fullDisk{}
	})
	before := scraped(t, s.app)
	if a, err := s.try(t.Context(), request{line: "POST /offer/candidate", key: "k", body: "c"}); err != nil || a.status != 500 {
		t.Errorf("a bug: got %d %v, want 500", a.status, err)
	}
	s.do(t, request{line: "GET /healthz"})
	access.Close() // which returns when all lines have been tried
	grown(t, s.app, "a full disk", before, "signal_log_lines_lost_total", map[string]float64{`log="server"`: 1, `log="access"`: 2})
}

// fullDisk is a writer that takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
