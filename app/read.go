package app

import (
	"context"
	"math"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/cache"
	"signal-server/custerrors"
)

// question is what a request asks for: something to take, or the messages behind a cursor.
type question struct {
	key   cache.Key
	to    cache.Role
	kind  cache.Kind // what is taken; none: messages are read
	limit int        // of what is taken
	shape *shape
	after cache.Cursor // moved on by ask, so that who asks again asks the same session

	// of the answer, once the request is gone
	origin  string // what it is to name
	granted bool   // it bears the role's ticket

	passage passage
	began   time.Duration // when the wait did, on the server's clock
}

// take answers a request that takes.
//
// hot: an empty poll and a take come here.
func (s *Server) take(c *fiber.Ctx, v *visit, kind cache.Kind, limit int, shape *shape) error {
	wait := waitAs(v.role)
	if err := s.waitOf(c, &wait); err != nil {
		return err
	}
	q := question{key: v.key, to: v.role, kind: kind, limit: limit, shape: shape, after: cache.NewCursor(v.session, 0)}
	return s.answer(c.Context(), v, &q, &wait)
}

// answer replies to the question, at once or within the wait.
func (s *Server) answer(c *fasthttp.RequestCtx, v *visit, q *question, wait *cache.Wait) error {
	if wait.For > 0 {
		q.began = s.now()
	}
	wait.Stay = stayFor
	body, err := s.ask(c, c.Response.SwapBody(nil)[:0], q, wait)
	if wait.Pending() {
		s.noteWrongKey(v, err)
		held, full := s.hold(v)
		if full != nil {
			wait.End()
			return finish(c, body, full)
		}
		q.passage = v.passage
		if s.park(c, *q, *wait, held) {
			return errLater
		}
		body, err = s.askAgain(c, body[:0], q, wait)
		held.release()
	}
	wait.End()
	if q.began > 0 {
		s.noteWait(s.now()-q.began, err)
	}
	return finish(c, body, err)
}

// askAgain is ask for the rest of a wait, by somebody who may have left since.
func (s *Server) askAgain(ctx context.Context, dst []byte, q *question, wait *cache.Wait) ([]byte, error) {
	wait.Stay = 0
	if wait.Present != nil && !wait.Present() {
		return dst, cache.ErrGone
	}
	return s.ask(ctx, dst, q, wait)
}

// ask appends the beginning of a reply and what is asked for to dst, without the end of the envelope.
//
// hot: a cursor read comes here.
func (s *Server) ask(ctx context.Context, dst []byte, q *question, wait *cache.Wait) ([]byte, error) {
	dst = append(dst, envelopeBegin...)
	if q.kind == 0 {
		dst, at := beginMessages(dst)
		dst, next, err := s.mail.Read(ctx, dst, q.key, q.to, q.after, math.MaxInt, &messages.form, wait)
		q.after = next
		return endMessages(dst, at, next, err)
	}
	dst = append(dst, q.shape.before...)
	dst, in, err := s.mail.Take(ctx, dst, q.key, q.to, q.kind, q.limit, &q.shape.form, q.after, wait)
	q.after = in
	if err == nil {
		dst = append(dst, q.shape.after...)
	}
	return dst, err
}

// beginMessages appends what comes before the messages. The cursor is not known yet: its place is left open, at at.
func beginMessages(dst []byte) (_ []byte, at int) {
	dst = append(dst, messages.before...)
	at = len(dst)
	return append(appendCursor(dst, 0), messagesBegin...), at
}

// endMessages puts the cursor in its place and appends what comes after the messages, if there is no error.
func endMessages(dst []byte, at int, next cache.Cursor, err error) ([]byte, error) {
	if err != nil {
		return dst, err
	}
	appendCursor(dst[:at], next) // all cursors are of one length
	return append(dst, messages.after...), nil
}

// getMessages returns everything the other role has written after the cursor.
//
//	@Summary		Read the other role's messages after a cursor
//	@Description	Removes nothing: a repeated request gets the same messages again, and a client that lost an answer loses nothing.
//	@Description	The sdp comes before the candidates. `next` is the cursor to go on from. Reading by cursor and taking are
//	@Description	independent of each other. The answerer may wait before the session is opened.
//	@Tags			messages
//	@Produce		json
//	@Param			role			path		string				true	"who asks"	Enums(offer, answer)
//	@Param			key				header		string				true	"the session's key: 1 to 32 characters; or in the query"
//	@Param			after			query		string				false	"the cursor; absent: from the beginning"
//	@Param			wait			query		number				false	"seconds to wait while there is nothing, 30 at most"
//	@Param			X-Offer-Ticket	header		string				false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param			X-Answer-Ticket	header		string				false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success		200				{object}	envelope{data=news}	"the messages; or SdpNoValues, CandidateNoValues, KeyNotFound, KeyIsExpired with data null"
//	@Failure		400				{object}	envelope			"KeyIsEmpty, KeyIsTooLong, CursorIsInvalid, WaitIsInvalid"
//	@Failure		503				{object}	envelope			"ServerIsShuttingDown, StoreIsUnavailable"
//	@Router			/{role}/messages [get]
func (s *Server) getMessages(c *fiber.Ctx, v *visit) error {
	wait := waitAs(v.role)
	after, err := s.placeOf(c, &wait)
	if err == nil {
		after, err = v.from(after)
	}
	if err != nil {
		return err
	}
	return s.answer(c.Context(), v, &question{key: v.key, to: v.role, after: after}, &wait)
}

