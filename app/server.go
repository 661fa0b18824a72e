// Package app is the signaling server: policy, and the only package that knows HTTP, Fiber and JSON.
//
//	client ──HTTP──▶ Server ──▶ route ──▶ key ▶ bounds ▶ store or mailroom ▶ reply
//
// Every answer of the signaling API is the envelope {"msg":"","data":null}, written by reply.go and nowhere else. The
// package knows sessions only through cache.Store and cache.Mailroom, never which store it is.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/gate/limit"
	"signal-server/app/watch/accesslog"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

// Server serves the signaling API over a store. New makes one. Its methods may be called concurrently, Serve once.
type Server struct {
	// set at construction
	config   Config
	store    cache.Store
	mail     *cache.Mailroom
	log      *slog.Logger
	fiber    *fiber.App
	route    fasthttp.RequestHandler // Fiber's
	admin    *http.Server
	origins  origins
	limits   *limit.Limiter // nil: there are none
	requests *metrics.Requests
	access   *accesslog.Log // nil: it is off
	base     time.Time      // the origin of the server's clock
	strict   strict         // set by Serve, before there are connections
	outcomes *outcomes

	otherRoute metrics.Route // of what no route answers
	readyRoute metrics.Route

	visits   sync.Pool // of *visit
	contexts sync.Pool // of *fasthttp.RequestCtx, to answer parked requests with

	// atomic
	leaving  atomic.Bool  // it was told to end
	waits    atomic.Int64 // requests that wait, and event streams
	streams  atomic.Int64 // of these, event streams
	arrivals arrivals     // what became of connections
	detached atomic.Int64 // connections taken from fasthttp: event streams, and requests that wait
	panics   atomic.Int64
	logLost  atomic.Int64 // lines of the log that could not be written
	waited   [waitResults]cache.Durations
	patrol   atomic.Pointer[patrol] // nil until Serve
}

// New returns a Server over the store, which the caller still owns and closes after Serve has returned. The error lists
// what is wrong with the configuration.
func New(config Config, store cache.Store, log *slog.Logger) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		config:   config,
		store:    store,
		mail:     cache.NewMailroom(store, config.Limits),
		origins:  newOrigins(config.AllowOrigins),
		requests: metrics.NewRequests(),
		access:   config.Access,
		base:     time.Now(),
		limits:   limit.New(config.Clients),
		visits:   sync.Pool{New: func() any { return new(visit) }},
		contexts: sync.Pool{New: func() any { return new(fasthttp.RequestCtx) }},
		outcomes: newOutcomes(),
	}
	s.log = slog.New(lossy{log.Handler(), &s.logLost})
	s.otherRoute = s.requests.Route("other")
	s.readyRoute = s.requests.Route("GET /readyz")
	s.fiber = fiber.New(fiber.Config{
		AppName:                      "signal-server",
		DisableStartupMessage:        true,
		CaseSensitive:                true,
		BodyLimit:                    config.BodyBytes,
		DisablePreParseMultipartForm: true, // a body is opaque text, whatever its Content-Type says
		ErrorHandler:                 s.handleError,
	})
	s.routes()
	s.route = s.fiber.Handler()
	server := s.fiber.Server()
	server.Handler = s.Handle
	server.ErrorHandler = s.refuseBroken
	server.ConnState = follow
	server.Logger = quiet{}
	server.CloseOnShutdown = true
	server.LazyRequestTime = true // nothing here asks when a request came
	server.Concurrency = unbounded
	s.admin = s.newAdmin()
	return s, nil
}

