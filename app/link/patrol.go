package link

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// patrol knows every connection of a Listener, and where it stands:
//
//	busy      a goroutine serves it, or it lingers, or is turned away
//	fresh     it rests: it was accepted, and nothing has come (see rest.go)
//	idle      it rests between two requests
//	parked    its owner waits for something else, without a goroutine (see watch.go)
//
// It ends connections whose client is too slow: one that does not finish its request, does not read its answer, or stays open between requests
// for too long. It walks past those that are busy every few milliseconds, past a part of them if they are many, and sets a deadline in the past
// where it is due. Those that rest stand in the order in which they went to rest. fasthttp's own timeouts set three deadlines and ask for the
// time four times per request, which is 0.6 µs of 10; a connection under patrol costs four stores.
//
// A time limit here is kept to within an eighth of the smallest, or half a second.
type patrol struct {
	// set at construction
	request, idleFor, reply int64 // time limits, in ticks

	silence  time.Duration // that a client may keep after it was written to
	tick     time.Duration // between two walks while a connection is busy
	pause    time.Duration // between two walks otherwise
	base     time.Time     // when the clock began
	crew     *Crew
	serve    func(net.Conn) error // serves requests, until a connection ends, rests or is detached
	notTLS   []byte               // Refusals.NotTLS
	watcher  watcher
	stopping chan struct{} // closed by stop
	stopped  sync.WaitGroup

	// atomic
	now      atomic.Int64 // the time, in ticks since base; it is moved on by walks, and before a connection is served
	leaving  atomic.Bool  // connections that are closed linger
	draining atomic.Bool  // connections on which no request has begun are closed

	mu sync.Mutex
	// guarded by mu
	busy, fresh, idle, parked row
	away                      int                // of those that are busy, how many are turned away
	guests                    int                // connections of other listeners
	clients                   map[netip.Addr]int // how many of the others each client has that has any
	ended                     bool
	lingering                 sync.WaitGroup // added to under mu, before ended
	armed                     armed
}

// newPatrol returns a patrol that walks until stop. reply bounds one write. The crew serves by serve connections that have rested. notTLS is
// Refusals.NotTLS.
func newPatrol(request, idle, reply time.Duration, crew *Crew, serve func(net.Conn) error, notTLS []byte) *patrol {
	least := min(request, idle, reply)
	tick := min(max(least/8, time.Millisecond), 5*time.Millisecond)
	ticks := func(d time.Duration) int64 { return int64((d + tick - 1) / tick) }
	p := &patrol{
		request: ticks(request), idleFor: ticks(idle), reply: ticks(reply),
		silence:  reply,
		tick:     tick,
		pause:    min(max(least/8, tick), 250*time.Millisecond),
		base:     time.Now(),
		crew:     crew,
		serve:    serve,
		notTLS:   notTLS,
		stopping: make(chan struct{}),
		clients:  make(map[netip.Addr]int),
	}
	p.watcher.start(p)
	p.stopped.Go(p.walk)
	return p
}

// drain ends the connections on which no request has begun, and returns how many are served still, and how many linger.
func (p *patrol) drain() (served, lingering int) {
	p.draining.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock()
	for range p.busy.n {
		p.lookLocked(p.busy.first)
	}
	for _, resting := range [...]*row{&p.fresh, &p.idle} {
		for resting.n > 0 {
			p.endRestLocked(resting.first)
		}
	}
	for c := p.busy.first; c != nil; c = c.next {
		if c.lingers {
			lingering++
		}
	}
	return p.busy.n + p.parked.n - lingering, lingering
}

// stop ends the walk and waits for it, and closes the connections that are left.
func (p *patrol) stop() {
	p.mu.Lock()
	p.ended = true // nothing is armed any more: the watcher's descriptor may soon be somebody else's
	p.mu.Unlock()
	close(p.stopping)
	p.watcher.stop()
	p.stopped.Wait()
	p.mu.Lock()
	for _, r := range [...]*row{&p.busy, &p.parked, &p.fresh, &p.idle} {
		for c := r.first; c != nil; c = c.next {
			c.socket.Close() // not TLS, which would say goodbye first
		}
	}
	p.mu.Unlock()
	p.lingering.Wait()
}

// admit takes the connection under patrol, unless that would make more than share of its client, or more than limit of all; 0 means none.
// Otherwise it says why not.
func (p *patrol) admit(c *Conn, limit, share int) (why Reason, admitted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if why, admitted = p.countLocked(&c.client, limit, share); !admitted {
		return why, false
	}
	p.clock()
	c.enter(phaseServing)
	p.busy.push(c)
	return 0, true
}

// admitGuest is admit for a connection that is not under this patrol.
func (p *patrol) admitGuest(client *netip.Addr, limit, share int) (why Reason, admitted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if why, admitted = p.countLocked(client, limit, share); admitted {
		p.guests++
	}
	return why, admitted
}

