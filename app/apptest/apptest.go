// Package apptest makes servers for the tests of what talks to one, with the defaults that the program has. It knows no store: a test
// brings its own.
package apptest

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"signal-server/app/flag"
	"signal-server/app/gate"
	"signal-server/app/gate/auth"
	"signal-server/app/gate/limit"
	"signal-server/app/gate/ticket"
	"signal-server/app/iceserver"
	"signal-server/app/link"
	"signal-server/app/pages"
	"signal-server/app/server"
	"signal-server/app/watch"
	"signal-server/app/watch/accesslog"
	"signal-server/app/wire"
	"signal-server/app/wire/call"
	"signal-server/app/wire/ice"
	"signal-server/cache"
)

// Config is what a server under test is told.
type Config struct {
	Server  server.Config
	Link    link.Config
	Wire    wire.Config
	Gate    gate.Config
	Call    call.Config
	ICE     ice.Config
	Clients limit.Config
	Limits  cache.Limits

	// What may be missing.
	Guard   *auth.Guard
	Tickets *ticket.Issuer
	Access  *accesslog.Log
	Proxies limit.Proxies
	Version string
	Servers *iceserver.List // of STUN and TURN, that clients are told of

	// Wires are served beside the program's own.
	Wires []wire.Wire
}

// Defaults returns what a server is told that is told nothing.
func Defaults() (c Config) {
	flag.Defaults([]flag.TextType{flag.Text[limit.Rate], flag.Text[link.Share], flag.Text[cache.Share]},
		&c.Server, &c.Link, &c.Wire, &c.Gate, &c.Call, &c.ICE, &c.Clients, &c.Limits)
	return c
}

// New returns a server of the config, over the store, which has the config's limits. calls is its wire of docs/protocol.md.
func New(c Config, store cache.Store, log *slog.Logger) (s *server.Server, calls *call.Wire, err error) {
	calls = call.New(c.Call, c.Limits)
	servers := c.Servers
	if servers == nil {
		servers = iceserver.NewList(time.Hour)
	}
	s, err = server.New(server.Parts{
		Config: c.Server, Link: c.Link, Wire: c.Wire,
		Gate: gate.New(c.Gate, gate.Parts{
			Guard: c.Guard, Limiter: limit.New(c.Clients), Proxies: c.Proxies, Tickets: c.Tickets,
		}),
		Watch: watch.New(c.Version, c.Access, log),
		Store: store, Limits: c.Limits,
		Wires: append([]wire.Wire{calls, ice.New(c.ICE, servers), pages.New(c.Version)}, c.Wires...),
	})
	return s, calls, err
}

// Server is a server that serves.
type Server struct {
	*server.Server
	Calls *call.Wire
	Addr  string // host:port
	URL   string // without a slash at the end

	// Stop ends it, closes its store, and waits for both. The test does so at its end at the latest.
	Stop func()
}

// Serve serves on the listener, which it owns from then on, as it does the store. The test fails if it does not end as it should.
func Serve(t testing.TB, listener net.Listener, config Config, store cache.Store) *Server {
	t.Helper()
	s, calls, err := New(config, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("New: got %v, want a server", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(ctx, server.Listeners{API: listener}); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
	addr := listener.Addr().String()
	serves := &Server{Server: s, Calls: calls, Addr: addr, URL: "http://" + addr, Stop: sync.OnceFunc(func() {
		cancel()
		serving.Wait()
		if err := store.Close(); err != nil {
			t.Errorf("Close of the store: got %v, want nil", err)
		}
	})}
	t.Cleanup(serves.Stop)
	return serves
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
