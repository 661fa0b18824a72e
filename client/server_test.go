package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signal-server/app/apptest"
	"signal-server/app/gate/ticket"
	"signal-server/cache/memory"
	"signal-server/client"
	"signal-server/custerrors"
)

// serve runs the real server on loopback until the test ends, and returns its URL.
func serve(t *testing.T, changes ...func(*apptest.Config)) string {
	t.Helper()
	config := apptest.Defaults()
	for _, change := range changes {
		change(&config)
	}
	store, err := memory.New(memory.Config{Limits: config.Limits, Memory: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return apptest.Serve(t, apptest.Listen(t), config, store).URL
}

// peers returns both sides of a session of that key at a real server.
func peers(t *testing.T, key string, opts ...client.Option) (offer, answer *client.Session) {
	t.Helper()
	base := serve(t)
	hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	t.Cleanup(hc.CloseIdleConnections)
	opts = append([]client.Option{client.WithHTTPClient(hc)}, opts...)
	return newSession(t, base, key, client.Offer, opts...), newSession(t, base, key, client.Answer, opts...)
}

func TestClassicRequests(t *testing.T) {
	offer, answer := peers(t, "classic")
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := answer.TakeSDP(ctx, 0); !errors.Is(err, custerrors.KeyNotFound) {
		t.Errorf("before it is opened: got %v, want %v", err, custerrors.KeyNotFound)
	}
	sdp := "v=0\r\no=- \"<&>\" \u2028 \x00 🔑"
	must(offer.PutSDP(ctx, sdp, 10*time.Second))
	if err := offer.PutSDP(ctx, sdp, 0); !errors.Is(err, custerrors.SdpAlreadyExist) {
		t.Errorf("twice: got %v, want %v", err, custerrors.SdpAlreadyExist)
	}
	must(offer.AddCandidate(ctx, "c1"))
	must(offer.AddCandidates(ctx, []string{"c2", "c3"}))
	got, err := answer.TakeSDP(ctx, 0)
	if got != sdp || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, sdp)
	}
	if got, err := answer.TakeCandidate(ctx, 0); got != "c1" || err != nil {
		t.Errorf("got %q, %v, want c1", got, err)
	}
	if got, err := answer.TakeCandidates(ctx, 0); strings.Join(got, " ") != "c2 c3" || err != nil {
		t.Errorf("got %q, %v, want c2 and c3", got, err)
	}
	if _, err := answer.TakeCandidates(ctx, 0); !errors.Is(err, custerrors.CandidateNoValues) {
		t.Errorf("got %v, want %v", err, custerrors.CandidateNoValues)
	}

	var waiting sync.WaitGroup
	waiting.Go(func() {
		if got, err := offer.TakeSDP(ctx, 20*time.Second); got != "answer" || err != nil {
			t.Errorf("got %q, %v, want answer", got, err)
		}
	})
	must(answer.PutSDP(ctx, "answer", 0))
	waiting.Wait()
	must(answer.End(ctx))
	must(offer.End(ctx))
	if err := offer.AddCandidate(ctx, "late"); !errors.Is(err, custerrors.KeyIsExpired) {
		t.Errorf("after the end: got %v, want %v", err, custerrors.KeyIsExpired)
	}
}

