//go:build !linux || !(amd64 || arm64)

package turn

import "net"

// socket is a UDP socket. On Linux its packets cost less.
type socket struct{ *net.UDPConn }

func newSocket(conn *net.UDPConn) *socket { return &socket{conn} }
