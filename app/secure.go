package app

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"signal-server/custerrors"
)

// secure is a connection under patrol that speaks TLS. fasthttp finds that out by these methods, so that a plain connection must
// not have them.
//
//	fasthttp ─▶ secure ─▶ conn ─▶ tls.Conn ─▶ socket
//	                       └── the patrol's deadlines ──┘
type secure struct{ *conn }

// newConn puts the connection under a patrol, which has still to admit it.
func newConn(raw net.Conn, p *patrol, plain []byte) *conn {
	c := &conn{Conn: raw, socket: raw, patrol: p, plain: plain, fresh: true}
	if t, ok := raw.(*tls.Conn); ok {
		c.tls, c.socket = t, t.NetConn()
	}
	c.enter(phaseServing)
	return c
}

// served is the connection as fasthttp is to have it, and patrolled is what it was made of, or nil.
func (c *conn) served() net.Conn {
	if c.tls != nil {
		return secure{c}
	}
	return c
}

func patrolled(nc net.Conn) *conn {
	switch c := nc.(type) {
	case *conn:
		return c
	case secure:
		return c.conn
	}
	return nil
}

// ConnectionState returns what was agreed on.
func (c secure) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// Handshake is called by fasthttp before the first request, and again where a connection is served on after a wait. It takes
// its time from that of the first request.
func (c secure) Handshake() error {
	if !c.fresh || c.whole.Load() {
		return nil
	}
	c.become(phaseHandshake) // since when it was accepted
	err := c.tls.Handshake()
	c.become(phaseServing)
	var plain tls.RecordHeaderError
	switch {
	case err == nil:
		c.whole.Store(true)
	case errors.As(err, &plain) && plain.Conn != nil && isHTTP(plain.RecordHeader):
		c.refusePlain()
	}
	if err != nil {
		return err
	}
	// The listener may know protocols that are for itself: an ACME authority's challenge ends here (RFC 8737, Section 3).
	if p := c.tls.ConnectionState().NegotiatedProtocol; p != "" && p != "http/1.1" {
		return errNotHTTP
	}
	return nil
}

var errNotHTTP = errors.New("the client speaks another protocol than HTTP")

// isHTTP reports whether what should have been the header of a TLS record is the beginning of a request.
func isHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "POST ", "HEAD ", "DELET", "OPTIO", "PUT /", "PATCH":
		return true
	}
	return false
}

// refusePlain answers a client that speaks HTTP where TLS is spoken.
func (c secure) refusePlain() {
	c.rest.Store(true)
	c.enter(phaseReply)
	c.socket.Write(c.plain) // when it fails, nobody is there to tell
	c.become(phaseServing)
}

// speakTLS has fasthttp serve connections that may be secure ones. It is called once, before there are any.
func (s *Server) speakTLS() {
	s.strict = newStrict(s.config.HSTS)
	server := s.fiber.Server()
	server.Handler = func(c *fasthttp.RequestCtx) {
		s.Handle(c)
		s.strict.mark(c)
	}
	server.ErrorHandler = s.refuseSecure
}

// refuseSecure is refuseBroken, whose answer may go over TLS.
func (s *Server) refuseSecure(c *fasthttp.RequestCtx, err error) {
	s.refuseBroken(c, err)
	s.strict.mark(c)
}

// appendRefusal appends a refusal that ends a connection before there is a request.
func (s *Server) appendRefusal(dst []byte, msg custerrors.Error, retryAfter int) []byte {
	var c fasthttp.RequestCtx
	refuse(&c, msg)
	if retryAfter > 0 {
		c.Response.Header.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(retryAfter))
	}
	s.origins.mark(&c, "")
	c.SetConnectionClose()
	c.Response.Header.SetContentLength(len(c.Response.Body()))
	dst = append(dst, c.Response.Header.Header()...)
	return append(dst, c.Response.Body()...)
}

// hungUp reports whether the client has ended TLS, which the system below cannot see (RFC 8446, Section 6.1). What else has come
// is kept for the next read. It may be called between reads only; unread says whether the system has something to read.
func (c *conn) hungUp(unread func() bool) bool {
	defer c.tls.SetDeadline(time.Time{})
	var b [512]byte
	for patience := false; len(c.left) < maxAhead; {
		// At first only what TLS itself has read already: a deadline in the past lets it have nothing else.
		c.tls.SetReadDeadline(past)
		if patience {
			c.tls.SetDeadline(time.Now().Add(hungUpFor))
		}
		n, err := c.tls.Read(b[:])
		c.left = append(c.left, b[:n]...)
		switch {
		case err == nil:
			patience = false
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return true
		case patience || !unread():
			return false
		default:
			patience = true
		}
	}
	return false
}

const (
	maxAhead  = 16 << 10              // bytes of next requests that are read ahead, about: one record (RFC 8446, Section 5.1)
	hungUpFor = 10 * time.Millisecond // for a record that has begun to come, and whose rest is on its way
)

// strict is the value of Strict-Transport-Security (RFC 6797, Section 6.1), or nil. Subdomains are not ours to speak for.
type strict []byte

func newStrict(age time.Duration) strict {
	if age <= 0 {
		return nil
	}
	return strconv.AppendInt([]byte("max-age="), int64(age/time.Second), 10)
}

// mark puts it into an answer over TLS: over anything else it must not be (RFC 6797, Section 7.2).
//
// hot: every answer; an interface's type is compared.
func (s strict) mark(c *fasthttp.RequestCtx) {
	if over, ok := c.Conn().(secure); ok {
		s.markOver(&c.Response, over.conn)
	}
}

// markOver is mark for an answer whose connection was taken from fasthttp.
func (s strict) markOver(r *fasthttp.Response, over *conn) {
	if s != nil && over.tls != nil {
		r.Header.SetCanonical(headerStrict, s)
	}
}

// appendLine appends to the head of an answer what mark puts into one.
func (s strict) appendLine(dst []byte, c *fasthttp.RequestCtx) []byte {
	if over, ok := c.Conn().(secure); !ok || s == nil || over.tls == nil {
		return dst
	}
	return append(append(append(append(dst, headerStrict...), ": "...), s...), "\r\n"...)
}

var headerStrict = []byte(fasthttp.HeaderStrictTransportSecurity)
