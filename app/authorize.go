package app

import (
	"bytes"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/custerrors"
)

// authorize checks that the request has a token that is good for the session and the role, if this server asks for one.
func (s *Server) authorize(c *fiber.Ctx, v *visit) error {
	if s.config.Guard == nil || !s.config.Guard.Required() {
		return nil
	}
	grant, err := s.config.Guard.Check(bearerOf(c))
	if err != nil {
		return err
	}
	if !grant.Allows(v.key, v.role) {
		return custerrors.NotAllowed
	}
	return nil
}

// bearerOf returns the request's token: from the header (RFC 6750, Section 2.1) or, as an EventSource cannot set headers, from the
// query (Section 2.3). The header wins. It lives as long as the request.
func bearerOf(c *fiber.Ctx) []byte {
	const scheme = "Bearer "
	header := c.Request().Header.Peek(fasthttp.HeaderAuthorization)
	switch {
	case len(header) >= len(scheme) && bytes.EqualFold(header[:len(scheme)], []byte(scheme)): // RFC 9110, Section 11.1
		return bytes.TrimSpace(header[len(scheme):])
	case header == nil && hasQuery(c):
		return c.Context().QueryArgs().Peek("access_token")
	default:
		return nil
	}
}

// challenge says what a request that is not authenticated lacks (RFC 6750, Section 3): the same whatever was wrong with it.
const challenge = `Bearer realm="signal-server"`
