package link

import (
	"runtime"
	"sync"
)

// Task is work for a Crew. It sees to its own panics, or calls only what does.
type Task interface{ Run() }

// Crew does what there is to do for connections that have no goroutine of their own. It keeps goroutines whose stacks have grown already: a new
// one would have to grow its own. NewCrew makes one, and Dismiss lets its hands go. It is safe for concurrent use.
type Crew struct {
	// set at construction
	most int // tasks of Soon at once

	mu sync.Mutex
	// guarded by mu
	idle  []hand // that have nothing to do, the latest last
	least int    // how many of them there have been at the least since the last Trim
	queue []Task // for Soon, the first one at head
	head  int
	busy  int // hands that work on the queue, those that are blocked left out
	ended bool
}

// NewCrew returns a Crew.
func NewCrew() *Crew { return &Crew{most: 2 * runtime.GOMAXPROCS(0)} }

// Go does a task now, however long it takes: in a goroutine that nobody else waits for.
func (c *Crew) Go(t Task) {
	c.mu.Lock()
	n := len(c.idle) - 1
	if n < 0 {
		c.mu.Unlock()
		go make(hand).work(c, t)
		return
	}
	hand := c.idle[n]
	c.idle[n], c.idle = nil, c.idle[:n]
	c.least = min(c.least, n)
	c.mu.Unlock()
	hand <- t
}

// Soon does a task that takes a moment, and that may block within Blocks only: a few at once, the others wait for them. So ten thousand that come
// together need a few stacks.
func (c *Crew) Soon(t Task) {
	c.mu.Lock()
	if c.busy >= c.most {
		if c.head > len(c.queue)/2 {
			n := copy(c.queue, c.queue[c.head:])
			clear(c.queue[n:])
			c.queue, c.head = c.queue[:n], 0
		}
		c.queue = append(c.queue, t)
		c.mu.Unlock()
		return
	}
	c.busy++
	c.mu.Unlock()
	c.Go(&queued{c, t})
}

// Blocks calls f, which may block, for a task of Soon: the others do not wait for it.
func (c *Crew) Blocks(f func()) {
	c.mu.Lock()
	c.busy--
	next := c.nextLocked()
	c.mu.Unlock()
	if next != nil {
		c.Go(&queued{c, next})
	}
	defer func() { // also if f panics
		c.mu.Lock()
		c.busy++ // for a moment there may be more than most
		c.mu.Unlock()
	}()
	f()
}

// nextLocked takes the next task from the queue for a hand that is free, if there is one.
func (c *Crew) nextLocked() Task {
	if c.busy >= c.most {
		return nil
	}
	if c.head == len(c.queue) {
		c.queue, c.head = c.queue[:0], 0
		if cap(c.queue) > keptQueue {
			c.queue = nil
		}
		return nil
	}
	t := c.queue[c.head]
	c.queue[c.head] = nil
	c.head++
	c.busy++
	return t
}

const keptQueue = 1 << 10 // tasks whose room is kept

// queued are the tasks of Soon, one after the other, beginning with this one.
type queued struct {
	crew  *Crew
	first Task
}

// Run implements Task.
func (q *queued) Run() {
	c, t := q.crew, q.first
	for t != nil {
		t.Run()
		c.mu.Lock()
		c.busy--
		t = c.nextLocked()
		c.mu.Unlock()
	}
}

// hand is a goroutine of a Crew, by what it is given tasks through. It is closed to let the goroutine go.
type hand chan Task

func (h hand) work(c *Crew, t Task) {
	for t != nil {
		t.Run()
		c.mu.Lock()
		ended := c.ended
		if !ended {
			c.idle = append(c.idle, h)
		}
		c.mu.Unlock()
		if ended {
			return
		}
		t = <-h
	}
}

// Trim lets go the hands that have had nothing to do since the last call.
func (c *Crew) Trim() {
	c.mu.Lock()
	gone := append([]hand(nil), c.idle[:c.least]...)
	kept := copy(c.idle, c.idle[c.least:])
	clear(c.idle[kept:])
	c.idle = c.idle[:kept]
	c.least = kept
	c.mu.Unlock()
	for _, hand := range gone {
		close(hand)
	}
}

// Dismiss lets go all hands, those that work as soon as they have done so. What comes later is done by new ones.
func (c *Crew) Dismiss() {
	c.mu.Lock()
	c.ended, c.least = true, len(c.idle)
	c.mu.Unlock()
	c.Trim()
}
