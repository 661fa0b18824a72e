package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	appserver "signal-server/app/server"

	"go.uber.org/goleak"

	"signal-server/app/apptest"
	"signal-server/custerrors"
)

// TestShutdownLeavesNothingBehind ends a server while connections are in every state that there is. Serve returns within Drain, no
// goroutine and no connection is left, and nobody gets an answer to a request that was not sent.
func TestShutdownLeavesNothingBehind(t *testing.T) {
	const (
		get  = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
		wait = "GET /answer/sdp?wait=30 HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n"
		late = 408 // for a request that did not arrive whole in time
	)
	for name, test := range map[string]struct {
		sent   string
		before int   // how many answers come before the end
		after  []int // statuses of those that may come at the end
		waits  int
		age    time.Duration // of the waits
	}{
		"a connection that was silent":        {after: []int{late}},
		"a connection between two requests":   {sent: get, before: 1},
		"a connection after a wait":           {sent: strings.Replace(wait, "30", "0.1", 1), before: 1},
		"half a request":                      {sent: get[:20], after: []int{late}},
		"half a body":                         {sent: post("Content-Length: 5", "x"), after: []int{late}},
		"half a request behind a whole one":   {sent: get + get[:20], before: 1, after: []int{late}},
		"a wait":                              {sent: wait, waits: 1, after: []int{503}},
		"an old wait":                         {sent: wait, waits: 1, age: ages[1], after: []int{503}},
		"a wait and a next request behind it": {sent: wait + get, waits: 1, after: []int{503, 200}},
		"an old wait and a next request":      {sent: wait + get, waits: 1, age: ages[1], after: []int{503, 200}},
		"a wait and half a request behind it": {sent: wait + get[:20], waits: 1, age: ages[1], after: []int{503, late}},
	} {
		t.Run(name, func(t *testing.T) {
			known := goleak.IgnoreCurrent()
			const drain = 300 * ms
			s := serve(t, func(o *options) {
				o.config.Server.Drain = drain
				o.config.Link.ReadTimeout = time.Minute // which is longer, as is the default
			})
			conn, br := s.dial(t)
			io.WriteString(conn, test.sent)
			for range test.before {
				if a := readAnswer(t, br, "GET"); a.status != 200 {
					t.Errorf("before the end: got %d, want 200", a.status)
				}
			}
			s.do(t, request{line: "GET /healthz"}) // so that the server has accepted the connection by then
			s.grow(t, "k", test.waits, test.age)
			began := time.Now()
			s.stop()
			if got := time.Since(began); got > drain+soon {
				t.Errorf("Serve returned after %v, want %v or little more", got, drain)
			}
			if err := goleak.Find(known, ignoreSleepers, ignoreDate); err != nil && storeName() == embedded { // a Redis that the test started has its own
				t.Errorf("after Serve has returned: got %.100v …, want no goroutine", err)
			}
			conn.Write([]byte("\r\n\r\nxxxx")) // the server must not serve whatever request this completes
			conn.SetReadDeadline(time.Now().Add(time.Second))
			var got []int
			for {
				a, err := tryAnswer(br, "GET")
				if err != nil {
					if isTimeout(err) {
						t.Errorf("the connection: got no end, want it closed")
					}
					break
				}
				a.check(t, "at the end")
				got = append(got, a.status)
			}
			if len(got) > len(test.after) || !slices.Equal(got, test.after[:len(got)]) || test.waits > len(got) {
				t.Errorf("answers at the end: got %v, want %v", got, test.after)
			}
		})
	}
}