// Serve serves the API on listener and the admin routes on admin, which may be nil, until ctx ends. Then it says that it is not
// ready, serves on for Config.ShutdownDelay, stops accepting, ends all waits with custerrors.ServerIsShuttingDown, lets what
// runs finish for at most Config.Drain, and returns nil; or earlier, the error that ended it. It closes both listeners.
func (s *Server) Serve(ctx context.Context, listener, admin net.Listener) error {
	patrol := newPatrol(s.config.ReadTimeout, s.config.IdleTimeout, s.config.ReadTimeout)
	defer patrol.stop()
	s.patrol.Store(patrol)
	s.speakTLS()
	failed := make(chan error, 2) // each of the two goroutines sends once
	serving := 1
	guarded := s.guard(listener, patrol)
	go func() { failed <- s.fiber.Server().Serve(guarded) }()
	if admin != nil {
		serving++
		go func() { failed <- s.admin.Serve(boundAdmin(admin)) }()
	}

	var err error
	stopped := func(e error) {
		serving--
		err = fmt.Errorf("serving stopped: %w", e)
	}
	select {
	case <-ctx.Done():
		s.leaving.Store(true)
		select {
		case <-time.After(s.config.ShutdownDelay):
		case e := <-failed:
			stopped(e)
		}
	case e := <-failed:
		s.leaving.Store(true)
		stopped(e)
	}

	s.mail.Close()
	patrol.hurry()
	drain, cancel := context.WithTimeout(context.Background(), s.config.Drain)
	defer cancel()
	if e := s.fiber.Server().ShutdownWithContext(drain); e != nil {
		s.log.Warn("requests were still running at the end of the drain", "drain", s.config.Drain, "error", e)
	}
	guarded.Close() // fasthttp does not close what it is only about to listen at
	if e := s.admin.Shutdown(drain); e != nil {
		s.log.Warn("admin requests were still running at the end of the drain", "error", e)
	}
	s.drainDetached(drain)
	for ; serving > 0; serving-- {
		if e := <-failed; err == nil && e != nil && !errors.Is(e, http.ErrServerClosed) {
			err = e
		}
	}
	return err
}

// Handle serves one request: what both Serve and tests without sockets call. A panic below it is a bug, is logged, and costs
// that one request.
//
// hot: every request passes here.
func (s *Server) Handle(c *fasthttp.RequestCtx) {
	defer s.survive(c)
	if s.origins == nil {
		s.dispatch(c)
		return
	}
	if !s.origins.admits(c) {
		s.origins.refuse(c)
		s.settleOther(c, s.requests.Of(custerrors.NotAllowed))
		return
	}
	s.dispatch(c)
	s.origins.mark(c, s.origins.of(c))
}

// dispatch gives the request to Fiber's router, or answers what is not for it.
func (s *Server) dispatch(c *fasthttp.RequestCtx) {
	switch string(c.Method()) {
	case fasthttp.MethodGet, fasthttp.MethodPost, fasthttp.MethodDelete, fasthttp.MethodHead,
		fasthttp.MethodPut, fasthttp.MethodPatch:
		s.route(c)
	case fasthttp.MethodOptions:
		s.preflight(c)
		s.settleOther(c, s.requests.OfStatus(fasthttp.StatusNoContent))
	case fasthttp.MethodConnect: // which has no path
		refuse(c, custerrors.MethodNotAllowed)
		s.settleOther(c, s.requests.Of(custerrors.MethodNotAllowed))
	default: // Fiber answers a method that it does not know in plain text, and one that no route has as it should be
		c.Request.Header.SetMethod(fasthttp.MethodPatch)
		s.route(c)
	}
}

func (s *Server) survive(c *fasthttp.RequestCtx) {
	if r := recover(); r != nil {
		s.logPanic(r)
		c.Response.Reset()
		refuse(c, custerrors.InternalError)
		s.origins.mark(c, s.origins.of(c))
		s.settleOther(c, s.requests.Of(custerrors.InternalError))
	}
}

// logPanic counts a panic, and logs what a request panicked with; it is called by the deferred function that recovered it.
func (s *Server) logPanic(r any) {
	s.panics.Add(1)
	s.log.Error("BUG: a request panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
}

// unbounded is how many connections fasthttp is to serve: its own limit would answer in plain text.
const unbounded = math.MaxInt32

// quiet drops fasthttp's own log: it speaks of single connections, which clients break as they like, and may quote requests.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
