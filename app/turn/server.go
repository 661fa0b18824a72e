// Package turn runs a STUN and TURN server (RFC 8489, RFC 8656) in this process, over UDP, TCP and TLS, with relays of UDP only. Messages, permissions
// and their times are pion's; this package owns what is around them: sockets, how long a connection may take, who may have how many relays, where these
// are, and what may pass through them.
//
//	client ──UDP──▶ datagrams ─┐                     ┌─ place: ports ─┐
//	       ──TCP──▶ stream ────┼▶ front ─▶ pion ─▶ relay ─────────────┴─▶ peer
//	       ──TLS──▶ stream ────┘    │                └─ rates
//	                       iceserver.Secrets, quotas, peers
//
// It knows neither sessions nor keys nor HTTP. Whose a credential is, it cannot tell; it counts by what stands in it.
//
// It relies on three habits of pion: messages of a socket are handled one after the other by one goroutine; an Allocate asks for the key, the quota and the
// relay, in this order; and each relay is read by a goroutine that does nothing else.
package turn

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"signal-server/app/gate/limit"
	"signal-server/app/iceserver"
)

// Server is a STUN and TURN server. Open makes one, and opens its sockets; Serve serves, once. The other methods may be called concurrently.
type Server struct {
	// set at construction
	config          Config
	secrets         *iceserver.Secrets
	log             *slog.Logger
	patience        patience
	peers           *peers
	v4, v6          *place // where relays are; nil: there are none of that family
	quotas          *quotas
	total           *rate.Limiter  // of all relays' bytes; nil: any number
	even            *rate.Limiter  // of looks for a port that is even
	unauthenticated *limit.Limiter // by network; nil: any number
	sockets         []*net.UDPConn
	listeners       []listener

	// atomic
	counts  counts
	leaving atomic.Bool

	mu sync.Mutex
	// guarded by mu
	closed  bool
	streams map[*stream]struct{} // that are open
}

// Parts are what a Server stands on. The caller still owns them.
type Parts struct {
	Secrets *iceserver.Secrets // verify credentials
	TLS     *tls.Config        // for Config.TLSListen
	Log     *slog.Logger
}

// OpenError is why Open has failed, where that is because a setting does not fit this machine.
type OpenError struct {
	Of  Setting
	Err error
}

// Setting is one of those of a Config that depend on the machine.
type Setting uint8

// The settings.
const (
	OfListen    Setting = iota // Config.Listen
	OfTLSListen                // Config.TLSListen
	OfAddresses                // Config.Addresses
)

// Error implements error. It does not name the setting, which its user knows by another name.
func (e *OpenError) Error() string { return e.Err.Error() }

// Unwrap returns the error itself.
func (e *OpenError) Unwrap() error { return e.Err }

