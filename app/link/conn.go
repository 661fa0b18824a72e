package link

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Conn is a connection under patrol. Reads come from one goroutine, and so do writes.
type Conn struct {
	// set at construction
	net.Conn          // what requests are read from
	socket   net.Conn // what lies below it: the same, or what TLS is spoken on
	tls      *tls.Conn
	patrol   *patrol
	fd       int32      // its descriptor; -1: it is not the system's
	client   netip.Addr // whose connection it counts as; zero: nobody's

	// What the connection does and since which tick: the phase in the lowest bits, stays, and the tick above.
	state atomic.Int64
	rest  atomic.Bool // the client may still be sending a request that was refused
	late  atomic.Bool // the patrol has cut its request short
	whole atomic.Bool // TLS is up, and no write has failed: the client gets a goodbye at the end

	// guarded by patrol.mu
	row        *row // where it stands; nil: not under patrol
	prev, next *Conn
	owner      Watched // of a parked one
	armed      uint32  // it is watched under this number; 0: it is not
	known      bool    // to the watcher
	lingers    bool    // it closes by itself
	away       bool    // it is not served

	// owned by the goroutine that serves it: reads and writes alternate. Nobody's while it rests
	since       int64 // when it began to wait for a request that has not come yet, if it rests or has rested
	woken       bool  // it has rested, and no request was answered since
	resting     bool  // fasthttp is about to let it go
	restsAtOnce bool  // its client takes its time

	begun   bool   // a request has begun: a byte of it has come
	fresh   bool   // the first request has not begun
	held    bool   // nothing can be read but what fasthttp has in its buffer
	unread  bool   // the request has a body that was not read to its end
	interim uint8  // what becomes of the interim answer
	taken   bool   // it is not fasthttp's: what comes is no request
	plain   bool   // the head of the request was surveyed, and needs no second look
	unsound bool   // what came is no head, or no sound one
	head    place  // where a head that comes in pieces goes on
	left    []byte // what was in fasthttp's buffer

	presence *presence // asks for the client; nil until somebody asks

	// The owner that waits for fasthttp to hand the connection over. fasthttp closes it instead if it cannot send the answers
	// before that one.
	unhanded func()
	handed   func() // the same, once fasthttp has handed the connection over and has only to close it
}

// newConn makes a connection for a patrol, which has still to admit it.
func newConn(raw net.Conn, p *patrol) *Conn {
	c := &Conn{Conn: raw, socket: raw, patrol: p, fresh: true, restsAtOnce: true} // most new clients ask once, and take their time
	if t, ok := raw.(*tls.Conn); ok {
		c.tls, c.socket = t, t.NetConn()
	}
	c.fd = descriptorOf(c.socket)
	c.enter(phaseServing)
	return c
}

// Of returns the Conn that fasthttp serves as nc, or nil if a Listener has not made it.
func Of(nc net.Conn) *Conn {
	switch c := nc.(type) {
	case *Conn:
		return c
	case overTLS:
		return c.Conn
	}
	return nil
}

// Served returns the connection for fasthttp to serve, or to serve on: fasthttp tells by the methods of a connection whether TLS is spoken
// on it.
func (c *Conn) Served() net.Conn {
	if c.tls != nil {
		return overTLS{c}
	}
	return c
}

// TLS reports whether TLS is spoken on the connection.
func (c *Conn) TLS() bool { return c.tls != nil }

// Refused notes that a request was refused before all of it had come, and reports whether that was because it came too slowly.
// The connection lingers when it is closed.
func (c *Conn) Refused() (late bool) {
	c.rest.Store(true)
	return c.late.Load()
}

// NetConn returns the connection below, as tls.Conn's does.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// The phases of a connection. The patrol acts on those that block.
const (
	phaseServing   = iota // a request is worked on, or waits
	phaseIdle             // reading, and no request has begun
	phaseFirst            // the same, before the first request
	phaseRequest          // reading a request that has begun
	phaseReply            // writing
	phaseHandshake        // of TLS: reading and writing
	phaseShut             // no request is served any more
	phaseKicked           // reading, and no request has begun: it is to rest
	phaseMask      = 1<<3 - 1
	stays          = 1 << 3 // beside phaseIdle and phaseFirst: it was woken in vain, and does not rest
	phaseBits      = 4
)

// enter begins a phase now; become goes over to a phase that counts from the beginning of the last one.
func (c *Conn) enter(phase int64)  { c.state.Store(c.patrol.now.Load()<<phaseBits | phase) }
func (c *Conn) become(phase int64) { c.state.Store(c.state.Load()>>phaseBits<<phaseBits | phase) }

// wake ends a phase of reading: what is left is phaseServing, which is 0. It returns what the state was, and whether what was read is served:
// either it or shut comes first.
func (c *Conn) wake() (was int64, served bool) {
	for {
		state := c.state.Load()
		if state&phaseMask == phaseShut {
			return state, false
		}
		if c.state.CompareAndSwap(state, state>>phaseBits<<phaseBits) {
			return state, true
		}
	}
}

// shut ends a connection on which no request has begun, and was in this state a moment ago. A request that comes later is not read. One whose
// first byte the system has already is served.
func (c *Conn) shut(state int64) {
	if !unread(c.socket) && c.claim(state) {
		c.rest.Store(true) // such a request may be on its way
		c.socket.SetReadDeadline(past)
	}
}

// shutHandshake ends a connection whose TLS is not up. With the end of a handshake a request may come: it is served if that was in time.
func (c *Conn) shutHandshake(state int64) {
	if c.claim(state) {
		c.socket.SetDeadline(past)
	}
}

