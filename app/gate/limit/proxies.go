package limit

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unsafe"
)

// Proxies are the addresses whose X-Forwarded-For is believed. The zero Proxies believes nobody. It never changes once it is made, and
// may be used concurrently.
type Proxies struct {
	networks Networks
	unix     bool
}

// ParseProxies reads a list of addresses, networks and the words loopback, private and unix, which stands for whoever can reach a Unix
// socket. The error lists all entries that are wrong. Its text follows the name of the setting.
func ParseProxies(list []string) (Proxies, error) {
	networks := slices.DeleteFunc(slices.Clone(list), func(text string) bool { return strings.TrimSpace(text) == unixWord })
	n, wrong := parseNetworks(networks)
	if len(wrong) > 0 {
		return Proxies{}, fmt.Errorf("has %q, must be addresses, networks such as 10.0.0.0/8, loopback, private or unix", wrong)
	}
	return Proxies{networks: n, unix: len(networks) < len(list)}, nil
}

// unixWord stands for whoever can reach a Unix socket.
const unixWord = "unix"

func (p *Proxies) trusted(addr netip.Addr) bool { return p.networks.Contains(addr) }

const (
	maxHops  = 32 // addresses that are looked at in a request: nobody has so many proxies
	maxEntry = 64 // bytes of an address; the longest of IPv6, in brackets and with a port, has 53
)

// Client returns the client that a request counts for: the address that the request came from or, where that is a trusted proxy, the
// last address in X-Forwarded-For that is not one. The client wrote what stands before that address, so that counts for nothing. An
// entry that is empty or no address ends the walk: the request counts for the proxy that passed the entry on. Client returns IPv6 by
// /64, IPv4 that is mapped into IPv6 as IPv4, and no zones. The zero Addr stands for the peer of a Unix socket.
//
// forwarded are all X-Forwarded-For headers of the request in their order (RFC 9110, Section 5.3, makes them one list): a proxy may
// add to the last one, or add another one below it. Client keeps nothing of them. maxHops bounds the work, whatever they hold. An
// entry that looks like an address and is none costs one allocation, once.
//
// hot: every request of a server that has limits.
func (p *Proxies) Client(from netip.Addr, forwarded ...[]byte) netip.Addr {
	addr, _ := p.walk(from, forwarded)
	return identity(addr)
}

// One is Client where that is one client. It returns the zero Addr where many may be behind it: a Unix socket, or a trusted proxy that names
// no client.
func (p *Proxies) One(from netip.Addr, forwarded ...[]byte) netip.Addr {
	addr, believed := p.walk(from, forwarded)
	if believed {
		return netip.Addr{}
	}
	return identity(addr)
}

// Believes reports whether Client and One look at forwarded of a request that came from there.
func (p *Proxies) Believes(from netip.Addr) bool {
	addr := from.Unmap().WithZone("")
	if !addr.IsValid() {
		return p.unix
	}
	return p.trusted(addr)
}

// walk returns the address that Client is about, and whether that is a proxy that is believed.
func (p *Proxies) walk(from netip.Addr, forwarded [][]byte) (addr netip.Addr, believed bool) {
	addr, believed = from.Unmap().WithZone(""), p.Believes(from)
	rest, hops := []byte(nil), 0
	for believed && hops < maxHops {
		if rest == nil {
			if len(forwarded) == 0 {
				break
			}
			rest, forwarded = forwarded[len(forwarded)-1], forwarded[:len(forwarded)-1]
		}
		hops++
		entry := rest
		if comma := bytes.LastIndexByte(rest, ','); comma >= 0 {
			entry, rest = rest[comma+1:], rest[:comma:comma]
		} else {
			rest = nil
		}
		entry = bytes.Trim(entry, " \t") // RFC 9110, Section 5.6.3
		hop, ok := parseHop(entry)
		if !ok {
			break
		}
		addr, believed = hop, p.trusted(hop)
	}
	return addr, believed
}

// parseHop reads an address, which may have a port, or brackets, or both. It refuses a zone, which only the proxy could make sense of.
func parseHop(entry []byte) (netip.Addr, bool) {
	if len(entry) == 0 || len(entry) > maxEntry {
		return netip.Addr{}, false
	}
	text := unsafe.String(unsafe.SliceData(entry), len(entry)) // not used after return: an address without a zone keeps no text
	if text[0] == '[' {
		host, port, ok := strings.Cut(text[1:], "]")
		if !ok || !isPort(port) {
			return netip.Addr{}, false
		}
		text = host
	} else if host, port, ok := strings.Cut(text, ":"); ok && strings.IndexByte(port, ':') < 0 {
		if !isDigits(port) { // of IPv4, there being one colon only
			return netip.Addr{}, false
		}
		text = host
	}
	for i := range len(text) {
		// An entry with other characters is not parsed, because the error would allocate.
		if c := text[i]; c != '.' && c != ':' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return netip.Addr{}, false
		}
	}
	addr, err := netip.ParseAddr(text)
	return addr.Unmap(), err == nil
}

// isPort reports whether the text is what may follow a bracket: nothing, or a port.
func isPort(text string) bool {
	return text == "" || text[0] == ':' && isDigits(text[1:])
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return len(text) > 0 && len(text) <= 5
}

// identity returns the address or the network that counts as one client.
func identity(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return addr
	}
	prefix, _ := addr.Prefix(64) // the error is for more bits than there are
	return prefix.Addr()
}
