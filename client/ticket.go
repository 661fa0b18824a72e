package client

import (
	"errors"
	"fmt"
	"net/http"

	"signal-server/custerrors"
)

// A server with --role-tickets gives a ticket to the client that opens a session, and another to the first that answers in it.
// From then on only a client with the role's ticket can read and write as that role: somebody who learns the key later can neither
// steal nor forge messages. A ticket belongs to one session of the key.

// ticketHeader returns the name of the header in which the role's ticket goes both ways.
func (r Role) ticketHeader() string {
	if r == Offer {
		return "X-Offer-Ticket"
	}
	return "X-Answer-Ticket"
}

// showTicket puts the role's ticket into the request, unless the request opens a session. It returns the known ticket, if any.
func (s *Session) showTicket(r request, req *http.Request) (known *string) {
	known = s.ticket.Load()
	if known != nil && !r.opens {
		req.Header.Set(s.role.ticketHeader(), *known)
	}
	return known
}

// noteTicket remembers the ticket in the headers of an answer. If the session of the ticket that was known is over, it forgets that
// one; if the next session's ticket has come meanwhile, that one stays. It returns err. If the server no longer knows the ticket,
// the error says that the session is over: a restarted server has lost it.
func (s *Session) noteTicket(r request, known *string, header http.Header, err error) error {
	if ticket := header.Get(s.role.ticketHeader()); ticket != "" {
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
