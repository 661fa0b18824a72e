package call

import (
	"github.com/gofiber/fiber/v2"

	"signal-server/app/wire"
	"signal-server/custerrors"
)

// deleteSession ends the session for both roles.
//
//	@Summary	End the session for both roles
//	@Tags		classic
//	@Produce	json
//	@Param		key				header		string		false	"the session's key: 1 to 32 characters; or by Authorize, or in the query"
//	@Param		X-Offer-Ticket	header		string		false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param		X-Answer-Ticket	header		string		false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success	200				{object}	envelope	"done (msg empty), or KeyNotFound, KeyIsExpired"
//	@Failure	400				{object}	envelope	"KeyIsEmpty, KeyIsTooLong"
//	@Failure	503				{object}	envelope	"ServerIsShuttingDown, StoreIsUnavailable"
//	@Router		/session [delete]
func (w *Wire) deleteSession(c *fiber.Ctx, v *wire.Visit) error {
	if v.Session != 0 {
		lease, err := v.Store.Touch(c.Context(), v.Key)
		if err == nil && lease.Epoch != v.Session {
			err = custerrors.KeyIsExpired
		}
		if err != nil {
			return err
		}
	}
	if err := v.Store.End(c.Context(), v.Key); err != nil {
		return err
	}
	return w.Done(v.Reply())
}
