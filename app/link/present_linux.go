package link

import "golang.org/x/sys/unix"

// look reports whether the other side has neither closed nor broken the connection, and whether something is there to read. The
// system knows the first also where bytes of a next request lie before the end, of TCP as of a Unix socket.
func look(fd int) (there, unread bool) {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}}
	if _, err := unix.Poll(poll, 0); err != nil {
		return err == unix.EINTR, true
	}
	got := poll[0].Revents
	return got&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) == 0, got&unix.POLLIN != 0
}
