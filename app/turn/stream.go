package turn

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"time"
)

// stream is a connection that one client speaks over, as pion reads it: messages stand in it one behind the other (RFC 8656, Section 12.5). pion has
// a reader of streams of its own, which goes one call deeper for each piece of a message that comes.
//
//	accepted ──first message, 10 s──▶ without a relay, 5 min ──▶ with one, any time
type stream struct {
	// set at construction
	net.Conn
	socket net.Conn // below TLS
	front  *front
	over   time.Time // when the first message has to be there
	left   func()    // called once, when it is closed

	mu sync.Mutex // also over the deadline that it guards
	// guarded by mu
	begun  bool // the first message was there
	closed bool

	// owned by the reader
	buffered *bufio.Reader
	whole    []byte // the message that stands in buffered before the next
}

// patience is how long a client of a connection may take.
type patience struct {
	first time.Duration // for TLS, and the first message
	idle  time.Duration // for the next one, without a relay
	read  time.Duration // what was sent
}

var usualPatience = patience{
	first: 10 * time.Second, // as a request of HTTP has
	idle:  5 * time.Minute,  // a client that only wants to know its address is done long before
	read:  10 * time.Second, // meanwhile the system keeps, and drops, what comes for it
}

func newStream(conn, socket net.Conn, f *front, left func()) *stream {
	return &stream{Conn: conn, socket: socket, front: f, left: left, over: time.Now().Add(f.server.patience.first), buffered: bufio.NewReaderSize(conn, 2*maxMessage)}
}

// errNoMessage says that what came is no message of STUN or TURN.
var errNoMessage = errors.New("no message of STUN or TURN")

// ReadFrom implements net.PacketConn. An error is the end of the connection.
func (s *stream) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := s.read(p)
	if err != nil {
		s.front.begins(nil)
		s.Close()
		return 0, nil, err
	}
	if isBinding(p[:n]) {
		s.front.server.counts.bindings.Add(1)
	}
	s.front.begins(p[:n])
	return n, s.RemoteAddr(), nil
}

func (s *stream) read(p []byte) (int, error) {
	s.buffered.Discard(len(s.whole))
	s.whole = nil
	if err := s.await(); err != nil {
		return 0, err
	}
	head, err := s.buffered.Peek(channelHeader)
	if err != nil {
		return 0, err
	}
	n := lengthOf(head)
	if n == 0 || n >= min(len(p), maxMessage) {
		return 0, errNoMessage
	}
	if s.whole, err = s.buffered.Peek(n); err != nil {
		return 0, err
	}
	if !isSound(s.whole) || isOverlong(s.whole) {
		return 0, errNoMessage
	}
	s.mu.Lock()
	s.begun = true
	s.mu.Unlock()
	return copy(p, s.whole), nil
}

// await sets how long the client may be silent from now on.
func (s *stream) await() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return net.ErrClosed
	case !s.begun:
		return s.SetReadDeadline(s.over)
	case s.front.busy():
		return s.SetReadDeadline(time.Time{})
	default:
		return s.SetReadDeadline(time.Now().Add(s.front.server.patience.idle))
	}
}

// emptied is called when the client's relay has ended.
func (s *stream) emptied() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.SetReadDeadline(time.Now().Add(s.front.server.patience.idle))
	}
}

// WriteTo implements net.PacketConn. It is called by two goroutines, pion's reader of the client and that of its relay. A client that does not read is
// cut off.
func (s *stream) WriteTo(p []byte, _ net.Addr) (int, error) {
	n, err := s.Write(p)
	if err != nil {
		s.Close() // part of a message may have been sent
	}
	return n, err
}

// Close implements net.PacketConn. It may be called twice.
func (s *stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.left()
	return s.socket.Close() // TLS would say goodbye first, and wait for it
}

// punctual is a connection on which no write takes longer than its patience. TLS writes where it reads, too: the answer to a KeyUpdate (RFC 8446,
// Section 4.6.3).
type punctual struct {
	net.Conn
	patience time.Duration
}

// Write implements net.Conn. After an error the connection is closed: part of a record may have been sent.
func (p punctual) Write(b []byte) (int, error) {
	p.SetWriteDeadline(time.Now().Add(p.patience))
	n, err := p.Conn.Write(b)
	if err != nil {
		p.Conn.Close()
	}
	return n, err
}
