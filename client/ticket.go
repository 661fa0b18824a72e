package client

import (
	"errors"
	"fmt"
	"net/http"

	"signal-server/custerrors"
)

// A server with --role-tickets answers whoever opens a session, and whoever is the first to answer in it, with a ticket, and lets
// only its bearer read and write as that role from then on: somebody who learns the key later can neither steal nor forge. A
// ticket belongs to one session of the key.

// ticketHeader is the name under which a ticket comes and is shown.
func (r Role) ticketHeader() string {
	if r == Offer {
		return "X-Offer-Ticket"
	}
	return "X-Answer-Ticket"
}

// showTicket puts the role's ticket into the request, unless it is to open a session, and returns the one that is known.
func (s *Session) showTicket(r request, req *http.Request) (known *string) {
	known = s.ticket.Load()
	if known != nil && !r.opens {
		req.Header.Set(s.role.ticketHeader(), *known)
	}
	return known
}

// noteTicket remembers the ticket that came with an answer, and forgets the one that was known before if its session is over. One
// that came meanwhile, of the next session, stays. It returns err, and says of a ticket that the server does not know any more what
// it means: a server that was restarted has lost the session, too.
func (s *Session) noteTicket(r request, known *string, answer http.Header, err error) error {
	if ticket := answer.Get(s.role.ticketHeader()); ticket != "" {
		s.ticket.Store(&ticket)
		return err
	}
	if known != nil && !r.opens && errors.Is(err, custerrors.NotAllowed) {
		err = fmt.Errorf("%w: the server does not know the ticket that it gave: %w", custerrors.KeyIsExpired, err)
	}
	if isOver(err) || err == nil && (r.opens || r.method == http.MethodDelete) {
		s.ticket.CompareAndSwap(known, nil)
	}
	return err
}
