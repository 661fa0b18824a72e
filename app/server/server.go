// Package server is one request's way through this program, whichever wire it is for: Fiber's router, what no route answers, health, the
// operators' listener, and one loop from accepting to draining for all listeners.
//
//	API ──link──▶ fasthttp ─▶ Handle ─▶ origin? ─▶ Fiber ─▶ wire.Host ─▶ a wire's handler
//	redirect ──link──▶ fasthttp ─▶ "the same over TLS"
//	operators ──▶ net/http ─▶ health, metrics, profiles
package server

import (
	"bytes"
	"errors"
	"math"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/gate"
	"signal-server/app/link"
	"signal-server/app/watch"
	"signal-server/app/watch/metrics"
	"signal-server/app/wire"
	"signal-server/cache"
	"signal-server/custerrors"
)

// Parts are what a Server is made of. The caller still owns them, and closes the store after Serve has returned.
type Parts struct {
	Config Config
	Link   link.Config
	Wire   wire.Config
	Gate   *gate.Gate
	Watch  *watch.Watch
	Store  cache.Store
	Limits cache.Limits // the store's

	// Wires are the protocols that clients speak. Their paths differ.
	Wires []wire.Wire

	// More are what else counts on its own.
	More []metrics.Source
}

// Server serves wires. New makes one. Its methods may be called concurrently, Serve once.
type Server struct {
	// set at construction
	config Config
	bounds link.Config // of connections
	gate   *gate.Gate
	watch  *watch.Watch
	store  cache.Store
	crew   *link.Crew
	host   *wire.Host
	fiber  *fiber.App
	route  fasthttp.RequestHandler // Fiber's
	admin  *http.Server
	wires  []wire.Wire
	more   []metrics.Source

	otherRoute metrics.Route // of what no route answers
	readyRoute metrics.Route

	// atomic
	counts link.Counts
	api    atomic.Pointer[link.Listener] // nil until Serve
}

// New returns a Server of parts whose configurations have been validated. The error says which wires want the same path.
func New(p Parts) (*Server, error) {
	s := &Server{config: p.Config, bounds: p.Link, gate: p.Gate, watch: p.Watch, store: p.Store, more: p.More, crew: link.NewCrew()}
	s.fiber = fiber.New(fiber.Config{
		AppName:               "signal-server",
		DisableStartupMessage: true,
		CaseSensitive:         true,
		ErrorHandler:          s.refuseRouting,
	})
	server := s.fiber.Server()
	s.host = wire.New(p.Wire, wire.Parts{Gate: p.Gate, Watch: p.Watch, Store: p.Store, Limits: p.Limits, Crew: s.crew})
	s.otherRoute = s.watch.Requests.Route("other")
	s.readyRoute = s.watch.Requests.Route(readyLabel)
	s.wires = append([]wire.Wire{&health{server: s}}, p.Wires...)
	for _, w := range s.wires {
		if err := s.host.Mount(s.fiber, w); err != nil {
			return nil, err
		}
	}
	s.route = s.fiber.Handler()
	s.tune(server)
	server.Handler = s.Handle
	server.ErrorHandler = s.refuseBroken
	s.admin = s.newAdmin()
	return s, nil
}

// tune sets what all servers of fasthttp here have in common.
func (s *Server) tune(server *fasthttp.Server) {
	server.ReadBufferSize = s.config.HeaderBytes // a head has to fit into it
	server.ConnState = link.Follow
	link.HoldBodies(server)
	server.Logger = quiet{}
	server.LazyRequestTime = true // nothing here asks when a request came
	server.Concurrency = unbounded
}

// Handle serves one request: what both Serve and tests without sockets call. A panic below it is a bug, is logged, and costs
// that one request. Once the server was told to end, the answer is the last one of its connection.
//
// hot: every request passes here.
func (s *Server) Handle(c *fasthttp.RequestCtx) {
	defer s.finish(c)
	if !link.Sound(c) {
		s.refuseUnsound(c)
		return
	}
	if s.gate.ListsOrigins() && !s.gate.Admits(c.Request.Header.Peek(fasthttp.HeaderOrigin), c.Host()) {
		s.refuse(c, custerrors.NotAllowed)
		return
	}
	switch string(c.Method()) {
	case fasthttp.MethodGet, fasthttp.MethodPost, fasthttp.MethodDelete, fasthttp.MethodHead,
		fasthttp.MethodPut, fasthttp.MethodPatch:
		s.route(c)
	case fasthttp.MethodOptions:
		if link.TellsBody(&c.Request.Header) { // a browser's has none (Fetch, Section 4.8)
			s.refuse(c, custerrors.BodyIsTooLong)
			return
		}
		s.preflight(c)
		s.host.Count(c, s.otherRoute, s.watch.Requests.OfStatus(fasthttp.StatusNoContent))
	case fasthttp.MethodConnect: // which has no path
		s.refuse(c, custerrors.MethodNotAllowed)
	default: // Fiber answers a method that it does not know in plain text, and one that no route has as it should be
		c.Request.Header.SetMethod(fasthttp.MethodPatch)
		s.route(c)
	}
}

