package app

import (
	"net"
	"net/netip"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/gate/limit"
	"signal-server/custerrors"
)

// tooFast refuses a client that has had as much as it may have, and says in how long it may have more.
type tooFast time.Duration

func (tooFast) Error() string { return string(custerrors.TooManyRequests) }
func (tooFast) Unwrap() error { return custerrors.TooManyRequests }

// limitRequest counts the request for its client.
func (s *Server) limitRequest(c *fiber.Ctx, v *visit) error {
	if s.limits == nil {
		return nil
	}
	v.client = s.clientOf(c.Context())
	if after := s.limits.Request(v.client); after > 0 {
		return tooFast(after)
	}
	return nil
}

// clientOf returns who asks, as far as proxies are believed.
func (s *Server) clientOf(c *fasthttp.RequestCtx) netip.Addr {
	return s.config.Proxies.Client(addressOf(c.RemoteAddr()), allOf(c, fasthttp.HeaderXForwardedFor)...)
}

// limitOpen counts a session that the client is about to open, if that is what it does.
func (s *Server) limitOpen(v *visit) error {
	if s.limits == nil || !v.write.opens(v.role) {
		return nil
	}
	if after := s.limits.Open(v.client); after > 0 {
		return tooFast(after)
	}
	return nil
}

// noteWrongKey counts a key that no session has: whoever asks for many is guessing.
func (s *Server) noteWrongKey(v *visit, err error) {
	if s.limits != nil && err == custerrors.KeyNotFound {
		s.limits.WrongKey(v.client, v.key)
	}
}

// addressOf returns the address of a peer, or the zero Addr of one that has none.
func addressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}

// allOf returns all headers of that name, which most requests have none of. They live as long as the request.
func allOf(c *fasthttp.RequestCtx, name string) [][]byte {
	if c.Request.Header.Peek(name) == nil {
		return nil
	}
	return c.Request.Header.PeekAll(name)
}

// hold is a request that waits or a stream, and counts as long as it does. Its release ends that.
type hold struct {
	server *Server
	client limit.Held
}

// hold counts a wait, or says why there may not be one more.
func (s *Server) hold(v *visit) (hold, error) {
	h := hold{server: s}
	if s.limits != nil {
		var ok bool
		if h.client, ok = s.limits.Wait(v.client); !ok {
			return hold{}, custerrors.TooManyRequests
		}
	}
	if n := s.waits.Add(1); s.config.MaxWaits > 0 && n > int64(s.config.MaxWaits) {
		h.release()
		return hold{}, custerrors.ServerIsOverloaded
	}
	return h, nil
}

func (h hold) release() {
	h.server.waits.Add(-1)
	h.client.Release()
}
