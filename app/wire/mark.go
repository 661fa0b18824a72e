package wire

import (
	"github.com/valyala/fasthttp"

	"signal-server/app/link"
)

// marks are what every answer to a request bears, whatever it says: which pages may read it, and that browsers insist on TLS. They are put
// into the answer before anything else.
type marks struct {
	lines [3]mark
	count int
}

type mark struct{ name, value []byte }

func (m *marks) add(name, value []byte) {
	m.lines[m.count] = mark{name, value}
	m.count++
}

// marksFor returns the marks of an answer to a request of this origin, nil if it names none or is not known, over this connection, which
// may be nil. Their values are the origin's and the host's.
func (h *Host) marksFor(origin []byte, conn *link.Conn) (m marks) {
	switch {
	case !h.Gate.ListsOrigins():
		m.add(headerAllowOrigin, valueAnyOrigin)
	default:
		if h.Gate.Lists(origin) {
			m.add(headerAllowOrigin, origin)
		}
		m.add(headerVary, valueOrigin) // RFC 9110, Section 12.5.5
	}
	if h.strict != nil && conn != nil && conn.TLS() { // over anything else it must not be (RFC 6797, Section 7.2)
		m.add(headerStrict, h.strict)
	}
	return m
}

// marksOf returns the marks of an answer to this request.
func (h *Host) marksOf(c *fasthttp.RequestCtx) marks {
	return h.marksFor(h.originOf(c), link.Of(c.Conn()))
}

// originOf returns the origin that the request names; nil: none, or the marks do not depend on it. It lives as long as the request.
func (h *Host) originOf(c *fasthttp.RequestCtx) []byte {
	if !h.Gate.ListsOrigins() {
		return nil
	}
	return c.Request.Header.Peek(fasthttp.HeaderOrigin)
}

func (m *marks) set(h *fasthttp.ResponseHeader) {
	for _, line := range m.lines[:m.count] {
		h.SetCanonical(line.name, line.value)
	}
}

// appendTo appends the marks to the head of an answer.
func (m *marks) appendTo(dst []byte) []byte {
	for _, line := range m.lines[:m.count] {
		dst = append(append(append(append(dst, line.name...), ": "...), line.value...), "\r\n"...)
	}
	return dst
}

// Mark marks the answer to a request, before anything else is put into it. Requests that a wire answers or that RefuseOther refuses are
// marked already.
//
// hot: every answer.
func (h *Host) Mark(c *fasthttp.RequestCtx) {
	m := h.marksOf(c)
	m.set(&c.Response.Header)
}

var (
	headerAllowOrigin = []byte(fasthttp.HeaderAccessControlAllowOrigin)
	valueAnyOrigin    = []byte("*")
	headerVary        = []byte(fasthttp.HeaderVary)
	valueOrigin       = []byte(fasthttp.HeaderOrigin)
	headerStrict      = []byte(fasthttp.HeaderStrictTransportSecurity)
)
