package app

import (
	"github.com/gofiber/fiber/v2"

	"signal-server/cache"
)

// routes registers every route. Paths are spelled out for each role, because Fiber finds a fixed path in half the time that
// one with a parameter takes. GET is registered without Fiber's own HEAD, which would run the same handler, and take.
func (s *Server) routes() {
	for _, role := range cache.Roles {
		path := "/" + role.String()
		s.get(path+"/sdp", s.takeSDP(role))
		s.get(path+"/candidate", s.takeCandidate(role))
		s.get(path+"/candidates", s.takeCandidates(role))
		s.get(path+"/messages", s.readMessagesOf(role))
		s.get(path+"/events", s.streamEvents(role))
		s.fiber.Post(path+"/candidate", s.postCandidate(role))
		s.fiber.Post(path+"/candidates", s.postCandidates(role))
		s.fiber.Post(path+"/messages", s.postMessages(role))
	}
	s.fiber.Post("/offer/sdp", s.openSession)
	s.fiber.Post("/answer/sdp", s.answerSession)
	s.fiber.Delete("/session", s.endSession)

	s.get("/healthz", s.health)
	s.get("/readyz", s.ready)
	s.pageRoutes()
	s.swaggerRoutes()
}

// get registers a handler for GET, and for HEAD one that does nothing: HEAD never takes anything.
func (s *Server) get(path string, handler fiber.Handler) {
	s.fiber.Add(fiber.MethodGet, path, handler)
	s.fiber.Add(fiber.MethodHead, path, done)
}
