// Package watch is what one sees of a server: what it counts and what it logs. It knows how a request ended, not what it was about.
//
//	request ──Begin──▶ Passage ──Settle──▶ metrics.Requests, and the access log if it picks the request
//	other parts count on their own, and are asked when somebody scrapes: each is a metrics.Source
package watch

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"signal-server/app/watch/accesslog"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
)

// Watch counts and logs what a server does. New makes one. Its methods may be called concurrently, once all routes are numbered.
type Watch struct {
	// set at construction
	Requests *metrics.Requests // number the routes before the first request comes

	log     *slog.Logger
	access  *accesslog.Log // nil: it is off
	base    time.Time      // the origin of the clock
	version string

	// atomic
	panics atomic.Int64
	lost   atomic.Int64 // lines of the log that could not be written
	waited [waitResults]cache.Durations
}

// New returns a Watch for a program of this version. It logs to log, and it logs requests to access, which may be nil. The caller owns
// both, and closes access after the last request.
func New(version string, access *accesslog.Log, log *slog.Logger) *Watch {
	w := &Watch{Requests: metrics.NewRequests(), access: access, base: time.Now(), version: version}
	w.log = slog.New(lossy{log.Handler(), &w.lost})
	return w
}

// Log returns the server's log. Lines that it cannot write are counted.
func (w *Watch) Log() *slog.Logger { return w.log }

// Now is the server's clock: the time since it was made, which a change of the system's clock does not move.
func (w *Watch) Now() time.Duration { return time.Since(w.base) }

// Panicked counts a panic, and logs what a request panicked with. It is called by the deferred function that recovered it.
func (w *Watch) Panicked(r any) {
	w.panics.Add(1)
	w.log.Error("BUG: a request panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
}
