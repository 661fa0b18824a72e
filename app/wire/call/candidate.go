package call

import (
	"github.com/gofiber/fiber/v2"

	"signal-server/app/wire"
	"signal-server/cache"
)

// postCandidate appends one candidate to the role's log.
//
//	@Summary	Append one candidate
//	@Tags		classic
//	@Accept		plain
//	@Produce	json
//	@Param		role			path		string		true	"who writes"	Enums(offer, answer)
//	@Param		key				header		string		false	"the session's key: 1 to 32 characters; or by Authorize, or in the query"
//	@Param		Idempotency-Key	header		string		false	"1 to 64 visible ASCII characters: a repetition is not applied again; or idempotency_key in the query"
//	@Param		candidate		body		string		true	"the candidate: opaque text, valid UTF-8"
//	@Param		X-Offer-Ticket	header		string		false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param		X-Answer-Ticket	header		string		false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success	200				{object}	envelope	"done (msg empty), or KeyNotFound, KeyIsExpired"
//	@Failure	400				{object}	envelope	"KeyIsEmpty, KeyIsTooLong, BodyIsEmpty, BodyIsNotUTF8, IdempotencyKeyIsInvalid"
//	@Failure	413				{object}	envelope	"BodyIsTooLong"
//	@Failure	415				{object}	envelope	"BodyIsCompressed"
//	@Failure	422				{object}	envelope	"IdempotencyKeyIsReused"
//	@Failure	429				{object}	envelope	"QueueIsFull"
//	@Failure	503				{object}	envelope	"CacheOverrunMaxCost, ServerIsOverloaded, ServerIsShuttingDown, StoreIsUnavailable"
//	@Router		/{role}/candidate [post]
func (w *Wire) postCandidate(c *fiber.Ctx, v *wire.Visit) error {
	return w.postText(c, v, cache.Candidate)
}

// takeCandidate takes the other role's oldest candidate that is not taken.
//
//	@Summary		Take the other role's oldest candidate
//	@Description	Destructive: each candidate goes to one taker, once; with an Idempotency-Key to that taker as often as it asks.
//	@Tags			classic
//	@Produce		json
//	@Param			role			path		string					true	"who asks"	Enums(offer, answer)
//	@Param			key				header		string					false	"the session's key: 1 to 32 characters; or by Authorize, or in the query"
//	@Param			Idempotency-Key	header		string					false	"1 to 64 visible ASCII characters: a repetition gets what the first one got; or idempotency_key in the query"
//	@Param			wait			query		number					false	"seconds to wait while there is nothing, 30 at most"
//	@Param			X-Offer-Ticket	header		string					false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param			X-Answer-Ticket	header		string					false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success		200				{object}	envelope{data=string}	"the candidate; or CandidateNoValues, KeyNotFound, KeyIsExpired with data null"
//	@Failure		400				{object}	envelope				"KeyIsEmpty, KeyIsTooLong, WaitIsInvalid, IdempotencyKeyIsInvalid"
//	@Failure		422				{object}	envelope				"IdempotencyKeyIsReused"
//	@Failure		503				{object}	envelope				"CacheOverrunMaxCost, ServerIsShuttingDown, StoreIsUnavailable"
//	@Router			/{role}/candidate [get]
func (w *Wire) takeCandidate(c *fiber.Ctx, v *wire.Visit) error {
	return w.take(c, v, cache.Candidate, 1, &oneText)
}
