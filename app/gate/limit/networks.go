package limit

import (
	"fmt"
	"net/netip"
	"strings"
)

// Networks are addresses. The zero Networks has none. It never changes once it is made, and may be used concurrently.
type Networks struct{ all []netip.Prefix }

// ParseNetworks reads a list of addresses, networks and the words loopback and private. The error lists all entries that are wrong. Its text follows
// the name of the setting.
func ParseNetworks(list []string) (Networks, error) {
	n, wrong := parseNetworks(list)
	if len(wrong) > 0 {
		return Networks{}, fmt.Errorf("has %q, must be addresses, networks such as 10.0.0.0/8, loopback or private", wrong)
	}
	return n, nil
}

// Contains reports whether the address is in one of the networks. An IPv4 one that is mapped into IPv6 is in none.
func (n Networks) Contains(addr netip.Addr) bool {
	for _, network := range n.all {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// Lists reports whether the address is listed by itself, and not only as one of a network; a loopback one may be listed in any way.
func (n Networks) Lists(addr netip.Addr) bool {
	for _, network := range n.all {
		if network.Contains(addr) && (network.IsSingleIP() || addr.IsLoopback()) {
			return true
		}
	}
	return false
}

// words stand for networks.
var words = map[string][]netip.Prefix{
	"loopback": {netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	"private": { // RFC 1918, Section 3; RFC 4193, Section 3.1
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("fc00::/7"),
	},
}

// parseNetworks returns the networks of a list, and the entries that are none.
func parseNetworks(list []string) (n Networks, wrong []string) {
	for _, text := range list {
		text = strings.TrimSpace(text)
		if networks, ok := words[text]; ok {
			n.all = append(n.all, networks...)
		} else if network, ok := parseNetwork(text); ok {
			n.all = append(n.all, network)
		} else {
			wrong = append(wrong, text)
		}
	}
	return n, wrong
}

// parseNetwork reads an address or a network. An IPv4 one that is mapped into IPv6 becomes IPv4.
func parseNetwork(text string) (netip.Prefix, bool) {
	network, err := netip.ParsePrefix(text)
	if err != nil {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, false
		}
		network = netip.PrefixFrom(addr, addr.BitLen())
	}
	if network.Addr().Is4In6() {
		const mapped = 96 // bits before the IPv4 address
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-mapped)
	}
	return network.Masked(), network.IsValid()
}
