package limit

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"unsafe"
)

// Proxies are the addresses whose word for whom they ask is believed. The zero Proxies believes nobody.
type Proxies struct {
	networks []netip.Prefix
	unix     bool
}

// words stand for networks.
var words = map[string][]netip.Prefix{
	"loopback": {netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	"private": { // RFC 1918, RFC 4193
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("fc00::/7"),
	},
}

// ParseProxies reads a list of addresses, networks and the words loopback, private and unix, which is whoever can reach a Unix
// socket. The error names all that are wrong.
func ParseProxies(list []string) (Proxies, error) {
	var p Proxies
	var wrong []string
	for _, text := range list {
		text = strings.TrimSpace(text)
		if text == "unix" {
			p.unix = true
		} else if networks, ok := words[text]; ok {
			p.networks = append(p.networks, networks...)
		} else if network, err := netip.ParsePrefix(text); err == nil {
			p.networks = append(p.networks, network.Masked())
		} else if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
			p.networks = append(p.networks, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
		} else {
			wrong = append(wrong, text)
		}
	}
	if len(wrong) > 0 {
		return Proxies{}, fmt.Errorf("has %q, must be addresses, networks such as 10.0.0.0/8, loopback, private or unix", wrong)
	}
	return p, nil
}

func (p *Proxies) trusted(addr netip.Addr) bool {
	for _, network := range p.networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// maxHops is how many addresses of a header are looked at: nobody has so many proxies.
const maxHops = 16

// Client returns whom a request counts for: the address that it came from or, where that is a trusted proxy, the last one in the
// X-Forwarded-For header that is not, and from there on whatever the client wrote. A Unix socket's peer is the zero Addr. The
// header is the last one, if there are more, which must have been joined or is the proxy's own.
//
// hot: every request of a server that has limits.
func (p *Proxies) Client(from netip.Addr, forwarded []byte) netip.Addr {
	addr := from.Unmap().WithZone("")
	believed := addr.IsValid() && p.trusted(addr) || !addr.IsValid() && p.unix
	for range maxHops {
		if !believed || len(forwarded) == 0 {
			break
		}
		last := forwarded
		if i := bytes.LastIndexByte(forwarded, ','); i >= 0 {
			last, forwarded = forwarded[i+1:], forwarded[:i]
		} else {
			forwarded = nil
		}
		hop, ok := parseHop(bytes.TrimSpace(last))
		if !ok {
			break // the last one that can be read is to answer for it
		}
		addr = hop
		believed = p.trusted(addr)
	}
	return identity(addr)
}

// parseHop reads an address, which may have a port, and brackets then.
func parseHop(text []byte) (netip.Addr, bool) {
	s := unsafe.String(unsafe.SliceData(text), len(text)) // what is made of it does not keep it: a zone is refused
	if strings.ContainsRune(s, '%') {
		return netip.Addr{}, false
	}
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return addr.Unmap(), true
	}
	if at, err := netip.ParseAddrPort(s); err == nil {
		return at.Addr().Unmap(), true
	}
	return netip.Addr{}, false
}

// identity returns who counts as one client.
func identity(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return addr
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return addr
	}
	return prefix.Addr()
}