// claim makes the connection one that is shut, if it is in that state still.
func (c *Conn) claim(state int64) bool {
	return c.state.CompareAndSwap(state, state&^phaseMask|phaseShut)
}

// Read implements net.Conn.
//
// hot: every request.
func (c *Conn) Read(b []byte) (int, error) {
	switch {
	case c.held:
		return 0, errHeld
	case c.unsound:
		return 0, errHead
	case len(c.left) > 0:
		n := copy(b, c.left)
		if c.left = c.left[n:]; len(c.left) == 0 {
			c.left = nil // up to 16 KiB, of one that may rest for long
		}
		c.follow(b[:n])
		return n, nil
	}
	switch {
	case c.state.Load()&phaseMask == phaseShut: // fasthttp reads on when a handshake has failed
		return 0, io.EOF
	case c.begun:
		c.become(phaseRequest) // since when it began
	case c.woken && c.fresh:
		c.become(phaseFirst | stays)
	case c.fresh:
		c.become(phaseFirst)
	case c.taken: // its owner reads
		c.enter(phaseIdle | stays)
	case c.woken:
		c.become(phaseIdle | stays)
	case c.restsAtOnce && c.tls == nil:
		return c.letGo(c.patrol.now.Load())
	case c.restsAtOnce: // what TLS has read already may be the next request: it reads no more than that
		c.socket.SetReadDeadline(past)
		c.enter(phaseKicked)
	default:
		c.enter(phaseIdle)
	}
	n, err := c.Conn.Read(b)
	was, served := c.wake()
	switch {
	case !served:
		return 0, io.EOF
	case was&phaseMask == phaseKicked:
		if n, err = c.kicked(n, err, was>>phaseBits); c.resting {
			return n, err
		}
	}
	c.follow(b[:n])
	switch {
	case err == io.EOF && c.begun:
		err = io.ErrUnexpectedEOF // fasthttp gives no answer to a client that shut down its side halfway
	case err != nil && !c.begun && !c.fresh:
		err = io.EOF // nor should it to one that was idle for too long, but after a wait it takes it for a new one
	}
	return n, err
}

// follow looks at what was read, if it is of a head. When that is none, the next Read fails: fasthttp reads on only if it does not see so by
// itself. A head whose beginning came together with the request before it is not followed.
//
// hot: every request.
func (c *Conn) follow(b []byte) {
	switch {
	case c.taken:
		return
	case !c.begun:
		plain, coded := survey(b)
		c.plain, c.head = plain && !coded, outside
		if plain {
			return
		}
		c.head = start
	case c.head == outside:
		return // a body
	}
	c.head = c.head.pass(b)
	c.unsound = c.head == wrong
}

// Write implements net.Conn.
//
// hot: every answer.
func (c *Conn) Write(b []byte) (int, error) {
	if c.interim == interimDue {
		return c.withoutInterim(b)
	}
	before := c.state.Load()
	c.enter(phaseReply)
	n, err := c.Conn.Write(b)
	if err != nil {
		c.whole.Store(false)
	}
	c.state.Store(before) // it may have been an interim answer (100 Continue), or the one to an earlier request
	return n, err
}

// Follow is fasthttp.Server.ConnState of a server whose connections come from a Listener. Only fasthttp sees whether a byte of a next
// request lies in its buffer.
//
// hot: twice a request.
func Follow(nc net.Conn, state fasthttp.ConnState) {
	c := Of(nc)
	if c == nil {
		return
	}
	switch state {
	case fasthttp.StateActive:
		c.begun, c.fresh = true, false
		c.enter(phaseServing)
	case fasthttp.StateIdle:
		c.endRequest()
	case fasthttp.StateClosed:
		switch {
		case c.resting:
			c.patrol.rest(c)
		case c.unhanded != nil:
			c.unhanded()
		}
	}
}

// endRequest forgets the request that was answered, or is answered elsewhere.
func (c *Conn) endRequest() {
	c.begun, c.plain, c.held, c.unread, c.interim, c.woken = false, false, false, false, interimNone, false
}

// SetDeadline does nothing where fasthttp, at a hijack, lifts deadlines that it has not set.
func (c *Conn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	return c.Conn.SetDeadline(t)
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	switch {
	case c.resting: // fasthttp has still a word to say, see Follow
		return nil
	case c.handed != nil: // it has none: what has its Close is done with it
		own := c.handed
		c.handed = nil
		own()
		return nil
	}
	if c.patrol.dismiss(c) {
		return nil
	}
	return c.socket.Close()
}

// linger closes a connection whose client was refused before it had sent everything, or hears of the end by TLS, which may block. To
// close at once would reset the connection, and the reset would overtake the answer (RFC 9112, Section 9.6).
func (c *Conn) linger() {
	defer c.leave()
	if c.whole.Load() {
		c.tls.CloseWrite() // RFC 8446, Section 6.1; the socket is closed whether or not it succeeds
	}
	if c.rest.Load() {
		c.drain()
	}
}

// drain shuts down this side of the connection, and reads until the client has shut down its own.
func (c *Conn) drain() {
	half, ok := c.socket.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.socket.SetReadDeadline(time.Now().Add(lingerFor)) != nil {
		return
	}
	io.CopyN(io.Discard, c.socket, lingerBytes)
}

// leave closes the connection now.
func (c *Conn) leave() {
	c.patrol.forget(c)
	c.socket.Close()
}

// A client that goes on sending after its refusal is listened to for this long, and this much.
const (
	lingerFor   = 2 * time.Second
	lingerBytes = 16 << 20
)
