package gate

import (
	"bytes"
	"net/url"
	"strings"
)

// origins are those whose pages may use the server (RFC 6454, Section 6.2); nil means any. Browsers let a page read an answer
// only if it names the page's origin. A server with a list refuses the requests of other pages as well, so that they cost it nothing
// more. Programs send no Origin, and are let in.
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
	_, own, _ := bytes.Cut(origin, []byte("://"))
	return len(own) > 0 && bytes.Equal(own, host)
}

// Lists reports whether the origin is listed: an answer to it names it.
func (g *Gate) Lists(origin []byte) bool {
	_, ok := g.origins[string(origin)]
	return ok
}
