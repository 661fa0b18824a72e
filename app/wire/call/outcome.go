package call

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/wire"
	"signal-server/cache/text"
	"signal-server/custerrors"
)

// postOutcome counts how a client's attempt to connect ended.
//
// It writes nothing to the session, and need not find it alive: a client that has connected has often ended it first. A key that no
// session has, now or lately, counts for nothing.
//
//	@Summary		Report how the attempt to connect ended
//	@Description	What the operator sees of it is a success rate, by the type of the reporter's own candidate, and times. It writes
//	@Description	nothing to the session, and may come up to 30 s after its end. Each role's first report of a session is counted, what
//	@Description	comes after it is answered the same. With the key in the query and a body of type text/plain, as navigator.sendBeacon
//	@Description	sends it, a page of another origin needs no preflight.
//	@Tags			operation
//	@Accept			json
//	@Accept			plain
//	@Produce		json
//	@Param			role			path		string		true	"who reports"	Enums(offer, answer)
//	@Param			key				header		string		false	"the session's key: 1 to 32 characters; or by Authorize, or in the query"
//	@Param			outcome			body		report		true	"how it ended"
//	@Param			X-Offer-Ticket	header		string		false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param			X-Answer-Ticket	header		string		false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success		200				{object}	envelope	"done (msg empty), or KeyNotFound"
//	@Failure		400				{object}	envelope	"KeyIsEmpty, KeyIsTooLong, BodyIsEmpty, BodyIsNotJSON, BodyIsNotUTF8"
//	@Failure		413				{object}	envelope	"BodyIsTooLong"
//	@Failure		415				{object}	envelope	"BodyIsCompressed"
//	@Failure		503				{object}	envelope	"ServerIsShuttingDown, StoreIsUnavailable"
//	@Router			/{role}/outcome [post]
func (w *Wire) postOutcome(c *fiber.Ctx, v *wire.Visit) error {
	body, err := v.Body(c)
	if err != nil {
		return err
	}
	out, took, err := readOutcome(body)
	if err != nil {
		return err
	}
	lease, err := v.Store.Touch(c.Context(), v.Key)
	if err != nil && err != custerrors.KeyIsExpired {
		return err
	}
	v.Note(err)
	if v.Session != 0 {
		lease.Epoch = v.Session // which may have ended, and another one of the key live
	}
	w.outcomes.add(v.Watch.Now(), v.Key, v.Seat, lease.Epoch, out, took)
	return w.Done(v.Reply())
}

// outcomeBytes bounds a report: the longest that our clients send has 60 bytes.
const outcomeBytes = 1 << 10

// maxOutcome bounds the time of a report, so that one of an absurd length does not drown all others in their sum.
const maxOutcome = time.Hour

// readOutcome reads the body of POST outcome: {"result":"connected","candidate_type":"host","ms":1234}.
func readOutcome(body []byte) (out outcome, took time.Duration, err error) {
	if blank(body) {
		return 0, 0, custerrors.BodyIsEmpty
	}
	r := text.NewReader(body)
	var result, candidateType string
	var ms float64
	var seen members
	for first := r.Begin('{'); r.More(&first, '}'); {
		switch r.Name() {
		case "result":
			seen.once(&r, memberResult)
			result = r.Text()
		case "candidate_type":
			seen.once(&r, memberType)
			if !r.Null() {
				candidateType = r.Text()
			}
		case "ms":
			seen.once(&r, memberMS)
			ms = r.Number()
		default:
			r.Skip()
		}
	}
	if err := r.End(); err != nil {
		return 0, 0, msgOf(err)
	}
	out, ok := outcomeOf(result, candidateType)
	if !ok || seen&memberMS == 0 || ms < 0 {
		return 0, 0, custerrors.BodyIsNotJSON
	}
	return out, time.Duration(min(ms, float64(maxOutcome/time.Millisecond)) * float64(time.Millisecond)), nil
}
