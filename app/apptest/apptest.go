// Package apptest runs servers of the API for the tests of what talks to one. It knows no store: a test brings its own.
package apptest

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"

	"signal-server/app"
	"signal-server/cache"
)

// Server is a server that serves.
type Server struct {
	*app.Server
	Addr string // host:port
	URL  string // without a slash at the end

	// Stop ends it, closes its store, and waits for both. The test does so at its end at the latest.
	Stop func()
}

// Serve serves on the listener, which it owns from then on, as it does the store. The test fails if it does not end as it should.
func Serve(t testing.TB, listener net.Listener, config app.Config, store cache.Store) *Server {
	t.Helper()
	server, err := app.New(config, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("app.New: got %v, want a server", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(ctx, listener, nil); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
	addr := listener.Addr().String()
	s := &Server{Server: server, Addr: addr, URL: "http://" + addr, Stop: sync.OnceFunc(func() {
		cancel()
		serving.Wait()
		if err := store.Close(); err != nil {
			t.Errorf("Close of the store: got %v, want nil", err)
		}
	})}
	t.Cleanup(s.Stop)
	return s
}

// Listen listens on a free port of the loopback.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
