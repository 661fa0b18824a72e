package link

import (
	"crypto/tls"
	"errors"
	"os"
	"time"
)

// overTLS is a connection under patrol on which TLS is spoken. fasthttp finds that out by these methods, so a plain connection must
// not have them.
//
//	fasthttp ─▶ overTLS ─▶ Conn ─▶ tls.Conn ─▶ socket
//	                        └── the patrol's deadlines ──┘
type overTLS struct{ *Conn }

// ConnectionState returns what client and server have agreed on.
func (c overTLS) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// Handshake is called by fasthttp before the first request, and again when a connection is served on after a wait. It counts as a
// part of the time that the first request may take.
func (c overTLS) Handshake() error {
	if !c.fresh || c.whole.Load() {
		return nil
	}
	c.become(phaseHandshake) // since when it was accepted
	err := c.tls.Handshake()
	if _, served := c.wake(); !served {
		return errShut
	}
	var notTLS tls.RecordHeaderError
	switch {
	case err == nil:
		c.whole.Store(true)
	case errors.As(err, &notTLS) && notTLS.Conn != nil && isHTTP(notTLS.RecordHeader):
		c.refuseHTTP()
	}
	if err != nil {
		return err
	}
	// The TLS configuration may know a protocol besides HTTP: an ACME authority's challenge ends here (RFC 8737, Section 3).
	if p := c.tls.ConnectionState().NegotiatedProtocol; p != "" && p != "http/1.1" {
		return errNotHTTP
	}
	return nil
}

var errShut = errors.New("the connection has ended before its first request")

var errNotHTTP = errors.New("the client speaks another protocol than HTTP")

// isHTTP reports whether what should have been the header of a TLS record is the beginning of a request.
func isHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "POST ", "HEAD ", "DELET", "OPTIO", "PUT /", "PATCH":
		return true
	}
	return false
}

// refuseHTTP answers a client that speaks HTTP where TLS is spoken.
func (c overTLS) refuseHTTP() {
	c.rest.Store(true)
	c.enter(phaseReply)
	c.socket.Write(c.patrol.notTLS) // when it fails, nobody is there to tell
	c.become(phaseServing)
}

// hungUp reports whether the client has ended TLS, which the system below cannot see (RFC 8446, Section 6.1). It keeps for the next
// read whatever else has come. It may be called between reads only. p tells whether the system has something to read.
func (c *Conn) hungUp(p *presence) bool {
	defer c.tls.SetDeadline(time.Time{})
	var b [512]byte
	for patience := false; len(c.left) < maxAhead; {
		c.tls.SetDeadline(time.Now().Add(hungUpFor)) // TLS may write to read: the answer to a KeyUpdate
		if !patience {
			c.tls.SetReadDeadline(past) // at first only what TLS itself has read already
		}
		n, err := c.tls.Read(b[:])
		c.left = append(c.left, b[:n]...)
		switch {
		case err == nil:
			patience = false
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return true
		case patience || !p.stillUnread():
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
