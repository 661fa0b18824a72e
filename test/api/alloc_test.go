package api_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/cache"
	"signal-server/custerrors"
)

// hot is a request of the hot path, with what has to happen before and what the answer is. Each may be repeated any number of times.
type hot struct {
	name    string
	prepare func(t testing.TB, d *direct)
	run     func(t testing.TB, d *direct)
}

// roomy lets one session hold as much as benchmarks write to it.
func roomy(o *options) {
	o.config.Limits.Candidates = cache.MaxLog - 1
	o.config.Limits.SessionBytes = 32 << 20
	o.config.Limits.Lifetime = time.Hour
	o.memory = 256 << 20
}

const (
	hotKey       = "a key of the usual sort"
	hotCandidate = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 rport 46154 generation 0 " +
		"ufrag sXP5 network-cost 999"
)

var hotSDP = strings.Repeat("a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport\r\n", 40) // 2.6 KB

// again sets the request that is served over and over.
func again(line, body string) func(testing.TB, *direct) {
	return func(_ testing.TB, d *direct) { d.set(line, hotKey, body) }
}

// opens opens a session, and closes the one before.
func opens(t testing.TB, d *direct) {
	t.Helper()
	d.do(t, "DELETE /session", hotKey, "")
	d.want(t, "POST /offer/sdp", hotKey, open(hotSDP), "", "")
}

func succeed(t testing.TB, d *direct) {
	d.handle()
	if got := d.ctx.Response.Body(); !bytes.HasPrefix(got, success) {
		t.Fatalf("%s: got %s, want success", d.ctx.Request.RequestURI(), got)
	}
}

var (
	success = []byte(`{"msg":"",`)
	nothing = []byte(`{"msg":"` + custerrors.CandidateNoValues + `",`)
)

var hots = []hot{
	{
		"POST candidate",
		func(t testing.TB, d *direct) { opens(t, d); again("POST /offer/candidate", hotCandidate)(t, d) },
		func(t testing.TB, d *direct) {
			d.handle()
			if d.ctx.Response.StatusCode() == 429 { // benchmarks post more than one session takes
				opens(t, d)
				again("POST /offer/candidate", hotCandidate)(t, d)
			}
		},
	},
	{
		"GET candidate, nothing there",
		func(t testing.TB, d *direct) { opens(t, d); again("GET /answer/candidate", "")(t, d) },
		func(t testing.TB, d *direct) {
			d.handle()
			if got := d.ctx.Response.Body(); !bytes.HasPrefix(got, nothing) {
				t.Fatalf("got %s, want %s", got, nothing)
			}
		},
	},
	{
		"GET candidate, one there",
		fill,
		func(t testing.TB, d *direct) {
			d.handle()
			if bytes.HasPrefix(d.ctx.Response.Body(), success) {
				return
			}
			if t, ok := t.(*testing.B); ok {
				t.StopTimer()
				defer t.StartTimer()
			}
			fill(t, d)
		},
	},
	{
		"GET messages, an sdp and 6 candidates",
		func(t testing.TB, d *direct) {
			opens(t, d)
			d.want(t, "POST /offer/candidates", hotKey, times(6, hotCandidate), "", "")
			again("GET /answer/messages", "")(t, d)
		},
		succeed,
	},
	{
		"POST messages without wait, a candidate",
		func(t testing.TB, d *direct) {
			opens(t, d)
			again("POST /offer/messages", `{"candidates":[`+quote(hotCandidate)+`]}`)(t, d)
		},
		func(t testing.TB, d *direct) {
			d.handle()
			if d.ctx.Response.StatusCode() == 429 {
				opens(t, d)
				again("POST /offer/messages", `{"candidates":[`+quote(hotCandidate)+`]}`)(t, d)
			}
		},
	},
	{
		"POST outcome",
		func(t testing.TB, d *direct) { opens(t, d); again("POST /offer/outcome", connected)(t, d) },
		succeed,
	},
	{
		"POST offer/sdp and DELETE",
		func(t testing.TB, d *direct) {
			d.do(t, "DELETE /session", hotKey, "")
			again("POST /offer/sdp", open(hotSDP))(t, d)
		},
		func(t testing.TB, d *direct) {
			r := &d.ctx.Request
			r.Header.SetMethod(fasthttp.MethodPost)
			r.SetRequestURI("/offer/sdp")
			succeed(t, d)
			r.Header.SetMethod(fasthttp.MethodDelete)
			r.SetRequestURI("/session")
			succeed(t, d)
		},
	},
}

// fill opens a session with more candidates than a test of allocations takes, and prepares to take one.
func fill(t testing.TB, d *direct) {
	t.Helper()
	opens(t, d)
	for range 20 {
		d.want(t, "POST /offer/candidates", hotKey, times(500, hotCandidate), "", "")
	}
	again("GET /answer/candidate", "")(t, d)
}

// TestAllocations counts exactly what the hot path allocates: the garbage collector has to find all of that again.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	for _, h := range hots {
		t.Run(h.name, func(t *testing.T) {
			d := newDirect(t, roomy)
			defer d.store.Close()
			h.prepare(t, d)
			for range 100 { // fills pools and grows buffers
				h.run(t, d)
			}
			if got, want := testing.AllocsPerRun(5000, func() { h.run(t, d) }), 0.0; got != want {
				t.Errorf("allocations: got %v, want %v", got, want)
			}
		})
	}
}

// TestAllocationsOfAForeignOrigin refuses a page that may not use the server, which costs the server no garbage either.
func TestAllocationsOfAForeignOrigin(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	d := newDirect(t, allowing(listed))
	defer d.store.Close()
	for _, header := range [][2]string{
		{"Origin", "https://evil.example"}, {"Origin", "https://evil.localhost"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"},
	} {
		d.set("GET /answer/candidate", hotKey, "", header)
		run := func() {
			d.handle()
			if got, want := d.ctx.Response.StatusCode(), 403; got != want {
				t.Fatalf("%s: got %d, want %d", header, got, want)
			}
		}
		if got, want := testing.AllocsPerRun(5000, run), 0.0; got != want {
			t.Errorf("%s: allocations: got %v, want %v", header, got, want)
		}
	}
}

func BenchmarkHandle(b *testing.B) {
	for _, h := range hots {
		b.Run(h.name, func(b *testing.B) {
			d := newDirect(b, roomy)
			defer d.store.Close()
			h.prepare(b, d)
			b.ReportAllocs()
			for b.Loop() {
				h.run(b, d)
			}
		})
	}
	// What a request costs that does nothing: by Fiber's router with an empty handler, and by fasthttp's context alone.
	b.Run("Fiber with an empty handler", func(b *testing.B) {
		f := fiber.New(fiber.Config{DisableStartupMessage: true, CaseSensitive: true})
		f.Get("/answer/candidate", func(*fiber.Ctx) error { return nil })
		handler := f.Handler()
		d := newDirect(b)
		defer d.store.Close()
		d.set("GET /answer/candidate", hotKey, "")
		b.ReportAllocs()
		for b.Loop() {
			d.ctx.Response.Reset()
			handler(&d.ctx)
		}
	})
}
