package wire

import (
	"bytes"
	"net/netip"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/gate"
	"signal-server/app/link"
	"signal-server/cache"
)

// readClaim makes the visit's claim of the request, as call has it, and lets the route add what its protocol has elsewhere. It
// reads no more than the gate wants.
//
// hot: every request that names a key passes here, once.
func (v *Visit) readClaim(c *fiber.Ctx) {
	claim := &v.claim
	key, one := keyOf(c)
	*claim = gate.Claim{Key: key, Keys: !one, Seat: v.route.Seat}
	if h := &c.Request().Header; v.listed {
		claim.Site = h.PeekBytes(headerFetchSite)
		if claim.Site != nil {
			claim.Origin = h.Peek(fasthttp.HeaderOrigin)
		}
	}
	if v.reply.get {
		claim.Mode = c.Request().Header.PeekBytes(headerFetchMode)
	}
	if v.Gate.TellsClients() {
		claim.Client = v.clientOf(c.Context())
	}
	if v.Gate.WantsToken() {
		claim.Token = bearerOf(c)
	}
	if v.Gate.WantsTickets() {
		for _, role := range cache.Roles {
			claim.Tickets[role] = c.Request().Header.PeekBytes(headerTicket[role])
		}
		if hasQuery(c) {
			claim.Ticket = c.Context().QueryArgs().Peek("ticket")
		}
	}
	if v.route.Claim != nil {
		v.route.Claim(c, claim)
	}
}

// keyOf returns what names the session: the header "key" or, where a client cannot set headers, the query's. The header wins, unless it
// is blank. The key lives as long as the request. one says that there is no second header.
//
// hot: every request that names a key passes here, once.
func keyOf(c *fiber.Ctx) (text string, one bool) {
	var key []byte
	all := c.Request().Header.PeekAll(headerKey)
	if len(all) > 0 {
		key = all[0]
	}
	if hasQuery(c) && len(bytes.TrimSpace(key)) == 0 {
		key = c.Context().QueryArgs().Peek("key")
	}
	return unsafeString(key), len(all) < 2
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

// clientOf returns who asks, as far as proxies are believed.
func (h *Host) clientOf(c *fasthttp.RequestCtx) netip.Addr {
	return h.Gate.Client(link.Address(c.RemoteAddr()), allOf(c, fasthttp.HeaderXForwardedFor)...)
}

// allOf returns all headers of that name, which most requests have none of. They live as long as the request.
func allOf(c *fasthttp.RequestCtx, name string) [][]byte {
	if c.Request.Header.Peek(name) == nil {
		return nil
	}
	return c.Request.Header.PeekAll(name)
}

// Headers of a claim, as fasthttp normalizes their names.
const headerKey = "Key"

var (
	headerFetchSite = []byte("Sec-Fetch-Site")
	headerFetchMode = []byte("Sec-Fetch-Mode")
	headerTicket    = [...][]byte{cache.Offer: []byte("X-Offer-Ticket"), cache.Answer: []byte("X-Answer-Ticket")}
)
