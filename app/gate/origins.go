package gate

import (
	"bytes"
	"net/netip"
	"net/url"
	"strings"
)

// origins are those whose pages may use the server (RFC 6454, Section 6.2); nil means any. Browsers let a page read an answer
// only if it names the page's origin. A server with a list refuses the requests of other pages as well, so that they cost it nothing
// more. Programs send no Origin, and are let in.
//
// That a page is this server's own, its Origin cannot tell by being equal to Host: a page of evil.example may have the browser ask this server
// by that name (DNS rebinding). So own pages are those of the names that the operator gives, and of localhost and addresses, which nobody
// else's page can have.
type origins map[string]struct{}

// anyOrigin in Config.AllowOrigins means what it means in Access-Control-Allow-Origin.
const anyOrigin = "*"

// newOrigins returns the origins of a list that Validate has passed.
func newOrigins(list []string) origins {
	o := make(origins)
	for _, origin := range list {
		if origin == anyOrigin {
			return nil
		}
		o[origin] = struct{}{}
	}
	return o
}

// isOrigin reports whether an origin is written as browsers write it: scheme, host and port are compared exactly.
func isOrigin(origin string) bool {
	if origin == anyOrigin {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") &&
		origin == u.Scheme+"://"+u.Host && origin == strings.ToLower(origin) && !strings.Contains(origin, "*")
}

// ListsOrigins reports whether only the pages of some origins may use the server, so that Admits has to be asked.
func (g *Gate) ListsOrigins() bool { return g.origins != nil }

// Admits reports whether a request comes from no page, from a page of this server, or from one of a listed origin. origin is what
// it says of itself, nil if nothing; host is where it was sent to.
func (g *Gate) Admits(origin, host []byte) bool {
	if g.origins == nil || origin == nil || g.Lists(origin) {
		return true
	}
	scheme, own, _ := bytes.Cut(origin, []byte("://"))
	if string(scheme) != "https" && string(scheme) != "http" {
		return false
	}
	name := nameOf(own)
	return g.names.has(name) || bytes.Equal(own, host) && isLocal(name)
}

// OwnHost reports whether the text of a Host header can only be meant for this server: one of its names, localhost, or an address, in letters
// of any case (RFC 9110, Section 4.2.3): browsers write small ones, and programs what they are given.
func (g *Gate) OwnHost(host string) bool {
	name := nameOf([]byte(strings.ToLower(host)))
	return g.names.has(name) || isLocal(name)
}

// strange reports whether a browser says that it asks for somebody who may not: for a page of another site which it names no origin of, or for
// what shows an image or runs a script. No client of a protocol asks for those, and their pages need not be allowed to read what they take.
func (g *Gate) strange(c *Claim) bool {
	if string(c.Mode) == "no-cors" {
		return true
	}
	if g.origins == nil || c.Site == nil {
		return false
	}
	switch string(c.Site) {
	case "same-origin", "none": // none: the person at the browser asks
		return false
	default:
		return c.Origin == nil
	}
}

// Lists reports whether the origin is listed: an answer to it names it.
func (g *Gate) Lists(origin []byte) bool {
	_, ok := g.origins[string(origin)]
	return ok
}

// names are those of this server, without ports.
type names map[string]struct{}

func newNames(list []string) names {
	n := make(names)
	for _, name := range list {
		n[name] = struct{}{}
	}
	return n
}

func (n names) has(name []byte) bool {
	_, ok := n[string(name)]
	return ok
}

// isName reports whether a name is written as browsers write it in an Origin.
func isName(name string) bool {
	return name != "" && !strings.Contains(name, ":") && isOrigin("https://"+name)
}

// nameOf returns the host of host[:port], with the brackets of an address of IPv6.
func nameOf(host []byte) []byte {
	if at := bytes.LastIndexByte(host, ':'); at >= 0 && (host[0] != '[' || host[at-1] == ']') {
		return host[:at]
	}
	return host
}

// isLocal reports whether the name is localhost or an address: no name that somebody else could have resolved to this server.
func isLocal(name []byte) bool {
	if string(name) == "localhost" {
		return true
	}
	if len(name) > 2 && name[0] == '[' && name[len(name)-1] == ']' {
		name = name[1 : len(name)-1]
	}
	for _, c := range name {
		// A name with other characters is not parsed, because the error would allocate.
		if c != '.' && c != ':' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	_, err := netip.ParseAddr(string(name))
	return err == nil
}
