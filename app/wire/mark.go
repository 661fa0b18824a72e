package wire

import (
	"github.com/valyala/fasthttp"

	"signal-server/app/link"
)

// marks are what every answer to a request bears, whatever it says: which pages may read it, that browsers take its media type as it is
// told, and that they insist on TLS. They are put into the answer before anything else.
type marks struct {
	origin []byte // whose pages may read the answer: *, or one that is listed; nil: nobody's
	listed bool   // the origin depends on the request's (RFC 9110, Section 12.5.5)
	strict []byte // the value of Strict-Transport-Security; nil: nothing is said
}

// marksFor returns the marks of an answer to a request of this origin, nil if it names none or is not known, over this connection, which
// may be nil. They share the origin's memory.
//
// hot: every answer.
func (h *Host) marksFor(origin []byte, conn *link.Conn) (m marks) {
	switch {
	case !h.listed:
		m.origin = valueAnyOrigin
	case h.Gate.Lists(origin):
		m.origin, m.listed = origin, true
	default:
		m.listed = true
	}
	if conn != nil && conn.TLS() { // over anything else it must not be said (RFC 6797, Section 7.2)
		m.strict = h.strict
	}
	return m
}

// marksOf returns the marks of an answer to this request.
func (h *Host) marksOf(c *fasthttp.RequestCtx) marks {
	return h.marksFor(h.originOf(c), link.Of(c.Conn()))
}

// originOf returns the origin that the request names; nil: none, or the marks do not depend on it. It lives as long as the request.
func (h *Host) originOf(c *fasthttp.RequestCtx) []byte {
	if !h.listed {
		return nil
	}
	return c.Request.Header.Peek(fasthttp.HeaderOrigin)
}

// set puts the marks into an answer.
func (m *marks) set(h *fasthttp.ResponseHeader) {
	h.SetCanonical(headerOptions, valueNoSniff)
	if m.origin != nil {
		h.SetCanonical(headerAllowOrigin, m.origin)
	}
	if m.listed {
		h.SetCanonical(headerVary, valueOrigin)
	}
	if m.strict != nil {
		h.SetCanonical(headerStrict, m.strict)
	}
}

// appendTo appends the marks to the head of an answer.
func (m *marks) appendTo(dst []byte) []byte {
	var h fasthttp.ResponseHeader
	m.set(&h)
	for _, name := range [...][]byte{headerOptions, headerAllowOrigin, headerVary, headerStrict} {
		if value := h.PeekBytes(name); value != nil {
			dst = append(append(append(append(dst, name...), ": "...), value...), "\r\n"...)
		}
	}
	return dst
}

// Mark marks the answer to a request, before anything else is put into it. Requests that a wire answers or that RefuseOther refuses are
// marked already.
func (h *Host) Mark(c *fasthttp.RequestCtx) {
	m := h.marksOf(c)
	m.set(&c.Response.Header)
}

var (
	headerAllowOrigin = []byte(fasthttp.HeaderAccessControlAllowOrigin)
	valueAnyOrigin    = []byte("*")
	headerVary        = []byte(fasthttp.HeaderVary)
	valueOrigin       = []byte(fasthttp.HeaderOrigin)
	headerOptions     = []byte(fasthttp.HeaderXContentTypeOptions)
	valueNoSniff      = []byte("nosniff")
	headerStrict      = []byte(fasthttp.HeaderStrictTransportSecurity)
)
