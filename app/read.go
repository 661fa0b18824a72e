package app

import (
	"math"

	"github.com/gofiber/fiber/v2"

	"signal-server/cache"
	"signal-server/custerrors"
)

// take takes what role asks for and replies with it.
//
// hot: an empty poll and a take come here.
func (s *Server) take(c *fiber.Ctx, role cache.Role, kind cache.Kind, limit int, shape *shape) error {
	key, err := keyOf(c)
	if err != nil {
		return s.fail(c, err)
	}
	wait, err := s.waitOf(c)
	if err != nil {
		return s.fail(c, err)
	}
	body := append(begin(c), shape.before...)
	body, err = s.mail.Take(c.Context(), body, key, role, kind, limit, &shape.form, wait)
	if err == nil {
		body = append(body, shape.after...)
	}
	return s.finish(c, body, err)
}

// readMessagesOf returns everything the other role has written after the cursor.
//
//	@Summary		Read the other role's messages after a cursor
//	@Description	Removes nothing: a repeated request gets the same messages again, and a client that lost an answer loses nothing.
//	@Description	The sdp comes before the candidates. `next` is the cursor to go on from. Reading by cursor and taking are
//	@Description	independent of each other. The answerer may wait before the session is opened.
//	@Tags			messages
//	@Produce		json
//	@Param			role	path		string	true	"who asks"	Enums(offer, answer)
//	@Param			key		header		string	true	"the session's key: 1 to 32 characters; or in the query"
//	@Param			after	query		string	false	"the cursor; absent: from the beginning"
//	@Param			wait	query		number	false	"seconds to wait while there is nothing, 30 at most"
//	@Success		200		{object}	envelope{data=news}	"the messages; or SdpNoValues, CandidateNoValues, KeyNotFound, KeyIsExpired with data null"
//	@Failure		400		{object}	envelope	"KeyIsEmpty, KeyIsTooLong, CursorIsInvalid, WaitIsInvalid"
//	@Failure		503		{object}	envelope	"ServerIsShuttingDown"
//	@Router			/{role}/messages [get]
func (s *Server) readMessagesOf(role cache.Role) fiber.Handler {
	return func(c *fiber.Ctx) error {
		key, err := keyOf(c)
		if err != nil {
			return s.fail(c, err)
		}
		after, wait, err := s.placeOf(c)
		if err != nil {
			return s.fail(c, err)
		}
		return s.read(c, key, role, after, wait, false)
	}
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
//	@Param			role			path		string		true	"who writes and asks"	Enums(offer, answer)
//	@Param			key				header		string		true	"the session's key: 1 to 32 characters; or in the query"
//	@Param			Idempotency-Key	header		string		false	"1 to 64 visible ASCII characters: a repetition is not applied again"
//	@Param			after			query		string		false	"the cursor; absent: from the beginning"
//	@Param			wait			query		number		false	"seconds to wait while there is nothing, 30 at most"
//	@Param			post			body		post		true	"what to write"
//	@Success		200				{object}	envelope{data=news}	"the messages; or SdpAlreadyExist (nothing was written), SdpNoValues, CandidateNoValues, KeyNotFound, KeyIsExpired with data null"
//	@Failure		400				{object}	envelope	"KeyIsEmpty, KeyIsTooLong, BodyIsEmpty, BodyIsNotJSON, BodyIsNotUTF8, CursorIsInvalid, WaitIsInvalid, IdempotencyKeyIsInvalid"
//	@Failure		413				{object}	envelope	"BodyIsTooLong"
//	@Failure		429				{object}	envelope	"QueueIsFull"
//	@Failure		503				{object}	envelope	"CacheOverrunMaxCost, ServerIsShuttingDown"
//	@Router			/{role}/messages [post]
func (s *Server) postMessages(role cache.Role) fiber.Handler {
	return func(c *fiber.Ctx) error {
		after, wait, err := s.placeOf(c)
		if err != nil {
			return s.fail(c, err)
		}
		w, err := s.beginWrite(c)
		if err != nil {
			return s.fail(c, err)
		}
		err = s.write(c, &w, role)
		s.endWrite(&w) // before a wait, which needs none of it
		if err != nil {
			return s.fail(c, err)
		}
		return s.read(c, w.key, role, after, wait, wait.For == 0)
	}
}

// write applies the body of POST messages.
func (s *Server) write(c *fiber.Ctx, w *write, role cache.Role) error {
	ttl, err := s.readMessages(w.batch, w.body)
	if err != nil {
		return err
	}
	if role == cache.Offer && w.batch.HasSDP() {
		return s.store.Open(c.Context(), w.key, ttl, w.token, w.batch)
	}
	return s.store.Append(c.Context(), w.key, role, w.token, w.batch)
}

// placeOf returns ?after and ?wait.
func (s *Server) placeOf(c *fiber.Ctx) (after cache.Cursor, wait cache.Wait, err error) {
	if after, err = cursorOf(c); err != nil {
		return 0, cache.Wait{}, err
	}
	wait, err = s.waitOf(c)
	return after, wait, err
}

// read replies with the messages after the cursor. emptyIsFine says that none is an answer too, not an exception.
//
// hot: a cursor read comes here.
func (s *Server) read(c *fiber.Ctx, key cache.Key, role cache.Role, after cache.Cursor, wait cache.Wait, emptyIsFine bool,
) error {
	body := append(begin(c), messages.before...)
	at := len(body)
	body = append(appendCursor(body, after), messagesBegin...)
	body, next, err := s.mail.Read(c.Context(), body, key, role, after, math.MaxInt, &messages.form, wait)
	if emptyIsFine && (err == custerrors.SdpNoValues || err == custerrors.CandidateNoValues) {
		err = nil
	}
	if err == nil {
		appendCursor(body[:at], next) // in its place: all cursors are of one length
		body = append(body, messages.after...)
	}
	return s.finish(c, body, err)
}
