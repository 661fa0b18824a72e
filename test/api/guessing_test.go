package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signal-server/app/gate/limit"
	"signal-server/custerrors"
)

const guessesLeft = 6

// guessing starts a server whose clients may guess so often.
func guessing(t testing.TB, changes ...func(*options)) *server {
	t.Helper()
	return limited(t, limit.Config{WrongKeys: limit.Rate{Events: guessesLeft, Per: time.Hour}}, changes...)
}

// ask sends the request as that client's, if that is not empty, and returns the msg; "stream" for a stream that has begun.
func (s *server) ask(t testing.TB, client, line, key, body string, header ...[2]string) custerrors.Error {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header["key"] = []string{key}
	if client != "" {
		header = append(header, forwarded(client)...)
	}
	for _, h := range header {
		req.Header[h[0]] = append(req.Header[h[0]], h[1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatalf("%s: got %v, want an answer", line, err)
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		resp.Body.Close()
		return "stream"
	}
	if resp.StatusCode == http.StatusNoContent {
		resp.Body.Close()
		return "204"
	}
	a, err := read(resp)
	if err != nil {
		t.Fatalf("%s: got %v, want an answer", line, err)
	}
	return a.msg
}

// guessedLines returns all requests that tell whether a session lives under a key, in every way in which they may ask.
func guessedLines(t *testing.T) (all []struct{ line, body string }) {
	t.Helper()
	all = append(all, keyed...)
	seen := map[string]bool{}
	for _, r := range keyed {
		seen[r.line] = true
		method, path, _ := strings.Cut(r.line, " ")
		if method == "GET" || strings.HasSuffix(path, "/messages") {
			all = append(all, struct{ line, body string }{withQuery(r.line, "wait=0.001"), r.body})
		}
	}
	for _, role := range []string{"offer", "answer"} {
		line := "GET /" + role + "/events"
		seen[line] = true
		all = append(all, struct{ line, body string }{line, ""}, struct{ line, body string }{line + "?after=end", ""}) // which may be answered 204
	}
	free := map[string]bool{"/healthz": true, "/readyz": true, "/ice": true} // they are about no session
	for _, route := range guessing(t).app.Routes() {
		if method, path := route[0], route[1]; !seen[method+" "+path] && method != "HEAD" && !free[path] && !isPage(path) {
			t.Errorf("%s %s: want it in this test", method, path)
		}
	}
	return all
}

// TestEveryRouteCountsGuesses asks each route for keys that have no session. One more than may be asked for is refused, whatever it is.
func TestEveryRouteCountsGuesses(t *testing.T) {
	for _, r := range guessedLines(t) {
		t.Run(r.line, func(t *testing.T) {
			s := guessing(t)
			for range guessesLeft {
				if got := s.ask(t, "192.0.2.1", r.line, newKey(), r.body); got == custerrors.TooManyRequests {
					t.Fatalf("within what may be asked: got %q", got)
				}
			}
			if got := s.ask(t, "192.0.2.1", r.line, newKey(), r.body); got != custerrors.TooManyRequests {
				t.Errorf("one more: got %q, want %q", got, custerrors.TooManyRequests)
			}
			if got := s.ask(t, "192.0.2.2", r.line, newKey(), r.body); got == custerrors.TooManyRequests {
				t.Errorf("another client: got %q, want it served", got)
			}
		})
	}
}

// TestEveryRouteCountsEndedKeys asks each route for keys whose sessions of others have ended. To open another session tells nothing of that, and
// counts as what it is.
func TestEveryRouteCountsEndedKeys(t *testing.T) {
	for _, r := range guessedLines(t) {
		t.Run(r.line, func(t *testing.T) {
			s := guessing(t)
			for i := range guessesLeft + 1 {
				key, peer := newKey(), fmt.Sprint("198.51.100.", i)
				s.ask(t, peer, "POST /offer/sdp", key, open("o"))
				s.ask(t, peer, "DELETE /session", key, "")
				got := s.ask(t, "192.0.2.1", r.line, key, r.body)
				if refused := got == custerrors.TooManyRequests; refused != (i == guessesLeft) {
					t.Errorf("ended key %d of %d: got %q", i+1, guessesLeft+1, got)
				}
			}
		})
	}
}

// TestTakenKeys asks each route that puts an sdp for keys that have a session of others. Each is three guesses.
func TestTakenKeys(t *testing.T) {
	for _, r := range []struct{ line, body string }{
		{"POST /offer/sdp", open("mine")},
		{"POST /offer/messages", `{"sdp":"mine"}`},
		{"POST /offer/messages?wait=1", `{"sdp":"mine"}`},
		{"POST /answer/sdp", "mine"},
		{"POST /answer/messages", `{"sdp":"mine"}`},
	} {
		t.Run(r.line, func(t *testing.T) {
			s := guessing(t)
			for i, want := range []custerrors.Error{custerrors.SdpAlreadyExist, custerrors.SdpAlreadyExist, custerrors.TooManyRequests} {
				key, peer := newKey(), fmt.Sprint("198.51.100.", i)
				s.ask(t, peer, "POST /offer/sdp", key, open("o"))
				s.ask(t, peer, "POST /answer/sdp", key, "a")
				for range 2 { // the second time it is no news
					if got := s.ask(t, "192.0.2.1", r.line, key, r.body); got != want {
						t.Errorf("taken key %d: got %q, want %q", i+1, got, want)
					}
					if i == 1 { // which has used up all
						break
					}
				}
			}
		})
	}
}

// TestPeersDoNotGuess lets peers of one address do what peers do, more often than they might guess.
func TestPeersDoNotGuess(t *testing.T) {
	const often = 5 * guessesLeft
	const client = "192.0.2.1"
	served := func(t *testing.T, what string, got custerrors.Error, want ...custerrors.Error) {
		t.Helper()
		for _, w := range append(want, "") {
			if got == w {
				return
			}
		}
		t.Fatalf("%s: got %q, want it served", what, got)
	}
	for what, meet := range map[string]func(t *testing.T, s *server, key, peer string){
		"an offer whose answer was lost, with a token": func(t *testing.T, s *server, key, peer string) {
			for range 3 {
				served(t, "the offer", s.ask(t, client, "POST /offer/messages", key, `{"sdp":"o"}`, [2]string{"Idempotency-Key", "t"}))
			}
		},
		"an offer whose answer was lost, without a token": func(t *testing.T, s *server, key, peer string) {
			for range 3 {
				served(t, "the offer", s.ask(t, client, "POST /offer/sdp", key, open("o")), custerrors.SdpAlreadyExist)
			}
		},
		"an answerer that comes first, and asks again": func(t *testing.T, s *server, key, peer string) {
			for range 3 {
				served(t, "the answerer", s.ask(t, client, "GET /answer/messages", key, ""), custerrors.KeyNotFound)
			}
			served(t, "the offer", s.ask(t, peer, "POST /offer/sdp", key, open("o")))
			served(t, "the answerer", s.ask(t, client, "GET /answer/messages", key, ""))
		},
		"an answerer that comes first, and waits": func(t *testing.T, s *server, key, peer string) {
			wait := s.start(t, request{line: "GET /answer/sdp?wait=30", key: key, header: forwarded(client)})
			s.store.await(t, key, 1)
			s.ask(t, peer, "POST /offer/sdp", key, open("o"))
			served(t, "the wait", wait().msg)
		},
		"an answerer that comes first, and waits long": func(t *testing.T, s *server, key, peer string) {
			wait := s.start(t, request{line: "GET /answer/sdp?wait=30", key: key, header: forwarded(client)})
			s.grow(t, key, 1, ages[1])
			s.ask(t, peer, "POST /offer/sdp", key, open("o"))
			served(t, "the wait", wait().msg)
		},
		"an answerer that comes first, and has events": func(t *testing.T, s *server, key, peer string) {
			l := s.listen(t, "/answer/events?key="+key, "X-Forwarded-For: "+client)
			l.want(":")
			s.ask(t, peer, "POST /offer/sdp", key, open("o"))
			l.want(event("sdp", `"o"`))
		},
		"requests after the end": func(t *testing.T, s *server, key, peer string) {
			served(t, "the offer", s.ask(t, client, "POST /offer/sdp", key, open("o")))
			served(t, "the answer", s.ask(t, peer, "POST /answer/sdp", key, "a"))
			served(t, "its taking", s.ask(t, client, "GET /offer/sdp", key, ""))
			served(t, "the end", s.ask(t, peer, "DELETE /session", key, ""))
			served(t, "a late candidate", s.ask(t, client, "POST /offer/candidate", key, "c"), custerrors.KeyIsExpired)
		},
		"whoever comes first offers": func(t *testing.T, s *server, key, peer string) {
			served(t, "a look", s.ask(t, client, "GET /answer/messages", key, ""), custerrors.KeyNotFound)
			served(t, "the offer", s.ask(t, client, "POST /offer/sdp", key, open("o")))
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := guessing(t)
			for i := range often {
				key, peer := newKey(), fmt.Sprint("198.51.100.", i)
				meet(t, s, key, peer)
				// A session that the client has opened is answered in the end.
				s.ask(t, peer, "POST /answer/sdp", key, "a")
				s.ask(t, client, "GET /offer/sdp", key, "")
			}
		})
	}
}
