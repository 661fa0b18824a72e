package turn

import (
	"sync/atomic"

	"signal-server/app/watch/metrics"
)

// What became of requests for a relay.
const (
	created      = iota
	unauthorized // a user or password that is wrong, or has ended. A first request, which has none, is not counted
	overQuota
	noPort
	results
)

// Why a packet was dropped.
const (
	droppedRate    = iota
	droppedPeer    // it came from somebody without a permission
	droppedPort    // to or from a port of the relays' address that is no relay's
	droppedOverrun // it was too long, or the system had no room for it
	reasons
)

// Where relayed bytes went.
const (
	toPeer = iota
	fromPeer
	directions
)

var (
	resultNames    = [results]string{"created", "unauthorized", "quota", "no_port"}
	reasonNames    = [reasons]string{"rate", "peer", "port", "overrun"}
	directionNames = [directions]string{"to_peer", "from_peer"}
	transportNames = map[bool]string{false: "tcp", true: "tls"}
)

// counts are what a Server counts, all atomic.
type counts struct {
	allocations        [results]atomic.Int64
	dropped            [reasons]atomic.Int64
	bytes              [directions]atomic.Int64
	permissionsRefused atomic.Int64
	bindings           atomic.Int64
	unanswered         atomic.Int64 // answers that were not sent, so that nobody is flooded
	plain, tls         atomic.Int64 // connections
}

var (
	allocationsNow = &metrics.Metric{
		Name: "signal_turn_allocations", Help: "Relays that there are now.", Kind: metrics.Gauge,
	}
	allocationsLimit = &metrics.Metric{
		Name: "signal_turn_allocations_limit", Help: "Relays at once, at the most (--turn-allocations, or what --turn-ports has room for).", Kind: metrics.Gauge,
	}
	allocationsMade = &metrics.Metric{
		Name: "signal_turn_allocations_total", Kind: metrics.Counter, Labels: []string{"result"},
		Help: "Requests for a relay: created, unauthorized (a wrong credential, or one that has ended), quota, no_port (none is free, or there is no relay of that family, or of TCP).",
	}
	relayedBytes = &metrics.Metric{
		Name: "signal_turn_bytes_total", Help: "Bytes that were relayed, to_peer and from_peer, without what the network adds.", Kind: metrics.Counter, Labels: []string{"direction"},
	}
	packetsDropped = &metrics.Metric{
		Name: "signal_turn_packets_dropped_total", Kind: metrics.Counter, Labels: []string{"reason"},
		Help: "Packets that were not relayed: rate (over --turn-rate or --turn-total-rate), peer (from somebody without a permission), port (to or from a port of the " +
			"relays' address that is no relay's), overrun (too long, or the system could not send it at once).",
	}
	permissionsRefused = &metrics.Metric{
		Name: "signal_turn_permissions_refused_total", Kind: metrics.Counter,
		Help: "Peers that a client may not reach by a relay: addresses that are not public, or in --turn-deny-peers; or too many of one client. It " +
			"rises in ordinary calls, too: clients ask for each address that the other side tells, private ones included.",
	}
	turnConnections = &metrics.Metric{
		Name: "signal_turn_connections", Help: "Connections of TURN clients that are open now.", Kind: metrics.Gauge, Labels: []string{"transport"},
	}
	stunRequests = &metrics.Metric{
		Name: "signal_stun_requests_total", Help: "Questions of clients by which address they are seen (STUN).", Kind: metrics.Counter,
	}
	unansweredTotal = &metrics.Metric{
		Name: "signal_turn_unanswered_total", Kind: metrics.Counter,
		Help: "Answers over UDP that were not sent, because a network that had not shown who it is got --turn-unauthenticated-rate of them.",
	}
)

// Metrics implements metrics.Source.
func (*Server) Metrics() []*metrics.Metric {
	return []*metrics.Metric{
		allocationsNow, allocationsLimit, allocationsMade, relayedBytes, packetsDropped, permissionsRefused, turnConnections, stunRequests, unansweredTotal,
	}
}

// ports returns how many relays there are ports for.
func (s *Server) ports() (n int) {
	for _, at := range []*place{s.v4, s.v6} {
		if at != nil {
			n += at.ports.count()
		}
	}
	return n
}

// Report implements metrics.Source.
func (s *Server) Report(to metrics.Sink) {
	to.Value(allocationsNow, float64(s.quotas.count()))
	to.Value(allocationsLimit, float64(min(s.config.Allocations, s.ports())))
	for i, name := range resultNames {
		to.Value(allocationsMade, float64(s.counts.allocations[i].Load()), name)
	}
	for i, name := range directionNames {
		to.Value(relayedBytes, float64(s.counts.bytes[i].Load()), name)
	}
	for i, name := range reasonNames {
		to.Value(packetsDropped, float64(s.counts.dropped[i].Load()), name)
	}
	to.Value(permissionsRefused, float64(s.counts.permissionsRefused.Load()))
	to.Value(turnConnections, float64(s.counts.plain.Load()), transportNames[false])
	to.Value(turnConnections, float64(s.counts.tls.Load()), transportNames[true])
	to.Value(stunRequests, float64(s.counts.bindings.Load()))
	to.Value(unansweredTotal, float64(s.counts.unanswered.Load()))
}
