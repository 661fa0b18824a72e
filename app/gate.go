package app

import (
	"errors"
	"net/netip"

	"github.com/gofiber/fiber/v2"

	"signal-server/cache"
)

// visit is a request of the API that was let in: who asks, and for which session.
type visit struct {
	key  cache.Key  // lives as long as the request
	role cache.Role // whose path it came by; none for what both may do

	client netip.Addr // who asks, if clients are limited

	// where roles have tickets
	session uint64 // the epoch of the session that is meant; 0: whichever of the key lives
	held    bool   // the role's ticket was shown
	granted bool   // the answer bears the role's ticket

	passage passage
}

// handler answers a request that was let in, or returns why it cannot, or errLater.
type handler func(c *fiber.Ctx, v visit) error

// api registers the handler of a route of the signaling API, behind the gate.
func (s *Server) api(method, path string, role cache.Role, handle handler) {
	route := s.requests.Route(method + " " + path)
	s.fiber.Add(method, path, func(c *fiber.Ctx) error {
		p := s.begin(c.Context(), route)
		v, err := s.enter(c, role)
		v.passage = p
		if err == nil {
			err = handle(c, v)
		}
		if err == errLater {
			return nil
		}
		s.noteWrongKey(&v, err)
		s.answered(c, &p, v.key, err)
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
func (s *Server) enter(c *fiber.Ctx, role cache.Role) (v visit, err error) {
	v.role = role
	if err := s.limitRequest(c, &v); err != nil { // first: it is the cheapest
		return v, err
	}
	if v.key, err = keyOf(c); err != nil {
		return v, err
	}
	return v, s.authorize(c, &v)
}
