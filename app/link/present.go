package link

import (
	"net"
	"syscall"
)

// Present returns a function that reports whether the client of the connection is still there, which fasthttp does not tell a
// handler. A client that has shut down only its sending side, of the connection or of TLS, counts as gone, as it does in net/http. The
// function is nil, which means always, for a connection that is not the system's, as in tests. It may be called only by the
// goroutine that serves the connection.
//
// hot: every take asks. A connection keeps its function.
func Present(of net.Conn) func() bool {
	c := Of(of)
	if c == nil {
		if _, ok := bottom(of).(syscall.Conn); !ok {
			return nil
		}
		return newPresence(of, nil).is
	}
	return c.present().is
}

// presence asks the system for a client. It is owned by the goroutine that serves the connection.
type presence struct {
	// set at construction
	over   *Conn           // if it has to be asked for TLS, too
	raw    syscall.RawConn // nil: the connection is not the system's
	lookAt func(fd uintptr)
	is     func() bool // nil where raw is

	// what the latest look has seen
	there, unread bool
}

func (c *Conn) present() *presence {
	if c.presence == nil {
		c.presence = newPresence(c.socket, c)
	}
	return c.presence
}

func newPresence(of net.Conn, c *Conn) *presence {
	p := new(presence)
	if c != nil && c.tls != nil {
		p.over = c
	}
	below, ok := bottom(of).(syscall.Conn)
	if !ok {
		return p
	}
	raw, err := below.SyscallConn()
	if err != nil {
		p.is = func() bool { return false }
		return p
	}
	p.raw, p.is = raw, p.ask
	p.lookAt = func(fd uintptr) {
		p.there, p.unread = look(int(fd))
	}
	return p
}

// ask reports whether the client is there.
func (p *presence) ask() bool {
	p.look()
	return p.there && (p.over == nil || !p.over.hungUp(p))
}

// look asks the system.
func (p *presence) look() {
	if p.raw.Control(p.lookAt) != nil { // it is closed
		p.there, p.unread = false, false
	}
}

// stillUnread reports whether the system has something to read now.
func (p *presence) stillUnread() bool {
	p.look()
	return p.unread
}

// bottom returns the connection below all others: below one under patrol, and below TLS.
func bottom(of net.Conn) net.Conn {
	for {
		above, ok := of.(interface{ NetConn() net.Conn })
		if !ok {
			return of
		}
		of = above.NetConn()
	}
}

// unread reports whether the system holds something that the client has sent, or the end. Anybody may call it who keeps the connection
// from being closed meanwhile.
func unread(of net.Conn) (is bool) {
	c, ok := of.(syscall.Conn)
	if !ok {
		return false
	}
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { is = readable(int(fd)) })
	}
	return is
}
