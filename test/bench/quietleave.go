package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Clients that leave one by one: so many, and so long apart. A version that looks for them now and then has all of them leave at once, one that
// is told has time for each.
const (
	leavers    = 512
	leaveEvery = 2 * time.Millisecond
)

// measureLeaving measures how soon the server frees the connection of a client that has left while its request waited.
func measureLeaving(ctx context.Context, b *bench) error {
	env, security, err := b.certificate()
	if err != nil {
		return err
	}
	few := min(leavers, b.size.connections)
	rows := [...]struct {
		name       string
		n          int
		security   *tls.Config
		every      time.Duration // between two that leave
		leave      departure
		last       bool // what counts is the last; otherwise the 99th of 100
		limit, aim float64
	}{
		{"one by one", few, nil, leaveEvery, (*crowd).fallSilent, false, 5, 1},
		{"one by one, TLS", few, security, leaveEvery, (*crowd).fallSilent, false, 20, 5},
		{"one by one, RST", few, nil, leaveEvery, (*crowd).reset, false, 0, 0},
		{"at once", b.size.connections, nil, 0, (*crowd).fallSilent, true, 100, 20},
		{"at once, TLS", b.fewQuiet(), security, 0, (*crowd).fallSilent, true, 0, 0},
		{"at once, RST", b.size.connections, nil, 0, (*crowd).reset, true, 0, 0},
	}
	var typical, slow, last [len(rows)]series
	b.progress.rowBegins("clients that leave", 1, 1)
	err = b.turnsOf(ctx, b.few(), len(rows), func(i int) error {
		r := &rows[i]
		vars := []string{waitLong}
		if r.security != nil {
			vars = append(vars, env...)
		}
		took, end, err := leave(ctx, b, b.signalServer(vars...), &crowd{security: r.security}, r.n, r.every, r.leave)
		if err != nil {
			return fmt.Errorf("clients that leave %s: %w", r.name, err)
		}
		typical[i], slow[i], last[i] = append(typical[i], took.median()), append(slow[i], took.quantile(0.99)), append(last[i], end)
		return nil
	})
	if err != nil {
		return err
	}
	t := table{
		title: "Clients that leave",
		text: fmt.Sprintf("A client leaves while its request waits: it says that it sends nothing more (FIN), as the system does for one that is killed, and "+
			"with TLS without a goodbye. Measured is the time until the server's own FIN has come, for the server closes a connection when it frees it; after an RST, "+
			"until its number of descriptors (/proc/pid/fd) has fallen, the n-th time for the n-th that has left. One by one: %v apart. At once: from when each has left; the last column from when the last of them has left until the server has closed all. Of %d "+
			"rounds, in ms.", leaveEvery, b.few()),
		columns: []string{"", "clients", "p50", "p99", "the last of all"},
	}
	for i := range rows {
		r := &rows[i]
		t.add(r.name, fmt.Sprint(r.n), typical[i].span(2), slow[i].span(2), last[i].span(2))
		switch {
		case r.limit == 0: // in the table only
		case r.last:
			b.report.bar(fmt.Sprintf("%d clients leave at once: the last is freed, ms", r.n), last[i], 2, r.limit, r.aim)
		default:
			b.report.bar(fmt.Sprintf("clients leave %s: freed at p99, ms", r.name), slow[i], 2, r.limit, r.aim)
		}
	}
	b.report.add(t)
	return nil
}

// departure has all guests leave, one every so often. It returns how long after each had left the server had freed its connection, and how long after
// the last of all had left it had freed all, in ms.
type departure func(c *crowd, every time.Duration) (took series, last float64, err error)

// leave has n guests wait and then leave.
func leave(ctx context.Context, b *bench, c candidate, all *crowd, n int, every time.Duration, how departure) (took series, last float64, err error) {
	p, err := b.start(ctx, c)
	if err != nil {
		return nil, 0, err
	}
	defer p.stop()
	all.b, all.p = b, p
	defer all.hangUp()
	if err := all.come(n, (*crowd).waits); err != nil {
		return nil, 0, err
	}
	if err := p.settle(ctx); err != nil {
		return nil, 0, err
	}
	if err := all.check(); err != nil {
		return nil, 0, err
	}
	return how(all, every)
}