func (s *Server) finish(c *fasthttp.RequestCtx) {
	if r := recover(); r != nil {
		s.watch.Panicked(r)
		c.Response.Reset()
		s.refuse(c, custerrors.InternalError)
	}
	if s.host.Leaving() {
		c.SetConnectionClose() // not by fasthttp's shutdown, which begins later, and drops a request that comes as it does
	}
}

// refuse answers what is for no wire, and counts it.
func (s *Server) refuse(c *fasthttp.RequestCtx, msg custerrors.Error) {
	s.host.Count(c, s.otherRoute, s.host.RefuseOther(c, msg))
}

// refuseRouting is Fiber's error handler: its router finds no route.
func (s *Server) refuseRouting(c *fiber.Ctx, err error) error {
	s.refuse(c.Context(), s.host.Msg(wire.Routed(err)))
	return nil
}

// refuseBroken is fasthttp's error handler: it puts into the envelope what is refused before there is a request. fasthttp
// closes the connection afterwards.
func (s *Server) refuseBroken(c *fasthttp.RequestCtx, err error) {
	late := false
	if conn := link.Of(c.Conn()); conn != nil {
		late = conn.Refused() // fasthttp's error does not always say so
	}
	msg := custerrors.RequestIsInvalid
	var header *fasthttp.ErrSmallBuffer
	switch {
	case late:
		msg = custerrors.RequestIsTooSlow
	case errors.As(err, &header):
		msg = custerrors.HeaderIsTooLong
	}
	s.host.Count(c, s.otherRoute, s.host.RefuseUnknown(c, msg))
}

// refuseUnsound refuses a request whose head fasthttp takes and others may not, or not in the same way.
func (s *Server) refuseUnsound(c *fasthttp.RequestCtx) {
	if conn := link.Of(c.Conn()); conn != nil {
		conn.Refused()
	}
	s.host.Count(c, s.otherRoute, s.host.RefuseUnknown(c, custerrors.RequestIsInvalid))
}

// refusals returns what listeners say by themselves.
func (s *Server) refusals() link.Refusals {
	a := link.Refusals{NotTLS: s.wholeRefusal(custerrors.RequestIsInvalid, "")}
	for _, seconds := range []string{"1", "2", "3"} {
		a.Full = append(a.Full, s.wholeRefusal(custerrors.ServerIsOverloaded, seconds))
	}
	head, rest, _ := bytes.Cut(s.wholeRefusal(custerrors.TooManyRequests, someRetryAfter), []byte(someRetryAfter))
	a.TooMany = func(after time.Duration) []byte {
		return append(wire.AppendRetryAfter(bytes.Clone(head), after, true), rest...)
	}
	return a
}

// someRetryAfter stands for a Retry-After that is not known yet. It is nowhere else in an answer.
const someRetryAfter = "987654321"

// wholeRefusal returns a refusal, head and all, that ends a connection before there is a request.
func (s *Server) wholeRefusal(msg custerrors.Error, retryAfter string) []byte {
	var c fasthttp.RequestCtx // of nobody's request
	s.host.RefuseUnknown(&c, msg)
	r := &c.Response
	if retryAfter != "" {
		r.Header.Set(fasthttp.HeaderRetryAfter, retryAfter)
	}
	r.SetConnectionClose()
	r.Header.SetContentLength(len(r.Body()))
	return append(append([]byte(nil), r.Header.Header()...), r.Body()...)
}

// Routes returns the method and the path of every route.
func (s *Server) Routes() (all [][2]string) {
	for _, r := range s.fiber.GetRoutes() {
		all = append(all, [2]string{r.Method, r.Path})
	}
	return all
}

// ServeConn serves the requests of one connection, which is not under patrol, until it ends.
func (s *Server) ServeConn(c net.Conn) error { return s.fiber.Server().ServeConn(c) }

// Admin returns what the operators' listener serves.
func (s *Server) Admin() http.Handler { return s.admin.Handler }

// unbounded is how many connections fasthttp serves at once, at the most: its own limit would answer in plain text.
const unbounded = math.MaxInt32

// quiet drops fasthttp's own log: it speaks of single connections, which clients break as they like, and may quote requests.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
