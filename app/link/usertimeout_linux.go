package link

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// boundSilence makes the kernel end the connection when what was written has not been acknowledged for that long (RFC 5482,
// tcp(7)). A client that vanishes without an end of its connection would be written to for a quarter of an hour, else.
func boundSilence(of net.Conn, silence time.Duration) {
	c, ok := bottom(of).(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return // it is closed already
	}
	raw.Control(func(fd uintptr) {
		// When it fails the connection lives longer than it should, which is no reason to end it now.
		syscall.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
	})
}