// postMessages writes and then answers as the GET does.
//
//	@Summary		Write, and read the other role's messages
//	@Description	Writes first, all or nothing, then answers as GET does: with `wait` the offerer sends its offer with candidates and
//	@Description	gets the answer back in one round trip. Each part of the body is optional, one of `sdp` and `candidates` is not. From
//	@Description	the offerer a body with `sdp` opens the session. Without `wait` it answers at once, if need be with no messages.
//	@Tags			messages
//	@Accept			json
//	@Produce		json
//	@Param			role			path		string				true	"who writes and asks"	Enums(offer, answer)
//	@Param			key				header		string				true	"the session's key: 1 to 32 characters; or in the query"
//	@Param			Idempotency-Key	header		string				false	"1 to 64 visible ASCII characters: a repetition is not applied again; or idempotency_key in the query"
//	@Param			after			query		string				false	"the cursor; absent: from the beginning"
//	@Param			wait			query		number				false	"seconds to wait while there is nothing, 30 at most"
//	@Param			post			body		post				true	"what to write"
//	@Param			X-Offer-Ticket	header		string				false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param			X-Answer-Ticket	header		string				false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success		200				{object}	envelope{data=news}	"the messages; or SdpAlreadyExist (nothing was written), SdpNoValues, CandidateNoValues, KeyNotFound, KeyIsExpired with data null"
//	@Failure		400				{object}	envelope			"KeyIsEmpty, KeyIsTooLong, BodyIsEmpty, BodyIsNotJSON, BodyIsNotUTF8, CursorIsInvalid, WaitIsInvalid, IdempotencyKeyIsInvalid"
//	@Failure		413				{object}	envelope			"BodyIsTooLong"
//	@Failure		429				{object}	envelope			"QueueIsFull"
//	@Failure		503				{object}	envelope			"CacheOverrunMaxCost, ServerIsShuttingDown, StoreIsUnavailable"
//	@Header			200				{string}	X-Offer-Ticket		"with --role-tickets: what the offerer shows from now on"
//	@Header			200				{string}	X-Answer-Ticket		"with --role-tickets: what the answerer shows from now on"
//	@Router			/{role}/messages [post]
func (s *Server) postMessages(c *fiber.Ctx, v *visit) error {
	wait := waitAs(v.role)
	after, err := s.placeOf(c, &wait)
	if err != nil {
		return err
	}
	if err := s.beginWrite(c, &v.write); err != nil {
		return err
	}
	body, next, err := s.exchange(c, v, after, &wait)
	if isNothing(err) && wait.For > 0 {
		v.write.end() // the wait needs none of it
		c.Response().SwapBody(body)
		return s.answer(c.Context(), v, &question{key: v.key, to: v.role, after: next, granted: v.granted}, &wait)
	}
	wait.End()
	return finish(c.Context(), body, err)
}

// exchange applies the body of POST messages and begins the reply. To who does not wait, no message is an answer too. Beside the
// reply it returns the cursor to go on waiting by, which is of the session that was written to.
//
// hot: a handshake is mostly this.
func (s *Server) exchange(c *fiber.Ctx, v *visit, after cache.Cursor, wait *cache.Wait) ([]byte, cache.Cursor, error) {
	w := &v.write
	body := append(c.Response().SwapBody(nil)[:0], envelopeBegin...)
	ttl, err := s.readMessages(&w.batch, w.body)
	if err == nil {
		err = s.limitOpen(v)
	}
	if err == nil && s.config.Tickets != nil {
		after, err = s.enterSession(c, v, after)
	}
	if err != nil {
		return body, after, err
	}
	body, at := beginMessages(body)
	ask := v.asWrite(ttl)
	ask.After, ask.Limit, ask.Form = after, math.MaxInt, &messages.form
	body, next, err := s.mail.Write(c.Context(), body, ask, wait)
	if s.config.Tickets != nil && w.batch.HasSDP() && (err == nil || isNothing(err)) {
		v.granted = true
		s.grant(c.Context(), v.key, v.role, next.Epoch())
	}
	if isNothing(err) && wait.For == 0 {
		err = nil
	}
	body, err = endMessages(body, at, next, err)
	return body, next, err
}

// isNothing reports whether the error says only that nothing is there yet.
func isNothing(err error) bool {
	return err == custerrors.SdpNoValues || err == custerrors.CandidateNoValues
}

// placeOf returns ?after, and says ?wait in w.
func (s *Server) placeOf(c *fiber.Ctx, w *cache.Wait) (cache.Cursor, error) {
	after, err := cursorOf(c)
	if err != nil {
		return 0, err
	}
	return after, s.waitOf(c, w)
}
