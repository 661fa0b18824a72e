package turntest

import (
	"net"

	"github.com/pion/stun/v4"
)

func attribute(of stun.AttrType, value ...byte) stun.Setter {
	return stun.RawAttribute{Type: of, Value: value}
}

// What a relay may carry.
var (
	OverUDP = attribute(stun.AttrRequestedTransport, 17, 0, 0, 0) // RFC 8656, Section 18.8
	OverTCP = attribute(stun.AttrRequestedTransport, 6, 0, 0, 0)  // RFC 6062, Section 6.1
)

// Lifetime asks for a relay of so many seconds (RFC 8656, Section 18.2).
func Lifetime(seconds byte) stun.Setter { return attribute(stun.AttrLifetime, 0, 0, 0, seconds) }

// Family asks for a relay of that family: 1 is IPv4, 2 is IPv6 (RFC 8656, Section 18.6).
func Family(family byte) stun.Setter {
	return attribute(stun.AttrRequestedAddressFamily, family, 0, 0, 0)
}

// EvenPort asks for a relay of an even port (RFC 8656, Section 18.7).
func EvenPort(reserved byte) stun.Setter { return attribute(stun.AttrEvenPort, reserved) }

// Channel is a channel's number, 0x4000 and above (RFC 8656, Section 18.1).
func Channel(number uint16) stun.Setter {
	return attribute(stun.AttrChannelNumber, byte(number>>8), byte(number), 0, 0)
}

// PeerAt names a peer (RFC 8656, Section 18.3), with an address of IPv4 or of IPv6 as it is: ::ffff:127.0.0.1 stands there in 16 bytes.
func PeerAt(at *net.UDPAddr) stun.Setter { return peer{*at} }

type peer struct{ net.UDPAddr }

// AddTo implements stun.Setter (RFC 8489, Section 14.2).
func (p peer) AddTo(m *stun.Message) error {
	family := byte(1)
	if len(p.IP) == net.IPv6len {
		family = 2
	}
	value := append([]byte{0, family, byte(p.Port>>8) ^ m.Raw[4], byte(p.Port) ^ m.Raw[5]}, p.IP...)
	for i := range p.IP {
		value[4+i] ^= m.Raw[4+i] // the cookie, and the transaction
	}
	m.Add(stun.AttrXORPeerAddress, value)
	return nil
}
