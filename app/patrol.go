package app

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
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
	conns     map[*conn]struct{}
	ended     bool
	lingering sync.WaitGroup // added to under mu, before ended
}

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
	p.ended = true
	for c := range p.conns {
		c.Conn.Close()
	}
	p.mu.Unlock()
	p.lingering.Wait()
}

// dismiss takes the connection out of the patrol, if it may be closed at once, or has it linger. It reports whether it lingers.
func (p *patrol) dismiss(c *conn) (lingers bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.rest.Swap(false) && !p.ended {
		p.lingering.Go(c.linger)
		return true
	}
	delete(p.conns, c)
	return false
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
