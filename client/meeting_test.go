package client_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"signal-server/app/apptest"
	"signal-server/app/gate/ticket"
	"signal-server/client"
	"signal-server/custerrors"
)

// meet is one peer of a meeting as a program would write it. It returns the role in which it met the other one.
func meet(ctx context.Context, m *client.Meeting) (client.Role, error) {
	for {
		s, err := m.Join(ctx)
		if err != nil {
			return "", err
		}
		if s.Role() == client.Answer {
			in := s.Inbox("")
			if _, err = in.Next(ctx); err == nil {
				err = in.Exchange(ctx, client.Write{SDP: "answer"}, 0)
			}
		} else {
			var b client.Batch
			if b, err = s.Exchange(ctx, client.Write{SDP: "offer"}, "", 20*time.Second); err == nil && len(b.Messages) == 0 {
				err = custerrors.SdpNoValues
			}
		}
		if errors.Is(err, custerrors.SdpAlreadyExist) || errors.Is(err, custerrors.KeyIsExpired) {
			continue
		}
		return s.Role(), err
	}
}

// Whoever comes first offers, and of two that come at once either one, with role tickets as without.
func TestMeetingAtOnce(t *testing.T) {
	for name, change := range map[string]func(*apptest.Config){
		"without tickets": func(*apptest.Config) {},
		"with tickets":    func(c *apptest.Config) { c.Tickets = ticket.New() },
	} {
		t.Run(name, func(t *testing.T) {
			base := serve(t, change)
			hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
			t.Cleanup(hc.CloseIdleConnections)
			c, err := client.New(base, client.WithHTTPClient(hc))
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				var roles [2]client.Role
				var both sync.WaitGroup
				for side := range roles {
					m, err := c.Meeting(strconv.Itoa(i))
					if err != nil {
						t.Fatal(err)
					}
					both.Go(func() {
						if roles[side], err = meet(t.Context(), m); err != nil {
							t.Errorf("meeting %d: %v", i, err)
						}
					})
				}
				both.Wait()
				if !slices.Contains(roles[:], client.Offer) || !slices.Contains(roles[:], client.Answer) {
					t.Errorf("meeting %d: got roles %q, want one of each", i, roles)
				}
			}
		})
	}
}

// The second one asks as an answerer. So it never tries to open a session that is open, as one who guesses keys does.
func TestTheSecondComerIsNotTakenForAGuesser(t *testing.T) {
	steps := []step{
		refusal(200, custerrors.KeyNotFound), refusal(200, custerrors.KeyIsExpired),
		batch("A", offerSDP), refusal(200, custerrors.SdpNoValues),
	}
	want := []client.Role{client.Offer, client.Offer, client.Answer, client.Answer}
	played := &script{t: t, steps: steps}
	c, err := client.New("http://server.example", client.WithHTTPClient(&http.Client{Transport: played}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Meeting("key")
	if err != nil {
		t.Fatal(err)
	}
	for i := range steps {
		s, err := m.Join(t.Context())
		if err != nil || s.Role() != want[i] {
			t.Errorf("question %d: got %v, %v, want role %s", i, s, err, want[i])
		}
		if r := played.seen[i]; r.Method != "GET" || r.URL.Path != "/answer/messages" {
			t.Errorf("question %d: got %s %s, want GET /answer/messages", i, r.Method, r.URL.Path)
		}
	}
}

// A Meeting's answerer does not wait for the next session: perhaps it is the one to open it.
func TestAMeetingsInboxEndsWithItsSession(t *testing.T) {
	played := &script{t: t, steps: []step{batch("A", offerSDP), refusal(200, custerrors.KeyIsExpired)}}
	c, err := client.New("http://server.example", client.WithHTTPClient(&http.Client{Transport: played}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Meeting("key")
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Inbox("").Next(t.Context()); !errors.Is(err, custerrors.KeyIsExpired) {
		t.Errorf("got %v, want %v", err, custerrors.KeyIsExpired)
	}
}

func TestAMeetingNeedsAKey(t *testing.T) {
	c, err := client.New("http://server.example", client.WithHTTPClient(nobody(t)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Meeting(" "); !errors.Is(err, custerrors.KeyIsEmpty) {
		t.Errorf("got %v, want %v", err, custerrors.KeyIsEmpty)
	}
}
