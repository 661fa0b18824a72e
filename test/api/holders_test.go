package api_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signal-server/app/gate/ticket"
	"signal-server/cache"
	"signal-server/custerrors"
)

// TestHoldersMeet goes through a whole handshake by the classic endpoints, and ends the session. Each side shows its ticket: in the header,
// and another time in the query.
func TestHoldersMeet(t *testing.T) {
	s := serve(t, ticketing)
	for name, show := range map[string]func(r *request, name, ticket string){
		"in the header": func(r *request, name, ticket string) { r.header = showing(name, ticket) },
		"in the query":  func(r *request, _, ticket string) { r.line = withQuery(r.line, "ticket="+ticket) },
		"in both, the header wins": func(r *request, name, ticket string) {
			r.header, r.line = showing(name, ticket), withQuery(r.line, "ticket=x")
		},
	} {
		for _, end := range cache.Roles {
			t.Run(name+", ended by "+end.String(), func(t *testing.T) {
				key := newKey()
				do := func(line, body, as, ticket, want string) answer {
					t.Helper()
					r := request{line: line, key: key, body: body}
					if ticket != "" {
						show(&r, as, ticket)
					}
					a := s.do(t, r)
					a.expect(t, line, "", want)
					return a
				}
				offer := do("POST /offer/sdp", open("o"), "", "", "").granted(t, "the offer", offerTicket)
				do("POST /offer/candidate", "o1", offerTicket, offer, "")
				do("GET /answer/sdp", "", "", "", `"o"`)
				do("GET /answer/candidate?wait=5", "", "", "", `"o1"`)
				do("POST /answer/candidate", "a0", "", "", "")
				answer := do("POST /answer/sdp", "a", "", "", "").granted(t, "the answer", answerTicket)
				do("POST /answer/candidates", `["a1"]`, answerTicket, answer, "")
				do("POST /offer/candidates", `["o2"]`, offerTicket, offer, "")
				do("GET /offer/sdp", "", offerTicket, offer, `"a"`)
				do("GET /offer/candidates", "", offerTicket, offer, `["a0","a1"]`)
				do("GET /answer/candidates?wait=5", "", answerTicket, answer, `["o2"]`)
				do("POST /offer/messages", `{"candidates":["o3"]}`, offerTicket, offer, news("sdp a", "candidate a0", "candidate a1"))
				do("POST /answer/outcome", connected, answerTicket, answer, "")
				if end == cache.Offer {
					do("DELETE /session", "", offerTicket, offer, "")
				} else {
					do("DELETE /session", "", answerTicket, answer, "")
				}
				do("POST /offer/outcome", connected, offerTicket, offer, "")
				s.do(t, request{line: "GET /answer/sdp", key: key}).expect(t, "afterwards", custerrors.KeyIsExpired, "")
			})
		}
	}
}

// TestStreamsAndWaitsOfHolders follows both streams of a session, and lets requests wait in place and parked.
func TestStreamsAndWaitsOfHolders(t *testing.T) {
	s := serve(t, ticketing)
	for _, age := range ages {
		key := newKey()
		first := s.start(t, request{line: "POST /offer/messages?wait=30", key: key, body: `{"sdp":"o"}`})
		s.grow(t, key, 1, age)
		answer := s.do(t, request{line: "POST /answer/sdp", key: key, body: "a"}).granted(t, "the answer", answerTicket)
		a := first()
		a.expect(t, "the answer, waited for", "", news("sdp a"))
		p := peers{key: key, offer: a.granted(t, "the offer, after a wait", offerTicket), answer: answer}

		offers := s.listen(t, "/offer/events?key="+key+"&ticket="+p.offer)
		answers := s.listen(t, "/answer/events?key="+key+"&ticket="+p.answer)
		wait := s.start(t, request{line: "GET /answer/candidate?wait=30", key: key, header: p.as(" /answer/")})
		s.grow(t, key, 3, age)
		s.do(t, request{line: "POST /offer/candidate", key: key, body: "o1", header: p.as("")}).expect(t, "a candidate", "", "")
		s.do(t, request{line: "POST /answer/candidate", key: key, body: "a1", header: p.as(" /answer/")}).expect(t, "a candidate", "", "")
		wait().expect(t, "a wait", "", `"o1"`)
		offers.want(`event: sdp|data: "a"`, `event: candidate|data: "a1"`)
		answers.want(`event: sdp|data: "o"`, `event: candidate|data: "o1"`)
		s.do(t, request{line: "DELETE /session?ticket=" + p.answer, key: key}).expect(t, "the end", "", "")
		end := `event: end|data: "` + string(custerrors.KeyIsExpired) + `"`
		offers.want(end)
		answers.want(end)
	}
}

