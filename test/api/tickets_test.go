package api_test

import (
	"slices"
	"strings"
	"testing"

	"signal-server/app/gate/ticket"
	"signal-server/custerrors"
)

const offerTicket, answerTicket = "X-Offer-Ticket", "X-Answer-Ticket"

var ticketHeaders = []string{offerTicket, answerTicket}

// ticketing is an option: roles have tickets.
func ticketing(o *options) { o.config.Tickets = ticket.New() }

// showing returns a ticket as a request's header.
func showing(name, ticket string) [][2]string { return [][2]string{{name, ticket}} }

// granted returns the answer's ticket of that name, and checks that the answer has no other ticket.
func (a answer) granted(t testing.TB, what, name string) string {
	t.Helper()
	for _, header := range ticketHeaders {
		if got := a.header.Values(header); len(got) == 1 != (header == name) || len(got) > 1 || len(a.header.Get(name)) != ticket.Length {
			t.Fatalf("%s: header %s: got %q, want one %s of %d characters", what, header, got, name, ticket.Length)
		}
	}
	return a.header.Get(name)
}

// wantNoTicket checks that the answer has no ticket.
func (a answer) wantNoTicket(t testing.TB, what string) {
	t.Helper()
	for _, header := range ticketHeaders {
		if got, ok := a.header[header]; ok {
			t.Errorf("%s: header %s: got %q, want none", what, header, got)
		}
	}
}

// peers are the tickets of a session's two roles.
type peers struct{ key, offer, answer string }

// meet opens a session and answers it.
func (s *server) meet(t testing.TB, key string) peers {
	t.Helper()
	p := peers{key: key}
	a := s.do(t, request{line: "POST /offer/messages", key: key, body: `{"sdp":"o","candidates":["o1"]}`})
	a.expect(t, "the offer", "", news())
	p.offer = a.granted(t, "the offer", offerTicket)
	a = s.do(t, request{line: "POST /answer/messages", key: key, body: `{"sdp":"a","candidates":["a1"]}`})
	a.expect(t, "the answer", "", news("sdp o", "candidate o1"))
	p.answer = a.granted(t, "the answer", answerTicket)
	return p
}

// as returns the header with the ticket of the path's role, or that of the offerer if the path has none.
func (p peers) as(line string) [][2]string {
	if strings.Contains(line, " /answer/") {
		return showing(answerTicket, p.answer)
	}
	return showing(offerTicket, p.offer)
}

// wantUntouched checks that the holders of the tickets still find all that the peers wrote, and nothing else.
func (s *server) wantUntouched(t testing.TB, p peers) {
	t.Helper()
	for _, want := range []struct{ line, data string }{
		{"GET /answer/messages", news("sdp o", "candidate o1")},
		{"GET /offer/messages", news("sdp a", "candidate a1")},
		{"GET /answer/sdp", `"o"`},
		{"GET /answer/candidates", `["o1"]`},
		{"GET /offer/sdp", `"a"`},
		{"GET /offer/candidates", `["a1"]`},
	} {
		a := s.do(t, request{line: want.line, key: p.key, header: p.as(want.line)})
		a.expect(t, want.line, "", want.data)
		a.wantNoTicket(t, want.line)
	}
}

// roleRoutes is every request that acts as a role, except those that put an sdp.
var roleRoutes = func() (routes []request) {
	for _, role := range []string{"offer", "answer"} {
		for _, path := range []string{"/sdp", "/candidate", "/candidates", "/messages", "/events"} {
			routes = append(routes, request{line: "GET /" + role + path}, request{line: "GET /" + role + path + "?wait=0.1"})
		}
		routes = append(routes,
			request{line: "POST /" + role + "/candidate", body: "forged"},
			request{line: "POST /" + role + "/candidates", body: `["forged"]`},
			request{line: "POST /" + role + "/messages", body: `{"candidates":["forged"]}`},
			request{line: "POST /" + role + "/messages?wait=0.1", body: `{"candidates":["forged"]}`},
			request{line: "POST /" + role + "/outcome", body: gaveUp},
		)
	}
	return append(routes, request{line: "DELETE /session"})
}()

// sdpRoutes is every request that puts an sdp.
var sdpRoutes = []request{
	{line: "POST /offer/sdp", body: open("forged")},
	{line: "POST /answer/sdp", body: "forged"},
	{line: "POST /offer/messages", body: `{"sdp":"forged","candidates":["forged"]}`},
	{line: "POST /answer/messages", body: `{"sdp":"forged"}`},
}