// fallSilent is a departure by FIN. The guests hear of the end of their connections.
func (c *crowd) fallSilent(every time.Duration) (took series, last float64, err error) {
	closed, err := c.expect(unix.EPOLLRDHUP)
	if err != nil {
		return nil, 0, err
	}
	defer closed.close()
	n := len(c.guests)
	left := make(map[int32]time.Time, n)
	begun := time.Now()
	for next := 0; len(took) < n; {
		for ; next < n && time.Since(begun) >= time.Duration(next)*every; next++ {
			fd := c.guests[next].fd
			left[int32(fd)] = time.Now()
			if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
				return nil, 0, fmt.Errorf("leaving: %w", err)
			}
		}
		fds, err := closed.some()
		if err != nil {
			return nil, 0, err
		}
		now := time.Now()
		for _, fd := range fds {
			at, has := left[fd]
			if !has {
				return nil, 0, errors.New("the server has closed the connection of a client that has not left")
			}
			took = append(took, milliseconds(now.Sub(at)))
		}
		if len(took) == n {
			last = milliseconds(now.Sub(left[int32(c.guests[n-1].fd)]))
		}
		if time.Since(begun) > patience {
			return nil, 0, fmt.Errorf("%d of %d clients that have left are not freed", n-len(took), n)
		}
	}
	return took, last, nil
}

// reset is a departure by RST. Only the server knows of the end of the connections then.
func (c *crowd) reset(every time.Duration) (took series, last float64, err error) {
	before, err := c.p.descriptors()
	if err != nil {
		return nil, 0, err
	}
	n := len(c.guests)
	left := make([]time.Time, 0, n)
	begun := time.Now()
	for len(took) < n {
		for ; len(left) < n && time.Since(begun) >= time.Duration(len(left))*every; left = append(left, time.Now()) {
			g := c.guests[len(left)]
			c.guests[len(left)] = nil
			if err := errors.Join(g.plain.SetLinger(0), g.plain.Close()); err != nil {
				return nil, 0, fmt.Errorf("leaving: %w", err)
			}
		}
		runtime.Gosched()
		open, err := c.p.descriptors()
		if err != nil {
			return nil, 0, err
		}
		now := time.Now()
		for len(took) < min(before-open, len(left)) {
			took = append(took, milliseconds(now.Sub(left[len(took)])))
		}
		last = milliseconds(now.Sub(left[len(left)-1]))
		if time.Since(begun) > patience {
			return nil, 0, fmt.Errorf("%d of %d clients that have left are not freed", n-len(took), n)
		}
	}
	return took, last, nil
}

// descriptors returns how many descriptors the process has open: the size of its directory since Linux 6.2, and before that what is in it.
func (p *process) descriptors() (int, error) {
	path := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	dir, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if dir.Size() > 0 {
		return int(dir.Size()), nil
	}
	all, err := os.ReadDir(path)
	return len(all), err
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// watcher looks for an event on each connection of a crowd, besides the poller, once.
type watcher struct {
	epoll  int
	events [1024]unix.EpollEvent
	fds    [1024]int32
}

// expect returns a watcher of all guests. close must follow.
func (c *crowd) expect(event uint32) (*watcher, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("a watcher: %w", err)
	}
	w := &watcher{epoll: epoll}
	for _, g := range c.guests {
		err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, g.fd, &unix.EpollEvent{Events: event | unix.EPOLLONESHOT, Fd: int32(g.fd)})
		if err != nil {
			w.close()
			return nil, fmt.Errorf("watching: %w", err)
		}
	}
	return w, nil
}

// some returns the descriptors on which the event has come since the last call, valid until the next. It does not wait.
func (w *watcher) some() ([]int32, error) {
	runtime.Gosched() // the poller must not starve
	n, err := unix.EpollWait(w.epoll, w.events[:], 0)
	if err != nil && err != unix.EINTR {
		return nil, fmt.Errorf("watching: %w", err)
	}
	for i := range max(n, 0) {
		w.fds[i] = w.events[i].Fd
	}
	return w.fds[:max(n, 0)], nil
}

func (w *watcher) close() { unix.Close(w.epoll) }
