//go:build !linux

package link

import (
	"net"
	"time"
)

// boundSilence does nothing: this system offers no such limit for one connection.
func boundSilence(net.Conn, time.Duration) {}