// dismissGuest counts it no more.
func (p *patrol) dismissGuest(client netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.guests--
	p.discountLocked(client)
}

// countLocked counts a connection of a client, unless there are too many. Where nobody asks whose they are, it makes client the zero Addr.
func (p *patrol) countLocked(client *netip.Addr, limit, share int) (why Reason, admitted bool) {
	switch {
	case share > 0 && client.IsValid() && p.clients[*client] >= share:
		return Client, false
	case limit > 0 && p.openLocked() >= limit:
		return Full, false
	case share == 0:
		*client = netip.Addr{}
	case client.IsValid():
		p.clients[*client]++
	}
	return 0, true
}

func (p *patrol) discountLocked(client netip.Addr) {
	switch {
	case !client.IsValid():
	case p.clients[client] > 1:
		p.clients[client]--
	default:
		delete(p.clients, client)
	}
}

// removeLocked takes a connection out of the patrol, if it is there.
func (p *patrol) removeLocked(c *Conn) {
	if c.row == nil {
		return
	}
	c.quit()
	p.disarmLocked(c)
	if c.away {
		p.away--
		return
	}
	p.discountLocked(c.client)
}

// open returns how many connections are open, those that are turned away left out.
func (p *patrol) open() int {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.openLocked()
}

func (p *patrol) openLocked() int {
	return p.busy.n + p.parked.n + p.fresh.n + p.idle.n - p.away + p.guests
}

// dismiss takes the connection out of the patrol, if it may be closed at once, or lets it linger. It reports whether it lingers.
func (p *patrol) dismiss(c *Conn) (lingers bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dismissLocked(c)
}

func (p *patrol) dismissLocked(c *Conn) (lingers bool) {
	switch {
	case c.lingers:
		return true
	case (c.rest.Load() || c.whole.Load() || p.leaving.Load()) && !p.ended:
		c.lingers = true
		if p.leaving.Load() { // a client that has not heard of it may send on, or has
			c.rest.Store(true)
		}
		p.disarmLocked(c)
		if c.owner = nil; c.row != nil {
			p.busy.push(c)
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
	p.busy.push(c)
	c.away, c.lingers = true, true
	p.lingering.Go(func() { tell(c) })
	return true
}

// clock moves the time on.
func (p *patrol) clock() { p.now.Store(int64(time.Since(p.base) / p.tick)) }

// walk walks until stop: soon again while connections are busy, and slowly otherwise.
func (p *patrol) walk() {
	timer := time.NewTimer(p.pause)
	defer timer.Stop()
	trim := time.NewTicker(trimEvery)
	defer trim.Stop()
	for {
		select {
		case <-timer.C:
			if p.walkPast() {
				timer.Reset(p.tick)
			} else {
				timer.Reset(p.pause)
			}
		case <-trim.C:
			p.crew.Trim()
		case <-p.stopping:
			return
		}
	}
}

const trimEvery = 5 * time.Second

// walkPast walks past connections, and reports whether the next walk comes soon.
func (p *patrol) walkPast() (busy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock()
	now := p.now.Load()
	for range min(p.busy.n, max(walkBatch, p.busy.n/64)) {
		p.lookLocked(p.busy.first)
	}
	due := 0
	for c := p.fresh.first; c != nil && now-c.since > p.request && due < walkBatch; c = p.fresh.first {
		due++
		p.wakeLocked(c) // fasthttp tells the client
		p.cut(c, now-c.since-p.request)
		p.crew.Go(c)
	}
	for c := p.idle.first; c != nil && now-c.since > p.idleFor && due < walkBatch; c = p.idle.first {
		due++
		p.endRestLocked(c)
	}
	return p.busy.n > 0 || due == walkBatch
}

// walkBatch is how many busy connections one walk passes, at least: some 50 µs in each tick.
const walkBatch = 1 << 10

// lookLocked looks at a connection that is busy, and puts it behind the others.
func (p *patrol) lookLocked(c *Conn) {
	p.busy.push(c)
	state := c.state.Load()
	lasted := p.now.Load() - state>>phaseBits
	switch state & phaseMask {
	case phaseIdle:
		p.endLocked(c, state, lasted-p.idleFor)
	case phaseFirst:
		p.endLocked(c, state, lasted-p.request)
	case phaseKicked: // it goes on where TLS writes to read
		p.cut(c, lasted-p.idleFor)
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

// endLocked ends a connection on which no request has begun, in that state: for so many ticks too long, or because all are ended. It sends to
// rest one that might.
func (p *patrol) endLocked(c *Conn, state, tooLong int64) {
	switch {
	case p.draining.Load():
		c.shut(state)
	case tooLong > 0:
		p.cut(c, tooLong)
	case state&stays == 0 && p.watcher.rests() && p.now.Load()-state>>phaseBits >= restAfter:
		c.kick(state)
	}
}

// cut ends the reading of a connection that has read for so many ticks too long. The answer to it can still be written.
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
