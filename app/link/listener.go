package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Listener hands out connections that are under patrol, at most Config.MaxConnections at once, and of one client at most its share. A failure to accept does not end it,
// unless the listener below is closed. Listen makes one, Stop ends it.
type Listener struct {
	// set at construction
	net.Listener
	patrol   *patrol
	limit    int
	share    int // of one client; 0: any number
	peers    Peers
	refusals Refusals
	counts   *Counts
	log      *slog.Logger

	closed    chan struct{} // closed by Close
	closeOnce sync.Once

	// owned by Accept
	logged time.Time
	warned bool // of a client that has its share
}

// Parts are what a Listener stands on. The caller still owns them.
type Parts struct {
	Peers    Peers
	Refusals Refusals
	Counts   *Counts
	Log      *slog.Logger
	// Serve serves the requests of a connection that has rested, until it ends, rests again or is detached: fasthttp.Server.ServeConn.
	Serve func(net.Conn) error
	// Crew calls Serve.
	Crew *Crew
}

// Listen puts the connections of l under patrol, which begins at once. The caller must Stop the Listener.
func Listen(l net.Listener, c Config, p Parts) *Listener {
	return &Listener{
		Listener: l, patrol: newPatrol(c.ReadTimeout, c.IdleTimeout, c.ReadTimeout, p.Crew, p.Serve, p.Refusals.NotTLS), limit: c.MaxConnections,
		share: c.MaxClientConnections.of(c.MaxConnections), peers: p.Peers, refusals: p.Refusals, counts: p.Counts, log: p.Log,
		closed: make(chan struct{}),
	}
}

// Open returns how many connections are open, without those that are turned away.
func (l *Listener) Open() int { return l.patrol.open() }

// Share returns how many connections one client may have at once; 0: any number.
func (l *Listener) Share() int { return l.share }

// Admit counts a connection of another listener of this server among those of this one, unless that would make too many of all, or of the client whose
// connections come from that address. leave is called once, when it has ended. It may be called concurrently.
func (l *Listener) Admit(from netip.Addr) (leave func(), ok bool) {
	client := l.peers.Peer(from)
	if client.IsValid() && l.peers.Connects(client) > 0 {
		l.counts.TurnedAway[Rate].Add(1)
		return nil, false
	}
	why, ok := l.patrol.admitGuest(&client, l.limit, l.share)
	if !ok {
		l.counts.TurnedAway[why].Add(1)
		return nil, false
	}
	l.counts.Accepted.Add(1)
	return func() { l.patrol.dismissGuest(client) }, true
}

// Leave says that the server is about to end. From then on a connection that is closed lingers, so that the client reads its answer
// whatever it is sending (RFC 9112, Section 9.6). The caller has answers say that they are the last ones.
func (l *Listener) Leave() { l.patrol.leaving.Store(true) }

// Drain closes the listener and ends its connections: at once those on which no request has begun, the others when they have been
// answered, which the caller sees to. A request whose first byte has come is served. One that crosses the end of its connection on the way
// is not read, so nothing of it is done. Drain returns once no connection is served and clients have seen that, or with an error when
// ctx ends.
func (l *Listener) Drain(ctx context.Context) error {
	l.Leave()
	l.Close()
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	var parting <-chan time.Time
	for {
		served, lingering := l.patrol.drain()
		switch {
		case served == 0 && lingering == 0:
			return nil
		case served == 0 && parting == nil:
			parting = time.After(partingFor)
		}
		select {
		case <-tick.C:
		case <-parting:
			return nil
		case <-ctx.Done():
			if served == 0 {
				return nil
			}
			return fmt.Errorf("%d connections were left: %w", served, ctx.Err())
		}
	}
}

const (
	drainEvery = 5 * time.Millisecond
	partingFor = 250 * time.Millisecond // for a client to close its side, and for what it has sent meanwhile: more than most round trips
)

// Stop closes the listener, ends the patrol and closes the connections that are left. It waits for the goroutines of both.
func (l *Listener) Stop() {
	l.Close()
	l.patrol.stop()
}

// Accept implements net.Listener. It is called by one goroutine.
func (l *Listener) Accept() (net.Conn, error) {
	var pause time.Duration
	for {
		raw, err := l.Listener.Accept()
		switch {
		case err == nil:
			pause = 0
			c := newConn(raw, l.patrol)
			if l.admit(c) {
				l.counts.Accepted.Add(1)
				boundSilence(c, l.patrol.silence)
				return c.Served(), nil
			}
		case !passes(err):
			return nil, err
		default:
			pause = min(max(2*pause, minPause), maxPause)
			l.failed(err, pause)
			select {
			case <-time.After(pause):
			case <-l.closed:
			}
		}
	}
}

// Close implements net.Listener. It may be called twice.
func (l *Listener) Close() error {
	l.closeOnce.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// Between two tries to accept, as in net/http. Descriptors come back when connections end.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
	logEvery = 10 * time.Second // one line, however often it fails
)

// passes reports whether an error of accept concerns one connection only, or passes once other connections have ended.
func passes(err error) bool {
	for _, passing := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR,
		syscall.ENOSPC, // of fs.epoll.max_user_watches, of which a connection takes two (epoll(7))
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (l *Listener) failed(err error, pause time.Duration) {
	n := l.counts.Failed.Add(1)
	if now := time.Now(); now.Sub(l.logged) >= logEvery {
		l.logged = now
		l.log.Warn("a connection could not be accepted", "error", err, "pause", pause, "total", n)
	}
}

// admit takes a connection under patrol, or turns it away.
func (l *Listener) admit(c *Conn) bool {
	c.client = l.peers.Peer(Address(c.socket.RemoteAddr()))
	if c.client.IsValid() {
		if after := l.peers.Connects(c.client); after > 0 {
			l.turnAway(c, Rate, after)
			return false
		}
	}
	why, admitted := l.patrol.admit(c, l.limit, l.share)
	if !admitted {
		l.turnAway(c, why, time.Second)
	}
	return admitted
}

// turnAway tells a client why it is not served, and that it may be after that time, and closes its connection.
func (l *Listener) turnAway(c *Conn, why Reason, after time.Duration) {
	n := l.counts.TurnedAway[why].Add(1)
	var answer []byte
	switch {
	case c.tls != nil: // a handshake costs more than most requests
	case why == Full:
		answer = l.refusals.Full[n%int64(len(l.refusals.Full))]
	default:
		answer = l.refusals.TooMany(after)
	}
	if why == Client && !l.warned {
		l.warned = true // once: it may go on for as long as the client likes
		l.log.Warn("a client has as many connections as one may have; if it is a proxy of many clients, --trusted-proxies has to name it",
			"client", c.client, "connections", l.share)
	}
	if c.tls == nil && l.patrol.turnAway(c, func(c *Conn) { c.tell(answer) }) {
		return
	}
	if c.tls == nil && c.socket.SetWriteDeadline(time.Now().Add(time.Millisecond)) == nil {
		c.socket.Write(answer) // it fits into the system's buffer, and gets through if the client has sent nothing yet
	}
	c.socket.Close()
}

// tell answers the first bytes that a client sends. An answer that comes before the client has asked would count as nobody's.
func (c *Conn) tell(answer []byte) {
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
