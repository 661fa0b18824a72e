package link

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// watcher is one epoll set, which is itself watched by Go's poller: a thread of its own that blocks in epoll_wait would cost each wake-up half as
// much again.
//
//	connection ─▶ this set ─▶ Go's ─▶ the goroutine that hears ─▶ patrol
//
// A connection is added to the set once and armed by a change, for one event; the system takes it out when it is closed.
type watcher struct {
	file *os.File
	raw  syscall.RawConn
	fd   int
}

// start begins to hear, until stop. Where the system has no descriptor for it nothing is watched.
func (w *watcher) start(p *patrol) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return
	}
	if err := unix.SetNonblock(fd, true); err != nil { // which makes Go watch it
		unix.Close(fd)
		return
	}
	w.fd = fd
	w.file = os.NewFile(uintptr(fd), "epoll")
	if w.raw, err = w.file.SyscallConn(); err != nil {
		w.file.Close()
		w.file = nil
		return
	}
	p.stopped.Go(func() { w.hear(p) })
}

func (w *watcher) stop() {
	if w.file != nil {
		w.file.Close()
	}
}

// rests reports whether connections can rest.
func (w *watcher) rests() bool { return w.file != nil }

// hear passes on what it hears.
func (w *watcher) hear(p *patrol) {
	var events [stirBatch]unix.EpollEvent
	var heard [stirBatch]stir
	for {
		n := 0
		err := w.raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events[:], 0) // which is not interrupted where it does not wait
			return n != 0
		})
		if err != nil || n <= 0 {
			return // it was stopped
		}
		for i, e := range events[:n] {
			heard[i] = stir{fd: e.Fd, armed: uint32(e.Pad), left: e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0} // #nosec G115 -- as it was put
		}
		p.stirred(heard[:n])
	}
}

// arm has the system tell of one event of the connection, under that number. It reports whether it can. The caller holds the patrol's lock, so
// that the connection is not closed meanwhile.
func (w *watcher) arm(c *Conn, number uint32, what concern) bool {
	if w.file == nil {
		return false
	}
	e := unix.EpollEvent{Events: unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: c.fd, Pad: int32(number)} // #nosec G115 -- all 32 bits
	if what == forRequest || c.tls != nil && len(c.left) < maxAhead {
		e.Events |= unix.EPOLLIN
	}
	op := unix.EPOLL_CTL_MOD
	if !c.known {
		op = unix.EPOLL_CTL_ADD
	}
	if unix.EpollCtl(w.fd, op, int(c.fd), &e) != nil {
		return false
	}
	c.known = true
	return true
}

// holds reports whether the system has something that the client has sent, before the end.
func holds(fd int32) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == nil && n > 0 || err == unix.EINTR
}