// TestReadersThatDoNotReadDoNotHoldTheEnd ends a server while clients do not read their answers.
func TestReadersThatDoNotReadDoNotHoldTheEnd(t *testing.T) {
	for _, path := range []string{"/swagger/swagger-ui-bundle.js", "/answer/events?key=k", "/offer/events?key=k"} {
		t.Run(path, func(t *testing.T) {
			known := goleak.IgnoreCurrent()
			const drain = 300 * ms
			s := serve(t, func(o *options) { o.config.Server.Drain = drain })
			conn, _ := s.dial(t)
			for range 20 { // more than the system's buffers hold
				fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
			}
			s.do(t, request{line: "GET /healthz"})
			began := time.Now()
			s.stop()
			if got := time.Since(began); got > drain+soon {
				t.Errorf("Serve returned after %v, want %v or little more", got, drain)
			}
			if err := goleak.Find(known, ignoreSleepers, ignoreDate); err != nil && storeName() == embedded { // a Redis that the test started has its own
				t.Errorf("after Serve has returned: got %.100v …, want no goroutine", err)
			}
		})
	}
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

// TestRequestsAreServedUntilTheEnd sends requests all the time while the server ends. Each request is answered, or its connection was
// closed before.
func TestRequestsAreServedUntilTheEnd(t *testing.T) {
	s := serve(t)
	conn, br := s.dial(t)
	io.WriteString(conn, "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n")
	readAnswer(t, br, "GET").expect(t, "before", notFound, "")
	s.stop()
	wantEnd(t, br)
	if conn, err := net.Dial("tcp", s.addr); err == nil {
		conn.Close()
		t.Error("after the end: got a connection, want none")
	}
}

func TestServeReturnsTheErrorThatEndedIt(t *testing.T) {
	config := apptest.Defaults()
	store := newStore(t, config.Limits, 1<<20)
	defer store.Close()
	server, _, err := apptest.New(config, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := server.Serve(t.Context(), appserver.Listeners{API: listener}); err == nil {
		t.Error("Serve on a closed listener: got nil, want an error")
	}
}

// TestTheErrorNamesTheListener has each listener fail at once. The error says which, and the others are closed.
func TestTheErrorNamesTheListener(t *testing.T) {
	for i, want := range []string{"serving requests stopped", "serving plain requests stopped", "serving admin requests stopped"} {
		config := apptest.Defaults()
		store := newStore(t, config.Limits, 1<<20)
		defer store.Close()
		server, _, err := apptest.New(config, store, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		all := []net.Listener{apptest.Listen(t), apptest.Listen(t), apptest.Listen(t)}
		all[i].Close()
		err = server.Serve(t.Context(), appserver.Listeners{API: all[0], Plain: all[1], Admin: all[2]})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Serve: got %v, want %s", err, want)
		}
		for _, l := range all {
			if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
				conn.Close()
				t.Errorf("%s: got a connection to a listener, want all closed", want)
			}
		}
	}
}

// TestEndedBeforeItBegan ends servers in their first moments, when fasthttp may not have begun to listen.
func TestEndedBeforeItBegan(t *testing.T) {
	for range 50 {
		s := serve(t)
		s.stop()
	}
}

func TestAdminRoutes(t *testing.T) {
	config := apptest.Defaults()
	store := newStore(t, config.Limits, 1<<20)
	defer store.Close()
	server, _, err := apptest.New(config, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var listeners [2]net.Listener
	for i := range listeners {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, appserver.Listeners{API: listeners[0], Admin: listeners[1]}) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]custerrors.Error{
		"/healthz": "", "/readyz": "", "/none": custerrors.RouteNotFound, "/offer/sdp": custerrors.RouteNotFound,
	} {
		resp, err := client.Get("http://" + listeners[1].Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		a, err := read(resp)
		if err != nil {
			t.Fatal(err)
		}
		a.expect(t, path, want, "")
		if got := a.header.Get("Content-Type"); a.status != wantStatus[want] || got != "application/json" {
			t.Errorf("%s: got %d %s, want %d application/json", path, a.status, got, wantStatus[want])
		}
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
}

// TestShutdownDelay checks that a server that was told to end serves on and says that it is not ready. So a load balancer can stop sending
// clients before the server stops.
func TestShutdownDelay(t *testing.T) {
	const delay = 400 * ms
	s := serve(t, func(o *options) { o.config.Server.ShutdownDelay = delay })
	s.do(t, request{line: "POST /offer/sdp", key: "k", body: open("o")}).expect(t, "before", "", "")
	wait := s.start(t, request{line: "GET /offer/sdp?wait=30", key: "k"})
	s.grow(t, "k", 1, 0)
	began := time.Now()
	ended := make(chan struct{})
	go func() {
		s.stop()
		close(ended)
	}()
	for s.do(t, request{line: "GET /readyz"}).msg != custerrors.ServerIsShuttingDown {
		if time.Since(began) > delay {
			t.Fatal("/readyz: got ready until the end, want ServerIsShuttingDown")
		}
	}
	s.do(t, request{line: "GET /healthz"}).expect(t, "/healthz in the delay", "", "")
	s.do(t, request{line: "GET /answer/sdp", key: "k"}).expect(t, "a take in the delay", "", `"o"`)
	s.do(t, request{line: "POST /answer/sdp", key: "k", body: "a"}).expect(t, "a write in the delay", "", "")
	wait().expect(t, "a wait from before", "", `"a"`)
	<-ended
	if got := time.Since(began); got < delay {
		t.Errorf("Serve returned after %v, want not before %v", got, delay)
	}
}
