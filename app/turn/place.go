package turn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// place is an address at which relays are reached.
type place struct {
	// set at construction
	public netip.Addr // what peers see
	local  netip.Addr // what sockets are bound to; another one where a router translates addresses one to one, as clouds do
	ports  ports
}

// seen returns an address as peers see it.
func (p *place) seen(addr netip.Addr) netip.Addr {
	if addr == p.local {
		return p.public
	}
	return addr
}

// findPlaces returns where relays are, by family; nil: there are none of that.
func findPlaces(c *Config) (v4, v6 *place, err error) {
	public, err := parseAddresses(c.Addresses)
	if err != nil {
		return nil, nil, err
	}
	own, err := ownAddresses()
	if err != nil {
		return nil, nil, err
	}
	if public == (addresses{}) {
		if public = c.listened(); public == (addresses{}) {
			public = outgoing(own)
		}
	}
	if public == (addresses{}) {
		return nil, nil, &OpenError{OfAddresses, errors.New("this machine has no address that relays could have")}
	}
	at := func(public netip.Addr) *place {
		if !public.IsValid() {
			return nil
		}
		return &place{public: public, local: public}
	}
	v4, v6 = at(public.v4), at(public.v6)
	behind := c.behind(own)
	for _, p := range []*place{v4, v6} {
		if p == nil {
			continue
		}
		if !slices.Contains(own, p.public) {
			if p.local = behind.of(p.public.Is6()); !p.local.IsValid() {
				return nil, nil, &OpenError{OfAddresses, fmt.Errorf("no interface has an address of the family of %v", p.public)}
			}
		}
		p.ports.Ports, p.ports.at = c.Ports, p.local
	}
	return v4, v6, nil
}

// listened returns the addresses that the server is told to listen at, the first of each family.
func (c *Config) listened() (all addresses) {
	for _, list := range [][]string{c.Listen, c.TLSListen} {
		for _, text := range list {
			host, _, err := splitHostPort(text)
			if err == nil && host.IsValid() && !host.IsUnspecified() && !all.of(host.Is6()).IsValid() {
				all.set(host)
			}
		}
	}
	return all
}

// behind returns the addresses of this machine that belong to public ones that no interface has: those by which it reaches the internet, unless the server is
// told to listen at others alone.
func (c *Config) behind(own []netip.Addr) addresses {
	all := outgoing(own)
	list := c.Listen
	if len(list) == 0 {
		list = c.TLSListen
	}
	var told addresses
	for _, text := range list {
		host, _, err := splitHostPort(text)
		switch {
		case err != nil || !slices.Contains(own, host) || host.IsLoopback(): // everywhere, or behind another program of this machine
			return all
		case host == all.of(host.Is6()) || !told.of(host.Is6()).IsValid():
			told.set(host)
		}
	}
	for _, addr := range []netip.Addr{told.v4, told.v6} {
		if addr.IsValid() {
			all.set(addr)
		}
	}
	return all
}

// outgoing returns the addresses by which this machine reaches the internet, the first of its own where it reaches none. Nothing is sent.
func outgoing(own []netip.Addr) (all addresses) {
	for _, to := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // RFC 5737, RFC 3849: nobody's
		conn, err := net.Dial("udp", to)
		if err != nil {
			continue
		}
		if at, ok := conn.LocalAddr().(*net.UDPAddr); ok {
			addr := at.AddrPort().Addr().Unmap()
			if !addr.IsLinkLocalUnicast() && (addr.Is4() || !addr.IsPrivate()) { // IPv6 has no NAT that would make a private one public
				all.set(addr)
			}
		}
		conn.Close()
	}
	for _, loopback := range []bool{false, true} {
		for _, addr := range own {
			if all == (addresses{}) && addr.IsLoopback() == loopback && !addr.IsLinkLocalUnicast() {
				all.set(addr)
			}
		}
	}
	return all
}