// TestTicketsOutliveTheWait checks that a request that opens a session gets the ticket even if it waits for an answer in vain.
func TestTicketsOutliveTheWait(t *testing.T) {
	s := serve(t, ticketing)
	for _, wait := range []string{"0.001", "0.1"} { // in place, and parked
		a := s.do(t, request{line: "POST /offer/messages?wait=" + wait, key: newKey(), body: `{"sdp":"o"}`})
		a.expect(t, "nobody answers", custerrors.SdpNoValues, "")
		a.granted(t, "nobody answers", offerTicket)
	}
	for _, age := range ages { // a page has to read two headers of such an answer: the ticket, and when to ask again
		s := serve(t, ticketing)
		key := newKey()
		wait := s.start(t, request{line: "POST /offer/messages?wait=30", key: key, body: `{"sdp":"o"}`})
		s.grow(t, key, 1, age)
		s.stop()
		a := wait()
		a.expect(t, "the end of the server", custerrors.ServerIsShuttingDown, "")
		a.granted(t, "the end of the server", offerTicket)
	}
}

// TestStrangersBeforeTheAnswer acts as an answerer that has not answered yet, and as an offerer that has not opened the session.
func TestStrangersBeforeTheAnswer(t *testing.T) {
	s := serve(t, ticketing)
	key := newKey()
	offerer := func(what string, want custerrors.Error) {
		t.Helper()
		for _, r := range roleRoutes {
			if strings.Contains(r.line, " /offer/") || strings.HasPrefix(r.line, "DELETE") {
				r.key = key
				s.do(t, r).expect(t, what+", "+r.line, want, "")
			}
		}
	}
	offerer("before the offer", custerrors.KeyNotFound)
	s.do(t, request{line: "GET /answer/sdp?wait=0.1", key: key}).expect(t, "before the offer", custerrors.KeyNotFound, "")
	early := s.start(t, request{line: "GET /answer/messages?wait=30", key: key})
	stream := s.listen(t, "/answer/events?key="+key)
	s.grow(t, key, 2, ages[1])
	offer := s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")}).granted(t, "the offer", offerTicket)
	early().expect(t, "who waited for the offer", "", news("sdp o"))
	stream.want(`event: sdp|data: "o"`)
	s.scriptOf(t, key,
		step{line: "GET /answer/messages", data: news("sdp o")},
		step{line: "GET /answer/messages?after=$", msg: custerrors.CandidateNoValues},
		step{line: "POST /answer/candidate", body: "a1"},
		step{line: "POST /answer/candidates", body: `["a2"]`},
		step{line: "POST /answer/messages?after=$", body: `{"candidates":["a3"]}`, data: news()},
		step{line: "POST /answer/outcome", body: gaveUp},
	)
	offerer("before the answer", custerrors.NotAllowed)
	wait := s.start(t, request{line: "GET /answer/candidate?wait=30", key: key})
	s.grow(t, key, 2, ages[1])

	// A request that began before the answer goes on after it: the answerer had no ticket when it began.
	answer := s.do(t, request{line: "POST /answer/sdp", key: key, body: "a"}).granted(t, "the answer", answerTicket)
	s.do(t, request{line: "GET /answer/candidates", key: key}).expect(t, "what begins after it", custerrors.NotAllowed, "")
	s.do(t, request{line: "POST /offer/candidate", key: key, body: "o1", header: showing(offerTicket, offer)}).expect(t, "a candidate", "", "")
	wait().expect(t, "the wait", "", `"o1"`)
	stream.want(`event: candidate|data: "o1"`)
	s.do(t, request{line: "GET /offer/candidates", key: key, header: showing(offerTicket, offer)}).
		expect(t, "the offerer", "", `["a1","a2","a3"]`)
	s.do(t, request{line: "DELETE /session", key: key, header: showing(answerTicket, answer)}).expect(t, "the end", "", "")
	s.do(t, request{line: "GET /answer/sdp", key: key}).expect(t, "after the end", custerrors.KeyIsExpired, "")
	offerer("after the end", custerrors.KeyIsExpired)
	wantReports(t, s.calls, map[string]uint64{"answer failed": 1})
}

