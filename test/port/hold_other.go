//go:build !unix

package port

import (
	"net"
	"strconv"
)

// hold looks whether a port of the loopback is free; 0: for one that is.
func hold(number int) (got int, release func(), err error) {
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(number)))
	if err != nil {
		return 0, nil, err
	}
	return l.Addr().(*net.TCPAddr).Port, func() {}, l.Close()
}
