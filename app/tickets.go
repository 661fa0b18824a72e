package app

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/gate/ticket"
	"signal-server/cache"
	"signal-server/custerrors"
)

// Role tickets: who opens a session gets the offer's, who puts the answer gets the answer's, and from then on only who shows it
// acts as that role.
//
//	POST /offer/sdp ──▶ X-Offer-Ticket      any request of the offerer needs it, but one that opens
//	POST /answer/sdp ─▶ X-Answer-Ticket     a request of the answerer needs it once the session is answered
//
// What a request does is done in the ticket's session: never in a later one of the same key. Where a server has no tickets, which is
// the default, none of this is on the way of a request.

// ticketed has handle serve those who may act as the role.
func (s *Server) ticketed(handle handler) handler {
	if s.config.Tickets == nil {
		return handle
	}
	return func(c *fiber.Ctx, v *visit) error {
		err := s.readTicket(c, v)
		if err == nil {
			err = s.mayAct(c, v)
		}
		if err != nil {
			return err
		}
		return handle(c, v)
	}
}

// putting is ticketed of a request that may put an sdp, which needs no ticket: a session takes one of each role, and who puts it
// gets the ticket. If it puts none, the handler has to ask mayAct.
func (s *Server) putting(handle handler) handler {
	if s.config.Tickets == nil {
		return handle
	}
	return func(c *fiber.Ctx, v *visit) error {
		if err := s.readTicket(c, v); err != nil {
			return err
		}
		return handle(c, v)
	}
}

// readTicket looks for the ticket of the visit's role, or where it has none, of either: in the header or, where a client cannot set
// headers, in the query. The header wins. One that is shown has to be good, whatever it is shown for.
func (s *Server) readTicket(c *fiber.Ctx, v *visit) error {
	roles := [...]cache.Role{v.role}
	of := roles[:]
	if v.role == 0 {
		of = cache.Roles[:]
	}
	for _, role := range of {
		if text := c.Request().Header.PeekBytes(headerTicket[role]); text != nil && !s.holds(v, role, text) {
			return custerrors.NotAllowed
		}
	}
	if v.held || !hasQuery(c) {
		return nil
	}
	text := c.Context().QueryArgs().Peek("ticket")
	if text == nil {
		return nil
	}
	for _, role := range of {
		if s.holds(v, role, text) {
			return nil
		}
	}
	return custerrors.NotAllowed
}

// holds reports whether the text is the role's ticket for the key, and notes which session it is of.
func (s *Server) holds(v *visit, role cache.Role, text []byte) bool {
	session, ok := s.config.Tickets.Check(text, v.key, role)
	if ok {
		v.session, v.held = session, true
	}
	return ok
}

// mayAct lets in who holds the role's ticket, and as the answerer anybody as long as the session is not answered: he may be the one
// who will. What he is let in to do began before the answer, and goes on after it. Where there is no session, everybody is told so.
func (s *Server) mayAct(c *fiber.Ctx, v *visit) error {
	if s.config.Tickets == nil || v.held {
		return nil
	}
	lease, err := s.store.Touch(c.Context(), v.key)
	switch {
	case v.role == cache.Answer && (err == custerrors.KeyNotFound || err == custerrors.KeyIsExpired):
		return nil // what he asks for says so as well, or waits for the session
	case err != nil:
		return err
	case v.role != cache.Answer || lease.Answered:
		return custerrors.NotAllowed
	}
	v.session = lease.Epoch
	return nil
}

// from returns the cursor to read the visit's session by: after, which must be one of that session if it is known.
func (v *visit) from(after cache.Cursor) (cache.Cursor, error) {
	switch {
	case v.session == 0:
		return after, nil
	case after == 0:
		return cache.NewCursor(v.session, 0), nil
	case after.Epoch() != v.session:
		return 0, custerrors.KeyIsExpired // of two sessions of a key, one has ended
	default:
		return after, nil
	}
}

// enterSession says by which cursor a POST of messages is to write and read: in the visit's session, if it does not open one.
func (s *Server) enterSession(c *fiber.Ctx, v *visit, after cache.Cursor) (cache.Cursor, error) {
	w := &v.write
	w.bindToken()
	if w.opens(v.role) {
		return after, nil
	}
	if !w.batch.HasSDP() {
		if err := s.mayAct(c, v); err != nil {
			return 0, err
		}
	}
	return v.from(after)
}

// putTicketed writes what the visit brings to its session, and grants the ticket that it earns.
func (s *Server) putTicketed(c *fasthttp.RequestCtx, v *visit, ttl time.Duration) error {
	w := &v.write
	w.bindToken()
	in := cache.NewCursor(v.session, 0)
	if w.opens(v.role) {
		in = 0 // the session is to come
	}
	put := v.asWrite(ttl)
	put.After = in
	_, in, err := s.store.Write(c, nil, put)
	if err == nil && w.batch.HasSDP() {
		s.grant(c, v.key, v.role, in.Epoch())
	}
	return err
}

// grant puts the role's ticket into the answer, and lets pages read it.
func (s *Server) grant(c *fasthttp.RequestCtx, key cache.Key, role cache.Role, session uint64) {
	var b [ticket.Length]byte
	h := &c.Response.Header
	h.SetCanonical(headerTicket[role], s.config.Tickets.Append(b[:0], key, role, session))
	h.AddBytesKV(headerExpose, headerTicket[role])
}

// headerTicket is the name of each role's ticket, as fasthttp normalizes it.
var headerTicket = [...][]byte{cache.Offer: []byte("X-Offer-Ticket"), cache.Answer: []byte("X-Answer-Ticket")}

// bindToken makes the Idempotency-Key of a write that puts an sdp one of the whole write. Who repeats it gets the ticket again, so
// he has to know all of it: it is not enough to guess the Idempotency-Key, nor to have used it before for something else.
func (w *write) bindToken() {
	if w.token == "" || !w.batch.HasSDP() {
		return
	}
	var text [sha256.Size + maxToken]byte
	sum := sha256.Sum256(w.batch.Frames())
	sum = sha256.Sum256(append(append(text[:0], sum[:]...), w.token...))
	w.token = cache.Token(unsafeString(base64.RawURLEncoding.AppendEncode(w.bound[:0], sum[:])))
}
