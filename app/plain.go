package app

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"signal-server/custerrors"
)

// Plain is what is said over plain HTTP beside a server that speaks TLS.
type Plain struct {
	// Port is where the server speaks TLS.
	Port int

	// Challenges answers an authority for certificates (RFC 8555, Section 8.3); nil: nobody asks.
	Challenges http.Handler
}

// ServePlain serves plain HTTP on the listener until ctx ends, beside Serve; it closes the listener. Who asks for a page is sent to
// the same one over TLS. What else is asked for is refused with custerrors.HTTPSIsRequired: a redirect would hide from its
// author that keys and payloads pass in clear. Each connection is closed after its answer. Config's limits hold for these
// connections on their own.
func (s *Server) ServePlain(ctx context.Context, listener net.Listener, plain Plain) error {
	patrol := newPatrol(s.config.ReadTimeout, s.config.IdleTimeout, s.config.ReadTimeout)
	defer patrol.stop()
	server := &fasthttp.Server{
		Handler:               s.plain(plain),
		ErrorHandler:          s.refuseBroken,
		ConnState:             follow,
		Logger:                quiet{},
		MaxRequestBodySize:    s.config.BodyBytes, // what is refused is read, so that the refusal is read too
		Concurrency:           unbounded,
		CloseOnShutdown:       true,
		NoDefaultServerHeader: true,
		LazyRequestTime:       true,
	}
	failed := make(chan error, 1)
	guarded := s.guard(listener, patrol)
	go func() { failed <- server.Serve(guarded) }()
	var told <-chan time.Time // that the delay is over, as Serve has it
	for leaving := ctx.Done(); leaving != nil || told != nil; {
		select {
		case err := <-failed:
			return fmt.Errorf("serving plain HTTP stopped: %w", err)
		case <-leaving:
			leaving, told = nil, time.After(s.config.ShutdownDelay)
		case <-told:
			told = nil
		}
	}
	patrol.hurry()
	drain, cancel := context.WithTimeout(context.Background(), s.config.Drain)
	defer cancel()
	if err := server.ShutdownWithContext(drain); err != nil {
		s.log.Warn("plain requests were still running at the end of the drain", "drain", s.config.Drain, "error", err)
	}
	guarded.Close() // fasthttp does not close what it is only about to listen at
	return <-failed
}

// acmePath is where an authority asks (RFC 8555, Section 8.3).
var acmePath = []byte("/.well-known/acme-challenge/")

func (s *Server) plain(plain Plain) fasthttp.RequestHandler {
	var challenges fasthttp.RequestHandler
	if plain.Challenges != nil {
		challenges = fasthttpadaptor.NewFastHTTPHandler(plain.Challenges)
	}
	return func(c *fasthttp.RequestCtx) {
		defer s.survive(c)
		c.SetConnectionClose()
		reads := c.IsGet() || c.IsHead()
		switch {
		case reads && challenges != nil && bytes.HasPrefix(c.Path(), acmePath):
			challenges(c)
			if c.Response.StatusCode() != fiber.StatusOK {
				c.Response.Reset()
				c.SetConnectionClose()
				refuse(c, custerrors.RouteNotFound)
			}
		case reads && isPage(c.Path()):
			redirect(c, plain.Port)
		default:
			refuse(c, custerrors.HTTPSIsRequired)
		}
	}
}

// isPage reports whether people ask for this path, or pages on their behalf.
func isPage(path []byte) bool {
	for _, below := range []string{"/web/", "/client/", "/swagger"} {
		if bytes.HasPrefix(path, []byte(below)) {
			return true
		}
	}
	return string(path) == "/"
}

const httpsPort = 443

// redirect sends a client to the same host and path over TLS. What a client says of the host is not trusted: it is sent to where
// it has come from.
func redirect(c *fasthttp.RequestCtx, port int) {
	host := string(c.Host())
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
		if bytes.ContainsRune([]byte(name), ':') {
			host = "[" + name + "]" // RFC 3986, Section 3.2.2
		}
	}
	if !hostPattern.MatchString(host) {
		refuse(c, custerrors.RequestIsInvalid)
		return
	}
	if port != httpsPort {
		host += ":" + strconv.Itoa(port)
	}
	c.Response.Header.Set(fasthttp.HeaderLocation, "https://"+host+string(c.URI().RequestURI()))
	c.Response.Header.SetNoDefaultContentType(true)
	c.SetStatusCode(fiber.StatusPermanentRedirect)
}
