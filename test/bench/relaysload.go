package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	relayClients = 10
	packetBytes  = 1000 // of payload: about what a packet of video has
)

// talk is clients in pairs, of which each sends to its partner by both their relays. One goroutine does it all, without Go's poller: it asks the kernel
// over and over, so that the server does not pay for waking it (see poller).
//
//	client ──channel──▶ its relay ──▶ its partner's relay ──channel──▶ partner
type talk struct {
	// set at construction
	b       *bench
	clients []*speaker
	epoll   int
	timeout int // ms
}

// speaker is one of the clients.
type speaker struct {
	*relayClient
	fd      int
	partner *speaker
	out     []byte // the packet that was sent last, as it went

	sent, heard uint32 // the number of the last packet: its own, and its partner's
	before      uint32 // that of its own before this go
}

// newSpeaker makes the n-th client. Each one's packets are others.
func newSpeaker(c *relayClient, n int) *speaker {
	s := &speaker{relayClient: c, out: make([]byte, channelHead+packetBytes)}
	binary.BigEndian.PutUint16(s.out, relayChannel)
	binary.BigEndian.PutUint16(s.out[2:], packetBytes)
	for i := range s.out[channelHead:] {
		s.out[channelHead+i] = byte(n + i)
	}
	return s
}

// numbered returns the packet of that number, until the next call.
func (s *speaker) numbered(n uint32) []byte {
	binary.BigEndian.PutUint32(s.out[channelHead:], n)
	return s.out
}

const channelHead = 4 // bytes: number and length (RFC 8656, Section 12.4)

// newTalk makes n clients of a process, an even number, with relays and channels. hangUp must follow.
func newTalk(b *bench, p *process, n int) (t *talk, err error) {
	t = &talk{b: b, epoll: -1}
	defer func() {
		if err != nil {
			t.hangUp()
		}
	}()
	if b.cores.count == 1 {
		t.timeout = 1
	}
	for i := range n {
		c, err := dialRelay(p.turnAddress(), i)
		if err != nil {
			return t, fmt.Errorf("%w\n%s", err, p.log.String())
		}
		t.clients = append(t.clients, newSpeaker(c, i))
	}
	if t.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return t, err
	}
	for i, s := range t.clients {
		s.partner = t.clients[i^1]
		if err := s.bind(s.partner.relay); err != nil {
			return t, err
		}
		raw, err := s.conn.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { s.fd = int(fd) })
		}
		if err == nil {
			err = unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
		}
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *talk) hangUp() {
	if t.epoll >= 0 {
		unix.Close(t.epoll)
	}
	for _, s := range t.clients {
		s.conn.Close()
	}
}

// late is how long after the last packet was sent another one may come: on a busy machine the server waits for its core, and none of its packets is lost
// for that. Where none has come yet, it may take veryLate.
const (
	late     = 2 * time.Second
	veryLate = 20 * time.Second
)

// run has all clients send for that long, one after the other, evenly. A client that is late, since the machine was busy with others, does not make up
// for it: a burst would measure the machine.
func (t *talk) run(ctx context.Context, pace pace, for_ time.Duration) (sent, delivered int, err error) {
	between := pace.packet / time.Duration(len(t.clients))
	events, in := make([]unix.EpollEvent, len(t.clients)), make([]byte, 2048)
	for _, s := range t.clients {
		s.before = s.sent
	}
	begun := time.Now()
	for due, last := begun, begun; ; {
		now := time.Now()
		over := now.Sub(begun) >= for_
		switch waited := now.Sub(last); {
		case over && (sent == delivered || waited >= late && delivered > 0 || waited >= veryLate) || ctx.Err() != nil:
			return sent, delivered, ctx.Err()
		case !over && !now.Before(due):
			if err := t.clients[sent%len(t.clients)].say(); err != nil {
				return sent, delivered, err
			}
			sent++
			last = now
			due = due.Add(between)
			if now.Sub(due) > pace.packet {
				due = now
			}
		}
		n, err := unix.EpollWait(t.epoll, events, t.timeout)
		if err != nil && err != unix.EINTR {
			return sent, delivered, err
		}
		for _, e := range events[:max(n, 0)] {
			heard, err := t.clients[e.Fd].hear(in, &t.b.faults)
			if err != nil {
				return sent, delivered, err
			}
			delivered += heard
		}
	}
}

// say sends the next packet. One that the system has no room for is lost.
func (s *speaker) say() error {
	s.sent++
	if _, err := unix.Write(s.fd, s.numbered(s.sent)); err != nil && err != unix.EAGAIN && err != unix.ENOBUFS {
		return fmt.Errorf("sending: %w", err)
	}
	return nil
}

// hear takes a packet and checks that it is one of the partner's, whole, and later than the one before. It returns 1, or 0 if there is none that was
// sent in this go.
func (s *speaker) hear(in []byte, f *faults) (int, error) {
	n, err := unix.Read(s.fd, in)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("receiving: %w", err)
	case n != channelHead+packetBytes:
		return 0, fmt.Errorf("got a packet of %d bytes, want %d", n, channelHead+packetBytes)
	}
	number := binary.BigEndian.Uint32(in[channelHead:])
	if number <= s.heard || number > s.partner.sent {
		f.doubled.Add(1)
		return 0, errors.New("a packet came twice, or was never sent")
	}
	s.heard = number
	want := append(in[n:n], s.partner.out...) // both have the same channel number
	binary.BigEndian.PutUint32(want[channelHead:], number)
	if !f.check(in[:n], want, "") {
		return 0, f.err()
	}
	if number <= s.partner.before {
		return 0, nil // one go took longer than it may
	}
	return 1, nil
}
