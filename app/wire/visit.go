package wire

import (
	"errors"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/gate"
	"signal-server/app/link"
	"signal-server/app/watch"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

// Visit is a request while its handler runs: who was let in, and for what. It is passed by reference, from a pool: to copy it at each
// step took 60 ns, as much as to look for the session. What needs something of it beyond the handler copies that.
type Visit struct {
	*Host // whose visit it is

	// set by serve
	gate.Pass // what was let in; the key lives as long as the request
	wire      Wire
	route     *Route
	claim     gate.Claim
	passage   watch.Passage
	reply     Reply
	body      body

	// Post is what the request writes, if it does.
	Post Post

	// Who tells those who ask apart, where the route is Unkeyed: see gate.EnterWithoutKey.
	Who string

	noted   bool   // the gate knows what the visit was told
	granted uint64 // the epoch of the session whose ticket of this seat the answer bears; 0: it bears none
}

// ErrLater says that the request's connection was detached: its new owner answers, and settles the passage.
var ErrLater = errors.New("answered later")

// serve returns what Fiber calls for a route.
//
// hot: every request.
func (h *Host) serve(w Wire, r *Route) fiber.Handler {
	number := h.Watch.Requests.Route(r.Label)
	return func(c *fiber.Ctx) error {
		v, _ := h.visits.Get().(*Visit) // one that panics does not come back
		v.wire, v.route, v.Pass, v.granted, v.noted = w, r, gate.Pass{}, 0, false
		v.reply = Reply{Response: c.Response(), get: c.Context().IsGet()}
		h.Mark(c.Context())
		h.begin(c.Context(), number, &v.passage)
		whole := false // the visit came to its end
		defer func() {
			if !whole {
				v.endPost() // of one that panics, the budget of bodies is still everybody's
			}
		}()
		err := v.enter(c)
		if err == nil && c.Request().BodyStream() != nil {
			err = v.boundBody(c)
		}
		if err == nil {
			err = r.Handle(c, v)
		}
		if err != ErrLater {
			v.end(c, err)
		}
		v.endPost()
		whole = true
		h.visits.Put(v)
		return nil
	}
}

// enter passes the gate, unless the route is free.
func (v *Visit) enter(c *fiber.Ctx) (err error) {
	switch {
	case v.route.Free:
		return nil
	case v.route.Keyless:
		if !v.Gate.TellsClients() {
			return nil
		}
		return v.Gate.Pace(v.clientOf(c.Context()))
	case v.route.Unkeyed:
		v.readClaim(c)
		v.claim.Client = v.clientOf(c.Context())
		v.Who, err = v.Gate.EnterWithoutKey(&v.claim, &v.Pass)
		return err
	}
	v.readClaim(c)
	if err := v.Gate.Enter(&v.claim, &v.Pass); err != nil {
		return err
	}
	if v.route.Puts {
		return nil // a request that turns out to put nothing asks MayAct later
	}
	return v.MayAct(c)
}

// hasKey reports whether all requests of the route name a key.
func (r *Route) hasKey() bool { return !r.Free && !r.Keyless && !r.Unkeyed }

// MayAct checks that the visit may act as its seat, where roles have tickets and it has shown none.
func (v *Visit) MayAct(c *fiber.Ctx) error {
	if !v.Gate.MustAsk(&v.Pass) {
		return nil
	}
	return v.Act(v.Store.Touch(c.Context(), v.Key))
}

// Note tells the gate what the visit is told of its session, nil if it is served with it. The end of a visit does so, unless somebody has: a handler
// whose answer does not say what the store has said.
func (v *Visit) Note(err error) {
	v.noted = true
	v.Gate.Note(&v.Pass, err)
}

// end finishes the answer of a request that its handler has answered or, if err is not nil, refused; and settles it.
//
// hot: every request that is not answered later.
func (v *Visit) end(c *fiber.Ctx, err error) {
	end := metrics.OK
	switch {
	case err == cache.ErrGone:
		end = metrics.Gone
		hangUpAfter(c)
	case err != nil:
		end = v.fail(v.wire, &v.reply, Routed(err)) // not by Fiber, which takes its time
	case !v.route.hasKey():
		end = v.Watch.Requests.OfStatus(v.reply.StatusCode())
	}
	if v.route.hasKey() && (err != nil || !v.noted) {
		v.Note(err)
	}
	if v.granted != 0 {
		v.grant(&v.reply, v.Key, v.Seat, v.granted)
	}
	link.LeaveBody(c.Context())
	if v.passage.Timed() && !asksToWait(c) {
		v.Watch.Took(&v.passage)
	}
	v.Watch.Settle(&v.passage, v.Key, end, len(v.reply.Body()))
}

// asksToWait reports whether the request has ?wait: how long it took says nothing about the server.
func asksToWait(c *fiber.Ctx) bool { return hasQuery(c) && c.Context().QueryArgs().Has("wait") }

// begin begins the passage of a request.
func (h *Host) begin(c *fasthttp.RequestCtx, route metrics.Route, p *watch.Passage) {
	if !h.Watch.Begin(p, route, c.ConnID()) {
		return
	}
	if h.Watch.NamesClients() {
		p.Client(h.clientOf(c))
	}
}

// Count counts a request that no wire has answered, as one of that route, by its answer.
func (h *Host) Count(c *fasthttp.RequestCtx, route metrics.Route, end metrics.Ending) {
	var p watch.Passage
	h.begin(c, route, &p)
	p.Untimed() // it has been answered already
	h.Watch.Settle(&p, "", end, len(c.Response.Body()))
}

// isNothing reports whether the error says only that nothing is there yet.
func isNothing(err error) bool {
	return err == custerrors.SdpNoValues || err == custerrors.CandidateNoValues
}

// Routed returns the error as one of custerrors, if it is one of Fiber's routing.
func Routed(err error) error {
	if _, ok := err.(custerrors.Error); ok { // the usual case; errors.As allocates
		return err
	}
	var e *fiber.Error
	if errors.As(err, &e) {
		switch e.Code {
		case fiber.StatusNotFound:
			return custerrors.RouteNotFound
		case fiber.StatusMethodNotAllowed:
			return custerrors.MethodNotAllowed
		}
	}
	return err
}
