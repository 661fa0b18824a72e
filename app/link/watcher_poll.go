//go:build unix && !linux

package link

import (
	"time"

	"golang.org/x/sys/unix"
)

// watcher asks the system for all parked connections together, again and again. A client that has left is noticed within a second. Connections do
// not rest here: each keeps its goroutine.
type watcher struct {
	stopping chan struct{}
}

const watchEvery = 800 * time.Millisecond

func (w *watcher) start(p *patrol) {
	w.stopping = make(chan struct{})
	p.stopped.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.lookAtAll()
			case <-w.stopping:
				return
			}
		}
	})
}

func (w *watcher) stop() { close(w.stopping) }

func (*watcher) rests() bool { return false }

func (*watcher) arm(*Conn, uint32, concern) bool { return true }

// lookAtAll looks at all connections that are armed, by one system call for a batch of them.
func (p *patrol) lookAtAll() {
	var all [stirBatch]stir
	var poll [stirBatch]unix.PollFd
	for from := 0; ; {
		n := 0
		p.mu.Lock()
		for ; from < len(p.armed.byFD) && n < stirBatch; from++ {
			if c := p.armed.byFD[from]; c != nil {
				all[n] = stir{fd: c.fd, armed: c.armed}
				poll[n] = unix.PollFd{Fd: c.fd, Events: unix.POLLIN}
				n++
			}
		}
		p.mu.Unlock()
		if n == 0 {
			return
		}
		if _, err := unix.Poll(poll[:n], 0); err != nil {
			continue // interrupted, or no memory: the next round looks again
		}
		heard := all[:0]
		for i := range n {
			if poll[i].Revents != 0 {
				heard = append(heard, all[i])
			}
		}
		p.stirred(heard)
	}
}

// holds reports whether the system has something that the client has sent: only a connection that rests is asked for.
func holds(int32) bool { return true }
