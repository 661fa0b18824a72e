package app

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"signal-server/custerrors"
)

// origins are those whose pages may use this server (RFC 6454, Section 6.2); nil means any. Browsers let a page read an answer
// only if it names the page's origin; a listed server refuses the requests of other pages as well, so that they cost it nothing
// more. Programs send no Origin, and are not meant.
type origins map[string]struct{}

// anyOrigin in Config.AllowOrigins means what it means in Access-Control-Allow-Origin.
const anyOrigin = "*"

// newOrigins returns the origins of a list that checkOrigin has passed.
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

// checkOrigin returns what is wrong with an origin: exactly scheme, host and port are compared, as browsers write them.
func checkOrigin(origin string) error {
	if origin == anyOrigin {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" ||
		origin != u.Scheme+"://"+u.Host || origin != strings.ToLower(origin) || strings.Contains(origin, "*") {
		return fmt.Errorf("--allow-origins has %q, must be * or like https://example.org:8443, in small letters and without a path", origin)
	}
	return nil
}

// admits reports whether the request comes from no page, from a page of this server, or from one of a listed origin.
func (o origins) admits(c *fasthttp.RequestCtx) bool {
	origin := c.Request.Header.Peek(fasthttp.HeaderOrigin)
	if o == nil || origin == nil {
		return true
	}
	if _, ok := o[unsafeString(origin)]; ok {
		return true
	}
	_, host, _ := strings.Cut(unsafeString(origin), "://")
	return host != "" && host == unsafeString(c.Host())
}

// refuse answers a request of a page that is not admitted.
func (o origins) refuse(c *fasthttp.RequestCtx) {
	refuse(c, custerrors.NotAllowed)
	o.mark(c, o.of(c))
}

// of returns the request's origin if it is listed, or "": what the answer is to name. It lives as long as the request.
func (o origins) of(c *fasthttp.RequestCtx) string {
	if o == nil {
		return ""
	}
	origin := unsafeString(c.Request.Header.Peek(fasthttp.HeaderOrigin))
	if _, ok := o[origin]; !ok {
		return ""
	}
	return origin
}

// mark puts the origin, as of has it, into an answer that was written for any origin.
func (o origins) mark(c *fasthttp.RequestCtx, origin string) {
	if o == nil {
		return
	}
	h := &c.Response.Header
	h.Add(fasthttp.HeaderVary, fasthttp.HeaderOrigin) // RFC 9110, Section 12.5.5
	if origin == "" {
		h.DelBytes(headerAllowOrigin)
	} else {
		h.Set(fasthttp.HeaderAccessControlAllowOrigin, origin)
	}
}

// appendLines appends to the head of an answer what mark puts into one.
func (o origins) appendLines(dst []byte, c *fasthttp.RequestCtx) []byte {
	if o == nil {
		return append(dst, "Access-Control-Allow-Origin: *\r\n"...)
	}
	if origin := o.of(c); origin != "" {
		dst = append(append(append(dst, "Access-Control-Allow-Origin: "...), origin...), "\r\n"...)
	}
	return append(dst, "Vary: Origin\r\n"...)
}
