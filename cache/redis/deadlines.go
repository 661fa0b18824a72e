package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadlines bounds how long calls take, without an allocation for each. Calls that begin within the same eighth of the timeout share
// one Context. It is cancelled when the timeout is over for the last of them.
type deadlines struct {
	current  atomic.Pointer[context.Context]
	stopping chan struct{}
	stopped  sync.WaitGroup
}

const deadlineSlices = 8

func newDeadlines(timeout time.Duration) *deadlines {
	d := &deadlines{stopping: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	d.current.Store(&ctx)
	d.stopped.Go(func() { d.rotate(timeout/deadlineSlices, cancel) })
	return d
}

// context returns a Context that ends when the timeout is over, or up to an eighth of it later.
func (d *deadlines) context() context.Context { return *d.current.Load() }

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
			var ctx context.Context
			ctx, cancels[next] = context.WithCancel(context.Background())
			d.current.Store(&ctx)
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
