package cache

import "net/netip"

// Payer is who pays for a session: one client, an IPv4 address that is mapped into IPv6 or a /64 of IPv6. The zero Payer is nobody in
// particular; what nobody pays for is not bounded.
type Payer [16]byte

// PayerOf returns the client at that address as a Payer; the zero Addr is nobody in particular. Of an IPv6 address the network counts, which
// is the least that one customer has (RFC 6177).
func PayerOf(client netip.Addr) (p Payer) {
	if !client.IsValid() {
		return p
	}
	p = client.As16()
	if client.Is6() && !client.Is4In6() {
		clear(p[8:])
	}
	return p
}

// String returns the payer for people: an address, or a network such as 2001:db8::/64.
func (p Payer) String() string {
	addr := netip.AddrFrom16(p)
	switch {
	case p == Payer{}:
		return "nobody in particular"
	case addr.Is4In6():
		return addr.Unmap().String()
	default:
		return netip.PrefixFrom(addr, 64).String()
	}
}