// TestRetriesKeepTheTicket repeats each request that puts an sdp, as a client does that lost the answer.
func TestRetriesKeepTheTicket(t *testing.T) {
	s := serve(t, ticketing)
	for name, tt := range map[string]struct {
		r       request
		another string // body
		name    string
		news    string
	}{
		"POST /offer/sdp":       {request{line: "POST /offer/sdp", body: open("o")}, open("p"), offerTicket, ""},
		"POST /offer/messages":  {request{line: "POST /offer/messages", body: `{"sdp":"o","candidates":["o1"]}`}, `{"sdp":"o"}`, offerTicket, news()},
		"POST /answer/sdp":      {request{line: "POST /answer/sdp", body: "a"}, "b", answerTicket, ""},
		"POST /answer/messages": {request{line: "POST /answer/messages", body: `{"sdp":"a","candidates":["a1"]}`}, `{"sdp":"a"}`, answerTicket, news("sdp o")},
	} {
		t.Run(name, func(t *testing.T) {
			key := newKey()
			const exists = custerrors.SdpAlreadyExist
			if tt.name == answerTicket {
				s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")}).expect(t, "the offer", "", "")
				// A stranger that comes before the answer must not be able to prepare a repetition of it.
				s.do(t, request{line: "POST /answer/candidate", key: key, body: "c", header: token("s")}).expect(t, "a candidate", "", "")
				r := tt.r
				r.key, r.header = key, token("s")
				a := s.do(t, r)
				a.expect(t, "with the token of a candidate", custerrors.IdempotencyKeyIsReused, "")
				a.wantNoTicket(t, "with the token of a candidate")
			}
			tt.r.key, tt.r.header = key, token("t")
			var ticket string
			for range 3 {
				a := s.do(t, tt.r)
				a.expect(t, "again", "", tt.news)
				got := a.granted(t, "again", tt.name)
				if ticket != "" && got != ticket {
					t.Errorf("again: got the ticket %s, want the same, %s", got, ticket)
				}
				ticket = got
			}
			r := tt.r
			r.header = append(token("t"), showing(tt.name, ticket)...)
			s.do(t, r).expect(t, "with the ticket", "", tt.news)
			for what, header := range map[string][][2]string{"without Idempotency-Key": nil, "with another": token("u")} {
				r.header = header
				a := s.do(t, r)
				a.expect(t, what, exists, "")
				a.wantNoTicket(t, what)
			}
			r.header, r.body = token("t"), tt.another // of somebody who has guessed the token
			a := s.do(t, r)
			a.expect(t, "with another body", custerrors.IdempotencyKeyIsReused, "")
			a.wantNoTicket(t, "with another body")
		})
	}
}

// TestOneAnswererWins lets many answer at once. One of them gets the ticket, the others get nothing.
func TestOneAnswererWins(t *testing.T) {
	s := serve(t, ticketing)
	for round := range 20 {
		key := newKey()
		s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")}).expect(t, "the offer", "", "")
		const rivals = 8
		var answers [rivals]func() answer
		for i := range answers {
			r := request{line: "POST /answer/sdp", key: key, body: fmt.Sprint(i), header: token("everybody's")}
			if i%2 == 1 {
				r.line, r.body = "POST /answer/messages", fmt.Sprintf(`{"sdp":"%d"}`, i)
			}
			answers[i] = s.start(t, r)
		}
		winners := 0
		for _, wait := range answers {
			if a := wait(); a.msg == "" {
				winners++
				ticket := a.granted(t, "the winner", answerTicket)
				s.do(t, request{line: "GET /answer/sdp", key: key, header: showing(answerTicket, ticket)}).expect(t, "the winner", "", `"o"`)
			} else {
				a.expect(t, "a loser", custerrors.IdempotencyKeyIsReused, "")
				a.wantNoTicket(t, "a loser")
			}
		}
		if winners != 1 {
			t.Fatalf("round %d: got %d winners of %d, want one", round, winners, rivals)
		}
	}
}

// TestCursorsAndTickets shows a cursor of one session with the ticket of another session of the same key.
func TestCursorsAndTickets(t *testing.T) {
	s := serve(t, ticketing)
	key := newKey()
	cursor := func(p peers) string {
		return s.do(t, request{line: "GET /answer/messages", key: key, header: p.as(" /answer/")}).next(t)
	}
	earlier := s.meet(t, key)
	old := cursor(earlier)
	s.do(t, request{line: "DELETE /session", key: key, header: earlier.as("")}).expect(t, "the end of the earlier", "", "")
	p := s.meet(t, key)
	for what, tt := range map[string]struct {
		p     peers
		after string
		want  custerrors.Error
	}{
		"of this session, both":              {p, cursor(p), custerrors.CandidateNoValues},
		"a cursor of the earlier":            {p, old, custerrors.KeyIsExpired},
		"a ticket of the earlier":            {earlier, cursor(p), custerrors.KeyIsExpired},
		"of the earlier, both":               {earlier, old, custerrors.KeyIsExpired},
		"a ticket of this, a cursor of none": {p, "x", custerrors.CursorIsInvalid},
		"a ticket of none":                   {peers{answer: "x"}, cursor(p), custerrors.NotAllowed},
	} {
		for _, line := range []string{"GET /answer/messages?after=", "GET /answer/messages?wait=0.1&after="} {
			s.do(t, request{line: line + tt.after, key: key, header: tt.p.as(line)}).expect(t, what+", "+line, tt.want, "")
		}
		if tt.want != custerrors.CandidateNoValues {
			line := "POST /answer/messages?after="
			s.do(t, request{line: line + tt.after, key: key, header: tt.p.as(line), body: `{"candidates":["forged"]}`}).
				expect(t, what+", "+line, tt.want, "")
		}
	}
	s.wantUntouched(t, p)
}

