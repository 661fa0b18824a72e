package app

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// patrol ends connections whose client is too slow: one that does not finish its request, does not read its answer, or
// stays open between requests for too long. It walks past all of them every so often and sets a deadline in the past where
// it is due. fasthttp's own timeouts set three deadlines and ask for the time four times per request, which is 0.6 µs of
// 10; a connection under patrol costs four stores.
//
// A time limit here is kept to within one round, an eighth of the smallest.
type patrol struct {
	// set at construction, in rounds
	request, idle, reply int64

	every    time.Duration
	stopping chan struct{} // closed by stop
	stopped  sync.WaitGroup

	// atomic
	round   atomic.Int64 // counts up
	hurried atomic.Bool

	mu sync.Mutex
	// guarded by mu
	conns map[*conn]struct{}
}

// conn is a connection under patrol. Reads come from one goroutine, and so do writes.
type conn struct {
	net.Conn
	patrol *patrol
	// What the connection does and since which round: phase in the lowest bits, the round above.
	state atomic.Int64
	kept  atomic.Int32 // how many times Close is to do nothing
	rest  atomic.Bool  // the client may still be sending a request that was refused
	late  atomic.Bool  // the patrol has cut its request short

	// owned by whoever serves it: reads and writes alternate
	begun bool   // a request has begun: a byte of it has come
	fresh bool   // the first request has not begun
	dry   bool   // nothing is to be read but what fasthttp has in its buffer
	left  []byte // what was in that buffer
}

// The phases of a connection. The patrol acts on those that block.
const (
	phaseServing = iota // a request is worked on, or held by ?wait
	phaseIdle           // reading, and no request has begun
	phaseRequest        // reading a request that has begun, or the first one
	phaseReply          // writing
	phaseBits    = 2
	phaseMask    = 1<<phaseBits - 1
)

// newPatrol returns a patrol that walks until stop. reply bounds one write.
func newPatrol(request, idle, reply time.Duration) *patrol {
	every := min(max(min(request, idle, reply)/8, time.Millisecond), time.Second)
	rounds := func(d time.Duration) int64 { return int64((d + every - 1) / every) }
	p := &patrol{
		request: rounds(request), idle: rounds(idle), reply: rounds(reply),
		every:    every,
		stopping: make(chan struct{}),
		conns:    make(map[*conn]struct{}),
	}
	p.stopped.Go(p.walk)
	return p
}

// hurry says that the server is about to end: whoever has not sent a whole request yet need not go on.
func (p *patrol) hurry() {
	p.hurried.Store(true)
	p.walkPast(p.round.Load())
}

// stop ends the walk and waits for it, and closes the connections that are left.
func (p *patrol) stop() {
	close(p.stopping)
	p.stopped.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Conn.Close()
	}
}

func (p *patrol) walk() {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.walkPast(p.round.Add(1))
		case <-p.stopping:
			return
		}
	}
}

func (p *patrol) walkPast(round int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		state := c.state.Load()
		lasted := round - state>>phaseBits
		switch state & phaseMask {
		case phaseIdle:
			if lasted > p.idle || p.hurried.Load() {
				c.late.Store(true)
				c.Conn.SetReadDeadline(past)
			}
		case phaseRequest:
			if lasted > p.request || p.hurried.Load() {
				c.late.Store(true)
				c.Conn.SetReadDeadline(past)
			}
		case phaseReply:
			if lasted > p.reply {
				c.Conn.SetWriteDeadline(past)
			}
		}
	}
}

var past = time.Unix(1, 0)

// guard returns a listener whose connections are under patrol.
func (p *patrol) guard(l net.Listener) net.Listener { return &guarded{l, p} }

type guarded struct {
	net.Listener
	patrol *patrol
}

func (g *guarded) Accept() (net.Conn, error) {
	raw, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, patrol: g.patrol, fresh: true}
	c.enter(phaseServing)
	g.patrol.mu.Lock()
	g.patrol.conns[c] = struct{}{}
	g.patrol.mu.Unlock()
	return c, nil
}

// enter begins a phase now; become goes over to one that began when the last one did.
func (c *conn) enter(phase int64)  { c.state.Store(c.patrol.round.Load()<<phaseBits | phase) }
func (c *conn) become(phase int64) { c.state.Store(c.state.Load()&^phaseMask | phase) }

// Read implements net.Conn.
//
// hot: every request.
func (c *conn) Read(b []byte) (int, error) {
	if c.dry {
		return 0, errDry
	}
	if len(c.left) > 0 {
		n := copy(b, c.left)
		c.left = c.left[n:]
		return n, nil
	}
	switch {
	case c.begun, c.fresh:
		c.become(phaseRequest) // since when it began
	default:
		c.enter(phaseIdle)
	}
	n, err := c.Conn.Read(b)
	c.become(phaseServing)
	if err == io.EOF && c.begun {
		return n, io.ErrUnexpectedEOF // fasthttp gives no answer to a client that shut down its side halfway
	}
	return n, err
}

// Write implements net.Conn.
//
// hot: every answer.
func (c *conn) Write(b []byte) (int, error) {
	before := c.state.Load()
	c.enter(phaseReply)
	n, err := c.Conn.Write(b)
	c.state.Store(before) // it may have been an interim answer (100 Continue), or the one to an earlier request
	return n, err
}

// follow is told by fasthttp where in its loop the connection is: only fasthttp sees whether a byte of a next request lies in
// its buffer.
//
// hot: twice a request.
func follow(nc net.Conn, state fasthttp.ConnState) {
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	switch state {
	case fasthttp.StateActive:
		c.begun, c.fresh = true, false
		c.enter(phaseServing)
	case fasthttp.StateIdle:
		c.begun = false
	}
}

// keep makes the connection outlive its service by fasthttp, which closes a connection that was hijacked when the hijacker
// returns. What the client has sent already, a next request, is kept too.
func (c *conn) keep(hijacked net.Conn) {
	c.kept.Add(1)
	c.begun = false
	c.dry = true
	var b [512]byte
	for {
		n, err := hijacked.Read(b[:])
		c.left = append(c.left, b[:n]...)
		if err != nil {
			break
		}
	}
	c.dry = false
}

var errDry = errors.New("nothing is left in the buffer")

// SetDeadline does nothing where fasthttp, at a hijack, lifts deadlines that it has not set.
func (c *conn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	return c.Conn.SetDeadline(t)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if c.kept.Load() > 0 {
		c.kept.Add(-1)
		return nil
	}
	if c.rest.Swap(false) {
		go c.linger()
		return nil
	}
	c.patrol.mu.Lock()
	delete(c.patrol.conns, c)
	c.patrol.mu.Unlock()
	return c.Conn.Close()
}

// linger closes the connection of a client that was refused before it had sent everything. To close at once would reset the
// connection, and the reset would overtake the answer (RFC 9112, Section 9.6).
func (c *conn) linger() {
	defer c.Close()
	tcp, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || tcp.CloseWrite() != nil || c.Conn.SetReadDeadline(time.Now().Add(lingerFor)) != nil {
		return
	}
	io.CopyN(io.Discard, c.Conn, lingerBytes)
}

// A client that goes on sending after its refusal is listened to for this long, and this much.
const (
	lingerFor   = 2 * time.Second
	lingerBytes = 16 << 20
)

// NetConn returns the connection below, as tls.Conn's does.
func (c *conn) NetConn() net.Conn { return c.Conn }
