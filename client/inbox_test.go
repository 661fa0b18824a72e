package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

// read returns the next n messages, joined. It fails the test if there are fewer.
func read(t *testing.T, in *client.Inbox, n int) string {
	t.Helper()
	var got []string
	for range n {
		m, err := in.Next(t.Context())
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, string(m.Kind)+" "+m.Data)
	}
	return strings.Join(got, ", ")
}

func TestInboxFollowsTheCursor(t *testing.T) {
	steps := []step{
		batch("A", offerSDP, first),
		refusal(200, custerrors.CandidateNoValues).late(30 * time.Second),
		{}, // the connection breaks, and the request is repeated
		batch("B", second),
		refusal(200, custerrors.KeyIsExpired).late(time.Second),
	}
	play(t, client.Answer, steps, func(t *testing.T, s *client.Session, played *script) {
		in := s.Inbox("")
		if got, want := read(t, in, 3), "sdp offer, candidate c1, candidate c2"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if _, err := in.Next(t.Context()); !errors.Is(err, custerrors.KeyIsExpired) {
			t.Errorf("got %v, want %v", err, custerrors.KeyIsExpired)
		}
		for i, want := range []string{"", "A", "A", "A", "B"} {
			if got := played.seen[i].URL.Query().Get("after"); got != want {
				t.Errorf("request %d: got cursor %q, want %q", i, got, want)
			}
		}
	})
}

func TestAnAnswerersInboxWaitsForTheSession(t *testing.T) {
	steps := []step{
		refusal(200, custerrors.KeyNotFound).late(30 * time.Second),
		refusal(200, custerrors.KeyIsExpired),
		refusal(200, custerrors.KeyIsExpired),
		refusal(200, custerrors.KeyNotFound),
		batch("A", offerSDP).late(5 * time.Second),
	}
	play(t, client.Answer, steps, func(t *testing.T, s *client.Session, played *script) {
		if got, want := read(t, s.Inbox(""), 1), "sdp offer"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := played.at[1]; got != 30*time.Second {
			t.Errorf("after a wait it asked again %v later, want at once", got-30*time.Second)
		}
		for i := 2; i < 5; i++ {
			if got := played.at[i] - played.at[i-1]; got < client.DefaultRetry.Base/2 || got > time.Second {
				t.Errorf("pause %d: got %v, want %v to 1s", i, got, client.DefaultRetry.Base/2)
			}
		}
	})
}

func TestAnInboxSkipsTheSessionOfItsCursor(t *testing.T) {
	steps := []step{
		refusal(200, custerrors.CandidateNoValues).late(30 * time.Second),
		batch("old", first),
		refusal(200, custerrors.KeyIsExpired).late(2 * time.Second),
		batch("new", offerSDP),
	}
	play(t, client.Answer, steps, func(t *testing.T, s *client.Session, played *script) {
		in := s.Inbox("seen")
		if got, want := read(t, in, 2), "candidate c1, sdp offer"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for i, want := range []string{"seen", "seen", "old", ""} {
			if got := played.seen[i].URL.Query().Get("after"); got != want {
				t.Errorf("request %d: got cursor %q, want %q", i, got, want)
			}
		}
		if got, want := in.Cursor(), client.Cursor("new"); got != want {
			t.Errorf("got cursor %q, want %q", got, want)
		}
	})
}

func TestAnOfferersInboxEndsWithItsSession(t *testing.T) {
	for _, end := range []error{custerrors.KeyIsExpired, custerrors.KeyNotFound} {
		play(t, client.Offer, []step{refusal(200, end)}, func(t *testing.T, s *client.Session, _ *script) {
			if _, err := s.Inbox("").Next(t.Context()); !errors.Is(err, end) {
				t.Errorf("got %v, want %v", err, end)
			}
		})
	}
}

func TestTheEndOfTheContextSaysWhyThereWasNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		role  client.Role
		steps []step
		want  error
	}{
		{"no session", client.Answer, []step{
			refusal(200, custerrors.KeyNotFound).late(9 * time.Second), // 1 s before the end
			refusal(200, custerrors.KeyNotFound).late(time.Hour),
		}, custerrors.KeyNotFound},
		{"no answer", client.Offer, []step{
			refusal(200, custerrors.SdpNoValues).late(9 * time.Second),
			refusal(200, custerrors.SdpNoValues).late(time.Hour),
		}, custerrors.SdpNoValues},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, c.role, c.steps, func(t *testing.T, s *client.Session, played *script) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err := s.Inbox("").Next(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v and %v", err, context.DeadlineExceeded, c.want)
				}
				if got, want := played.seen[0].URL.Query().Get("wait"), "9.000"; got != want {
					t.Errorf("got wait %s, want %s", got, want)
				}
			})
		})
	}
}

