package app

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"signal-server/custerrors"
)

// health says that the process serves.
//
//	@Summary	Whether the server is alive
//	@Tags		operation
//	@Produce	json
//	@Success	200	{object}	envelope	"alive"
//	@Router		/healthz [get]
func (s *Server) health(c *fiber.Ctx) error { return done(c) }

// ready says whether new sessions are taken.
//
//	@Summary	Whether new sessions are taken
//	@Tags		operation
//	@Produce	json
//	@Success	200	{object}	envelope	"ready"
//	@Failure	503	{object}	envelope	"CacheOverrunMaxCost, ServerIsShuttingDown, StoreIsUnavailable"
//	@Router		/readyz [get]
func (s *Server) ready(c *fiber.Ctx) error {
	if msg := s.readiness(c.Context()); msg != "" {
		return msg
	}
	return done(c)
}

// readiness returns why new sessions are not taken, or "".
func (s *Server) readiness(ctx context.Context) custerrors.Error {
	if s.leaving.Load() {
		return custerrors.ServerIsShuttingDown
	}
	err := s.store.Ready(ctx)
	if err != nil && custerrors.Of(err) == custerrors.InternalError {
		s.log.Error("the store is not ready", "error", err)
		return custerrors.CacheOverrunMaxCost
	}
	return custerrors.Of(err)
}
