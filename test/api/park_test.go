package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// TestOldHTTPWaits checks that a wait over HTTP/1.0, which proxies speak, lasts as long as any other, is parked, and is ended by news. The connection
// goes on if the client has asked for that.
func TestOldHTTPWaits(t *testing.T) {
	s := serve(t)
	for _, keep := range []string{"", "Connection: keep-alive\r\n"} {
		key := newKey()
		s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
		conn, br := s.dial(t)
		want := func(what, line, tells string, msg custerrors.Error, data string) {
			t.Helper()
			fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nkey: %s\r\n%s\r\n", line, key, keep)
			if tells != "" {
				s.eventually(t, "signal_waits", 1) // parked
				s.do(t, request{line: tells, key: key, body: "a"})
			}
			a := readAnswer(t, br, "GET")
			a.check(t, what)
			a.expect(t, what, msg, data)
			if keep == "" {
				wantEnd(t, br)
				conn, br = s.dial(t)
			} else if got := a.header.Get("Connection"); got != "keep-alive" {
				t.Errorf("%s: got Connection: %q, want keep-alive, without which a client of HTTP/1.0 takes it for closed", what, got)
			}
		}
		began := time.Now()
		want("a wait", "/offer/sdp?wait=0.2", "", custerrors.SdpNoValues, "")
		if got, want := time.Since(began), 200*ms; got < want {
			t.Errorf("a wait: got an answer after %v, want it after %v", got, want)
		}
		want("news", "/offer/sdp?wait=30", "POST /answer/sdp", "", `"a"`)
		want("news again", "/offer/candidate?wait=30", "POST /answer/candidate", "", `"a"`)
		want("no wait", "/offer/candidate", "", custerrors.CandidateNoValues, "")
	}
}

// TestWaitsInARow sends many requests on one connection, first one after the other, and then all at once. Most of them wait.
func TestWaitsInARow(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	conn, br := s.dial(t)
	requests := []struct {
		line, body string
		msg        custerrors.Error
	}{
		{"GET /offer/sdp?wait=0.06", "", custerrors.SdpNoValues},
		{"POST /answer/candidate", "c", ""},
		{"GET /answer/candidates?wait=0.06", "", custerrors.CandidateNoValues},
		{"GET /offer/messages?wait=0.06", "", custerrors.SdpNoValues},
		{"GET /none?wait=5", "", custerrors.RouteNotFound},
		{"GET /offer/sdp?wait=0.01", "", custerrors.SdpNoValues},
	}
	var all strings.Builder
	want := func(i int, what string) {
		r := requests[i%len(requests)]
		a := readAnswer(t, br, http.MethodPost)
		a.check(t, r.line)
		a.expect(t, what+": "+r.line, r.msg, "")
	}
	for i, r := range requests {
		wire := fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\nkey: %s\r\nX: %01000d\r\nContent-Length: %d\r\n\r\n%s", r.line, key, 0, len(r.body), r.body)
		io.WriteString(conn, wire)
		want(i, "one after the other")
		all.WriteString(wire)
	}
	const rounds = 4 // more than fit into one read
	go io.WriteString(conn, strings.Repeat(all.String(), rounds))
	for i := range rounds * len(requests) {
		want(i, "all at once")
	}
}

// TestWaitsThatAreTheLast checks that a connection always ends after a wait if its client asks for that.
func TestWaitsThatAreTheLast(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	var working sync.WaitGroup
	for i := range 20 {
		working.Go(func() {
			for range 10 {
				conn, br := s.dial(t)
				// From no wait at all to one that is a little longer than waits in place.
				fmt.Fprintf(conn, "GET /offer/sdp?wait=%f HTTP/1.1\r\nHost: x\r\nConnection: close\r\nkey: %s\r\n\r\n", 0.0247+float64(i)/20000, key)
				a, err := tryAnswer(br, "GET")
				if err != nil || a.msg != custerrors.SdpNoValues {
					t.Errorf("got %q, %v, want %q", a.msg, err, custerrors.SdpNoValues)
				}
				wantEnd(t, br)
			}
		})
	}
	working.Wait()
}

