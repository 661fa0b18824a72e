package link

import (
	"net/netip"
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

	silence  time.Duration // that a client may keep after it was written to
	every    time.Duration
	stopping chan struct{} // closed by stop
	stopped  sync.WaitGroup

	// atomic
	round    atomic.Int64 // counts up
	leaving  atomic.Bool  // connections that are closed linger
	draining atomic.Bool  // connections on which no request has begun are closed

	mu sync.Mutex
	// guarded by mu
	conns     map[*Conn]struct{}
	watched   []glance           // of conns, those whose client is watched
	away      int                // of conns, those that are turned away
	clients   map[netip.Addr]int // how many of the others each client has, who has any
	ended     bool
	lingering sync.WaitGroup // added to under mu, before ended
}

// newPatrol returns a patrol that walks until stop. reply bounds one write.
func newPatrol(request, idle, reply time.Duration) *patrol {
	every := min(max(min(request, idle, reply)/8, time.Millisecond), time.Second)
	rounds := func(d time.Duration) int64 { return int64((d + every - 1) / every) }
	p := &patrol{
		request: rounds(request), idle: rounds(idle), reply: rounds(reply),
		silence:  reply,
		every:    every,
		stopping: make(chan struct{}),
		conns:    make(map[*Conn]struct{}),
		clients:  make(map[netip.Addr]int),
	}
	p.stopped.Go(p.walk)
	return p
}

// drain ends the connections on which no request has begun, and returns how many are served still, and how many linger.
func (p *patrol) drain() (served, lingering int) {
	p.draining.Store(true)
	p.walkPast(p.round.Load())
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if c.lingers {
			lingering++
		} else {
			served++
		}
	}
	return served, lingering
}

// stop ends the walk and waits for it, and closes the connections that are left.
func (p *patrol) stop() {
	close(p.stopping)
	p.stopped.Wait()
	p.mu.Lock()
	p.ended = true
	for c := range p.conns {
		c.socket.Close() // not TLS, which would say goodbye first
	}
	p.mu.Unlock()
	p.lingering.Wait()
}

// admit takes the connection under patrol, unless that would make more than share of its client, or more than limit of all; 0 means none.
// Otherwise it says why not.
func (p *patrol) admit(c *Conn, limit, share int) (why Reason, admitted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case share > 0 && c.client.IsValid() && p.clients[c.client] >= share:
		return Client, false
	case limit > 0 && len(p.conns)-p.away >= limit:
		return Full, false
	}
	p.conns[c] = struct{}{}
	if share == 0 {
		c.client = netip.Addr{} // nobody asks
	}
	if c.client.IsValid() {
		p.clients[c.client]++
	}
	return 0, true
}

// removeLocked takes a connection out of the patrol, if it is there.
func (p *patrol) removeLocked(c *Conn) {
	if _, there := p.conns[c]; !there {
		return
	}
	delete(p.conns, c)
	switch {
	case c.away:
		p.away--
	case !c.client.IsValid():
	case p.clients[c.client] > 1:
		p.clients[c.client]--
	default:
		delete(p.clients, c.client)
	}
}

// open returns how many connections are open, those that are turned away left out.
func (p *patrol) open() int {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) - p.away
}

// dismiss takes the connection out of the patrol, if it may be closed at once, or lets it linger. It reports whether it lingers.
func (p *patrol) dismiss(c *Conn) (lingers bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.lingers:
		return true
	case (c.rest.Load() || c.whole.Load() || p.leaving.Load()) && !p.ended:
		c.lingers = true
		if p.leaving.Load() { // a client that has not heard of it may send on, or has
			c.rest.Store(true)
		}
		p.lingering.Go(c.linger)
		return true
	}
	p.removeLocked(c)
	return false
}

// forget takes out of the patrol a connection that has lingered.
func (p *patrol) forget(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.removeLocked(c)
}

// turnAway lets a connection linger that admit has not taken, and calls tell meanwhile. It reports whether it may: only so many clients
// are told at once.
func (p *patrol) turnAway(c *Conn, tell func(*Conn)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.away >= maxAway {
		return false
	}
	p.away++
	p.conns[c] = struct{}{}
	c.away, c.lingers = true, true
	p.lingering.Go(func() { tell(c) })
	return true
}

func (p *patrol) walk() {
	tick, watch := time.NewTicker(p.every), time.NewTicker(watchEvery)
	defer tick.Stop()
	defer watch.Stop()
	for {
		select {
		case <-tick.C:
			p.walkPast(p.round.Add(1))
		case <-watch.C:
			p.watchAll()
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
			p.end(c, state, lasted-p.idle)
		case phaseFirst:
			p.end(c, state, lasted-p.request)
		case phaseRequest:
			p.cut(c, lasted-p.request)
		case phaseReply:
			if lasted > p.reply {
				c.socket.SetWriteDeadline(past)
			}
		case phaseHandshake:
			if lasted > p.request || p.draining.Load() { // it is not a request yet
				c.shutHandshake(state)
			}
		}
	}
}

// end ends a connection on which no request has begun, in that state: for so many rounds too long, or because all are ended.
func (p *patrol) end(c *Conn, state, tooLong int64) {
	if p.draining.Load() {
		c.shut(state)
		return
	}
	p.cut(c, tooLong)
}

// cut ends the reading of a connection that has read for so many rounds too long. The answer to it can still be written.
func (p *patrol) cut(c *Conn, tooLong int64) {
	if tooLong <= 0 {
		return
	}
	c.late.Store(true)
	c.socket.SetReadDeadline(past)
	if tooLong > p.reply { // TLS may write to read: the answer to a KeyUpdate (RFC 8446, Section 4.6.3)
		c.socket.SetWriteDeadline(past)
	}
}

var past = time.Unix(1, 0)
