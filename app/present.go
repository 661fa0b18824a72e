package app

import (
	"net"
	"syscall"
)

// present returns a function that reports whether the client of the connection is still there. fasthttp does not tell a
// handler that waits. A client that has shut down only its sending side counts as gone, as it does in net/http. It is nil,
// which means always, for a connection that is not the system's, as in tests.
func present(of net.Conn) func() bool {
	for {
		above, ok := of.(interface{ NetConn() net.Conn }) // a conn under patrol, or TLS
		if !ok {
			break
		}
		of = above.NetConn()
	}
	c, ok := of.(syscall.Conn)
	if !ok {
		return nil
	}
	return func() bool {
		raw, err := c.SyscallConn()
		if err != nil {
			return false
		}
		there := false
		err = raw.Control(func(fd uintptr) { there = open(int(fd)) })
		return err == nil && there
	}
}