// TestWhatHappensWhileAWaitIsParked lets something happen about when the server parks a wait: a little earlier, at that moment, and a
// little later.
func TestWhatHappensWhileAWaitIsParked(t *testing.T) {
	s := serve(t)
	ctx := context.Background()
	must := func(t *testing.T, what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: got %v, want nil", what, err)
		}
	}
	put := func(t *testing.T, key string) {
		var b cache.Batch
		b.Add(cache.Frame{Kind: cache.Candidate, Size: 1, Wire: []byte("c")})
		_, _, err := s.store.Write(ctx, nil, cache.Write{Key: cache.Key(key), From: cache.Answer, Batch: &b})
		must(t, "Write of a candidate", err)
	}
	opens := func(t *testing.T, key string) {
		var b cache.Batch
		b.Add(cache.Frame{Kind: cache.SDP, Size: 1, Wire: []byte("o")})
		_, _, err := s.store.Write(ctx, nil, cache.Write{Key: cache.Key(key), From: cache.Offer, Opens: true, Batch: &b})
		must(t, "Write that opens", err)
	}
	// meanwhile starts a request that waits, and calls f about when the server parks it.
	meanwhile := func(t *testing.T, key, line string, f func(conn net.Conn), then func(br *bufio.Reader)) {
		t.Helper()
		conn, br := s.dial(t)
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nkey: %s\r\n\r\n", line, key)
		s.store.await(t, key, 1)
		<-time.After(24*ms + rand.N(3*ms)) // the server parks it after 25 ms
		f(conn)
		then(br)
	}
	// often runs f so many times that each of these moments occurs, however busy the machine is.
	often := func(t *testing.T, f func(t *testing.T)) {
		var group sync.WaitGroup
		for range 40 {
			group.Go(func() { f(t) })
		}
		group.Wait()
	}
	t.Run("the client leaves, and what it waits for comes", func(t *testing.T) {
		often(t, func(t *testing.T) {
			key := newKey()
			opens(t, key)
			meanwhile(t, key, "GET /offer/candidate?wait=20", func(conn net.Conn) {
				conn.Close()
				put(t, key)
			}, func(*bufio.Reader) {
				s.store.await(t, key, 0) // nobody is left who would take it
				s.do(t, request{line: "GET /offer/candidate", key: key}).expect(t, "the next taker", "", `"c"`)
			})
		})
	})
	t.Run("what it waits for comes", func(t *testing.T) {
		often(t, func(t *testing.T) {
			key := newKey()
			opens(t, key)
			meanwhile(t, key, "GET /offer/candidate?wait=20", func(net.Conn) { put(t, key) }, func(br *bufio.Reader) {
				readAnswer(t, br, "GET").expect(t, "the waiter", "", `"c"`)
			})
		})
	})
	t.Run("the session that the answerer waits for opens", func(t *testing.T) {
		often(t, func(t *testing.T) {
			key := newKey()
			meanwhile(t, key, "GET /answer/sdp?wait=20", func(net.Conn) { opens(t, key) }, func(br *bufio.Reader) {
				readAnswer(t, br, "GET").expect(t, "the waiter", "", `"o"`)
			})
		})
	})
	t.Run("the session ends, and another one opens", func(t *testing.T) {
		for _, line := range []string{"GET /offer/candidate?wait=20", "GET /offer/messages?wait=20"} {
			often(t, func(t *testing.T) {
				key := newKey()
				opens(t, key)
				meanwhile(t, key, line, func(net.Conn) {
					must(t, "End", s.store.End(ctx, cache.Key(key)))
					opens(t, key)
					put(t, key)
				}, func(br *bufio.Reader) {
					readAnswer(t, br, "GET").expect(t, line, custerrors.KeyIsExpired, "")
					s.do(t, request{line: "GET /offer/candidate", key: key}).expect(t, "in the next session", "", `"c"`)
				})
			})
		}
	})
}

// faulty is a store with a bug.
type faulty struct {
	cache.Store
	fails func() error // or panics
}

func (f *faulty) Write(ctx context.Context, dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
	if !w.Opens {
		return dst, w.After, f.fails()
	}
	return f.Store.Write(ctx, dst, w)
}

