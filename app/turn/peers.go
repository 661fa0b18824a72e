package turn

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"signal-server/app/gate/limit"
)

// peers says whom relays may send to and hear from. It never changes once it is made, but for the addresses of this machine, which it asks for.
type peers struct {
	// set at construction
	allowed, denied limit.Networks
	relays          addresses // at which relays are reached

	mu sync.Mutex
	// guarded by mu
	own   map[netip.Addr]bool // addresses of this machine, and others at which it gets packets
	asked time.Time           // when the system was asked for them
}

// ownFor is how long addresses of this machine are believed: to ask the system takes some 50 µs.
const ownFor = 10 * time.Second

func newPeers(c *Config, relays addresses) (*peers, error) {
	allowed, err := limit.ParseNetworks(c.AllowPeers)
	if err != nil {
		return nil, err
	}
	denied, err := limit.ParseNetworks(c.DenyPeers)
	return &peers{allowed: allowed, denied: denied, relays: relays}, err
}

// may reports whether a relay may have anything to do with the peer. Of the addresses of relays themselves only the ports count, which are
// checked for each packet: see relay.
func (p *peers) may(peer netip.Addr) bool {
	peer = peer.Unmap()
	switch {
	case !peer.IsValid() || peer.Zone() != "" || p.denied.Contains(peer):
		return false
	case peer == p.relays.of(peer.Is6()):
		return true
	case p.isOwn(peer):
		return p.allowed.Lists(peer) // a network is allowed for its other machines
	default:
		return p.allowed.Contains(peer) || !special.Contains(peer)
	}
}

// isOwn reports whether the address is one of this machine's interfaces.
func (p *peers) isOwn(addr netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.own == nil || now.Sub(p.asked) > ownFor {
		if own, err := ownNetworks(); err == nil {
			p.own = make(map[netip.Addr]bool, 3*len(own))
			for _, a := range own {
				p.own[a.Addr()], p.own[a.Masked().Addr()], p.own[last(a)] = true, true, true
			}
		}
		p.asked = now
	}
	return p.own == nil || p.own[addr] // who does not know refuses
}

// last returns the last address of a network: where it is of IPv4, that of everybody in it, this machine, too. The first one is any router's (RFC 4291,
// Section 2.6.1), such as this machine.
func last(network netip.Prefix) netip.Addr {
	of := network.Addr().AsSlice()
	for i := network.Bits(); i < 8*len(of); i++ {
		of[i/8] |= 1 << (7 - i%8)
	}
	addr, _ := netip.AddrFromSlice(of)
	return addr
}

// ownAddresses returns the addresses of this machine's interfaces, without zones.
func ownAddresses() (all []netip.Addr, err error) {
	networks, err := ownNetworks()
	for _, n := range networks {
		all = append(all, n.Addr())
	}
	return all, err
}

// ownNetworks returns them with the networks that they are in.
func ownNetworks() (all []netip.Prefix, err error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if network, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(network.IP); ok {
				bits, _ := network.Mask.Size()
				all = append(all, netip.PrefixFrom(addr.Unmap(), bits))
			}
		}
	}
	return all, nil
}

// special are the networks that are not public unicast (RFC 6890 and the registries of IANA that it founded, as of 2026), or lead back into IPv4:
// CVE-2020-26262 of another server was 0.0.0.0 and addresses that are mapped. Of IPv6 all that is public is in 2000::/3 (RFC 4291, Section 2.4); beside it
// are private, mapped and translated addresses, and those of overlay networks that took some for themselves.
var special = func() limit.Networks {
	n, err := limit.ParseNetworks([]string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"::/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2", "8000::/1",
	})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return n
}()
