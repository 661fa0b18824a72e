package app

import (
	"errors"
	"net/netip"

	"github.com/gofiber/fiber/v2"

	"signal-server/cache"
)

// visit is a request of the API while its handler runs. It is passed by reference, from a pool: to copy it at each step took 60 ns,
// as much as to look for the session. Who needs something of it beyond the handler copies that.
type visit struct {
	visitor
	passage passage
	write   write // of a POST
}

// visitor is who asks, and for which session.
type visitor struct {
	key  cache.Key  // lives as long as the request
	role cache.Role // whose path it came by; none for what both may do

	client netip.Addr // who asks, if clients are limited

	// where roles have tickets
	session uint64 // the epoch of the session that is meant; 0: whichever of the key lives
	held    bool   // the role's ticket was shown
	granted bool   // the answer bears the role's ticket
}

// handler answers a request that was let in, or returns why it cannot, or errLater.
type handler func(c *fiber.Ctx, v *visit) error

// api registers the handler of a route of the signaling API, behind the gate.
func (s *Server) api(method, path string, role cache.Role, handle handler) {
	route := s.requests.Route(method + " " + path)
	s.fiber.Add(method, path, func(c *fiber.Ctx) error {
		v, _ := s.visits.Get().(*visit) // one that panics does not come back
		v.visitor = visitor{role: role}
		s.begin(c.Context(), route, &v.passage)
		err := s.enter(c, v)
		if err == nil {
			err = handle(c, v)
		}
		if err != errLater {
			s.noteWrongKey(v, err)
			s.answered(c, &v.passage, v.key, err)
		}
		v.write.end()
		s.visits.Put(v)
		return nil
	})
	if method == fiber.MethodGet { // not Fiber's own HEAD, which would run the same handler, and take
		s.fiber.Add(fiber.MethodHead, path, s.counted(headRoute, done))
	}
}

// errLater says that the request's connection was detached: whoever has it answers, and settles the passage.
var errLater = errors.New("answered later")

// headRoute is what all HEAD requests of the API are counted as: they do nothing.
const headRoute = "HEAD"

// enter is the gate: it lets a request in, or says why not.
//
// hot: every request of the API passes here, once.
func (s *Server) enter(c *fiber.Ctx, v *visit) (err error) {
	if err := s.limitRequest(c, v); err != nil { // first: it is the cheapest
		return err
	}
	if v.key, err = keyOf(c); err != nil {
		return err
	}
	return s.authorize(c, v)
}
