package gate

import (
	"signal-server/cache"
	"signal-server/custerrors"
)

// Role tickets: the client that opens a session gets the offer's, the one that puts the answer gets the answer's. From then on only
// a request that shows the ticket acts as that role.
//
//	opens the session ──▶ the offer's ticket      any request of the offerer needs it, except one that opens
//	puts the answer ────▶ the answer's ticket     a request of the answerer needs it once the session is answered
//
// What a request does is done in the ticket's session, never in a later one of the same key.

// showsTickets looks at what was shown as tickets, and notes in the pass which session they are of. It reports whether all that
// was shown is good: for the claim's seat or, where it has none, for either role. What is shown has to be good, whatever it is shown for.
func (g *Gate) showsTickets(c *Claim, p *Pass) bool {
	seats := [...]cache.Role{c.Seat}
	of := seats[:]
	if c.Seat == 0 {
		of = cache.Roles[:]
	}
	for _, role := range of {
		if text := c.Tickets[role]; text != nil && !g.holds(p, role, text) {
			return false
		}
	}
	if p.Held || c.Ticket == nil {
		return true
	}
	for _, role := range of {
		if g.holds(p, role, c.Ticket) {
			return true
		}
	}
	return false
}

// holds reports whether the text is the role's ticket for the pass's key, and notes which session it is of.
func (g *Gate) holds(p *Pass, role cache.Role, text []byte) bool {
	session, ok := g.parts.Tickets.Check(text, p.Key, role)
	if ok {
		p.Session, p.Held = session, true
	}
	return ok
}

// MustAsk reports whether only the session's lease tells if the pass may act as its seat. Then the caller calls Act with the lease.
func (g *Gate) MustAsk(p *Pass) bool { return g.parts.Tickets != nil && !p.Held }

// Act lets a pass without a ticket act as its seat in the session of this lease, or says why not. err is what the store said instead of a
// lease. The answerer may act as long as the session is not answered, because it may be the client that answers. What it began before the
// answer goes on after it. If there is no session, everybody is told so.
func (p *Pass) Act(lease cache.Lease, err error) error {
	switch {
	case p.Seat == cache.Answer && (err == custerrors.KeyNotFound || err == custerrors.KeyIsExpired):
		return nil // what it asks for says so as well, or waits for the session
	case err != nil:
		return err
	case p.Seat != cache.Answer || lease.Answered:
		return custerrors.NotAllowed
	}
	p.Session = lease.Epoch
	return nil
}

// Cursor returns the cursor to read the pass's session by: after, which must be one of that session if it is known. The error is
// custerrors.KeyIsExpired: of two sessions of a key, one has ended.
func (p *Pass) Cursor(after cache.Cursor) (cache.Cursor, error) {
	switch {
	case p.Session == 0:
		return after, nil
	case after == 0:
		return cache.NewCursor(p.Session, 0), nil
	case after.Epoch() != p.Session:
		return 0, custerrors.KeyIsExpired
	default:
		return after, nil
	}
}

// AppendTicket appends the ticket of the pass's seat in the session of that epoch.
func (g *Gate) AppendTicket(dst []byte, key cache.Key, seat cache.Role, session uint64) []byte {
	return g.parts.Tickets.Append(dst, key, seat, session)
}
