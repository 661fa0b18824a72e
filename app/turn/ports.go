package turn

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
)

// ports knows which ports of a relay address have a relay. Its methods may be called concurrently.
type ports struct {
	// set at construction
	Ports
	at netip.Addr // the address that relays are bound to

	// atomic: a bit for each port
	live [(1 << 16) / 64]atomic.Uint64
}

// has reports whether a relay has the port.
//
// hot: every packet between two relays.
func (p *ports) has(port uint16) bool { return p.live[port/64].Load()&(1<<(port%64)) != 0 }

// errNoPort says that no port of the range is free, or that this one is not.
var errNoPort = errors.New("no port is free")

// open binds a socket to a port that is free: to that one or, if it is zero, to one by chance (RFC 8656, Section 7.2), whatever it takes to find it.
func (p *ports) open(port int) (*net.UDPConn, uint16, error) {
	if port != 0 {
		if port > 1<<16-1 || !p.Ports.has(uint16(port)) {
			return nil, 0, errNoPort
		}
		conn, err := p.bind(uint16(port))
		return conn, uint16(port), err
	}
	n := p.count()
	first := rand.IntN(n) // #nosec G404 -- a guess of the port is worth nothing without a permission
	for i := range n {
		port := p.First + uint16((first+i)%n)
		if p.has(port) {
			continue
		}
		switch conn, err := p.bind(port); {
		case err == nil:
			return conn, port, nil
		case !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EACCES):
			return nil, 0, err // no descriptor is free, say
		}
	}
	return nil, 0, errNoPort
}

// bind binds a socket to a port, which is live until close.
func (p *ports) bind(port uint16) (*net.UDPConn, error) {
	conn, err := net.ListenUDP(network("udp", p.at), net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.at, port)))
	if err == nil {
		p.live[port/64].Or(1 << (port % 64))
	}
	return conn, err
}

// close says that a port is no relay's any more. It is called before its socket is closed, when others may have the port.
func (p *ports) close(port uint16) { p.live[port/64].And(^uint64(1 << (port % 64))) }

// network returns the name of a network of that address's family: not one that takes IPv4 as IPv6, too.
func network(of string, at netip.Addr) string {
	if at.Is4() {
		return of + "4"
	}
	return of + "6"
}
