package turn

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// listener is one of connections.
type listener struct {
	net.Listener
	tls *tls.Config // nil: plain
}

// open opens the sockets: for each address of this machine one, since from a socket for all of them the system would answer by another address than
// the one that was asked.
func (s *Server) open(config *tls.Config) error {
	for _, listened := range []struct {
		of   Setting
		list []string
		tls  *tls.Config
	}{{OfListen, s.config.Listen, nil}, {OfTLSListen, s.config.TLSListen, config}} {
		for _, text := range listened.list {
			host, port, err := splitHostPort(text)
			if err == nil {
				err = s.listenAt(host, port, listened.tls)
			}
			if err != nil {
				return &OpenError{listened.of, err}
			}
		}
	}
	return nil
}

// listenAt opens the sockets of a host. Of all addresses of this machine one may be another machine's, too, so that nobody may use it. Such are left out,
// as long as there is another one.
func (s *Server) listenAt(host netip.Addr, port uint16, config *tls.Config) error {
	at, err := listenedAddresses(host)
	if err != nil {
		return err
	}
	opened := 0
	for _, addr := range at {
		switch failed := s.listenSettled(netip.AddrPortFrom(addr, port), config); {
		case failed == nil:
			opened++
		case !errors.Is(failed, syscall.EADDRNOTAVAIL) || len(at) == 1:
			return failed
		default:
			err = failed
			s.log.Warn("TURN does not listen at an address of this machine", "address", addr.String(), "error", failed)
		}
	}
	if opened == 0 {
		return err
	}
	return nil
}

// settles is how long an address of IPv6 takes, and some more, until the system has asked whether somebody else has it (RFC 4862, Section 5.4), and lets
// it be used: a host that has just come up has such.
const settles = 4 * time.Second

// listenSettled is listen, which waits for an address of this machine that is still to settle.
func (s *Server) listenSettled(at netip.AddrPort, config *tls.Config) error {
	for over := time.Now().Add(settles); ; time.Sleep(minPause) {
		err := s.listen(at, config)
		if !errors.Is(err, syscall.EADDRNOTAVAIL) || time.Now().After(over) {
			return err
		}
		if own, unknown := ownAddresses(); unknown != nil || !slices.Contains(own, at.Addr()) {
			return err
		}
	}
}

// listen opens a listener, and without TLS a UDP socket, too. Where the port is 0 both get the same one that is free.
func (s *Server) listen(at netip.AddrPort, config *tls.Config) error {
	for tries := 10; ; tries-- {
		l, err := net.Listen(network("tcp", at.Addr()), at.String())
		if err != nil {
			return err
		}
		if config != nil {
			s.listeners = append(s.listeners, listener{l, config})
			return nil
		}
		conn, err := net.ListenUDP(network("udp", at.Addr()), net.UDPAddrFromAddrPort(addrPort(l.Addr())))
		if err == nil {
			s.listeners, s.sockets = append(s.listeners, listener{l, nil}), append(s.sockets, conn)
			return nil
		}
		l.Close()
		if at.Port() != 0 || tries == 0 {
			return err
		}
	}
}

// port returns the port of the first listener that is one of those; 0: none is.
func (s *Server) port(of func(listener) bool) int {
	for _, l := range s.listeners {
		if of(l) {
			return int(addrPort(l.Addr()).Port())
		}
	}
	return 0
}

// listenedAddresses returns the addresses that a host stands for: all of this machine, but for those of one link, if it is none.
func listenedAddresses(host netip.Addr) (at []netip.Addr, err error) {
	if host.IsValid() && !host.IsUnspecified() {
		return []netip.Addr{host}, nil
	}
	onlyIPv4 := host.Is4() // [::] is both families, as it is elsewhere
	own, err := ownAddresses()
	if err != nil {
		return nil, err
	}
	for _, addr := range own {
		if slices.Contains(at, addr) {
			continue // two interfaces may have the same one, as those of PPP do
		}
		if !addr.IsLinkLocalUnicast() && (addr.Is4() || !onlyIPv4) {
			at = append(at, addr)
		}
	}
	if len(at) == 0 {
		return nil, errors.New("this machine has no address to listen at")
	}
	return at, nil
}
