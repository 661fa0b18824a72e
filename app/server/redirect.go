package server

import (
	"bytes"
	"net"
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"signal-server/app/link"
	"signal-server/app/wire"
	"signal-server/custerrors"
)

// Redirect says what is answered over plain HTTP beside an API that speaks TLS. A request for a page is sent to the same one over TLS.
// Everything else is refused with custerrors.HTTPSIsRequired: a redirect would hide from its author that keys and payloads pass in
// clear. Each connection is closed after its answer.
type Redirect struct {
	// Port is where the API speaks TLS.
	Port int
	// IsPage reports whether people ask for this path, or pages on their behalf.
	IsPage func(path []byte) bool
	// Challenges answers an authority for certificates (RFC 8555, Section 8.3); nil: nobody asks.
	Challenges http.Handler
}

// newRedirect returns the server of plain HTTP.
func (s *Server) newRedirect(to Redirect) *fasthttp.Server {
	server := &fasthttp.Server{
		Handler:               s.redirectHandler(to),
		ErrorHandler:          s.refuseBroken,
		NoDefaultServerHeader: true,
	}
	s.tune(server)
	return server
}

// acmePath is where an authority asks (RFC 8555, Section 8.3).
var acmePath = []byte("/.well-known/acme-challenge/")

func (s *Server) redirectHandler(to Redirect) fasthttp.RequestHandler {
	var challenges fasthttp.RequestHandler
	if to.Challenges != nil {
		challenges = fasthttpadaptor.NewFastHTTPHandler(to.Challenges)
	}
	return func(c *fasthttp.RequestCtx) {
		defer s.finish(c)
		if !link.Sound(c) {
			s.refuseUnsound(c)
			return
		}
		c.SetConnectionClose()
		reads := (c.IsGet() || c.IsHead()) && !link.TellsBody(&c.Request.Header)
		switch {
		case reads && challenges != nil && bytes.HasPrefix(c.Path(), acmePath):
			challenges(c)
			if c.Response.StatusCode() != fiber.StatusOK {
				c.Response.Reset()
				c.SetConnectionClose()
				s.host.RefuseOther(c, custerrors.RouteNotFound)
			}
		case reads && to.IsPage(c.Path()):
			s.redirect(c, to.Port)
		default:
			s.host.RefuseOther(c, custerrors.HTTPSIsRequired)
		}
	}
}

const httpsPort = 443

// redirect sends a client to the same host and path over TLS. What a client says of the host is not trusted: it is sent to where
// it has come from.
func (s *Server) redirect(c *fasthttp.RequestCtx, port int) {
	host := string(c.Host())
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
		if bytes.ContainsRune([]byte(name), ':') {
			host = "[" + name + "]" // RFC 3986, Section 3.2.2
		}
	}
	if !wire.IsHost([]byte(host)) {
		s.host.RefuseOther(c, custerrors.RequestIsInvalid)
		return
	}
	if port != httpsPort {
		host += ":" + strconv.Itoa(port)
	}
	c.Response.Header.Set(fasthttp.HeaderLocation, "https://"+host+string(c.URI().RequestURI()))
	c.Response.Header.SetNoDefaultContentType(true)
	c.SetStatusCode(fiber.StatusPermanentRedirect)
}
