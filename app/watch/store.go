package watch

import (
	"time"

	"signal-server/app/watch/metrics"
	"signal-server/cache"
)

// Store is what a store of sessions tells of itself, as a metrics.Source.
type Store struct{ cache.Store }

// The names are the same for every store, so that one dashboard does for all. What a store does not know is not told.
var (
	sessionsNow = &metrics.Metric{
		Name: "signal_sessions", Help: "Sessions that live now. Only the embedded store tells.", Kind: metrics.Gauge,
	}
	sessionsOpened = &metrics.Metric{
		Name: "signal_sessions_opened_total", Kind: metrics.Counter,
		Help: "Sessions that were opened, through this node. With Redis an open that a client repeats counts again.",
	}
	sessionsAnswered = &metrics.Metric{
		Name: "signal_sessions_answered_total", Kind: metrics.Counter,
		Help: "Sessions whose answerer put its sdp, through this node. With Redis one that a client repeats counts again.",
	}
	sessionsCompleted = &metrics.Metric{
		Name: "signal_sessions_completed_total", Kind: metrics.Counter,
		Help: "Sessions of which both peers were given the other's sdp. With Redis: offerers that were given the answer, through this node; a read " +
			"that is repeated counts again.",
	}
	sessionsEnded = &metrics.Metric{
		Name: "signal_sessions_ended_total", Help: "Sessions that a client ended with DELETE, through this node.", Kind: metrics.Counter,
	}
	sessionsExpired = &metrics.Metric{
		Name: "signal_sessions_expired_total", Kind: metrics.Counter,
		Help: "Sessions that ended because nobody used them, or because their lifetime was over. Only the embedded store tells.",
	}
	answerSeconds = &metrics.Metric{
		Name: "signal_session_answer_seconds", Kind: metrics.Histogram, From: 100 * time.Millisecond, To: 5 * time.Minute,
		Help: "Time from the opening of a session until its answerer put its sdp. Only the embedded store tells.",
	}
	storeBytes = &metrics.Metric{
		Name: "signal_store_bytes", Help: "Memory that sessions hold or have set aside. Only the embedded store tells.", Kind: metrics.Gauge,
	}
	storeBudget = &metrics.Metric{
		Name: "signal_store_budget_bytes", Kind: metrics.Gauge,
		Help: "Memory that sessions may hold while new ones are taken; running ones may have a seventh more. Only the embedded store tells.",
	}
	storeCalls = &metrics.Metric{
		Name: "signal_store_calls_total", Help: "Calls to Redis, one round trip each. Only the store over Redis tells.", Kind: metrics.Counter,
	}
	storeErrors = &metrics.Metric{
		Name: "signal_store_errors_total", Kind: metrics.Counter,
		Help: "Calls to Redis that brought no answer, or not one that a server in order gives. Only the store over Redis tells.",
	}
	storeSeconds = &metrics.Metric{
		Name: "signal_store_call_seconds", Kind: metrics.Histogram, From: 100 * time.Microsecond, To: 10 * time.Second,
		Help: "Time of a call to Redis. One in 16, picked at random, is timed: the count is of those. Only the store over Redis tells.",
	}
)

// Metrics implements metrics.Source.
func (s Store) Metrics() []*metrics.Metric {
	return []*metrics.Metric{
		sessionsNow, sessionsOpened, sessionsAnswered, sessionsCompleted, sessionsEnded, sessionsExpired, answerSeconds,
		storeBytes, storeBudget, storeCalls, storeErrors, storeSeconds,
	}
}

// Report implements metrics.Source.
func (s Store) Report(to metrics.Sink) {
	stats := s.Stats()
	for m, value := range map[*metrics.Metric]int64{
		sessionsNow: stats.Live, sessionsOpened: stats.Opened, sessionsAnswered: stats.Answered, sessionsCompleted: stats.Completed,
		sessionsEnded: stats.Ended, sessionsExpired: stats.Expired, storeBytes: stats.Held, storeBudget: stats.Budget,
		storeCalls: stats.Trips, storeErrors: stats.Failed,
	} {
		to.Value(m, float64(value))
	}
	to.Durations(answerSeconds, stats.Answering)
	to.Durations(storeSeconds, stats.Tripping)
}