func TestInboxKeepsWhatAnExchangeBrings(t *testing.T) {
	steps := []step{batch("A", offerSDP), batch("B", first, second), refusal(200, custerrors.CandidateNoValues)}
	play(t, client.Answer, steps, func(t *testing.T, s *client.Session, played *script) {
		in := s.Inbox("")
		read(t, in, 1)
		for range 2 {
			if err := in.Exchange(t.Context(), client.Write{SDP: "answer", Candidates: []string{"<c>"}}, 5*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := read(t, in, 2), "candidate c1, candidate c2"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := played.seen[1].URL.RawQuery, "after=A&wait=5.000"; got != want {
			t.Errorf("got query %s, want %s", got, want)
		}
		if got, want := played.sent[1], `{"sdp":"answer","candidates":["<c>"]}`+"\n"; got != want {
			t.Errorf("got body %s, want %s", got, want)
		}
	})
}

// Without a cursor the offerer's Inbox would take for its session whichever is open.
func TestAnExchangeBringsACursorEvenWhereNothingCame(t *testing.T) {
	steps := []step{
		refusal(200, custerrors.SdpNoValues).late(5 * time.Second),
		{}, // the connection breaks, and the request is repeated
		batch("A"),
		refusal(200, custerrors.KeyIsExpired),
	}
	play(t, client.Offer, steps, func(t *testing.T, s *client.Session, played *script) {
		in := s.Inbox("")
		if err := in.Exchange(t.Context(), client.Write{SDP: "offer"}, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Next(t.Context()); !errors.Is(err, custerrors.KeyIsExpired) {
			t.Errorf("got %v, want %v", err, custerrors.KeyIsExpired)
		}
		for i, want := range []string{"wait=5.000", "", "", "after=A&wait=30.000"} {
			if got := played.seen[i].URL.RawQuery; got != want {
				t.Errorf("request %d: got query %q, want %q", i, got, want)
			}
		}
		if got := played.tokens(); got[0] == "" || got[0] != got[1] || got[0] != got[2] {
			t.Errorf("got the Idempotency-Keys %q, want one for the first three", got)
		}
		if played.sent[0] != played.sent[2] {
			t.Errorf("got body %s, want %s", played.sent[2], played.sent[0])
		}
	})
}

func TestAnAnswerThatBreaksThePromisesIsNotBelieved(t *testing.T) {
	for name, broken := range map[string]step{
		"candidate first":   batch("A", first, second),
		"sdp later":         batch("A", offerSDP, offerSDP),
		"unknown type":      batch("A", `{"type":"video","data":"x"}`),
		"no cursor":         batch("", offerSDP),
		"no messages":       ok(`{"next":"A","messages":7}`),
		"data of wrong kin": ok(`[]`),
	} {
		t.Run(name, func(t *testing.T) {
			play(t, client.Answer, []step{broken}, func(t *testing.T, s *client.Session, _ *script) {
				b, err := s.Messages(t.Context(), "", 0)
				if !errors.Is(err, client.ErrBrokenAnswer) || len(b.Messages) > 0 || b.Next != "" {
					t.Errorf("got %+v, %v, want nothing and %v", b, err, client.ErrBrokenAnswer)
				}
			})
		})
	}
}

func TestAll(t *testing.T) {
	steps := []step{batch("A", offerSDP, first), refusal(200, custerrors.KeyIsExpired)}
	play(t, client.Answer, steps, func(t *testing.T, s *client.Session, _ *script) {
		var got []string
		for m, err := range s.Inbox("").All(t.Context()) {
			if err != nil {
				got = append(got, custerrors.Of(err).Error())
				continue
			}
			got = append(got, m.Data)
		}
		if got, want := strings.Join(got, " "), "offer c1 "+custerrors.KeyIsExpired.Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestPayloadsAreCheckedBeforeTheyAreSent(t *testing.T) {
	s := newSession(t, "http://server.example", "key", client.Offer, client.WithHTTPClient(nobody(t)))
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"blank sdp", s.PutSDP(t.Context(), " \n", 0), custerrors.BodyIsEmpty},
		{"sdp not UTF-8", s.PutSDP(t.Context(), "a\xff", 0), custerrors.BodyIsNotUTF8},
		{"blank candidate", s.AddCandidate(t.Context(), ""), custerrors.BodyIsEmpty},
		{"one of two", s.AddCandidates(t.Context(), []string{"c", "\xff"}), custerrors.BodyIsNotUTF8},
		{"nothing to exchange", exchange(t, s, client.Write{}), custerrors.BodyIsEmpty},
		{"blank sdp to exchange", exchange(t, s, client.Write{SDP: " ", Candidates: []string{"c"}}), custerrors.BodyIsEmpty},
		{"blank candidate to exchange", exchange(t, s, client.Write{SDP: "s", Candidates: []string{""}}), custerrors.BodyIsEmpty},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, c.err, c.want)
		}
	}
	if err := s.AddCandidates(t.Context(), nil); err != nil {
		t.Errorf("no candidates: got %v, want no error and no request", err)
	}
}

func exchange(t *testing.T, s *client.Session, w client.Write) error {
	_, err := s.Exchange(t.Context(), w, "", 0)
	return err
}

// leaver is a transport that ends the caller's context when an answer has been read.
type leaver struct {
	http.RoundTripper
	leave context.CancelFunc
}

func (l leaver) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{resp.Body, l}
	}
	return resp, err
}

func (l leaver) Close() error {
	l.leave()
	return nil
}

// TestNextWhenTheContextEndsAsTheAnswerComes checks that an answer with messages counts, and otherwise the context's end.
func TestNextWhenTheContextEndsAsTheAnswerComes(t *testing.T) {
	for _, c := range []struct {
		steps []step
		want  error
	}{
		{[]step{batch("A", offerSDP)}, nil},
		{[]step{batch("A")}, context.Canceled},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		hc := &http.Client{Transport: leaver{&script{t: t, steps: c.steps}, cancel}}
		s := newSession(t, "http://server.example", "key", client.Answer, client.WithHTTPClient(hc))
		if m, err := s.Inbox("").Next(ctx); !errors.Is(err, c.want) || c.want == nil && m.Kind != client.SDP {
			t.Errorf("got %v, %v, want %v", m, err, c.want)
		}
	}
}
