package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"signal-server/app/apptest"
	"signal-server/app/gate/auth"
	"signal-server/app/gate/ticket"
	"signal-server/client"
	"signal-server/custerrors"
	"signal-server/test/until"
)

func (s step) giving(ticket string) step {
	s.header = http.Header{"X-Offer-Ticket": {ticket}}
	return s
}

// shown returns the offerer's ticket in each request, as far as it had one.
func (s *script) shown() (tickets []string) {
	for _, r := range s.seen {
		tickets = append(tickets, r.Header.Get("X-Offer-Ticket"))
	}
	return tickets
}

func TestATicketIsShownUntilItsSessionIsOver(t *testing.T) {
	type call = func(context.Context, *client.Session) error
	open := func(ctx context.Context, s *client.Session) error {
		_, err := s.Exchange(ctx, client.Write{SDP: "x"}, "", 0)
		return err
	}
	put := func(ctx context.Context, s *client.Session) error { return s.PutSDP(ctx, "x", 0) }
	inTheWay := func(ctx context.Context, s *client.Session) error {
		if err := open(ctx, s); !errors.Is(err, custerrors.SdpAlreadyExist) {
			return fmt.Errorf("got %w, want %w", err, custerrors.SdpAlreadyExist)
		}
		return nil
	}
	add := func(ctx context.Context, s *client.Session) error { return s.AddCandidate(ctx, "c") }
	read := func(ctx context.Context, s *client.Session) error { _, err := s.Messages(ctx, "", 0); return err }
	end := func(ctx context.Context, s *client.Session) error { return s.End(ctx) }
	opened := batch("n")
	for _, c := range []struct {
		name  string
		steps []step
		do    []call
		want  []string // shown
		over  int      // the call that fails because the session is over; 0: none
	}{
		{
			name:  "given with the opening",
			steps: []step{opened.giving("t1"), ok("null"), ok("null"), ok("null")},
			do:    []call{open, add, end, add}, want: []string{"", "t1", "t1", ""},
		},
		{
			name:  "given by the classic one",
			steps: []step{ok("null").giving("t1"), ok("null")},
			do:    []call{put, add}, want: []string{"", "t1"},
		},
		{
			name:  "given although there is nothing to read",
			steps: []step{refusal(200, custerrors.SdpNoValues).giving("t1"), opened.giving("t1"), ok("null")},
			do:    []call{open, add}, want: []string{"", "", "t1"},
		},
		{
			name:  "given with the repetition",
			steps: []step{{}, opened.giving("t1"), ok("null")},
			do:    []call{open, add}, want: []string{"", "", "t1"},
		},
		{
			name:  "another one with another session",
			steps: []step{opened.giving("t1"), opened.giving("t2"), ok("null")},
			do:    []call{open, open, add}, want: []string{"", "", "t2"},
		},
		{
			name:  "none with another session",
			steps: []step{opened.giving("t1"), opened, ok("null")},
			do:    []call{open, open, add}, want: []string{"", "", ""},
		},
		{
			name:  "not forgotten where another session is in the way",
			steps: []step{opened.giving("t1"), refusal(200, custerrors.SdpAlreadyExist), ok("null")},
			do:    []call{open, inTheWay, end}, want: []string{"", "", "t1"},
		},
		{
			name:  "forgotten with an expired session",
			steps: []step{opened.giving("t1"), refusal(200, custerrors.KeyIsExpired), ok("null")},
			do:    []call{open, read, add}, want: []string{"", "t1", ""}, over: 2,
		},
		{
			name:  "forgotten by the server",
			steps: []step{opened.giving("t1"), refusal(403, custerrors.NotAllowed), ok("null")},
			do:    []call{open, read, add}, want: []string{"", "t1", ""}, over: 2,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, client.Offer, c.steps, func(t *testing.T, s *client.Session, played *script) {
				for i, do := range c.do {
					err := do(t.Context(), s)
					if over := i+1 == c.over; over != errors.Is(err, custerrors.KeyIsExpired) || !over && err != nil {
						t.Errorf("call %d: got %v, want the end of the session: %v", i+1, err, over)
					}
				}
				if got := played.shown(); !slices.Equal(got, c.want) {
					t.Errorf("got tickets %q, want %q", got, c.want)
				}
			})
		})
	}
}

// A client that shows no ticket does not learn that its session is gone: it has none.
func TestNotAllowedWithoutATicketIsWhatItSays(t *testing.T) {
	play(t, client.Offer, []step{refusal(403, custerrors.NotAllowed)}, func(t *testing.T, s *client.Session, _ *script) {
		if err := s.End(t.Context()); !errors.Is(err, custerrors.NotAllowed) || errors.Is(err, custerrors.KeyIsExpired) {
			t.Errorf("got %v, want %v only", err, custerrors.NotAllowed)
		}
	})
}

// taken is how a server with role tickets refuses an answerer that is not the session's, and what it says to an empty body.
var taken = []step{refusal(403, custerrors.NotAllowed), refusal(400, custerrors.BodyIsEmpty)}