// lent is another server's store.
type lent struct {
	cache.Store
	own cache.Store
}

func (l lent) Close() error { return l.own.Close() }

// TestTicketsOfAFleet lets peers use two servers over one store. With one secret each server takes the other's tickets; with two secrets it
// does not.
func TestTicketsOfAFleet(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("s", ticket.MinSecret)), 0o600); err != nil {
		t.Fatal(err)
	}
	shared := func(o *options) {
		var err error
		if o.config.Tickets, err = ticket.Open(ticket.Config{RoleTickets: true, SecretFile: secret}); err != nil {
			t.Fatal(err)
		}
	}
	first := serve(t, shared)
	over := func(o *options) {
		o.wrap = func(own cache.Store) cache.Store { return lent{first.store.Store, own} }
	}
	second, stranger := serve(t, shared, over), serve(t, ticketing, over)
	key := newKey()
	offer := first.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")}).granted(t, "the offer", offerTicket)
	answer := second.do(t, request{line: "POST /answer/sdp", key: key, body: "a", header: token("t")}).granted(t, "the answer", answerTicket)
	again := first.do(t, request{line: "POST /answer/sdp", key: key, body: "a", header: token("t")}).granted(t, "the answer again", answerTicket)
	if again != answer {
		t.Errorf("of another node: got the ticket %s, want the same, %s", again, answer)
	}
	for line, ticket := range map[string]string{"GET /offer/messages": offer, "GET /answer/messages": answer} {
		r := request{line: line + "?ticket=" + ticket, key: key}
		for name, s := range map[string]*server{"one node": first, "the other": second} {
			if a := s.do(t, r); a.msg != "" {
				t.Errorf("%s by %s: got %q, want what is there", line, name, a.msg)
			}
		}
		stranger.do(t, r).expect(t, line+" by a node with another secret", custerrors.NotAllowed, "")
	}
}

// TestTicketsAreOff checks that a server without tickets neither gives any nor asks for one, whatever a client shows.
func TestTicketsAreOff(t *testing.T) {
	s := serve(t)
	shown := [][2]string{{offerTicket, "x"}, {answerTicket, "x"}}
	key := newKey()
	for _, r := range []request{
		{line: "POST /offer/sdp?ticket=x", body: open("o")},
		{line: "GET /answer/sdp"},
		{line: "POST /answer/messages", body: `{"sdp":"a"}`},
		{line: "GET /offer/sdp?ticket="},
		{line: "POST /answer/candidate", body: "c"},
		{line: "DELETE /session"},
	} {
		r.key, r.header = key, shown
		a := s.do(t, r)
		if a.msg != "" {
			t.Errorf("%s: got %q, want success", r.line, a.msg)
		}
		a.wantNoTicket(t, r.line)
	}
}

// TestTicketsDoNotAllocate counts what requests allocate that show a ticket, and those that get one.
func TestTicketsDoNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	d := newDirect(t, roomy, ticketing)
	defer d.store.Close()
	offer := d.do(t, "POST /offer/sdp", hotKey, open(hotSDP)).granted(t, "the offer", offerTicket)
	answer := d.do(t, "POST /answer/sdp", hotKey, hotSDP).granted(t, "the answer", answerTicket)
	for name, set := range map[string]func(){
		"POST candidate": func() { d.set("POST /offer/candidate", hotKey, hotCandidate, showing(offerTicket, offer)...) },
		"GET messages":   func() { d.set("GET /answer/messages", hotKey, "", showing(answerTicket, answer)...) },
		"POST messages": func() {
			d.set("POST /offer/messages", hotKey, `{"candidates":[`+quote(hotCandidate)+`]}`, showing(offerTicket, offer)...)
		},
		"POST sdp, repeated": func() { d.set("POST /answer/sdp", hotKey, hotSDP, showing(answerTicket, answer)...) },
	} {
		set()
		for range 100 {
			d.handle()
		}
		if got, want := testing.AllocsPerRun(1000, d.handle), 0.0; got != want {
			t.Errorf("%s: allocations: got %v, want %v", name, got, want)
		}
	}
}
