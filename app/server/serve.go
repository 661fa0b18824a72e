package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/net/netutil"

	"signal-server/app/link"
)

// Listeners are where a Server listens. Serve closes them.
type Listeners struct {
	API   net.Listener // may speak TLS
	Admin net.Listener // for operators; nil: none

	// Relay serves clients that need a relay; nil: none does.
	Relay Relay

	// Plain is for plain HTTP beside an API that speaks TLS; nil: none. Redirect says where to.
	Plain    net.Listener
	Redirect Redirect
}

// Relay is a server of relays in this process, which owns its listeners.
type Relay interface {
	// Serve serves until Close, and returns nil then; or earlier, the error that ended it. It counts connections by admit, which returns what is
	// called when one has ended, or false: there may not be one more.
	Serve(admit func(client netip.Addr) (leave func(), ok bool)) error
	// Leave says that the server is about to end: there are no new relays.
	Leave()
	// Close ends all relays. It waits for no client.
	Close()
}

// door is a listener while it is served, from accepting to draining.
type door struct {
	what     string
	serve    func() error                // until the door is shut
	shutdown func(context.Context) error // lets what runs finish
	link     *link.Listener              // nil: its connections are not under patrol
}

// doors returns a door for each listener that there is.
func (s *Server) doors(l Listeners) (all []door) {
	linked := func(what string, listener net.Listener, server *fasthttp.Server) {
		guarded := link.Listen(listener, s.bounds, link.Parts{
			Peers: s.gate, Refusals: s.refusals(), Counts: &s.counts, Log: s.watch.Log(), Serve: server.ServeConn, Crew: s.crew,
		})
		// Not fasthttp's own shutdown: it drops a request that begins as it closes the connection, and knows of none that has not.
		all = append(all, door{what, func() error { return server.Serve(guarded) }, guarded.Drain, guarded})
	}
	if l.API != nil {
		linked("requests", l.API, s.fiber.Server())
		s.api.Store(all[len(all)-1].link)
	}
	if l.Plain != nil {
		linked("plain requests", l.Plain, s.newRedirect(l.Redirect))
	}
	if l.Relay != nil {
		admit := func(netip.Addr) (func(), bool) { return func() {}, true }
		if api := s.api.Load(); api != nil {
			admit = api.Admit
		}
		shut := func(context.Context) error {
			l.Relay.Close()
			return nil
		}
		all = append(all, door{"relays", func() error { return l.Relay.Serve(admit) }, shut, nil})
	}
	if l.Admin != nil {
		bounded := netutil.LimitListener(l.Admin, adminConnections)
		all = append(all, door{"admin requests", func() error { return s.admin.Serve(bounded) }, s.admin.Shutdown, nil})
	}
	return all
}

// Serve serves on the listeners until ctx ends. Then it says that it is not ready, and that each answer is the last one of its connection. It
// serves on for Config.ShutdownDelay, stops accepting, ends all waits with custerrors.ServerIsShuttingDown, lets what has begun finish for
// at most Config.Drain, and returns nil; or earlier, the error that ended it. It closes all listeners.
func (s *Server) Serve(ctx context.Context, l Listeners) error {
	defer s.crew.Dismiss()
	doors := s.doors(l)
	type end struct {
		of  string
		err error
	}
	ends := make(chan end, len(doors)) // each sends once
	for _, d := range doors {
		if d.link != nil {
			defer d.link.Stop()
		}
		go func() { ends <- end{d.what, d.serve()} }()
	}
	serving := len(doors)
	var err error
	early := func(e end) {
		serving--
		err = fmt.Errorf("serving %s stopped: %w", e.of, e.err)
	}
	select {
	case <-ctx.Done():
		s.leave(doors)
		select {
		case <-time.After(s.config.ShutdownDelay):
		case e := <-ends:
			early(e)
		}
	case e := <-ends:
		s.leave(doors)
		early(e)
	}
	if l.Relay != nil {
		l.Relay.Leave()
	}
	s.drain(doors)
	for ; serving > 0; serving-- {
		if e := <-ends; err == nil && e.err != nil && !errors.Is(e.err, http.ErrServerClosed) {
			err = e.err
		}
	}
	return err
}

// leave has all answers say that they are the last ones.
func (s *Server) leave(doors []door) {
	s.host.Leave()
	for _, d := range doors {
		if d.link != nil {
			d.link.Leave()
		}
	}
}

// drain ends all waits, shuts the doors of clients, and waits for what runs. The operators' door is shut last: they see the server end.
func (s *Server) drain(doors []door) {
	s.host.Close()
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Drain)
	defer cancel()
	var shutting sync.WaitGroup
	for _, d := range doors {
		if d.link != nil {
			shutting.Go(func() { s.shut(ctx, d) })
		}
	}
	shutting.Wait()
	if left := s.host.Drain(ctx); left > 0 {
		s.watch.Log().Warn("connections were still open at the end of the drain", "connections", left)
	}
	for _, d := range doors {
		if d.link == nil {
			s.shut(ctx, d)
		}
	}
}

// shut shuts a door, and waits until ctx ends for what runs behind it.
func (s *Server) shut(ctx context.Context, d door) {
	if err := d.shutdown(ctx); err != nil {
		s.watch.Log().Warn(d.what+" were still running at the end of the drain", "drain", s.config.Drain, "error", err)
	}
}
