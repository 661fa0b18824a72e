package app

import (
	"github.com/gofiber/fiber/v2"

	"signal-server/cache"
)

// routes registers every route. Paths are spelled out for each role, because Fiber finds a fixed path in half the time that
// one with a parameter takes.
func (s *Server) routes() {
	for _, role := range cache.Roles {
		path := "/" + role.String()
		s.api(fiber.MethodGet, path+"/sdp", role, s.ticketed(s.takeSDP))
		s.api(fiber.MethodGet, path+"/candidate", role, s.ticketed(s.takeCandidate))
		s.api(fiber.MethodGet, path+"/candidates", role, s.ticketed(s.takeCandidates))
		s.api(fiber.MethodGet, path+"/messages", role, s.ticketed(s.getMessages))
		s.api(fiber.MethodGet, path+"/events", role, s.ticketed(s.streamEvents))
		s.api(fiber.MethodPost, path+"/candidate", role, s.ticketed(s.postCandidate))
		s.api(fiber.MethodPost, path+"/candidates", role, s.ticketed(s.postCandidates))
		s.api(fiber.MethodPost, path+"/messages", role, s.putting(s.postMessages))
		s.api(fiber.MethodPost, path+"/outcome", role, s.ticketed(s.postOutcome))
	}
	s.api(fiber.MethodPost, "/offer/sdp", cache.Offer, s.putting(s.openSession))
	s.api(fiber.MethodPost, "/answer/sdp", cache.Answer, s.putting(s.answerSession))
	s.api(fiber.MethodDelete, "/session", 0, s.ticketed(s.endSession))

	s.get("/healthz", s.health)
	s.get("/readyz", s.ready)
	s.pageRoutes()
	s.swaggerRoutes()
}

// get registers a handler for GET, and for HEAD one that does nothing.
func (s *Server) get(path string, handler fiber.Handler) {
	s.fiber.Add(fiber.MethodGet, path, s.counted(fiber.MethodGet+" "+path, handler))
	s.fiber.Add(fiber.MethodHead, path, s.counted(headRoute, done))
}
