package wire

import (
	"context"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"signal-server/app/gate"
	"signal-server/app/link"
	"signal-server/cache"
)

// later is an answer that is given later: to a request that is parked, or as a stream. It owns a connection, and has no goroutine while it sleeps:
//
//	          rings ──▶ Rang ┐
//	           time ──▶ due  ├─▶ awake: errand says what there is, it is written ─▶ asleep ─▶ … ─▶ over
//	the client left ──▶ Stirred         │
//	   the server ends ──▶ closing ─────┘    by whoever rang, if it is a short way, or by a hand of the crew
//
// Whatever wakes it while it is awake is noted, and looked at before it falls asleep. So one goroutine at a time has the errand, the wait and
// the connection.
type later struct {
	// set at construction
	host   *Host
	conn   *link.Conn
	errand errand
	wait   *cache.Wait // the errand's: a call that goes on with it never stays
	hold   gate.Hold

	// owned by whoever is awake
	timer  *time.Timer // nil until it has slept
	sleeps bool        // bells ring it, and no goroutine
	over   bool        // wait and hold are given back
	unsent []byte      // of buf, what the system would not take at once
	step   step        // after that
	buf    *[]byte     // from buffers; nil: nothing is being written

	mu sync.Mutex
	// guarded by mu
	awake bool
	why   cause // it was woken since it last asked

	prev, next *later // in Host.laters
}

// errand is what a later does when it is awake.
type errand interface {
	// goOn appends to dst what the client is told now, and returns what comes when that is written. It is called again after each wake-up. It
	// blocks only within later.blocks.
	goOn(l *later, dst []byte, why cause) ([]byte, step)
	// wrote is told how much of it the client was sent.
	wrote(n int)
	// done is called once, at the end of all. broken says that there was a panic, which is a bug.
	done(broken bool)
	// until returns when to go on even if nothing wakes it.
	until() time.Time
}

// step is what comes next, when something was written.
type step uint8

const (
	stepSleep step = iota // until something wakes it
	stepMore              // there may be more to say now
	stepServe             // the connection is given back, for further requests
	stepClose             // the connection is closed
)

// cause is why a later was woken: one or more of them.
type cause uint8

const (
	rung    cause = 1 << iota // its wait has news
	due                       // it is time to look
	stirred                   // the client may have left
	closing                   // the server ends
)

// later gives the connection of a request to an errand, once the handler has returned. It reports whether it can; if it cannot, the caller
// still has wait and hold.
func (v *Visit) later(c *fasthttp.RequestCtx, e errand, wait *cache.Wait, hold gate.Hold) bool {
	h := v.Host
	wait.Stay = -1
	h.detached.Add(1)
	if link.Detach(c, func(conn *link.Conn) {
		l := &later{host: h, conn: conn, errand: e, wait: wait, hold: hold, awake: true}
		h.laters.add(l)
		select {
		case <-h.Mail.Closing():
			l.why |= closing
		default:
		}
		l.why |= due // its first look
		if conn.TLS() {
			l.why |= stirred // TLS may have read the client's end with the request; then the system has nothing more to tell
		}
		if l.short() {
			l.run(true)
		} else {
			h.crew.Soon(l)
		}
	}) {
		return true
	}
	h.detached.Add(-1)
	return false
}

// short reports whether the way from a ring to the client is short: the store answers from memory, and bytes go out as they are.
func (l *later) short() bool { return !l.conn.TLS() && !l.host.Store.Tells() }

// Rang implements cache.Sleeper.
func (l *later) Rang(*cache.Wait) bool { return l.call(rung) }

// Wake implements cache.Sleeper.
func (l *later) Wake(alone bool) {
	if alone && l.short() {
		l.run(true)
		return
	}
	l.host.crew.Soon(l)
}

// Stirred implements link.Watched.
func (l *later) Stirred() { l.wake(stirred) }

func (l *later) wake(why cause) {
	if l.call(why) {
		l.host.crew.Soon(l)
	}
}

// call notes why it is woken. It reports whether it was asleep: then the caller has it run.
func (l *later) call(why cause) (asleep bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.why |= why
	asleep = !l.awake
	l.awake = true
	return asleep
}

// Run implements link.Task, for a hand of the crew.
func (l *later) Run() { l.run(false) }

