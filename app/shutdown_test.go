package app_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signal-server/app"
	"signal-server/custerrors"
)

// TestShutdownLeavesNothingBehind ends a server while connections are in every state that there is. Serve returns within the
// drain, and neither goroutines nor connections stay.
func TestShutdownLeavesNothingBehind(t *testing.T) {
	for name, sent := range map[string]string{
		"a connection that was silent":         "",
		"a connection between two requests":    "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"half a request":                       "GET /healthz HTTP/1.1\r\nHost: x\r\n",
		"half a body":                          post("Content-Length: 5", "x"),
		"half a request behind a whole one":    "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal",
		"an answer that nobody reads":          "GET /swagger/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n",
		"a wait":                               "GET /answer/sdp?wait=30 HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n",
		"a wait and a next request behind it":  "GET /answer/sdp?wait=30 HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"a stream of events that nobody reads": "GET /answer/events?key=k HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			known := goleak.IgnoreCurrent()
			const drain = 300 * ms
			s := serve(t, func(o *options) {
				o.config.Drain = drain
				o.config.ReadTimeout = time.Minute // which is longer, as is the default
			})
			conn, _ := s.dial(t)
			io.WriteString(conn, sent)
			s.do(t, request{line: "GET /healthz"}) // so that the server has got to the connection before
			began := time.Now()
			s.stop()
			if got := time.Since(began); got > drain+soon {
				t.Errorf("Serve returned after %v, want %v or little more", got, drain)
			}
			s.store.await(t, "k", 0)
			if err := goleak.Find(known, ignoreSleepers, ignoreDate); err != nil {
				t.Errorf("after Serve has returned: got %.100v …, want no goroutine", err)
			}
			conn.Write([]byte("\r\n\r\n")) // whatever that completes must not be served any more
			conn.SetReadDeadline(time.Now().Add(time.Second))
			if rest, err := io.ReadAll(conn); err != nil && isTimeout(err) {
				t.Errorf("the connection: got %.100q and no end, want it closed", rest)
			}
		})
	}
}

func isTimeout(err error) bool {
	netErr, ok := err.(net.Error)
	return ok && netErr.Timeout()
}

// TestRequestsAreServedUntilTheEnd sends requests all the time while the server ends: each is answered, or its connection closed
// before it was sent.
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
	config := app.DefaultConfig()
	store := newStore(t, config.Limits, 1<<20)
	defer store.Close()
	server, err := app.New(config, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := server.Serve(t.Context(), listener, nil); err == nil {
		t.Error("Serve on a closed listener: got nil, want an error")
	}
}

func TestAdminRoutes(t *testing.T) {
	config := app.DefaultConfig()
	store := newStore(t, config.Limits, 1<<20)
	defer store.Close()
	server, err := app.New(config, store, slog.New(slog.DiscardHandler))
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
	go func() { served <- server.Serve(ctx, listeners[0], listeners[1]) }()
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