// TestThievesAndForgers tries everything in a session that was answered, as somebody who knows its key: without a ticket, and with every
// kind of ticket that is not the role's in this session.
func TestThievesAndForgers(t *testing.T) {
	s, elsewhere := serve(t, ticketing), serve(t, ticketing)
	key := newKey()
	earlier := s.meet(t, key)
	s.do(t, request{line: "DELETE /session", key: key, header: earlier.as("")}).expect(t, "the end of the earlier", "", "")
	p, another, abroad := s.meet(t, key), s.meet(t, newKey()), elsewhere.meet(t, key)

	const no, exists = custerrors.NotAllowed, custerrors.SdpAlreadyExist
	swapped := peers{offer: p.answer, answer: p.offer}
	for name, tt := range map[string]struct {
		shown func(line string) (header [][2]string, query string)
		want  custerrors.Error // for requests that act as a role
		put   custerrors.Error // for requests that put an sdp
	}{
		"nothing":                 {func(string) ([][2]string, string) { return nil, "" }, no, exists},
		"an empty header":         {func(line string) ([][2]string, string) { return peers{}.as(line), "" }, no, no},
		"an empty query":          {func(string) ([][2]string, string) { return nil, "ticket=" }, no, no},
		"a query without a value": {func(string) ([][2]string, string) { return nil, "ticket" }, no, no},
		"no ticket":               {func(line string) ([][2]string, string) { return peers{offer: "x", answer: "x"}.as(line), "" }, no, no},
		"one of zeros":            {func(string) ([][2]string, string) { return nil, "ticket=" + strings.Repeat("A", ticket.Length) }, no, no},
		"another key's":           {func(line string) ([][2]string, string) { return another.as(line), "" }, no, no},
		"another key's, in query": {func(line string) ([][2]string, string) { return nil, "ticket=" + another.as(line)[0][1] }, no, no},
		"another process's":       {func(line string) ([][2]string, string) { return abroad.as(line), "" }, no, no},
		"a good one's beginning":  {func(line string) ([][2]string, string) { return nil, "ticket=" + p.as(line)[0][1][:29] }, no, no},
		"a good one, and more":    {func(line string) ([][2]string, string) { return nil, "ticket=" + p.as(line)[0][1] + "A" }, no, no},
		"a wrong one in the header, a good one in the query": {
			func(line string) ([][2]string, string) { return another.as(line), "ticket=" + p.as(line)[0][1] }, no, no,
		},
	} {
		t.Run(name, func(t *testing.T) {
			try := func(r request, want custerrors.Error) {
				t.Helper()
				r.key = key
				var query string
				if r.header, query = tt.shown(r.line); query != "" {
					r.line = withQuery(r.line, query)
				}
				a := s.do(t, r)
				a.expect(t, r.line, want, "")
				a.wantNoTicket(t, r.line)
			}
			for _, r := range roleRoutes {
				try(r, tt.want)
			}
			for _, r := range sdpRoutes {
				try(r, tt.put)
			}
		})
	}
	t.Run("the other role's", func(t *testing.T) {
		for _, r := range slices.Concat(roleRoutes, sdpRoutes) {
			if r.line == "DELETE /session" {
				continue // the ticket of either role is good
			}
			// Under the name of the path's role, in the query, and under its own name, which this path does not read.
			r.key, r.header = key, swapped.as(r.line)
			s.do(t, r).expect(t, r.line, no, "")
			r.header = nil
			r.line = withQuery(r.line, "ticket="+swapped.as(r.line)[0][1])
			s.do(t, r).expect(t, r.line, no, "")
		}
		for _, r := range roleRoutes {
			if r.line == "DELETE /session" {
				continue
			}
			r.key, r.header = key, showing(offerTicket, p.offer)
			if strings.Contains(r.line, " /offer/") {
				r.header = showing(answerTicket, p.answer)
			}
			s.do(t, r).expect(t, r.line, no, "")
		}
	})
	t.Run("of an earlier session of the key", func(t *testing.T) {
		try := func(r request, want custerrors.Error) {
			t.Helper()
			r.key, r.header = key, earlier.as(r.line)
			a := s.do(t, r)
			a.expect(t, r.line, want, "")
			a.wantNoTicket(t, r.line)
		}
		for _, r := range roleRoutes {
			switch {
			case strings.Contains(r.line, "/outcome"):
				try(r, "") // it reports how the earlier session ended
			case !strings.Contains(r.line, "/events"):
				try(r, custerrors.KeyIsExpired)
			}
		}
		for _, r := range sdpRoutes {
			if strings.Contains(r.line, "/offer/") {
				try(r, exists) // a request that opens a session is not bound to one
			} else {
				try(r, custerrors.KeyIsExpired)
			}
		}
		for _, role := range []string{"offer", "answer"} {
			line := "GET /" + role + "/events"
			s.listen(t, "/"+role+"/events?key="+key+"&ticket="+earlier.as(line)[0][1]).
				want(`event: end|data: "` + string(custerrors.KeyIsExpired) + `"`)
		}
	})
	s.wantUntouched(t, p)
}
