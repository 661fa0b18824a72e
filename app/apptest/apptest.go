// Package apptest runs servers of the API for tests of clients. It knows no store: each test brings its own.
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

// Server is a running server.
type Server struct {
	*app.Server
	Addr string // host:port
	URL  string // without a slash at the end

	// Stop ends the server, closes its store, and waits for both. The test's end calls it too.
	Stop func()
}

// Serve serves on the listener. It takes over the listener and the store. The test fails if the server does not end without an error.
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
