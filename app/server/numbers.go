package server

import (
	"context"

	"signal-server/app/gate/limit"
	"signal-server/app/link"
	"signal-server/app/watch"
	"signal-server/app/watch/metrics"
	"signal-server/custerrors"
)

// Sources are the parts of the server that /metrics tells of: all that count on their own, and the wires that do.
func (s *Server) Sources() []metrics.Source {
	all := []metrics.Source{s.watch.Requests, watch.Store{Store: s.store}}
	for _, w := range s.wires {
		if source, ok := w.(metrics.Source); ok {
			all = append(all, source)
		}
	}
	all = append(all, s.watch, numbers{s})
	return append(all, s.more...)
}

// numbers is what a server tells of its connections and of what it refuses.
type numbers struct{ *Server }

var (
	waitsNow = &metrics.Metric{
		Name: "signal_waits", Help: "Requests that are held by ?wait now, for longer than 25 ms.", Kind: metrics.Gauge,
	}
	streamsNow = &metrics.Metric{Name: "signal_streams", Help: "Event streams that are open now.", Kind: metrics.Gauge}
	waitsLimit = &metrics.Metric{Name: "signal_waits_limit", Help: "Waits and streams at once, at the most (--max-waits); 0: no limit.", Kind: metrics.Gauge}
	bodiesNow  = &metrics.Metric{
		Name: "signal_bodies_bytes", Help: "Memory that bodies of requests take now that are larger than 4 KiB.", Kind: metrics.Gauge,
	}
	bodiesLimit = &metrics.Metric{
		Name: "signal_bodies_limit_bytes", Help: "Memory that such bodies may take (--max-bodies).", Kind: metrics.Gauge,
	}
	connections = &metrics.Metric{
		Name: "signal_connections", Help: "Connections that are open now.", Kind: metrics.Gauge,
	}
	connectionsLimit = &metrics.Metric{
		Name: "signal_connections_limit", Help: "Connections at once, at the most (--max-connections); 0: as many as there are descriptors.",
		Kind: metrics.Gauge,
	}
	clientConnectionsLimit = &metrics.Metric{
		Name: "signal_client_connections_limit", Help: "Connections of one client at once, at the most (--max-client-connections); 0: any number.",
		Kind: metrics.Gauge,
	}
	connectionsAccepted = &metrics.Metric{
		Name: "signal_connections_accepted_total", Help: "Connections that were accepted and served.", Kind: metrics.Counter,
	}
	connectionsTurnedAway = &metrics.Metric{
		Name: "signal_connections_turned_away_total", Kind: metrics.Counter, Labels: []string{"reason"},
		Help: "Connections refused because there were as many as --max-connections (full), or their client had as many as --max-client-connections " +
			"(client), or made more than --rate-connections (rate).",
	}
	acceptErrors = &metrics.Metric{
		Name: "signal_accept_errors_total", Help: "Failures to accept a connection, for want of descriptors mostly; each is tried again.",
		Kind: metrics.Counter,
	}
	refusals = &metrics.Metric{
		Name: "signal_refusals_total", Kind: metrics.Counter, Labels: []string{"reason"},
		Help: "Requests that a limit refused: of one client requests, opens, wrong_keys, blocked (for wrong keys), client_waits, client_memory; of the server " +
			"waits, bodies (--max-bodies), memory, brake (on wrong keys); of a session queue, bytes; and authentication (no good token), permission (a token for something else, a foreign " +
			"origin), slow (it did not arrive in time), shutdown, store (it is not available).",
	}
	clientsKnown = &metrics.Metric{
		Name: "signal_clients", Kind: metrics.Gauge, Labels: []string{"state"},
		Help: "Clients that limits remember now: known are all of them, blocked those that asked for too many wrong keys.",
	}
	readyNow = &metrics.Metric{
		Name: "signal_ready", Help: "1 while new sessions are taken, as /readyz has it, otherwise 0.", Kind: metrics.Gauge,
	}
)

// Metrics implements metrics.Source.
func (n numbers) Metrics() []*metrics.Metric {
	return []*metrics.Metric{
		waitsNow, streamsNow, waitsLimit, bodiesNow, bodiesLimit, connections, connectionsLimit, clientConnectionsLimit, connectionsAccepted,
		connectionsTurnedAway,
		acceptErrors, refusals, clientsKnown, readyNow,
	}
}

// Report implements metrics.Source.
func (n numbers) Report(to metrics.Sink) {
	streams := n.host.Streams()
	waits, waitsMax, waitsRefused := n.gate.Waits()
	to.Value(streamsNow, float64(streams))
	to.Value(waitsNow, float64(max(waits-streams, 0))) // the two are not read at one moment
	to.Value(waitsLimit, float64(waitsMax))
	bodies, bodiesMax, bodiesRefused := n.host.Bodies()
	to.Value(bodiesNow, float64(bodies))
	to.Value(bodiesLimit, float64(bodiesMax))

	open, share := 0, 0
	if api := n.api.Load(); api != nil {
		open, share = api.Open(), api.Share()
	}
	to.Value(connections, float64(open))
	to.Value(connectionsLimit, float64(n.bounds.MaxConnections))
	to.Value(clientConnectionsLimit, float64(share))
	to.Value(connectionsAccepted, float64(n.counts.Accepted.Load()))
	for r := range link.Reasons {
		to.Value(connectionsTurnedAway, float64(n.counts.TurnedAway[r].Load()), r.String())
	}
	to.Value(acceptErrors, float64(n.counts.Failed.Load()))

	to.Value(refusals, float64(waitsRefused), "waits")
	to.Value(refusals, float64(bodiesRefused), "bodies")
	n.reportRefusals(to)
	ready := 0.0
	if n.readiness(context.Background()) == "" {
		ready = 1
	}
	to.Value(readyNow, ready)
}

// refusedBy are the reasons that the msg alone tells.
var refusedBy = []struct {
	reason string
	msg    custerrors.Error
}{
	{"memory", custerrors.CacheOverrunMaxCost},
	{"queue", custerrors.QueueIsFull},
	{"bytes", custerrors.BodyIsTooLong},
	{"authentication", custerrors.NotAuthenticated},
	{"permission", custerrors.NotAllowed},
	{"slow", custerrors.RequestIsTooSlow},
	{"shutdown", custerrors.ServerIsShuttingDown},
	{"store", custerrors.StoreIsUnavailable},
}

// reportRefusals tells of every reason, whether it has happened or not, so that the first time is an increase.
func (n numbers) reportRefusals(to metrics.Sink) {
	for _, by := range refusedBy {
		to.Value(refusals, float64(n.watch.Requests.EndedWith(by.msg, n.readyRoute)), by.reason) // a probe is not refused, but told
	}
	to.Value(refusals, float64(n.store.Stats().Overdrawn), "client_memory")
	known, blocked := 0, 0
	limiter := n.gate.Limiter()
	if limiter != nil {
		known, blocked = limiter.Known()
	}
	for _, r := range limit.Reasons() {
		refused, name := int64(0), r.String()
		if limiter != nil {
			refused = limiter.Refused(r)
		}
		if r == limit.Waits {
			name = "client_waits"
		}
		to.Value(refusals, float64(refused), name)
	}
	to.Value(clientsKnown, float64(known), "known")
	to.Value(clientsKnown, float64(blocked), "blocked")
}