// Open opens the sockets of a config that Validate has passed. An error of the machine is an *OpenError. The caller calls Close.
func Open(c Config, p Parts) (*Server, error) {
	s := &Server{
		config: c, secrets: p.Secrets, log: p.Log, patience: usualPatience, quotas: newQuotas(&c), total: c.TotalRate.limiter(),
		even:            newEven(),
		unauthenticated: limit.New(limit.Config{Requests: c.Unauthenticated, Clients: networks}),
		streams:         make(map[*stream]struct{}),
	}
	var err error
	if s.v4, s.v6, err = findPlaces(&c); err != nil {
		return nil, err
	}
	var relays addresses
	for _, at := range []*place{s.v4, s.v6} {
		if at != nil {
			relays.set(at.public)
		}
	}
	if s.peers, err = newPeers(&c, relays); err != nil {
		return nil, err
	}
	if err := s.open(p.TLS); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

const networks = 1 << 14 // that have lately been answered; 3 MiB

// Admit counts a connection of a client among all that a server may have, or says that it may not have one more. leave is called once, when it has
// ended.
type Admit = func(client netip.Addr) (leave func(), ok bool)

// Serve serves until Close, and returns nil then; or earlier, the error that ended it.
func (s *Server) Serve(admit Admit) error {
	for _, conn := range s.sockets {
		if err := s.newFront(func(f *front) net.PacketConn { return newDatagrams(conn, f) }); err != nil {
			return err
		}
	}
	ended := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() { ended <- s.accept(l, admit) }()
	}
	for range s.listeners {
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
}

// URIs returns the URIs by which clients reach the server: those of the config, or of its name, or of its addresses.
func (s *Server) URIs() (all []iceserver.URI) {
	for _, text := range s.config.URIs {
		u, _ := iceserver.ParseURI(text)
		all = append(all, u)
	}
	if len(all) > 0 {
		return all
	}
	if host := s.config.Host; host != "" {
		all = unencrypted(host, s.port(func(l listener) bool { return l.tls == nil }))
		if port := s.port(func(l listener) bool { return l.tls != nil }); port != 0 {
			all = append(all, iceserver.NewURI("turns", host, port, "tcp"))
		}
		return all
	}
	for _, at := range []*place{s.v4, s.v6} {
		if at != nil {
			port := s.port(func(l listener) bool { return l.tls == nil && addrPort(l.Addr()).Addr().Is6() == at.local.Is6() })
			all = append(all, unencrypted(at.public.String(), port)...)
		}
	}
	return all
}

// unencrypted returns the URIs of a listener without TLS; port 0: there is none.
func unencrypted(host string, port int) []iceserver.URI {
	if port == 0 {
		return nil
	}
	return []iceserver.URI{iceserver.NewURI("stun", host, port, ""), iceserver.NewURI("turn", host, port, "udp"), iceserver.NewURI("turn", host, port, "tcp")}
}

// Private returns the addresses of relays that are not reached from outside.
func (s *Server) Private() (all []netip.Addr) {
	for _, at := range []*place{s.v4, s.v6} {
		if at != nil && special.Contains(at.public) {
			all = append(all, at.public)
		}
	}
	return all
}

// Leave says that the server is about to end: nobody gets a new relay (508, RFC 8656, Section 7.2). Those that there are go on.
func (s *Server) Leave() { s.leaving.Store(true) }

// Close ends everything. It may be called twice.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	streams := make([]*stream, 0, len(s.streams))
	for c := range s.streams {
		streams = append(streams, c)
	}
	s.mu.Unlock()
	for _, l := range s.listeners {
		l.Close()
	}
	for _, conn := range s.sockets {
		conn.Close() // pion ends the relays of those that it reads
	}
	for _, c := range streams {
		c.Close()
	}
}

// accept serves connections until the listener is closed. A failure of one does not end it.
func (s *Server) accept(l listener, admit Admit) error {
	pause := time.Duration(0)
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.newStreamFront(conn, l.tls, admit)
		case errors.Is(err, net.ErrClosed):
			s.mu.Lock()
			closed := s.closed
			s.mu.Unlock()
			if closed {
				return nil
			}
			return err
		default:
			if pause == 0 {
				s.log.Warn("TURN cannot accept a connection, and tries again", "error", err)
			}
			pause = min(max(2*pause, minPause), maxPause)
			time.Sleep(pause)
		}
	}
}

// Between two tries to accept, as in net/http. Descriptors come back when connections end.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// newStreamFront has pion read from a connection, if there may be one more.
func (s *Server) newStreamFront(conn net.Conn, config *tls.Config, admit Admit) {
	leave, ok := admit(addrPort(conn.RemoteAddr()).Addr())
	if !ok {
		conn.Close()
		return
	}
	conn = punctual{conn, s.patience.read}
	socket := conn
	count := &s.counts.plain
	if config != nil {
		conn, count = tls.Server(conn, config), &s.counts.tls
	}
	count.Add(1)
	var c *stream
	err := s.newFront(func(f *front) net.PacketConn {
		c = newStream(conn, socket, f, func() {
			count.Add(-1)
			leave()
			s.mu.Lock()
			delete(s.streams, c)
			s.mu.Unlock()
		})
		f.empty = c.emptied
		s.mu.Lock()
		s.streams[c] = struct{}{}
		late := s.closed
		s.mu.Unlock()
		if late {
			c.Close()
		}
		return c
	})
	if err != nil {
		c.Close()
	}
}
