package server

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// maxAge is how long a browser may remember a preflight.
const maxAge = 24 * time.Hour

// What a page of another origin may send: that of all wires, whether or not this server has them. So a client needs to know only one answer,
// which browsers keep for a day.
const (
	allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	allowedHeaders = "key, Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Offer-Ticket, X-Answer-Ticket, X-Member-Ticket, If-Match"
)

// preflight answers OPTIONS of any path: what pages of other origins may ask (Fetch, Section 3.3).
func (s *Server) preflight(c *fasthttp.RequestCtx) {
	s.host.Mark(c)
	h := &c.Response.Header
	h.Set(fasthttp.HeaderAccessControlAllowMethods, allowedMethods)
	h.Set(fasthttp.HeaderAccessControlAllowHeaders, allowedHeaders)
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, fasthttp.HeaderRetryAfter)
	h.Set(fasthttp.HeaderAccessControlMaxAge, strconv.Itoa(int(maxAge.Seconds())))
	c.SetStatusCode(fasthttp.StatusNoContent)
}
