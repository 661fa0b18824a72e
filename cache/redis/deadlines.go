package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadlines bounds how long calls take, without an allocation for each, nor a look at the clock. Calls that begin within the same eighth of
// the timeout share a moment, and so its Context. It is cancelled when the timeout is over for the last of them.
type deadlines struct {
	// set at construction
	base     time.Time // when the node's clock was zero
	stopping chan struct{}
	stopped  sync.WaitGroup

	// atomic
	current atomic.Pointer[moment]
}

// moment is when some calls began.
type moment struct {
	ctx   context.Context // it ends a timeout and an eighth after begun
	begun time.Duration   // on the node's clock; the calls began then, or up to an eighth of the timeout later
}

const deadlineSlices = 8

func newDeadlines(timeout time.Duration) *deadlines {
	d := &deadlines{base: time.Now(), stopping: make(chan struct{})}
	cancel := d.next()
	d.stopped.Go(func() { d.rotate(timeout/deadlineSlices, cancel) })
	return d
}

// now is the node's clock.
func (d *deadlines) now() time.Duration { return time.Since(d.base) }

// moment returns the one that begins now.
func (d *deadlines) moment() *moment { return d.current.Load() }

// context returns a Context that ends when the timeout is over, or up to an eighth of it later.
func (d *deadlines) context() context.Context { return d.moment().ctx }

// next begins a moment.
func (d *deadlines) next() context.CancelFunc {
	ctx, cancel := context.WithCancel(context.Background())
	d.current.Store(&moment{ctx, d.now()})
	return cancel
}

func (d *deadlines) rotate(slice time.Duration, cancel context.CancelFunc) {
	tick := time.NewTicker(slice)
	defer tick.Stop()
	var cancels [deadlineSlices + 1]context.CancelFunc
	cancels[0] = cancel
	for next := 1; ; next = (next + 1) % len(cancels) {
		select {
		case <-tick.C:
			if cancels[next] != nil {
				cancels[next]() // it was the current one until deadlineSlices ticks ago
			}
			cancels[next] = d.next()
		case <-d.stopping:
			for _, cancel := range cancels {
				if cancel != nil {
					cancel()
				}
			}
			return
		}
	}
}

// close ends all calls that are under way.
func (d *deadlines) close() {
	close(d.stopping)
	d.stopped.Wait()
}
