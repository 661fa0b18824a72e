//go:build unix

package app

import "golang.org/x/sys/unix"

// peek looks, without taking anything or blocking, whether the connection is at its end or broken. It cannot see past bytes of
// a next request.
func peek(fd int) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == unix.EAGAIN || err == unix.EINTR || err == nil && n > 0
}
