package link

import (
	"math"
	"time"
)

// Waiting clients are watched: the patrol asks the system for all of them together, and tells the owner of a connection that stirs. The
// owner, who alone may ask TLS, then asks Present. So a client that waits costs no goroutine, timer or wake-up for it: 10,000 of them cost the
// patrol 0.7 % of a core, on two cores of an EPYC that were busy with other things.

const (
	watchEvery = 800 * time.Millisecond // a client that has left is noticed within a second
	watchBatch = 256                    // clients that are asked for by one system call: 2 KiB of stack
)

// glance is a look at one watched connection.
type glance struct {
	conn  *Conn
	fd    int32
	tls   bool
	stirs bool // its client may have left
}

// Watch has the patrol watch the client while the connection's owner waits, and does not read from it, until Unwatch. See Left. It does
// nothing to a nil Conn. It must not be called twice without Unwatch in between.
func (c *Conn) Watch() {
	if c == nil || c.present().raw == nil {
		return
	}
	c.present().look() // for fd
	if c.stirs == nil {
		c.stirs = make(chan struct{}, 1)
	}
	c.patrol.watch(c)
}

// Left returns a channel that gets something when the client of a watched connection may have left, within a second. It may get something
// needlessly. It is nil for a nil Conn, and for one that is not the system's.
func (c *Conn) Left() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.stirs
}

// Unwatch ends what Watch has begun.
func (c *Conn) Unwatch() {
	if c != nil && c.stirs != nil {
		c.patrol.unwatch(c)
	}
}

func (p *patrol) watch(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.watched = len(p.watched)
	p.watched = append(p.watched, glance{conn: c, fd: c.presence.fd, tls: c.tls != nil})
}

func (p *patrol) unwatch(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.watched) - 1
	p.watched[c.watched] = p.watched[last]
	p.watched[c.watched].conn.watched = c.watched
	p.watched[last] = glance{}
	p.watched = p.watched[:last]
	select {
	case <-c.stirs: // it has come too late
	default:
	}
}

// watchAll looks at all that are watched, the last ones first: unwatch moves the last one forward, so that none is passed over.
func (p *patrol) watchAll() {
	var batch [watchBatch]glance
	for upto := math.MaxInt; ; {
		p.mu.Lock()
		upto = min(upto, len(p.watched))
		from := max(upto-watchBatch, 0)
		n := copy(batch[:], p.watched[from:upto])
		upto = from
		p.mu.Unlock()
		if n == 0 {
			return
		}
		lookAll(batch[:n]) // not under the lock. A descriptor that is closed meanwhile may be another connection's: then nobody waits here
		p.mu.Lock()
		for _, g := range batch[:n] {
			if g.stirs && g.conn.watched < len(p.watched) && p.watched[g.conn.watched].conn == g.conn {
				select {
				case g.conn.stirs <- struct{}{}:
				default: // it knows
				}
			}
		}
		p.mu.Unlock()
	}
}
