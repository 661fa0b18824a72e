package server

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// maxAge is how long a browser may remember a preflight.
const maxAge = 24 * time.Hour

// preflight answers OPTIONS of any path: what pages of other origins may ask (Fetch, Section 3.3).
func (s *Server) preflight(c *fasthttp.RequestCtx) {
	s.host.Mark(c)
	h := &c.Response.Header
	h.Set(fasthttp.HeaderAccessControlAllowMethods, "GET, HEAD, POST, DELETE, OPTIONS")
	allowed := "key, Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
	if s.gate.WantsTickets() {
		allowed += ", X-Offer-Ticket, X-Answer-Ticket"
	}
	h.Set(fasthttp.HeaderAccessControlAllowHeaders, allowed)
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, fasthttp.HeaderRetryAfter)
	h.Set(fasthttp.HeaderAccessControlMaxAge, strconv.Itoa(int(maxAge.Seconds())))
	c.SetStatusCode(fasthttp.StatusNoContent)
}
