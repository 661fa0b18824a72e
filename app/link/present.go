package link

import (
	"net"
	"syscall"
)

// Present returns a function that reports whether the client of the connection is still there, which fasthttp does not tell a
// handler. A client that has shut down only its sending side, of the connection or of TLS, counts as gone, as it does in net/http. The
// function is nil, which means always, for a connection that is not the system's, as in tests. It may be called only by the
// goroutine that serves the connection.
func Present(of net.Conn) func() bool {
	var over *Conn // if it has to be asked for TLS
	if c := Of(of); c != nil && c.tls != nil {
		over = c
	}
	c, ok := bottom(of).(syscall.Conn)
	if !ok {
		return nil
	}
	return func() bool {
		raw, err := c.SyscallConn()
		if err != nil {
			return false
		}
		var there, unread bool
		ask := func() bool {
			err := raw.Control(func(fd uintptr) { there, unread = look(int(fd)) })
			there = there && err == nil
			return unread
		}
		ask()
		return there && (over == nil || !over.hungUp(ask))
	}
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
