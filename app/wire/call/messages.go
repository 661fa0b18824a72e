package call

import (
	"github.com/gofiber/fiber/v2"

	"signal-server/app/wire"
	"signal-server/cache"
)

// inMessages is how messages stand in an answer: the cursor behind them, and one object each.
var inMessages = shape(`{"next":"`, `","messages":[`, cache.Form{
	SDP:       `{"type":"sdp","data":"`,
	Candidate: `{"type":"candidate","data":"`,
	After:     `"}`,
	Separator: `,`,
}, `]}`)

// getMessages returns everything the other role has written after the cursor.
//
//	@Summary		Read the other role's messages after a cursor
//	@Description	Removes nothing: a repeated request gets the same messages again, and a client that lost an answer loses nothing.
//	@Description	The sdp comes before the candidates. `next` is the cursor to go on from. Reading by cursor and taking are
//	@Description	independent of each other. The answerer may wait before the session is opened.
//	@Tags			messages
//	@Produce		json
//	@Param			role			path		string					true	"who asks"	Enums(offer, answer)
//	@Param			key				header		string					false	"the session's key: 1 to 32 characters; or by Authorize, or in the query"
//	@Param			after			query		string					false	"the cursor; absent: from the beginning"
//	@Param			wait			query		number					false	"seconds to wait while there is nothing, 30 at most"
//	@Param			X-Offer-Ticket	header		string					false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param			X-Answer-Ticket	header		string					false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success		200				{object}	envelope{data=newsData}	"the messages; or SdpNoValues, CandidateNoValues, KeyNotFound, KeyIsExpired with data null"
//	@Failure		400				{object}	envelope				"KeyIsEmpty, KeyIsTooLong, CursorIsInvalid, WaitIsInvalid"
//	@Failure		503				{object}	envelope				"ServerIsShuttingDown, StoreIsUnavailable"
//	@Router			/{role}/messages [get]
func (w *Wire) getMessages(c *fiber.Ctx, v *wire.Visit) error {
	var wait cache.Wait
	after, err := readPlace(c, v, &wait)
	if err == nil {
		after, err = v.Cursor(after)
	}
	if err != nil {
		return err
	}
	return v.Ask(c, &wire.Ask{After: after, Shape: &inMessages}, &wait)
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
//	@Param			role			path		string					true	"who writes and asks"	Enums(offer, answer)
//	@Param			key				header		string					false	"the session's key: 1 to 32 characters; or by Authorize, or in the query"
//	@Param			Idempotency-Key	header		string					false	"1 to 64 visible ASCII characters: a repetition is not applied again; or idempotency_key in the query"
//	@Param			after			query		string					false	"the cursor; absent: from the beginning"
//	@Param			wait			query		number					false	"seconds to wait while there is nothing, 30 at most"
//	@Param			post			body		post					true	"what to write"
//	@Param			X-Offer-Ticket	header		string					false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param			X-Answer-Ticket	header		string					false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success		200				{object}	envelope{data=newsData}	"the messages; or SdpAlreadyExist (nothing was written), SdpNoValues, CandidateNoValues, KeyNotFound, KeyIsExpired with data null"
//	@Failure		400				{object}	envelope				"KeyIsEmpty, KeyIsTooLong, BodyIsEmpty, BodyIsNotJSON, BodyIsNotUTF8, CursorIsInvalid, WaitIsInvalid, IdempotencyKeyIsInvalid"
//	@Failure		413				{object}	envelope				"BodyIsTooLong"
//	@Failure		415				{object}	envelope				"BodyIsCompressed"
//	@Failure		422				{object}	envelope				"IdempotencyKeyIsReused"
//	@Failure		429				{object}	envelope				"QueueIsFull; TooManyRequests: this client has its share of the memory"
//	@Failure		503				{object}	envelope				"CacheOverrunMaxCost, ServerIsOverloaded, ServerIsShuttingDown, StoreIsUnavailable"
//	@Header			200				{string}	X-Offer-Ticket			"with --role-tickets: what the offerer shows from now on"
//	@Header			200				{string}	X-Answer-Ticket			"with --role-tickets: what the answerer shows from now on"
//	@Router			/{role}/messages [post]
func (w *Wire) postMessages(c *fiber.Ctx, v *wire.Visit) error {
	var wait cache.Wait
	after, err := readPlace(c, v, &wait)
	if err != nil {
		return err
	}
	if err := v.ReadPost(c); err != nil {
		return err
	}
	ttl, err := w.readMessages(&v.Post.Batch, v.Post.Body)
	if err != nil {
		return err
	}
	opens(v, ttl)
	v.Post.Write.After = after
	return v.Exchange(c, &inMessages, &wait)
}

// readPlace returns ?after, and says ?wait in wait, which is zero.
func readPlace(c *fiber.Ctx, v *wire.Visit, wait *cache.Wait) (cache.Cursor, error) {
	after, err := wire.ReadCursor(c)
	if err != nil {
		return 0, err
	}
	return after, readWait(c, v, wait)
}
