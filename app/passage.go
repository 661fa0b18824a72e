package app

import (
	"math/rand/v2"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/watch/accesslog"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
)

// passage is a request on its way through the server: what is counted and logged of it at its end. begin begins one, and settle ends it,
// once, when it has been answered.
type passage struct {
	route metrics.Route
	timed bool             // it is one of those whose time counts
	shard uint8            // of the counters
	began time.Duration    // on the server's clock; 0: nobody wants to know
	entry *accesslog.Entry // nil: it is not logged
}

// now is the server's clock: the time since it was made, which a change of the system's clock does not move.
func (s *Server) now() time.Duration { return time.Since(s.base) }

// begin begins a request of the route. Only a part is timed: two looks at the clock are 80 ns, which is a tenth of what an empty poll
// costs above fasthttp.
//
// hot: every request.
func (s *Server) begin(c *fasthttp.RequestCtx, route metrics.Route, p *passage) {
	*p = passage{route: route, shard: uint8(c.ConnID())}
	p.timed = rand.Uint32N(metrics.TimedShare) == 0 // #nosec G404 -- a sample, at random because clients have a rhythm
	if s.access.Picks() {
		p.entry = &accesslog.Entry{Received: len(c.Request.Body())}
		if s.access.Clients() {
			p.entry.Client = s.clientOf(c)
		}
	}
	if p.timed || p.entry != nil {
		p.began = s.now()
	}
}

// settle counts a request that came to this end, and logs it if it is to be. sent is the length of the answer's body.
//
// hot: every request.
func (s *Server) settle(p *passage, key cache.Key, o metrics.Ending, sent int) {
	s.requests.Count(p.shard, p.route, o)
	if p.entry != nil {
		s.logAccess(p, key, o, sent)
	}
}

func (s *Server) logAccess(p *passage, key cache.Key, o metrics.Ending, sent int) {
	e := p.entry
	e.Route, e.Status, e.Msg = s.requests.Label(p.route, o)
	e.Of(s.access, key)
	e.Sent = sent
	if p.began > 0 {
		e.Took = s.now() - p.began
	}
	s.access.Write(e)
}

// answered settles a request that its handler has answered, with err if that is not nil. The key is "" if the request was not let in.
//
// hot: every request of the API.
func (s *Server) answered(c *fiber.Ctx, p *passage, key cache.Key, err error) {
	end := metrics.OK
	if err != nil {
		end = s.fail(c.Context(), err) // not by Fiber, which takes its time
	}
	if p.timed && !asksToWait(c) {
		s.requests.Took(p.route, s.now()-p.began)
	}
	s.settle(p, key, end, len(c.Response().Body()))
}

// asksToWait reports whether the request has ?wait: how long it took says nothing about the server.
func asksToWait(c *fiber.Ctx) bool { return hasQuery(c) && c.Context().QueryArgs().Has("wait") }

// counted has the handler of a route outside the API counted. A handler that returns an error has not answered.
func (s *Server) counted(route string, handler fiber.Handler) fiber.Handler {
	number := s.requests.Route(route)
	return func(c *fiber.Ctx) error {
		var p passage
		s.begin(c.Context(), number, &p)
		if err := handler(c); err != nil {
			s.answered(c, &p, "", routed(err))
			return nil
		}
		if p.timed {
			s.requests.Took(p.route, s.now()-p.began)
		}
		s.settle(&p, "", s.requests.OfStatus(c.Response().StatusCode()), len(c.Response().Body()))
		return nil
	}
}

// settleOther counts what no route has answered.
func (s *Server) settleOther(c *fasthttp.RequestCtx, o metrics.Ending) {
	var p passage
	s.begin(c, s.otherRoute, &p)
	p.began = 0 // it has been answered already
	s.settle(&p, "", o, len(c.Response.Body()))
}
