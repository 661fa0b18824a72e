package server

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/wire"
	"signal-server/custerrors"
)

// health is the wire of probes.
type health struct {
	wire.Envelope
	server *Server
}

// Name implements wire.Wire.
func (*health) Name() string { return "health" }

// readyLabel is what GET /readyz is counted as: a probe that is told so is not refused.
const readyLabel = "GET /readyz"

// Routes implements wire.Wire.
func (h *health) Routes() []wire.Route {
	return []wire.Route{
		{Method: fiber.MethodGet, Path: "/healthz", Free: true, Handle: h.alive},
		{Method: fiber.MethodGet, Path: "/readyz", Label: readyLabel, Free: true, Handle: h.ready},
	}
}

// alive says that the process serves.
//
//	@Summary	Whether the server is alive
//	@Tags		operation
//	@Produce	json
//	@Success	200	{object}	call.envelope	"alive"
//	@Router		/healthz [get]
func (h *health) alive(_ *fiber.Ctx, v *wire.Visit) error { return h.Done(v.Reply()) }

// ready says whether new sessions are taken.
//
//	@Summary	Whether new sessions are taken
//	@Tags		operation
//	@Produce	json
//	@Success	200	{object}	call.envelope	"ready"
//	@Failure	503	{object}	call.envelope	"CacheOverrunMaxCost, ServerIsShuttingDown, StoreIsUnavailable"
//	@Router		/readyz [get]
func (h *health) ready(c *fiber.Ctx, v *wire.Visit) error {
	if msg := h.server.readiness(c.Context()); msg != "" {
		return msg
	}
	return h.Done(v.Reply())
}

// readiness returns why new sessions are not taken, or "".
func (s *Server) readiness(ctx context.Context) custerrors.Error {
	if s.host.Leaving() {
		return custerrors.ServerIsShuttingDown
	}
	err := s.store.Ready(ctx)
	if err != nil && custerrors.Of(err) == custerrors.InternalError {
		s.watch.Log().Error("the store is not ready", "error", err)
		return custerrors.CacheOverrunMaxCost
	}
	return custerrors.Of(err)
}
