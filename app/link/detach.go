package link

import (
	"net"

	"github.com/valyala/fasthttp"
)

// Detach takes the request's connection away from fasthttp. Once the handler has returned, own is called and the connection is its owner's, which
// closes it, or gives it back by Rest. The owner finds the connection closed if it broke before. The goroutine that calls own holds the
// request's memory until own returns, so own does not wait. Detach reports whether it can; if it cannot, own is not called. It cannot before the
// request's body has been read.
func Detach(c *fasthttp.RequestCtx, own func(*Conn)) bool {
	conn := Of(c.Conn())
	if conn == nil || conn.unread {
		return false // a connection of a test, not under patrol; or what is left of the body would be taken for the next request
	}
	take := func() {
		conn.unhanded = nil
		own(conn)
	}
	conn.unhanded = take
	c.HijackSetNoResponse(true)
	c.Hijack(func(hijacked net.Conn) {
		conn.keep(hijacked)
		conn.handed = take // not now: fasthttp will still close the connection, which may be served again by then
	})
	return true
}

// keep keeps what the client has sent already: a next request.
func (c *Conn) keep(hijacked net.Conn) {
	c.endRequest()
	c.taken, c.held = true, true
	var left []byte
	var b [512]byte
	for {
		n, err := hijacked.Read(b[:])
		left = append(left, b[:n]...)
		if err != nil {
			break
		}
	}
	c.left = append(left, c.left...) // which came after it
	c.held = false
}

// WriteNow writes as much of b as the system takes at once, and returns the rest, which Write writes. Over TLS, and where the connection is not
// the system's, that is all of it. Like Write it may be called by the owner only.
func (c *Conn) WriteNow(b []byte) (rest []byte, err error) {
	raw := c.present().raw
	if c.tls != nil || raw == nil {
		return b, nil
	}
	n := 0
	failed := raw.Control(func(fd uintptr) { n, err = writeNow(int(fd), b) })
	if err == nil {
		err = failed // it is closed
	}
	return b[max(n, 0):], err
}
