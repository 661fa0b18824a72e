package certificate

import (
	"crypto/tls"
	"net"
	"slices"
	"syscall"

	"golang.org/x/crypto/cryptobyte"
)

// Listen speaks TLS over what inner accepts, by the source's certificate. Over any other listener the source does too, but then clients that
// resume pay for a key exchange that they do not need: see docs/decisions/0013.
func Listen(inner net.Listener, source Source) net.Listener {
	return &listener{Listener: inner, config: source.Server()}
}

type listener struct {
	net.Listener
	config *tls.Config
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tls.Server(&heardConn{Conn: conn, listens: true}, l.config), nil
}

// heardConn is a connection that keeps the first message that comes over it. crypto/tls reads it in one goroutine at a time.
type heardConn struct {
	net.Conn
	listens bool
	hello   []byte
}

const (
	usualHello = 2 << 10  // bytes that a hello has, or nearly: with a share of ML-KEM and a ticket about 1,700
	maxHello   = 16 << 10 // bounds what is kept, in bytes: a record (RFC 8446, Section 5.1)
)

// Read implements net.Conn.
func (h *heardConn) Read(p []byte) (n int, err error) {
	n, err = h.Conn.Read(p)
	if h.listens {
		if h.hello == nil {
			h.hello = make([]byte, 0, usualHello)
		}
		h.hello = append(h.hello, p[:min(n, maxHello-len(h.hello))]...)
	}
	return n, err
}

// NetConn returns the connection below, as tls.Conn's does.
func (h *heardConn) NetConn() net.Conn { return h.Conn }

// SyscallConn implements syscall.Conn.
func (h *heardConn) SyscallConn() (syscall.RawConn, error) {
	if c, ok := h.Conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, syscall.EINVAL
}

// take returns what was kept, and keeps nothing any more.
func (h *heardConn) take() (hello []byte) {
	hello, h.hello, h.listens = h.hello, nil, false
	return hello
}

// offer is what a client's hello says about resuming, which crypto/tls does not tell.
type offer struct {
	tickets [][]byte // in its order; parts of the hello
	x25519  bool     // it has a share of a key exchange by X25519
	fresh   bool     // who resumes exchanges a fresh key too: without that crypto/tls resumes nothing
}

const (
	recordHandshake    = 22
	messageClientHello = 1

	extensionPreSharedKey = 41 // RFC 8446, Section 4.2.11
	extensionModes        = 45 // RFC 8446, Section 4.2.9
	extensionKeyShare     = 51 // RFC 8446, Section 4.2.8

	modeFreshKey = 1 // psk_dhe_ke
)

// parseOffer returns the offer of a hello that begins the stream and lies in one record, as those of clients do. Of anything else it is the zero
// offer.
func parseOffer(stream []byte) (o offer) {
	var kind uint8
	var record, hello, extensions, skipped cryptobyte.String
	s := cryptobyte.String(stream)
	if !s.ReadUint8(&kind) || kind != recordHandshake || !s.Skip(2) || !s.ReadUint16LengthPrefixed(&record) ||
		!record.ReadUint8(&kind) || kind != messageClientHello || !record.ReadUint24LengthPrefixed(&hello) ||
		!hello.Skip(2+32) || // version, random
		!hello.ReadUint8LengthPrefixed(&skipped) || // session
		!hello.ReadUint16LengthPrefixed(&skipped) || // suites
		!hello.ReadUint8LengthPrefixed(&skipped) || // compression
		!hello.ReadUint16LengthPrefixed(&extensions) {
		return offer{}
	}
	for !extensions.Empty() {
		var extension uint16
		var data, list cryptobyte.String
		if !extensions.ReadUint16(&extension) || !extensions.ReadUint16LengthPrefixed(&data) {
			return offer{}
		}
		switch extension {
		case extensionKeyShare:
			if !data.ReadUint16LengthPrefixed(&list) {
				return offer{}
			}
			for !list.Empty() {
				var group uint16
				var share cryptobyte.String
				if !list.ReadUint16(&group) || !list.ReadUint16LengthPrefixed(&share) {
					return offer{}
				}
				o.x25519 = o.x25519 || tls.CurveID(group) == tls.X25519
			}
		case extensionModes:
			if !data.ReadUint8LengthPrefixed(&list) {
				return offer{}
			}
			o.fresh = slices.Contains(list, modeFreshKey)
		case extensionPreSharedKey:
			if !data.ReadUint16LengthPrefixed(&list) {
				return offer{}
			}
			for !list.Empty() {
				var ticket cryptobyte.String
				if !list.ReadUint16LengthPrefixed(&ticket) || !list.Skip(4) { // its age
					return offer{}
				}
				o.tickets = append(o.tickets, ticket)
			}
		}
	}
	return o
}
