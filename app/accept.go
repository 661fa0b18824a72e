package app

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"signal-server/custerrors"
)

// arrivals counts what became of connections. It is atomic.
type arrivals struct {
	accepted   atomic.Int64 // to be served
	turnedAway atomic.Int64 // there were Config.MaxConnections already
	failed     atomic.Int64 // accepting failed, for want of descriptors mostly
}

// TurnedAway returns how many connections were answered custerrors.ServerIsOverloaded since Config.MaxConnections others were
// open; over TLS they are closed without a word, for a handshake costs more than most requests.
func (s *Server) TurnedAway() int64 { return s.arrivals.turnedAway.Load() }

// AcceptErrors returns how often a connection could not be accepted, which was tried again.
func (s *Server) AcceptErrors() int64 { return s.arrivals.failed.Load() }

// guarded is a listener whose connections are under patrol, so many at the most, and which bears that accepting fails.
type guarded struct {
	// set at construction
	net.Listener
	patrol   *patrol
	limit    int
	arrivals *arrivals
	log      *slog.Logger
	overload [3][]byte // the answer, with a Retry-After of 1 to 3 s: those who are refused together are not to come back together

	plain []byte // the answer to a client that speaks HTTP where TLS is spoken

	closed    chan struct{} // closed by Close
	closeOnce sync.Once

	// owned by Accept
	logged time.Time
}

// guard returns the listener guarded. It is called once for each, before fasthttp gets it.
func (s *Server) guard(l net.Listener, p *patrol) *guarded {
	g := &guarded{
		Listener: l, patrol: p, limit: s.config.MaxConnections, arrivals: &s.arrivals, log: s.log,
		plain:  s.appendRefusal(nil, custerrors.RequestIsInvalid, 0),
		closed: make(chan struct{}),
	}
	for i := range g.overload {
		g.overload[i] = s.appendRefusal(nil, custerrors.ServerIsOverloaded, i+1)
	}
	return g
}

// Accept implements net.Listener. It is called by one goroutine.
func (g *guarded) Accept() (net.Conn, error) {
	var pause time.Duration
	for {
		raw, err := g.Listener.Accept()
		switch {
		case err == nil:
			pause = 0
			c := newConn(raw, g.patrol, g.plain)
			if g.patrol.admit(c, g.limit) {
				g.arrivals.accepted.Add(1)
				boundSilence(c, g.patrol.silence)
				return c.served(), nil
			}
			g.turnAway(c)
		case !passes(err):
			return nil, err
		default:
			pause = min(max(2*pause, minPause), maxPause)
			g.failed(err, pause)
			select {
			case <-time.After(pause):
			case <-g.closed:
			}
		}
	}
}

// Close implements net.Listener.
func (g *guarded) Close() error {
	g.closeOnce.Do(func() { close(g.closed) })
	return g.Listener.Close()
}

// Between two tries to accept, as in net/http. Descriptors come back when connections end.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
	logEvery = 10 * time.Second // one line, however often it fails
)

// passes reports whether an error of accept concerns one connection, or is over when others have ended.
func passes(err error) bool {
	for _, passing := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (g *guarded) failed(err error, pause time.Duration) {
	n := g.arrivals.failed.Add(1)
	if now := time.Now(); now.Sub(g.logged) >= logEvery {
		g.logged = now
		g.log.Warn("a connection could not be accepted", "error", err, "pause", pause, "total", n)
	}
}

// turnAway tells a client that there is no room, and closes.
func (g *guarded) turnAway(c *conn) {
	answer := g.overload[g.arrivals.turnedAway.Add(1)%int64(len(g.overload))]
	if c.tls == nil && g.patrol.turnAway(c, func(c *conn) { c.tell(answer) }) {
		return
	}
	if c.tls == nil && c.socket.SetWriteDeadline(time.Now().Add(time.Millisecond)) == nil {
		c.socket.Write(answer) // it fits into the system's buffer, and gets through if the client has sent nothing yet
	}
	c.socket.Close()
}

// tell answers the first that a client sends: what comes before it has asked, clients take for an answer to nobody.
func (c *conn) tell(answer []byte) {
	defer c.leave()
	if c.socket.SetDeadline(time.Now().Add(tellFor)) != nil {
		return
	}
	var b [512]byte
	if _, err := c.socket.Read(b[:]); err != nil {
		return
	}
	if _, err := c.socket.Write(answer); err == nil {
		c.drain()
	}
}

const (
	maxAway = 256                    // connections that are told at once: a goroutine each, and little more
	tellFor = 500 * time.Millisecond // a client that has connected in order to ask has asked by then
)
