//go:build unix && !linux

package link

import "golang.org/x/sys/unix"

// look looks, without taking anything or blocking, whether the connection is at its end or broken, and whether something is there
// to read. It cannot see past bytes of a next request.
func look(fd int) (there, unread bool) {
	var b [1]byte
	n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == unix.EAGAIN || err == unix.EINTR || err == nil && n > 0, err == nil && n > 0
}
