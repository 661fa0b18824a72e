package app

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"signal-server/app/gate/limit"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

// sources are the parts of the server that /metrics tells of. A part that counts on its own implements metrics.Source, and is added here.
func (s *Server) sources() []metrics.Source {
	return []metrics.Source{s.requests, storeNumbers{s}, outcomeNumbers{s}, numbers{s}}
}

// The results of a wait.
const (
	waitNews    = iota // there was something
	waitNothing        // the time was up
	waitEnded          // the session ended, or had ended
	waitGone           // the client had left
	waitFailed         // anything else
	waitResults
)

var waitNames = [waitResults]string{"news", "nothing", "ended", "gone", "failed"}

// noteWait counts a request with ?wait that was held for so long, and ended with err.
func (s *Server) noteWait(held time.Duration, err error) {
	result := waitFailed
	switch err {
	case nil:
		result = waitNews
	case custerrors.SdpNoValues, custerrors.CandidateNoValues, custerrors.KeyNotFound:
		result = waitNothing
	case custerrors.KeyIsExpired:
		result = waitEnded
	case cache.ErrGone:
		result = waitGone
	}
	s.waited[result].Observe(held)
}

// numbers is what a server tells of itself, beside its requests and its store.
type numbers struct{ *Server }

var (
	waitSeconds = &metrics.Metric{
		Name: "signal_wait_seconds", Kind: metrics.Histogram, Labels: []string{"result"}, From: time.Millisecond, To: time.Minute,
		Help: "How long requests with ?wait were held, those answered at once included, by what ended it: news, nothing (the time was up), ended " +
			"(the session did), gone (the client had left), failed (shutdown, a store that fails, a request at fault).",
	}
	waitsNow = &metrics.Metric{
		Name: "signal_waits", Help: "Requests that are held by ?wait now, for longer than 25 ms.", Kind: metrics.Gauge,
	}
	streamsNow  = &metrics.Metric{Name: "signal_streams", Help: "Event streams that are open now.", Kind: metrics.Gauge}
	waitsLimit  = &metrics.Metric{Name: "signal_waits_limit", Help: "Waits and streams at once, at the most (--max-waits); 0: no limit.", Kind: metrics.Gauge}
	connections = &metrics.Metric{
		Name: "signal_connections", Help: "Connections that are open now.", Kind: metrics.Gauge,
	}
	connectionsLimit = &metrics.Metric{
		Name: "signal_connections_limit", Help: "Connections at once, at the most (--max-connections); 0: as many as there are descriptors.",
		Kind: metrics.Gauge,
	}
	connectionsAccepted = &metrics.Metric{
		Name: "signal_connections_accepted_total", Help: "Connections that were accepted and served.", Kind: metrics.Counter,
	}
	connectionsTurnedAway = &metrics.Metric{
		Name: "signal_connections_turned_away_total", Help: "Connections refused because there were as many as --max-connections.",
		Kind: metrics.Counter,
	}
	acceptErrors = &metrics.Metric{
		Name: "signal_accept_errors_total", Help: "Failures to accept a connection, for want of descriptors mostly; each is tried again.",
		Kind: metrics.Counter,
	}
	refusals = &metrics.Metric{
		Name: "signal_refusals_total", Kind: metrics.Counter, Labels: []string{"reason"},
		Help: "Requests that a limit refused: of one client requests, opens, wrong_keys, blocked (for wrong keys), client_waits; of the server " +
			"waits, memory; of a session queue, bytes; and authentication (no good token), permission (a token for something else, a foreign " +
			"origin), slow (it did not arrive in time), shutdown, store (it is not available).",
	}
	clientsKnown = &metrics.Metric{
		Name: "signal_clients", Kind: metrics.Gauge, Labels: []string{"state"},
		Help: "Clients that limits remember now: known are all of them, blocked those that asked for too many wrong keys.",
	}
	panics = &metrics.Metric{
		Name: "signal_panics_total", Help: "Requests that panicked: each is a bug here, and is in the log.", Kind: metrics.Counter,
	}
	logLost = &metrics.Metric{
		Name: "signal_log_lines_lost_total", Kind: metrics.Counter, Labels: []string{"log"},
		Help: "Lines that could not be written, or in time: of the server's log, and of the access log.",
	}
	readyNow = &metrics.Metric{
		Name: "signal_ready", Help: "1 while new sessions are taken, as /readyz has it, otherwise 0.", Kind: metrics.Gauge,
	}
	buildInfo = &metrics.Metric{
		Name: "signal_build_info", Help: "1, and what was built: version and revision of the program, version of Go.", Kind: metrics.Gauge,
		Labels: []string{"version", "revision", "goversion"},
	}
)

// Metrics implements metrics.Source.
func (n numbers) Metrics() []*metrics.Metric {
	return []*metrics.Metric{
		waitSeconds, waitsNow, streamsNow, waitsLimit, connections, connectionsLimit, connectionsAccepted, connectionsTurnedAway,
		acceptErrors, refusals, clientsKnown, panics, logLost, readyNow, buildInfo,
	}
}

// Report implements metrics.Source.
func (n numbers) Report(to metrics.Sink) {
	for result := range n.waited {
		to.Durations(waitSeconds, n.waited[result].Distribution(), waitNames[result])
	}
	streams := n.streams.Load()
	to.Value(streamsNow, float64(streams))
	to.Value(waitsNow, float64(max(n.waits.Load()-streams, 0))) // the two are not read at one moment
	to.Value(waitsLimit, float64(n.config.MaxWaits))

	to.Value(connections, float64(n.patrol.Load().open()))
	to.Value(connectionsLimit, float64(n.config.MaxConnections))
	to.Value(connectionsAccepted, float64(n.arrivals.accepted.Load()))
	to.Value(connectionsTurnedAway, float64(n.TurnedAway()))
	to.Value(acceptErrors, float64(n.AcceptErrors()))

	n.reportRefusals(to)
	to.Value(panics, float64(n.panics.Load()))
	to.Value(logLost, float64(n.logLost.Load()), "server")
	to.Value(logLost, float64(n.access.Lost()), "access")
	ready := 0.0
	if n.readiness(context.Background()) == "" {
		ready = 1
	}
	to.Value(readyNow, ready)
	to.Value(buildInfo, 1, n.config.Version, revision(), runtime.Version())
}

// refusedBy are the reasons that the msg alone tells.
var refusedBy = []struct {
	reason string
	msg    custerrors.Error
}{
	{"waits", custerrors.ServerIsOverloaded}, // of requests; connections are turned away before they are one
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
		to.Value(refusals, float64(n.requests.Answered(by.msg, n.readyRoute)), by.reason) // a probe is not refused, but told
	}
	known, blocked := 0, 0
	if n.limits != nil {
		known, blocked = n.limits.Known()
	}
	for _, r := range limit.Reasons() {
		refused, name := int64(0), r.String()
		if n.limits != nil {
			refused = n.limits.Refused(r)
		}
		if r == limit.Waits {
			name = "client_waits"
		}
		to.Value(refusals, float64(refused), name)
	}
	to.Value(clientsKnown, float64(known), "known")
	to.Value(clientsKnown, float64(blocked), "blocked")
}

// revision returns the commit that was built, as far as the build knows it.
func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return ""
}
