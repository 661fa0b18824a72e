package call

import (
	"math"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/wire"
	"signal-server/cache"
)

// postCandidates appends candidates to the role's log, all or none.
//
//	@Summary	Append candidates, all or none, in order
//	@Tags		classic
//	@Accept		json
//	@Produce	json
//	@Param		role			path		string		true	"who writes"	Enums(offer, answer)
//	@Param		key				header		string		false	"the session's key: 1 to 32 characters; or by Authorize, or in the query"
//	@Param		Idempotency-Key	header		string		false	"1 to 64 visible ASCII characters: a repetition is not applied again; or idempotency_key in the query"
//	@Param		candidates		body		[]string	true	"the candidates"
//	@Param		X-Offer-Ticket	header		string		false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param		X-Answer-Ticket	header		string		false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success	200				{object}	envelope	"done (msg empty), or KeyNotFound, KeyIsExpired"
//	@Failure	400				{object}	envelope	"KeyIsEmpty, KeyIsTooLong, BodyIsEmpty, BodyIsNotJSON, BodyIsNotUTF8, IdempotencyKeyIsInvalid"
//	@Failure	413				{object}	envelope	"BodyIsTooLong"
//	@Failure	415				{object}	envelope	"BodyIsCompressed"
//	@Failure	422				{object}	envelope	"IdempotencyKeyIsReused"
//	@Failure	429				{object}	envelope	"QueueIsFull"
//	@Failure	503				{object}	envelope	"CacheOverrunMaxCost, ServerIsOverloaded, ServerIsShuttingDown, StoreIsUnavailable"
//	@Router		/{role}/candidates [post]
func (w *Wire) postCandidates(c *fiber.Ctx, v *wire.Visit) error {
	if err := v.ReadPost(c); err != nil {
		return err
	}
	if err := w.readCandidates(&v.Post.Batch, v.Post.Body); err != nil {
		return err
	}
	return w.put(c, v, 0)
}

// takeCandidates takes all of the other role's candidates that are not taken.
//
//	@Summary		Take all of the other role's candidates that are left
//	@Description	Destructive: each candidate goes to one taker, once; with an Idempotency-Key to that taker as often as it asks.
//	@Tags			classic
//	@Produce		json
//	@Param			role			path		string					true	"who asks"	Enums(offer, answer)
//	@Param			key				header		string					false	"the session's key: 1 to 32 characters; or by Authorize, or in the query"
//	@Param			Idempotency-Key	header		string					false	"1 to 64 visible ASCII characters: a repetition gets what the first one got; or idempotency_key in the query"
//	@Param			wait			query		number					false	"seconds to wait while there is nothing, 30 at most"
//	@Param			X-Offer-Ticket	header		string					false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param			X-Answer-Ticket	header		string					false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success		200				{object}	envelope{data=[]string}	"the candidates; or CandidateNoValues, KeyNotFound, KeyIsExpired with data null"
//	@Failure		400				{object}	envelope				"KeyIsEmpty, KeyIsTooLong, WaitIsInvalid, IdempotencyKeyIsInvalid"
//	@Failure		422				{object}	envelope				"IdempotencyKeyIsReused"
//	@Failure		503				{object}	envelope				"CacheOverrunMaxCost, ServerIsShuttingDown, StoreIsUnavailable"
//	@Router			/{role}/candidates [get]
func (w *Wire) takeCandidates(c *fiber.Ctx, v *wire.Visit) error {
	return w.take(c, v, cache.Candidate, math.MaxInt, &arrayOfText)
}
