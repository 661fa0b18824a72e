package client

import (
	"context"
	"errors"
	"net/http"
	"time"

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
		err = because(unasked{custerrors.KeyIsExpired}, err)
	}
	if isOver(err) || err == nil && (r.opens || r.method == http.MethodDelete) {
		s.ticket.CompareAndSwap(known, nil)
	}
	return err
}

// HasTicket reports whether the server has given this Session a ticket of its role, and has not said since that the ticket's session is
// over. Then a session that is open is most likely this Session's own.
func (s *Session) HasTicket() bool { return s.ticket.Load() != nil }

// isTaken reports whether err says that this answerer may not read because another client has answered the session, so that it may
// when that session is over. The server refuses a token that is for another key or role in the same words. It judges a token by the
// head, though, and needs no ticket before it has read in the body that an sdp is put: so it refuses an empty body for another reason.
func (s *Session) isTaken(ctx context.Context, err error) bool {
	if s.role != Answer || !errors.Is(err, custerrors.NotAllowed) {
		return false
	}
	_, err = s.do(ctx, request{method: http.MethodPost, path: "/answer/messages", contentType: jsonType, body: []byte(`{}`)})
	return errors.Is(err, custerrors.BodyIsEmpty)
}

// patience paces questions whether a role has become free. The zero patience is ready to use. Each question keeps the session alive
// that holds the role, and servers count questions of those who guess: so the pauses grow.
type patience struct{ pause time.Duration }

const (
	firstPatience = 200 * time.Millisecond // the offerer ends a session as soon as it is connected
	mostPatience  = 10 * time.Second
)

// covers reports whether err, with which the server refuses s, is one to wait for. It asks the server only once.
func (p *patience) covers(ctx context.Context, s *Session, err error) bool {
	if p.pause > 0 {
		return errors.Is(err, custerrors.NotAllowed)
	}
	return s.isTaken(ctx, err)
}

// sleep is the function sleep with the next pause.
func (p *patience) sleep(ctx context.Context) bool {
	p.pause = min(max(2*p.pause, firstPatience), mostPatience)
	return sleep(ctx, p.pause)
}
