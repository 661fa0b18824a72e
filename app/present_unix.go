//go:build unix

package app

import (
	"net"
	"syscall"
)

// present returns a function that reports whether the client of the connection is still there: it looks, without taking
// anything or blocking, whether the connection was closed or broken. A client that has shut down its sending side only
// counts as gone, as it does in net/http.
func present(conn net.Conn) func() bool {
	for {
		above, ok := conn.(interface{ NetConn() net.Conn }) // a conn under patrol, or TLS
		if !ok {
			break
		}
		conn = above.NetConn()
	}
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil // a connection of a test, in memory
	}
	return func() bool {
		raw, err := c.SyscallConn()
		if err != nil {
			return false
		}
		there := false
		var b [1]byte
		err = raw.Control(func(fd uintptr) {
			n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			// Nothing to read, or a next request in the pipeline: there. n is 0 without an error at the end of the stream.
			there = err == syscall.EAGAIN || err == syscall.EINTR || err == nil && n > 0
		})
		return err == nil && there
	}
}
