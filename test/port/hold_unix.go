//go:build unix

package port

import "golang.org/x/sys/unix"

// hold binds a socket that does not listen to a port of the loopback; 0: to any. With SO_REUSEADDR on both, which servers set, another
// socket may still listen there.
func hold(number int) (got int, release func(), err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, nil, err
	}
	unix.CloseOnExec(fd)
	address, err := bind(fd, number)
	if err != nil {
		unix.Close(fd)
		return 0, nil, err
	}
	return address.(*unix.SockaddrInet4).Port, func() { unix.Close(fd) }, nil
}

// bind binds the socket, and returns the address that it has then.
func bind(fd, number int) (unix.Sockaddr, error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, err
	}
	return unix.Getsockname(fd)
}
