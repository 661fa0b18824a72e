package link

import (
	"errors"
	"io"
	"os"
	"time"
)

// A connection between two requests rests: fasthttp gets the end to read, and gives back the request, its buffers and the goroutine. Close does
// nothing then, and when fasthttp has let go of it, the watcher has it, until the next request comes.
//
//	     request ─▶ served ─▶ Read at the boundary ── a few ms ──▶ kick ─▶ "the end" ─▶ StateClosed ─▶ rest
//	                   ▲                     └── as the last times: at once ──▲                          │
//	                   └──────────── a hand of the crew ◀── bytes ◀── watcher ◀──────────────────────────┘
//
// Whoever comes back soon after it went to rest stays with its goroutine the next time: to rest costs more than to wait for a few ms.

// restAfter is for how many ticks a connection waits for the next request with a goroutine.
const restAfter = 4

// kick makes a connection rest that has read for so long in this state. The patrol's lock is held.
func (c *Conn) kick(state int64) {
	if c.state.CompareAndSwap(state, state&^phaseMask|phaseKicked) {
		c.socket.SetReadDeadline(past)
	}
}

// kicked ends what a kick has begun, and returns what Read returns: what has come all the same, or the end that makes fasthttp let go.
func (c *Conn) kicked(n int, err error, since int64) (int, error) {
	c.patrol.mu.Lock() // until then the deadline may be on its way
	c.socket.SetReadDeadline(time.Time{})
	c.patrol.mu.Unlock()
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	c.restsAtOnce = true
	return c.letGo(since)
}

// letGo makes fasthttp let go of the connection, which has waited for a request since then.
func (c *Conn) letGo(since int64) (int, error) {
	c.resting, c.since = true, since
	return 0, io.EOF
}

// Rest gives the connection back to be served, with the next request: its owner has answered the one for which it was detached, and does
// not use it any more. Over TLS it may take some ms.
func (c *Conn) Rest() {
	c.taken = false
	ended := false
	if there := c.present().is; c.tls != nil && there != nil {
		ended = !there() // it keeps what TLS has read ahead, of which the system does not tell
	}
	p := c.patrol
	p.mu.Lock()
	p.clock()
	c.since = p.now.Load()
	c.unwatchLocked()
	switch {
	case ended || len(c.left) > 0 || !p.watcher.rests():
		p.wakeLocked(c)
		p.mu.Unlock()
		p.crew.Go(c)
	default:
		p.restLocked(c)
		p.mu.Unlock()
	}
}

// rest gives to the watcher a connection that fasthttp has let go.
func (p *patrol) rest(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.restLocked(c)
}

func (p *patrol) restLocked(c *Conn) {
	c.resting = false
	if c.fresh {
		p.fresh.push(c)
	} else {
		p.idle.push(c)
	}
	switch {
	case p.ended:
		c.socket.Close()
	case p.draining.Load():
		p.endRestLocked(c)
	case !p.armLocked(c, forRequest):
		p.wakeLocked(c) // the system has no memory for it
		p.crew.Go(c)
	}
}

// wakeLocked makes a connection that has rested one that is served. Until a request of it is answered it does not rest again.
func (p *patrol) wakeLocked(c *Conn) {
	p.disarmLocked(c)
	p.busy.push(c)
	if p.now.Load()-c.since < restAfter {
		c.restsAtOnce = false
	}
	c.woken = true
	c.state.Store(c.since << phaseBits)
}

// endRestLocked ends a connection that rests. One whose next request has begun to come is served.
func (p *patrol) endRestLocked(c *Conn) {
	comes := unread(c.socket)
	p.wakeLocked(c)
	if comes {
		p.crew.Go(c)
		return
	}
	if p.draining.Load() {
		c.rest.Store(true) // such a request may be on its way
	}
	p.closeLocked(c)
}

// closeLocked closes a connection that is nobody's.
func (p *patrol) closeLocked(c *Conn) {
	if !p.dismissLocked(c) {
		c.socket.Close()
	}
}

// Run implements Task: it serves a connection that has rested.
func (c *Conn) Run() {
	c.patrol.serve(c.Served()) // which has closed it, or it rests, or is detached
}
