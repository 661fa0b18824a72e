package call

import (
	"github.com/gofiber/fiber/v2"

	"signal-server/app/wire"
	"signal-server/cache"
)

// postOffer opens a session and puts the offer's sdp.
//
//	@Summary		Open a session and put the offer's sdp
//	@Description	The one request that opens a session; it may reuse the key of a session that has ended. `data` is the text to relay,
//	@Description	whatever it holds: usually the JSON of a session description, as a string. `key_ttl` is in seconds: the session ends
//	@Description	when nobody uses it that long. Absent, 0, negative or above the server's maximum, it means the maximum; below 1 s, 1 s.
//	@Tags			classic
//	@Accept			json
//	@Produce		json
//	@Param			key				header		string			false	"the session's key: 1 to 32 characters; or by Authorize, or in the query"
//	@Param			Idempotency-Key	header		string			false	"1 to 64 visible ASCII characters: a repetition is not applied again; or idempotency_key in the query"
//	@Param			offer			body		offer			true	"the offer"
//	@Success		200				{object}	envelope		"done (msg empty), or SdpAlreadyExist"
//	@Failure		400				{object}	envelope		"KeyIsEmpty, KeyIsTooLong, DataIsEmpty, BodyIsNotJSON, BodyIsNotUTF8, IdempotencyKeyIsInvalid"
//	@Failure		413				{object}	envelope		"BodyIsTooLong"
//	@Failure		415				{object}	envelope		"BodyIsCompressed"
//	@Failure		422				{object}	envelope		"IdempotencyKeyIsReused"
//	@Failure		429				{object}	envelope		"TooManyRequests: this client has its share of the memory"
//	@Failure		503				{object}	envelope		"CacheOverrunMaxCost, ServerIsOverloaded, ServerIsShuttingDown, StoreIsUnavailable"
//	@Header			200				{string}	X-Offer-Ticket	"with --role-tickets: what the offerer shows from now on"
//	@Router			/offer/sdp [post]
func (w *Wire) postOffer(c *fiber.Ctx, v *wire.Visit) error {
	if err := v.ReadPost(c); err != nil {
		return err
	}
	ttl, err := w.readOffer(&v.Post.Batch, v.Post.Body)
	if err != nil {
		return err
	}
	return w.put(c, v, ttl)
}

// postAnswer puts the answer's sdp.
//
//	@Summary	Put the answer's sdp
//	@Tags		classic
//	@Accept		plain
//	@Produce	json
//	@Param		key				header		string			false	"the session's key: 1 to 32 characters; or by Authorize, or in the query"
//	@Param		Idempotency-Key	header		string			false	"1 to 64 visible ASCII characters: a repetition is not applied again; or idempotency_key in the query"
//	@Param		sdp				body		string			true	"the sdp: opaque text, valid UTF-8"
//	@Param		X-Answer-Ticket	header		string			false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success	200				{object}	envelope		"done (msg empty), or SdpAlreadyExist, KeyNotFound, KeyIsExpired"
//	@Failure	400				{object}	envelope		"KeyIsEmpty, KeyIsTooLong, BodyIsEmpty, BodyIsNotUTF8, IdempotencyKeyIsInvalid"
//	@Failure	413				{object}	envelope		"BodyIsTooLong"
//	@Failure	415				{object}	envelope		"BodyIsCompressed"
//	@Failure	422				{object}	envelope		"IdempotencyKeyIsReused"
//	@Failure	503				{object}	envelope		"CacheOverrunMaxCost, ServerIsOverloaded, ServerIsShuttingDown, StoreIsUnavailable"
//	@Header		200				{string}	X-Answer-Ticket	"with --role-tickets: what the answerer shows from now on"
//	@Router		/answer/sdp [post]
func (w *Wire) postAnswer(c *fiber.Ctx, v *wire.Visit) error { return w.postText(c, v, cache.SDP) }

// postText writes one payload that comes as text.
//
// hot: a trickled candidate comes here.
func (w *Wire) postText(c *fiber.Ctx, v *wire.Visit, kind cache.Kind) error {
	if err := v.ReadPost(c); err != nil {
		return err
	}
	if err := w.addText(&v.Post.Batch, kind, v.Post.Body); err != nil {
		return err
	}
	return w.put(c, v, 0)
}

// takeSDP takes the other role's sdp.
//
//	@Summary		Take the other role's sdp
//	@Description	Destructive: the sdp goes to one taker, once; with an Idempotency-Key to that taker as often as it asks. The answerer may wait before the session is opened.
//	@Tags			classic
//	@Produce		json
//	@Param			role			path		string					true	"who asks"	Enums(offer, answer)
//	@Param			key				header		string					false	"the session's key: 1 to 32 characters; or by Authorize, or in the query"
//	@Param			Idempotency-Key	header		string					false	"1 to 64 visible ASCII characters: a repetition gets what the first one got; or idempotency_key in the query"
//	@Param			wait			query		number					false	"seconds to wait while there is nothing, 30 at most"
//	@Param			X-Offer-Ticket	header		string					false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param			X-Answer-Ticket	header		string					false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success		200				{object}	envelope{data=string}	"the sdp; or SdpNoValues, KeyNotFound, KeyIsExpired with data null"
//	@Failure		400				{object}	envelope				"KeyIsEmpty, KeyIsTooLong, WaitIsInvalid, IdempotencyKeyIsInvalid"
//	@Failure		422				{object}	envelope				"IdempotencyKeyIsReused"
//	@Failure		503				{object}	envelope				"CacheOverrunMaxCost, ServerIsShuttingDown, StoreIsUnavailable"
//	@Router			/{role}/sdp [get]
func (w *Wire) takeSDP(c *fiber.Ctx, v *wire.Visit) error {
	return w.take(c, v, cache.SDP, 1, &oneText)
}