func TestAnAnswererWaitsWhileAnotherOneHoldsTheRole(t *testing.T) {
	refused := refusal(403, custerrors.NotAllowed)
	steps := append(slices.Clone(taken), refused, refused, refusal(200, custerrors.KeyIsExpired), batch("A", offerSDP))
	play(t, client.Answer, steps, func(t *testing.T, s *client.Session, played *script) {
		if got, want := read(t, s.Inbox("before"), 1), "sdp offer"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for i, want := range []time.Duration{0, 0, 200, 600, 1400, 1400} {
			if got := played.at[i]; got != want*time.Millisecond {
				t.Errorf("request %d: got it after %v, want %v", i, got, want*time.Millisecond)
			}
		}
	})
}

// It ends with the context, and with a token that is not for this key, which no time mends.
func TestAnAnswererDoesNotWaitForNothing(t *testing.T) {
	play(t, client.Answer, taken, func(t *testing.T, s *client.Session, _ *script) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := s.Inbox("").Next(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, custerrors.NotAllowed) {
			t.Errorf("got %v, want %v and %v", err, context.DeadlineExceeded, custerrors.NotAllowed)
		}
	})
	refused := refusal(403, custerrors.NotAllowed)
	play(t, client.Answer, []step{refused, refused}, func(t *testing.T, s *client.Session, played *script) {
		if _, err := s.Inbox("").Next(t.Context()); !errors.Is(err, custerrors.NotAllowed) || time.Since(played.begin) != 0 {
			t.Errorf("got %v after %v, want %v at once", err, time.Since(played.begin), custerrors.NotAllowed)
		}
	})
	play(t, client.Offer, []step{refused}, func(t *testing.T, s *client.Session, _ *script) {
		if _, err := s.Inbox("").Next(t.Context()); !errors.Is(err, custerrors.NotAllowed) {
			t.Errorf("got %v, want %v", err, custerrors.NotAllowed)
		}
	})
}

// An answer that was on its way when the next session was opened does not change that session's ticket.
func TestALateAnswerDoesNotForgetTheNextTicket(t *testing.T) {
	late := refusal(200, custerrors.KeyIsExpired)
	hold, held := make(chan struct{}), make(chan struct{})
	answers := []step{batch("n").giving("t1"), late, batch("n").giving("t2"), ok("null")}
	var shown []string
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		s := &script{t: t, steps: answers[:1]}
		answers = answers[1:]
		shown = append(shown, r.Header.Get("X-Offer-Ticket"))
		if s.steps[0].body == late.body {
			close(held)
			<-hold
		}
		return s.RoundTrip(r)
	})
	s := newSession(t, "http://server.example", "key", client.Offer, client.WithHTTPClient(&http.Client{Transport: transport}))
	open := func() {
		if _, err := s.Exchange(t.Context(), client.Write{SDP: "x"}, "", 0); err != nil {
			t.Error(err)
		}
	}
	open()
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		s.Messages(ctx, "", 0)
	}()
	<-held
	open()
	close(hold)
	<-done
	if err := s.AddCandidate(t.Context(), "c"); err != nil {
		t.Error(err)
	}
	if want := []string{"", "t1", "", "t2"}; !slices.Equal(shown, want) {
		t.Errorf("got tickets %q, want %q", shown, want)
	}
}

// roundTripper is a function as a transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// bearer is a transport that shows a token with each request, as a program with one would.
type bearer struct {
	http.RoundTripper
	token string
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.RoundTripper.RoundTrip(r)
}

// One server asks for tokens and gives tickets. An answerer with a good token that comes before the session before is over waits, and
// one whose token is for another key is told so.
func TestTheServersTwoReasonsNotToAllow(t *testing.T) {
	good, line, err := auth.Mint(auth.Grant{Key: "key"})
	if err != nil {
		t.Fatal(err)
	}
	bad, other, err := auth.Mint(auth.Grant{Key: "another"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(line+"\n"+other+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	guard, err := auth.Open(t.Context(), auth.Config{TokensFile: path}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guard.Close)
	base := serve(t, func(c *apptest.Config) { c.Guard, c.Tickets = guard, ticket.New() })
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	side := func(role client.Role, token string) *client.Session {
		return newSession(t, base, "key", role, client.WithHTTPClient(&http.Client{Transport: bearer{transport, token}}))
	}
	if _, err := side(client.Answer, bad).Inbox("").Next(t.Context()); !errors.Is(err, custerrors.NotAllowed) {
		t.Errorf("a token for another key: got %v, want %v", err, custerrors.NotAllowed)
	}
	var cursor client.Cursor
	for round := range 6 {
		offer, answer := side(client.Offer, good), side(client.Answer, good)
		var offering sync.WaitGroup
		offering.Go(func() { // as soon as the session before is over
			until.Nil(t, 10*time.Second, func() error { return offer.PutSDP(t.Context(), strconv.Itoa(round), 0) })
		})
		in := answer.Inbox(cursor)
		m, err := in.Next(t.Context()) // for which it begins to ask while the session before is open, and not its own
		if err != nil || m.Data != strconv.Itoa(round) {
			t.Fatalf("round %d: got %+v, %v, want its offer", round, m, err)
		}
		if err := in.Exchange(t.Context(), client.Write{SDP: "answer"}, 0); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		cursor = in.Cursor()
		offering.Wait()
		ended := time.AfterFunc(300*time.Millisecond, func() { // when the next answerer has been refused
			if err := offer.End(t.Context()); err != nil {
				t.Error(err)
			}
		})
		if round == 5 {
			ended.Stop()
		}
	}
}
