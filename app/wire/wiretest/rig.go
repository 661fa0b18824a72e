package wiretest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signal-server/app/apptest"
	"signal-server/app/apptest/testlog"
	"signal-server/app/server"
	"signal-server/app/watch/accesslog"
	"signal-server/custerrors"
	"signal-server/test/until"
)

// rig is where a check is made: one server after the other.
type rig struct {
	testing.TB
	h Harness

	patience time.Duration // bounds what is waited for, so that a check that fails comes to an end
	drain    time.Duration // what a server has for its end: far more than it needs

	mu sync.Mutex
	// guarded by mu
	secrets []string // what must not be told: keys, payloads, tokens, tickets
}

func newRig(t testing.TB, h Harness) *rig {
	return &rig{TB: t, h: h, patience: 20 * time.Second, drain: 5 * time.Second}
}

// who returns somebody with a key and a payload that nobody had before.
func (r *rig) who() Who {
	w := Who{Key: rand.Text(), Payload: rand.Text()}
	r.hide(w.Key, w.Payload)
	return w
}

// hide notes what must not be told.
func (r *rig) hide(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, secrets...)
}

// served is a server, from its start to its end.
type served struct {
	rig    *rig
	server *server.Server
	store  *watched
	addr   string
	log    *testlog.Log

	// end tells the server to end, and returns once Serve has. stop does so, closes everything, and checks what is left. Each may be
	// called twice; the end of the check calls stop.
	end, stop func()

	mu sync.Mutex
	// guarded by mu
	conns []net.Conn
}

// serve starts a server. The one before it must have been stopped.
func (r *rig) serve(changes ...func(*apptest.Config)) *served {
	r.Helper()
	config := apptest.Defaults()
	config.Server.Drain = r.drain
	config.Link.ReadTimeout = time.Minute // longer than the drain: what comes slowly must not hold the end
	for _, change := range changes {
		change(&config)
	}
	if r.h.Wire != nil {
		config.Wires = append(config.Wires, r.h.Wire(config))
	}
	s := &served{rig: r, store: &watched{Store: r.h.NewStore(r, config.Limits)}, log: new(testlog.Log)}
	before, known := descriptors(), goleak.IgnoreCurrent()
	handler := slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})
	access, err := accesslog.New(accesslog.Config{Share: 1, Clients: true}, handler)
	if err != nil {
		r.Fatalf("accesslog.New: got %v, want a log", err)
	}
	config.Access = access
	if s.server, _, err = apptest.New(config, s.store, slog.New(handler)); err != nil {
		r.Fatalf("New: got %v, want a server", err)
	}
	listener := apptest.Listen(r)
	s.addr = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(ctx, server.Listeners{API: listener}) }()
	s.end = once(func() {
		began := time.Now()
		cancel()
		if err := <-ended; err != nil {
			r.Errorf("Serve: got %v, want nil", err)
		}
		if took := time.Since(began); took >= r.drain {
			r.Errorf("Serve returned after %v, want everybody to have been told before the drain of %v is over", took, r.drain)
		}
	})
	s.stop = once(func() {
		s.end()
		r.wantUntold("/metrics", s.metrics())
		s.hangUp()
		if err := s.store.Close(); err != nil {
			r.Errorf("Close of the store: got %v, want nil", err)
		}
		access.Close()
		r.wantUntold("the log", s.log.String())
		if text := s.log.String(); strings.Contains(text, "BUG") || strings.Contains(text, "level=ERROR") {
			r.Errorf("the log: got %s, want no error", text)
		}
		if err := goleak.Find(known, ignoreSleepers, ignoreDate); err != nil {
			r.Errorf("once Serve has returned: got %.400v …, want no goroutine left", err)
		}
		s.rig.eventually("once Serve has returned", func() error {
			if now := descriptors(); now > before {
				return fmt.Errorf("got %d descriptors, want %d as before", now, before)
			}
			return nil
		})
	})
	r.Cleanup(s.stop)
	return s
}

// once returns a function that calls f the first time. Unlike one of sync.OnceFunc, f may fail the check, and end its goroutine by that.
func once(f func()) func() {
	var once sync.Once
	return func() { once.Do(f) }
}

// Goroutines that fasthttp leaves behind: the first one sleeps on for up to 10 s after the end, the second one never ends.
var (
	ignoreSleepers = goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")
	ignoreDate     = goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1")
)

// hangUp closes the connections of all clients.
func (s *served) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// descriptors returns how many descriptors this process has open, always the same where the system does not tell.
func descriptors() int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(names)
}

// eventually asks until it is so.
func (r *rig) eventually(what string, ask func() error) {
	r.Helper()
	until.Nil(r, r.patience, func() error {
		if err := ask(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
}

// wantUntold checks that nothing of what clients said is in the text.
func (r *rig) wantUntold(where, text string) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, secret := range r.secrets {
		if _, rest, ok := strings.Cut(text, secret); ok {
			r.Errorf("%s: got a key, a payload, a token or a ticket in it, before %.80q; want none", where, rest)
		}
	}
}

// metrics returns what /metrics says.
func (s *served) metrics() string {
	s.rig.Helper()
	w := httptest.NewRecorder()
	s.server.Admin().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		s.rig.Errorf("/metrics: got %d %s, want 200", w.Code, w.Body)
	}
	return w.Body.String()
}

// count is what /metrics says of the number of that name.
type count struct {
	name string
	want int
}

// await returns once /metrics says so.
func (s *served) await(what string, counts ...count) {
	s.rig.Helper()
	s.rig.eventually(what, func() error {
		text := "\n" + s.metrics()
		for _, c := range counts {
			if _, rest, _ := strings.Cut(text, "\n"+c.name+" "); !strings.HasPrefix(rest, fmt.Sprintf("%d\n", c.want)) {
				return fmt.Errorf("got %.8q as %s, want %d", rest, c.name, c.want)
			}
		}
		return nil
	})
}

// wantFree checks that nobody holds a place any more.
func (s *served) wantFree(what string) {
	s.rig.Helper()
	s.await(what, count{"signal_waits", 0}, count{"signal_streams", 0}, count{"signal_connections", 0})
}

// opened returns somebody whose key is opened.
func (s *served) opened() Who {
	s.rig.Helper()
	w := s.rig.who()
	s.rig.want("opening", s.do("opening", s.rig.h.Opens(w)), "")
	return w
}

// wantServing checks that the server serves on.
func (s *served) wantServing(what string) {
	s.rig.Helper()
	w := s.opened()
	s.rig.want(what+", a request", s.do(what, s.rig.h.Asks(w)), s.rig.h.Nothing)
	if s.rig.h.Waits == nil {
		return
	}
	s.rig.want(what+", a word", s.do(what, s.rig.h.Tells(w)), "")
	s.wantTold(what+", a wait", s.do(what, s.rig.h.Waits.Ask(w)), w)
}

// wantTold checks that the answer brings the payload.
func (s *served) wantTold(what string, a Answer, w Who) {
	s.rig.Helper()
	s.rig.want(what, a, "")
	if !strings.Contains(a.Body, w.Payload) {
		s.rig.Errorf("%s: got %q, want the payload %s in it", what, a.Body, w.Payload)
	}
}

// leaving returns once the server knows that it ends.
func (s *served) leaving() {
	s.rig.Helper()
	s.rig.eventually("the end", func() error {
		w := httptest.NewRecorder()
		s.server.Admin().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if w.Body.String() != Enveloped(custerrors.ServerIsShuttingDown).Body {
			return fmt.Errorf("got %q from /readyz, want ServerIsShuttingDown", w.Body)
		}
		return nil
	})
}