// TestABugCostsOneRequest lets the store panic, and fail in a way that its contract does not have. The client only learns that there was
// an error, and the server goes on.
func TestABugCostsOneRequest(t *testing.T) {
	for name, fails := range map[string]func() error{
		"panic": aPanic,
		"error": anError,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirect(t, func(o *options) {
				o.wrap = func(store cache.Store) cache.Store { return &faulty{store, fails} }
			})
			defer d.store.Close()
			d.do(t, "POST /offer/sdp", "k", open("o"))
			d.set("POST /offer/candidate", "k", "c")
			d.handle()
			got, want := string(d.ctx.Response.Body()), `{"msg":"`+string(custerrors.InternalError)+`","data":null}`
			if status := d.ctx.Response.StatusCode(); got != want || status != 500 {
				t.Errorf("got %d %s, want 500 %s", status, got, want)
			}
			d.want(t, "GET /answer/sdp", "k", "", "", `"o"`)
		})
	}
}

// bugLater is a store whose Take and Read fail or panic once it is armed.
type bugLater struct {
	cache.Store
	armed atomic.Bool
	fails func() error
}

// buggy starts a server over a bugLater.
func buggy(t testing.TB, fails func() error) (*server, *bugLater) {
	t.Helper()
	bug := &bugLater{fails: fails}
	return serve(t, func(o *options) {
		o.wrap = func(store cache.Store) cache.Store {
			bug.Store = store
			return bug
		}
	}), bug
}

func aPanic() error  { panic("a secret") }
func anError() error { return errors.New("a secret") }

func (b *bugLater) Take(ctx context.Context, dst []byte, t cache.Take) ([]byte, error) {
	if b.armed.Load() {
		return dst, b.fails()
	}
	return b.Store.Take(ctx, dst, t)
}

func (b *bugLater) Read(ctx context.Context, dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form,
) ([]byte, cache.Cursor, error) {
	if b.armed.Load() {
		return dst, after, b.fails()
	}
	return b.Store.Read(ctx, dst, key, to, after, limit, form)
}

// TestABugInAParkedWaitCostsThatRequest checks that the goroutine of a parked request survives a bug as a handler does.
func TestABugInAParkedWaitCostsThatRequest(t *testing.T) {
	s, bug := buggy(t, aPanic)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	conn, br := s.dial(t)
	fmt.Fprintf(conn, "GET /offer/sdp?wait=30 HTTP/1.1\r\nHost: x\r\nkey: %s\r\n\r\n", key)
	s.grow(t, key, 1, ages[1]) // parked
	bug.armed.Store(true)
	before := scraped(t, s.app)
	s.do(t, request{line: "POST /answer/sdp", key: key, body: "a"})
	answer, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	want := `{"msg":"` + string(custerrors.InternalError) + `","data":null}`
	if answer.StatusCode != 500 || string(body) != want {
		t.Errorf("a wait with a bug: got %d %s, want 500 %s", answer.StatusCode, body, want)
	}
	s.wantBug(t)
	grown(t, s.app, "a panic", before, "signal_panics_total", map[string]float64{"": 1})
	bug.armed.Store(false)
	s.do(t, request{line: "GET /offer/sdp", key: key}).expect(t, "afterwards", "", `"a"`)
}

// wantBug checks that the log has one bug, and makes the log forget it.
func (s *server) wantBug(t testing.TB) {
	t.Helper()
	if got := s.log.String(); !strings.Contains(got, "BUG") {
		t.Errorf("the log: got %q, want the bug in it", got)
	}
	s.log.Drain()
}

// TestABugCostsOneStream lets the store panic under a stream, and fail in a way that its contract does not have.
func TestABugCostsOneStream(t *testing.T) {
	for name, tt := range map[string]struct {
		fails  func() error
		want   []string // the last events
		counts string   // the request's labels
		panics float64
	}{
		"panic": {aPanic, []string{""}, `msg="InternalError",route="GET /answer/events",status="500"`, 1},
		"error": {anError, []string{end(custerrors.InternalError), ""}, `msg="ok",route="GET /answer/events",status="200"`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, bug := buggy(t, tt.fails)
			bug.armed.Store(true)
			before := scraped(t, s.app)
			s.listen(t, "/answer/events?key=k").want(tt.want...)
			s.eventually(t, "signal_streams", 0)
			s.wantBug(t)
			grown(t, s.app, name, before, "signal_panics_total", map[string]float64{"": tt.panics})
			s.eventually(t, "signal_requests_total{"+tt.counts+"}", 1)
		})
	}
}
