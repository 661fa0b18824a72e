//go:build unix

package link

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// readable reports whether something is there to read, be it the end.
func readable(fd int) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	_, err := unix.Poll(poll, 0)
	return err == nil && poll[0].Revents != 0
}

// descriptorOf returns the connection's descriptor, or -1 if it has none.
func descriptorOf(of net.Conn) (fd int32) {
	fd = -1
	if c, ok := of.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			raw.Control(func(is uintptr) { fd = int32(is) }) // #nosec G115 -- descriptors are small
		}
	}
	return fd
}

// writeNow writes what the system takes.
func writeNow(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Write(fd, b)
		switch err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, nil
		}
		return n, err
	}
}
