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
		return s.read(c, begin(c), key, role, after, wait)
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
		body, at, next, err := s.exchange(c, &w, role, after)
		s.endWrite(&w) // before a wait, which needs none of it
		if isNothing(err) {
			if wait.For > 0 {
				return s.read(c, body, w.key, role, after, wait)
			}
			err = nil // without waiting, none is an answer too
		}
		return s.finishMessages(c, body, at, next, err)
	}
}

// exchange applies the body of POST messages and begins the reply.
//
// hot: a handshake is mostly this.
func (s *Server) exchange(c *fiber.Ctx, w *write, role cache.Role, after cache.Cursor,
) (body []byte, at int, next cache.Cursor, err error) {
	ttl, err := s.readMessages(w.batch, w.body)
	body, at = beginMessages(begin(c))
	if err != nil {
		return body, at, 0, err
	}
	body, next, err = s.store.Exchange(c.Context(), body, w.key, role, ttl, w.token, w.batch,
		after, math.MaxInt, &messages.form)
	return body, at, next, err
}

// placeOf returns ?after and ?wait.
func (s *Server) placeOf(c *fiber.Ctx) (after cache.Cursor, wait cache.Wait, err error) {
	if after, err = cursorOf(c); err != nil {
		return 0, cache.Wait{}, err
	}
	wait, err = s.waitOf(c)
	return after, wait, err
}

// read replies, in a buffer that begin has returned, with the messages after the cursor.
//
// hot: a cursor read comes here.
func (s *Server) read(c *fiber.Ctx, body []byte, key cache.Key, role cache.Role, after cache.Cursor, wait cache.Wait) error {
	body, at := beginMessages(append(body[:0], envelopeBegin...))
	body, next, err := s.mail.Read(c.Context(), body, key, role, after, math.MaxInt, &messages.form, wait)
	return s.finishMessages(c, body, at, next, err)
}

// beginMessages appends what comes before the messages. The cursor is not known yet: its place is left open, at at.
func beginMessages(body []byte) (_ []byte, at int) {
	body = append(body, messages.before...)
	at = len(body)
	return append(appendCursor(body, 0), messagesBegin...), at
}

// finishMessages puts the cursor in its place and replies.
func (s *Server) finishMessages(c *fiber.Ctx, body []byte, at int, next cache.Cursor, err error) error {
	if err == nil {
		appendCursor(body[:at], next) // all cursors are of one length
		body = append(body, messages.after...)
	}
	return s.finish(c, body, err)
}

// isNothing reports whether the error says only that nothing is there yet.
func isNothing(err error) bool {
	return err == custerrors.SdpNoValues || err == custerrors.CandidateNoValues
}
