package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// poller wakes goroutines that wait for something to read. Unlike Go's own poller it asks the kernel over and over and never sleeps. A
// load that sleeps is woken by each answer of a server that is slower than the load, and the server's process pays for the waking: a
// slow server would look slower than it is.
type poller struct {
	// set at construction
	epoll   int
	timeout int // ms
	stopped sync.WaitGroup

	mu sync.Mutex
	// guarded by mu
	sockets map[int32]*socket
	closed  bool
	some    *sync.Cond // signals that there is a socket, or that the poller is closed: until then it does sleep
}

// socket is a TCP connection of the load under a poller. It is a net.Conn without deadlines. Reading and writing are for one
// goroutine each.
type socket struct {
	poller *poller
	fd     int
	ready  chan struct{} // capacity 1: there may be something to read
	over   chan struct{} // closed when the wait is over
	end    func()        // closes it, once
	expiry *time.Timer   // calls end
}

// patience bounds the life of a connection: an answer that has not come by then is lost.
const patience = 2 * time.Minute

// newPoller returns a poller that runs until close. Unless it is alone on its core it leaves the core to others at times.
func newPoller(alone bool) (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("a poller: %w", err)
	}
	p := &poller{epoll: epoll, sockets: make(map[int32]*socket)}
	p.some = sync.NewCond(&p.mu)
	if !alone {
		p.timeout = 1
	}
	p.stopped.Go(p.run)
	return p, nil
}

func (p *poller) close() {
	p.mu.Lock()
	p.closed = true
	p.some.Signal()
	p.mu.Unlock()
	p.stopped.Wait()
	unix.Close(p.epoll)
}

func (p *poller) run() {
	events := make([]unix.EpollEvent, 2*atOnce)
	for {
		n, err := unix.EpollWait(p.epoll, events, p.timeout)
		if err != nil && err != unix.EINTR {
			panic("BUG: polling: " + err.Error())
		}
		p.mu.Lock()
		for len(p.sockets) == 0 && !p.closed {
			p.some.Wait()
		}
		closed := p.closed
		for i := range max(n, 0) {
			if s := p.sockets[events[i].Fd]; s != nil {
				select {
				case s.ready <- struct{}{}:
				default: // it has been woken already
				}
			}
		}
		p.mu.Unlock()
		if closed {
			return
		}
		runtime.Gosched() // the goroutines that were woken run first
	}
}

// dial connects to host:port, host being an IPv4 address.
func (p *poller) dial(address string) (*socket, error) {
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("a socket: %w", err)
	}
	s := &socket{poller: p, fd: fd, ready: make(chan struct{}, 1), over: make(chan struct{})}
	s.end = sync.OnceFunc(func() { close(s.over) })
	s.expiry = time.AfterFunc(patience, s.end)
	if err := s.connect(to); err != nil {
		s.Close()
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	return s, nil
}

func (s *socket) connect(to *net.TCPAddr) error {
	if err := unix.Connect(s.fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}); err != nil {
		return err
	}
	err := errors.Join(unix.SetNonblock(s.fd, true), unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	if err != nil {
		return err
	}
	s.poller.mu.Lock()
	s.poller.sockets[int32(s.fd)] = s
	s.poller.some.Signal()
	s.poller.mu.Unlock()
	return unix.EpollCtl(s.poller.epoll, unix.EPOLL_CTL_ADD, s.fd,
		&unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(s.fd)})
}

// Read implements net.Conn.
func (s *socket) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(s.fd, b)
		switch {
		case err == nil && n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err != unix.EAGAIN && err != unix.EINTR:
			return 0, fmt.Errorf("reading: %w", err)
		}
		if err := s.wait(); err != nil {
			return 0, err
		}
	}
}

var errOver = errors.New("nothing has come, and nobody waits any longer")

// wait returns when there may be something to read.
func (s *socket) wait() error {
	select {
	case <-s.ready:
		return nil
	case <-s.over:
		return errOver
	}
}

// Write implements net.Conn.
func (s *socket) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		n, err := unix.Write(s.fd, b[written:])
		switch {
		case err == nil:
			written += n
		case err == unix.EAGAIN || err == unix.EINTR: // seldom: the kernel takes more than any request has
			runtime.Gosched()
		default:
			return written, fmt.Errorf("writing: %w", err)
		}
	}
	return written, nil
}

// Close implements net.Conn. It is called once.
func (s *socket) Close() error {
	s.expiry.Stop()
	s.end()
	s.poller.mu.Lock()
	delete(s.poller.sockets, int32(s.fd))
	s.poller.mu.Unlock()
	return unix.Close(s.fd)
}

func (s *socket) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *socket) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *socket) SetDeadline(time.Time) error      { return nil }
func (s *socket) SetReadDeadline(time.Time) error  { return nil }
func (s *socket) SetWriteDeadline(time.Time) error { return nil }
