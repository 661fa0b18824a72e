package watch

import (
	"runtime"
	"runtime/debug"
	"time"

	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

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

// Waited counts a request that was held by ?wait for so long, and ended with err.
func (w *Watch) Waited(held time.Duration, err error) {
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
	w.waited[result].Observe(held)
}

var (
	waitSeconds = &metrics.Metric{
		Name: "signal_wait_seconds", Kind: metrics.Histogram, Labels: []string{"result"}, From: time.Millisecond, To: time.Minute,
		Help: "How long requests with ?wait were held, those answered at once included, by what ended it: news, nothing (the time was up), ended " +
			"(the session did), gone (the client had left), failed (shutdown, a store that fails, a request at fault).",
	}
	panics = &metrics.Metric{
		Name: "signal_panics_total", Help: "Requests that panicked: each is a bug here, and is in the log.", Kind: metrics.Counter,
	}
	logLost = &metrics.Metric{
		Name: "signal_log_lines_lost_total", Kind: metrics.Counter, Labels: []string{"log"},
		Help: "Lines that could not be written, or in time: of the server's log, and of the access log.",
	}
	buildInfo = &metrics.Metric{
		Name: "signal_build_info", Help: "1, and what was built: version and revision of the program, version of Go.", Kind: metrics.Gauge,
		Labels: []string{"version", "revision", "goversion"},
	}
)

// Metrics implements metrics.Source. The requests are a Source of their own.
func (w *Watch) Metrics() []*metrics.Metric {
	return []*metrics.Metric{waitSeconds, panics, logLost, buildInfo}
}

// Report implements metrics.Source.
func (w *Watch) Report(to metrics.Sink) {
	for result := range w.waited {
		to.Durations(waitSeconds, w.waited[result].Distribution(), waitNames[result])
	}
	to.Value(panics, float64(w.panics.Load()))
	to.Value(logLost, float64(w.lost.Load()), "server")
	to.Value(logLost, float64(w.access.Lost()), "access")
	to.Value(buildInfo, 1, w.version, revision(), runtime.Version())
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