// run goes on until there is nothing more to do for now. here says that the goroutine is somebody else's, which must not block: a hand of the crew
// does the rest.
func (l *later) run(here bool) {
	defer func() {
		if r := recover(); r != nil { // a bug: it costs this one connection
			l.host.Watch.Panicked(r)
			l.end(stepClose, true)
		}
	}()
	for round := 0; ; round++ {
		if here && (len(l.unsent) > 0 || round == roundsHere) {
			l.host.crew.Soon(l)
			return
		}
		if l.buf != nil && !l.flush() {
			return
		}
		why, asleep := l.reasons()
		if asleep {
			return
		}
		switch {
		case why&stirred == 0:
		case !l.present():
			why |= gone
		case why == stirred: // needlessly
			l.rest()
			continue
		}
		l.say(why)
	}
}

// roundsHere is how often somebody else's goroutine goes on: for a message that comes alone twice, and once more.
const roundsHere = 3

// gone is a cause beside stirred: the client has left.
const gone cause = 1 << 7

// reasons takes why it was woken. Without a reason it falls asleep.
func (l *later) reasons() (why cause, asleep bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	why, l.why = l.why, 0
	l.awake = why != 0
	return why, !l.awake
}

// say lets the errand go on, and writes what the system takes at once.
func (l *later) say(why cause) {
	l.buf, _ = buffers.Get().(*[]byte)
	*l.buf, l.step = l.errand.goOn(l, (*l.buf)[:0], why)
	rest, err := *l.buf, error(nil)
	if len(rest) > 0 {
		rest, err = l.conn.WriteNow(rest)
		l.errand.wrote(len(*l.buf) - len(rest))
	}
	if l.unsent = rest; err != nil {
		l.unsent, l.step = nil, stepClose
	}
}

// flush writes what is left to write, and takes the next step. It reports whether there is more to do.
func (l *later) flush() bool {
	if len(l.unsent) > 0 {
		l.conn.Unwatch() // the patrol sees to those that write
		l.blocks(func() {
			n, err := l.conn.Write(l.unsent)
			l.errand.wrote(n)
			if err != nil { // the client has left, or was too slow and the patrol cut it off
				l.step = stepClose
			}
		})
		l.unsent = nil
	}
	if cap(*l.buf) <= keptBuffer {
		buffers.Put(l.buf)
	}
	l.buf = nil
	switch l.step {
	case stepMore:
		l.mu.Lock()
		l.why |= rung
		l.mu.Unlock()
		return true
	case stepSleep:
		l.rest()
		return true
	}
	l.end(l.step, false)
	return false
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

const keptBuffer = 32 << 10 // bytes

// rest sees to it that something wakes it.
func (l *later) rest() {
	l.conn.Watch(l)
	after := time.Until(l.errand.until())
	if l.timer == nil {
		l.timer = time.AfterFunc(after, func() { l.wake(due) })
	} else {
		l.timer.Reset(after)
	}
}

// sleep has bells ring it from now on. The error is the store's.
func (l *later) sleep() error {
	if l.sleeps {
		return nil
	}
	var err error
	l.blocks(func() { err = l.host.Mail.Sleep(context.Background(), l.wait, l) })
	l.sleeps = err == nil
	return err
}

// present reports whether the client is still there.
func (l *later) present() (is bool) {
	present := link.Present(l.conn)
	if present == nil {
		return true
	}
	l.blocks(func() { is = present() })
	return is
}

// blocks calls f, which may block unless the way is short.
func (l *later) blocks(f func()) {
	if l.short() && len(l.unsent) == 0 {
		f()
		return
	}
	l.host.crew.Blocks(f)
}

// release gives back what it has waited with, as soon as that is over: a client that has its answer may wait again.
func (l *later) release() {
	if l.over {
		return
	}
	l.over = true
	l.wait.End()
	l.hold.Release()
	if l.timer != nil {
		l.timer.Stop()
	}
}

// end is the last that is done.
func (l *later) end(s step, broken bool) {
	l.release()
	l.host.laters.remove(l)
	l.errand.done(broken)
	if s == stepServe {
		l.blocks(l.conn.Rest)
	} else {
		l.conn.Close()
	}
	l.host.detached.Add(-1)
}

// laters are all that a Host has.
type laters struct {
	mu    sync.Mutex
	first *later
}

func (a *laters) add(l *later) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.next = a.first; l.next != nil {
		l.next.prev = l
	}
	a.first = l
}

func (a *laters) remove(l *later) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case l.prev != nil:
		l.prev.next = l.next
	case a.first == l:
		a.first = l.next
	default:
		return // it is out already
	}
	if l.next != nil {
		l.next.prev = l.prev
	}
	l.prev, l.next = nil, nil
}

// wake wakes all.
func (a *laters) wake(why cause) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for l := a.first; l != nil; l = l.next {
		l.wake(why)
	}
}
