// Package listen opens the sockets that a server listens on: of TCP, of the Unix family, and those that systemd opened for it. It knows
// nothing of what is spoken over them.
package listen

import (
	"fmt"
	"io/fs"
	"net"
	"strings"
)

// Address is where to listen. The zero Address is nowhere.
type Address struct {
	kind kind
	at   string // host:port, a path, or the name of a socket
}

type kind string

const (
	overTCP     kind = "tcp"
	overUnix    kind = "unix"
	fromSystemd kind = "systemd"
)

// Parse reads host:port, unix:/path, systemd, or systemd:NAME, where the name is that of FileDescriptorName= in systemd.socket(5). It
// does not look up the host of host:port. The error's text follows the name of the setting: is "x", must be host:port.
func Parse(text string) (Address, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		return parsePath(path)
	}
	if text == string(fromSystemd) {
		return Address{kind: fromSystemd}, nil
	}
	if name, ok := strings.CutPrefix(text, "systemd:"); ok {
		if name == "" {
			return Address{}, fmt.Errorf("is %q, must be systemd or systemd:NAME", text)
		}
		return Address{fromSystemd, name}, nil
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return Address{}, fmt.Errorf("is %q, must be host:port, unix:/path, systemd or systemd:NAME", text)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return Address{}, fmt.Errorf("is %q, whose port %q is none", text, port)
	}
	return Address{overTCP, text}, nil
}

// Listen listens at the address. A socket of the Unix family has the mode from the moment at which it can be reached. It replaces a
// socket that nobody listens on any more. A socket of systemd is taken out of passed, which may be nil for other addresses.
func (a Address) Listen(mode Mode, passed *Passed) (net.Listener, error) {
	switch a.kind {
	case overUnix:
		return listenUnix(a.at, fs.FileMode(mode))
	case fromSystemd:
		return passed.take(a.at)
	default:
		return net.Listen("tcp", a.at)
	}
}

// Name returns where a listener listens, for people to read: the address with its port, or unix:/path.
func Name(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return l.Addr().String()
}
