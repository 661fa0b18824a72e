package wiretest

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"signal-server/app/apptest"
	"signal-server/app/gate/auth"
	"signal-server/app/gate/ticket"
	"signal-server/cache"
	"signal-server/custerrors"
)

// named is a request, and what failures call it.
type named struct {
	name string
	Request
}

// all returns every request that the harness knows, those that are not answered at once last.
func (h *Harness) all(w Who) []named {
	all := []named{{"opening", h.Opens(w)}, {"asking", h.Asks(w)}}
	for _, seat := range h.Seats {
		all = append(all, named{"taking the seat of " + seat.Role.String(), seat.Take(w)}, named{"acting as " + seat.Role.String(), seat.Act(w)})
	}
	if h.Tells != nil {
		all = append(all, named{"telling", h.Tells(w)})
	}
	if h.Waits != nil {
		all = append(all, named{"waiting", h.Waits.Ask(w)})
	}
	if h.Streams != nil {
		all = append(all, named{"a stream", h.Streams.Ask(w)})
	}
	return all
}

// guarded returns what makes a server ask for tokens, and a good one for each of the grants.
func (r *rig) guarded(grants ...auth.Grant) (change func(*apptest.Config), tokens []string) {
	r.Helper()
	var file strings.Builder
	for _, grant := range grants {
		token, line, err := auth.Mint(grant)
		if err != nil {
			r.Fatalf("Mint: got %v, want a token", err)
		}
		file.WriteString(line + "\n")
		tokens = append(tokens, token)
		r.hide(token)
	}
	path := filepath.Join(r.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		r.Fatal(err)
	}
	guard, err := auth.Open(r.Context(), auth.Config{TokensFile: path}, slog.New(slog.DiscardHandler))
	if err != nil {
		r.Fatalf("auth.Open: got %v, want a guard", err)
	}
	r.Cleanup(guard.Close)
	return func(c *apptest.Config) { c.Guard = guard }, tokens
}

// withToken and withTicket return the same somebody who shows another token or ticket.
func (w Who) withToken(token string) Who   { w.Token = token; return w }
func (w Who) withTicket(ticket string) Who { w.Ticket = ticket; return w }

var entryChecks = []check{
	{name: "tokens: none and a wrong one let nobody in", run: func(r *rig) {
		change, tokens := r.guarded(auth.Grant{})
		s := r.serve(change)
		w := r.who().withToken(tokens[0])
		r.want("opening", s.do("opening", r.h.Opens(w)), "")
		wrong := r.who().Key
		for what, token := range map[string]string{"without a token": "", "with a wrong one": wrong, "with half of one": tokens[0][:20]} {
			for _, request := range r.h.all(w.withToken(token)) {
				r.want(request.name+" "+what, s.do(request.name, request.Request), custerrors.NotAuthenticated)
			}
		}
		r.want("with a good one", s.do("with a good one", r.h.Asks(w)), r.h.Nothing)
	}},
	{name: "tokens: one for a key is good for that key", run: func(r *rig) {
		w := r.who()
		change, tokens := r.guarded(auth.Grant{Key: cache.Key(w.Key)})
		s := r.serve(change)
		w = w.withToken(tokens[0])
		r.want("opening", s.do("opening", r.h.Opens(w)), "")
		r.want("asking", s.do("asking", r.h.Asks(w)), r.h.Nothing)
		for _, request := range r.h.all(r.who().withToken(tokens[0])) {
			r.want(request.name+" of another key", s.do(request.name, request.Request), custerrors.NotAllowed)
		}
	}},
	{name: "tokens: one for a role is good for that role", needs: seats, run: func(r *rig) {
		change, tokens := r.guarded(auth.Grant{Role: cache.Offer}, auth.Grant{Role: cache.Answer})
		s := r.serve(change)
		w := r.who()
		for _, seat := range r.h.Seats {
			what := "the seat of " + seat.Role.String()
			own, others := w.withToken(tokens[seat.Role-cache.Offer]), w.withToken(tokens[seat.Role.Other()-cache.Offer])
			r.want("taking "+what+" by another role's token", s.do(what, seat.Take(others)), custerrors.NotAllowed)
			r.want("taking "+what, s.do(what, seat.Take(own)), "")
			r.want("acting on "+what+" by another role's token", s.do(what, seat.Act(others)), custerrors.NotAllowed)
			r.want("acting on "+what, s.do(what, seat.Act(own)), "")
		}
	}},
	{name: "tickets: a seat that is taken is its holder's", needs: seats, run: func(r *rig) {
		s := r.serve(func(c *apptest.Config) { c.Tickets = ticket.New() })
		w, another := r.who(), r.who()
		// take takes all seats of somebody's key, and returns the tickets.
		take := func(w Who) (tickets []string) {
			for _, seat := range r.h.Seats {
				a := s.do("taking", seat.Take(w))
				r.want("taking the seat of "+seat.Role.String(), a, "")
				text := seat.Ticket(a)
				if len(text) != ticket.Length {
					r.Fatalf("taking the seat of %v: got the ticket %q, want one of %d characters", seat.Role, text, ticket.Length)
				}
				r.hide(text)
				tickets = append(tickets, text)
			}
			return tickets
		}
		tickets, theirs := take(w), take(another)
		for i, seat := range r.h.Seats {
			what := "acting as " + seat.Role.String()
			r.want(what+" without a ticket", s.do(what, seat.Act(w)), custerrors.NotAllowed)
			r.want(what+" by a ticket of another key", s.do(what, seat.Act(w.withTicket(theirs[i]))), custerrors.NotAllowed)
			r.want(what+" by a ticket that is none", s.do(what, seat.Act(w.withTicket(another.Key))), custerrors.NotAllowed)
			for j := range r.h.Seats {
				if j != i {
					r.want(what+" by the ticket of another seat", s.do(what, seat.Act(w.withTicket(tickets[j]))), custerrors.NotAllowed)
				}
			}
			r.want(what, s.do(what, seat.Act(w.withTicket(tickets[i]))), "")
		}
	}},
}

// That nothing of this is told, the end of every check looks at. This one says all that there is to tell, and is refused all.
var secretChecks = []check{
	{name: "no key and no payload is told", run: func(r *rig) {
		s := r.serve()
		w := s.opened()
		if r.h.Tells != nil {
			r.want("telling", s.do("telling", r.h.Tells(w)), "")
		}
		if r.h.Waits != nil {
			s.wantTold("a wait", s.do("a wait", r.h.Waits.Ask(w)), w)
		}
		if r.h.Streams != nil {
			w := s.opened()
			c := s.dial().stream("a stream", r.h.Streams.Ask(w))
			r.want("telling", s.do("telling", r.h.Tells(w)), "")
			c.wantText("a stream", w.Payload)
		}
		odd := r.who()
		odd.Key += odd.Key // too long
		for _, w := range []Who{odd, r.who(), {Payload: r.who().Payload}} {
			request := r.h.Asks(w)
			s.do("asking for what is not there", request)
			request.Method = "BREW"
			s.do("asking in a way that there is not", request)
			request.Path += "/" + r.who().Key
			s.do("asking for what nobody knows", request)
			request.Header = append(request.Header, [2]string{"Content-Length", "-1"})
			s.do("asking for what cannot be read", request)
		}
		s.stop()
		if !strings.Contains(s.log.String(), "route=") {
			r.Errorf("the log: got %q, want the lines of the access log in it", s.log.String())
		}
		s = r.serve(func(c *apptest.Config) { c.Clients.Requests = seldom })
		for range allowed + 1 {
			s.do("asking too often", r.h.Asks(r.who()))
		}
	}},
}
