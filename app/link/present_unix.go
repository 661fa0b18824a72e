//go:build unix

package link

import "golang.org/x/sys/unix"

// readable reports whether something is there to read, be it the end.
func readable(fd int) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	_, err := unix.Poll(poll, 0)
	return err == nil && poll[0].Revents != 0
}

// lookAll looks at many connections by one system call.
func lookAll(all []glance) {
	var poll [watchBatch]unix.PollFd
	for i := range all {
		poll[i] = unix.PollFd{Fd: all[i].fd, Events: all[i].eventsOf()}
	}
	if _, err := unix.Poll(poll[:len(all)], 0); err != nil {
		return // interrupted, or no memory: the next round looks again
	}
	for i := range all {
		all[i].stirs = poll[i].Revents != 0
	}
}
