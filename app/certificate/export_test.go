package certificate

import (
	"net"
	"net/http"
)

const (
	LookEvery = lookEvery
	WarnEvery = warnEvery
	MaxFile   = maxFile

	FirstPause = firstPause
	LeastPause = leastPause
	MaxPause   = maxPause
	RequestFor = requestFor
)

const (
	MaxHello = maxHello
	SpareFor = spareFor
)

var Keys = keys

// ParseOffer returns what the stream's hello offers.
func ParseOffer(stream []byte) (tickets [][]byte, x25519, fresh bool) {
	o := parseOffer(stream)
	return o.tickets, o.x25519, o.fresh
}

// Heard returns a connection as Listen makes them below TLS, and what takes what it has kept.
func Heard(conn net.Conn) (heard net.Conn, take func() []byte) {
	h := &heardConn{Conn: conn, listens: true}
	return h, h.take
}

// Reach makes the source reach its authority by the transport. Call it before Run.
func Reach(s Source, transport http.RoundTripper) {
	s.(*authority).manager.Client.HTTPClient.Transport = transport
}
