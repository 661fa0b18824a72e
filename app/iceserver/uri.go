package iceserver

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// URI is that of a STUN or TURN server (RFC 7064, RFC 7065). URIs are compared by ==.
type URI struct{ text, scheme, transport string }

// shape is that of URIs, in characters that stand for themselves in JSON, in a Link header and in a log. (The reader of pion/stun never comes back from
// some texts that are none.)
var shape = regexp.MustCompile(`^(stun|turns?):([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?:\?transport=(udp|tcp))?$`)

const maxURI = 300 // bytes: a host name has 253

// ParseURI reads a URI as browsers take it (W3C WebRTC, RTCIceServer.urls): stun:host:port, turn:host:port?transport=udp, turns:. The host is not
// looked up.
func ParseURI(text string) (URI, bool) {
	parts := shape.FindStringSubmatch(text)
	if parts == nil || len(text) > maxURI {
		return URI{}, false
	}
	u, host, port := URI{text, parts[1], parts[4]}, parts[2], parts[3]
	if inside, ok := strings.CutPrefix(host, "["); ok {
		if _, err := netip.ParseAddr(strings.TrimSuffix(inside, "]")); err != nil {
			return URI{}, false
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return URI{}, false
	}
	if u.scheme == "stun" && u.transport != "" {
		return URI{}, false
	}
	return u, true
}

// NewURI returns the URI of a server of that scheme (stun, turn, turns) at host and port. transport is udp or tcp; a stun URI has none.
func NewURI(scheme, host string, port int, transport string) URI {
	text := scheme + ":" + net.JoinHostPort(host, strconv.Itoa(port))
	if transport != "" {
		text += "?transport=" + transport
	}
	u, ok := ParseURI(text)
	if !ok {
		panic("BUG: " + text + " is no URI of an ICE server")
	}
	return u
}

// String returns the URI.
func (u URI) String() string { return u.text }

// Relays reports whether it is a TURN server's, so that there has to be a credential.
func (u URI) Relays() bool { return u.scheme != "stun" }

// rank says where the URI stands among others: STUN first, then TURN over UDP, TCP, TLS.
func (u URI) rank() int {
	switch {
	case !u.Relays():
		return 0
	case u.scheme == "turns":
		return 3
	case u.transport == "tcp":
		return 2
	default:
		return 1
	}
}

// lastOfAll is more than any spare.
const lastOfAll = 8

// spare says how soon the URI is left out where there are too many: that of IPv6 before that of IPv4, and the one for networks that let nothing else
// out last.
func (u URI) spare() int {
	if strings.Contains(u.text, "[") {
		return [...]int{6, 4, 5, 0}[u.rank()] // a TURN server tells the address, too
	}
	return [...]int{1, 2, 3, 0}[u.rank()] // TCP goes first, then UDP, then STUN
}