func TestEveryKeyNamesOneSession(t *testing.T) {
	base := serve(t)
	hc := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(hc.CloseIdleConnections)
	keys := []string{
		"plain", " trimmed ", "a b", "a&b=c#d%2e", "\u00a0é\u2003", strings.Repeat("🔑", 32),
		"nul\x00", "line\nbreak", "tab\tbed", "\x7f", "\xff\xfe",
	}
	for i, key := range keys {
		offer := newSession(t, base, key, client.Offer, client.WithHTTPClient(hc))
		if err := offer.PutSDP(t.Context(), fmt.Sprint(i), 0); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	for i, key := range keys {
		answer := newSession(t, base, key, client.Answer, client.WithHTTPClient(hc))
		if got, err := answer.TakeSDP(t.Context(), 0); got != fmt.Sprint(i) || err != nil {
			t.Errorf("%q: got %q, %v, want %d", key, got, err, i)
		}
	}
}

// lossy is a transport that carries every request out. It loses an answer if lose returns true.
type lossy struct {
	http.RoundTripper
	mu sync.Mutex
	// guarded by mu
	n    int
	lose func(n int, r *http.Request) bool // n counts from 1
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.n++
	lost := l.lose(l.n, r)
	l.mu.Unlock()
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil || !lost {
		return resp, err
	}
	resp.Body.Close()
	return nil, io.ErrUnexpectedEOF
}

// Every answer but the third to each request is lost, and still each message arrives once, in order.
func TestNothingIsLostOrDoubledWhenAnswersAreLost(t *testing.T) {
	lost := &lossy{RoundTripper: &http.Transport{}, lose: func(n int, _ *http.Request) bool { return n%3 != 0 }}
	t.Cleanup(lost.RoundTripper.(*http.Transport).CloseIdleConnections)
	offer, answer := peers(t, "lossy", client.WithHTTPClient(&http.Client{Transport: lost}),
		client.WithRetry(client.Retry{Attempts: 3, Base: time.Millisecond, Max: time.Millisecond}))
	ctx := t.Context()
	if _, err := offer.Exchange(ctx, client.Write{SDP: "offer", Candidates: []string{"c0"}}, "", 0); err != nil {
		t.Fatal(err)
	}
	want := []string{"offer", "c0"}
	for i := 1; i <= 9; i++ {
		c := fmt.Sprintf("c%d", i)
		want = append(want, c)
		var err error
		switch i % 3 {
		case 0:
			err = offer.AddCandidate(ctx, c)
		case 1:
			err = offer.AddCandidates(ctx, []string{c})
		default:
			_, err = offer.Exchange(ctx, client.Write{Candidates: []string{c}}, "", 0)
		}
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
	}
	in := answer.Inbox("")
	var got []string
	for range want {
		m, err := in.Next(ctx)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, m.Data)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := lost.n, 3*11; got != want {
		t.Errorf("got %d requests, want %d", got, want)
	}
}

func TestInboxAgainstTheServer(t *testing.T) {
	offer, answer := peers(t, "inbox")
	ctx := t.Context()
	in := answer.Inbox("")
	for round := range 2 {
		var reading sync.WaitGroup
		reading.Go(func() { // it waits before the session is open, and in the second round after the first session's end
			if got, want := read(t, in, 3), "sdp offer, candidate c1, candidate c2"; got != want {
				t.Errorf("round %d: got %s, want %s", round, got, want)
			}
			if err := in.Exchange(ctx, client.Write{SDP: "answer"}, 0); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		})
		b, err := offer.Exchange(ctx, client.Write{SDP: "offer", Candidates: []string{"c1", "c2"}}, "", 20*time.Second)
		if err != nil || len(b.Messages) != 1 || b.Messages[0].Data != "answer" {
			t.Fatalf("round %d: got %+v, %v, want the answer", round, b, err)
		}
		reading.Wait()
		if err := offer.End(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Next(ctx); !errors.Is(err, custerrors.KeyIsExpired) {
			t.Errorf("round %d: got %v, want %v", round, err, custerrors.KeyIsExpired)
		}
		in = answer.Inbox(in.Cursor()) // the session before is not read again
	}
}

func TestTheFullQueueIsNotAskedAgain(t *testing.T) {
	base := serve(t, func(c *apptest.Config) { c.Limits.Candidates = 2 })
	hc := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(hc.CloseIdleConnections)
	offer := newSession(t, base, "full", client.Offer, client.WithHTTPClient(hc))
	if err := offer.PutSDP(t.Context(), "x", 0); err != nil {
		t.Fatal(err)
	}
	var refused *client.Error
	err := offer.AddCandidates(t.Context(), []string{"1", "2", "3"})
	if !errors.As(err, &refused) || refused.Msg != custerrors.QueueIsFull || refused.Status != 429 || refused.RetryAfter != 0 {
		t.Errorf("got %v, want QueueIsFull with 429, without Retry-After: to ask again cannot help", err)
	}
}

func TestTicketsOfTheServer(t *testing.T) {
	base := serve(t, func(c *apptest.Config) { c.Tickets = ticket.New() })
	hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	t.Cleanup(hc.CloseIdleConnections)
	side := func(role client.Role) *client.Session {
		return newSession(t, base, "ticketed", role, client.WithHTTPClient(hc))
	}
	offer, answer := side(client.Offer), side(client.Answer)
	for round := range 2 { // with the same Sessions: they forget the tickets of the first round
		inbox := answer.Inbox("")
		var answering sync.WaitGroup
		answering.Go(func() {
			if m, err := inbox.Next(t.Context()); err != nil || m.Data != "offer" {
				t.Errorf("round %d: got %+v, %v, want the offer", round, m, err)
			}
			if err := inbox.Exchange(t.Context(), client.Write{SDP: "answer"}, 0); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		})
		b, err := offer.Exchange(t.Context(), client.Write{SDP: "offer"}, "", 20*time.Second)
		if err != nil || len(b.Messages) != 1 {
			t.Fatalf("round %d: got %+v, %v, want the answer", round, b, err)
		}
		answering.Wait()
		for _, role := range []client.Role{client.Offer, client.Answer} {
			other := side(role) // a client that has learnt the key
			_, read := other.Messages(t.Context(), "", 0)
			for what, err := range map[string]error{"reads": read, "writes": other.AddCandidate(t.Context(), "x"), "ends": other.End(t.Context())} {
				if !errors.Is(err, custerrors.NotAllowed) {
					t.Errorf("round %d: a stranger %s as %s: got %v, want %v", round, what, role, err, custerrors.NotAllowed)
				}
			}
		}
		if err := errors.Join(offer.AddCandidate(t.Context(), "o1"), answer.AddCandidate(t.Context(), "a1")); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		if err := offer.End(t.Context()); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
	}
}
