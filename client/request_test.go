package client_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

// calls are all requests of a Session. repeats says whether one is repeated after a broken answer.
var calls = []struct {
	name    string
	repeats bool
	data    string
	do      func(context.Context, *client.Session) error
}{
	{"PutSDP", true, `null`, func(ctx context.Context, s *client.Session) error { return s.PutSDP(ctx, "x", 0) }},
	{"AddCandidate", true, `null`, func(ctx context.Context, s *client.Session) error { return s.AddCandidate(ctx, "x") }},
	{"AddCandidates", true, `null`, func(ctx context.Context, s *client.Session) error { return s.AddCandidates(ctx, []string{"x"}) }},
	{"Exchange", true, `{"next":"n","messages":[]}`, func(ctx context.Context, s *client.Session) error {
		_, err := s.Exchange(ctx, client.Write{SDP: "x"}, "", 0)
		return err
	}},
	{"Messages", true, `{"next":"n","messages":[` + offerSDP + `]}`, func(ctx context.Context, s *client.Session) error {
		_, err := s.Messages(ctx, "", 0)
		return err
	}},
	{"TakeSDP", true, `"x"`, func(ctx context.Context, s *client.Session) error { _, err := s.TakeSDP(ctx, 0); return err }},
	{"TakeCandidate", true, `"x"`, func(ctx context.Context, s *client.Session) error {
		_, err := s.TakeCandidate(ctx, 0)
		return err
	}},
	{"TakeCandidates", true, `["x"]`, func(ctx context.Context, s *client.Session) error {
		_, err := s.TakeCandidates(ctx, 0)
		return err
	}},
	{"End", false, `null`, func(ctx context.Context, s *client.Session) error { return s.End(ctx) }},
}

func TestARefusedRequestIsRepeated(t *testing.T) {
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			steps := []step{
				refusal(503, custerrors.CacheOverrunMaxCost).retryAfter("7"),
				refusal(429, custerrors.TooManyRequests).retryAfter("3"),
				ok(c.data),
			}
			play(t, client.Answer, steps, func(t *testing.T, s *client.Session, played *script) {
				if err := c.do(t.Context(), s); err != nil {
					t.Errorf("got %v, want no error", err)
				}
				for i, wait := range []time.Duration{7 * time.Second, 3 * time.Second} {
					got := played.at[i+1] - played.at[i]
					if most := wait + client.DefaultRetry.Base; got < wait || got > most {
						t.Errorf("pause %d: got %v, want %v to %v", i+1, got, wait, most)
					}
				}
				tokens := played.tokens()
				if recognized := c.repeats && c.name != "Messages"; (tokens[0] != "") != recognized || tokens[0] != tokens[2] {
					t.Errorf("got tokens %q, want one and the same for what writes or takes, none otherwise", tokens)
				}
				if played.sent[0] != played.sent[2] {
					t.Errorf("got body %q, then %q, want the same", played.sent[0], played.sent[2])
				}
			})
		})
	}
}

// The server refuses a token that comes again with another route or body: no two calls may share one.
func TestEachCallHasATokenOfItsOwn(t *testing.T) {
	var steps []step
	for _, c := range calls {
		steps = append(steps, ok(c.data), ok(c.data))
	}
	play(t, client.Answer, steps, func(t *testing.T, s *client.Session, played *script) {
		for _, c := range calls {
			for range 2 {
				if err := c.do(t.Context(), s); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
			}
		}
		first := map[string]int{}
		for i, token := range played.tokens() {
			if before, again := first[token]; again && token != "" {
				t.Errorf("got the token of request %d (%s) again with request %d (%s)", before, played.seen[before].URL, i, played.seen[i].URL)
			}
			first[token] = i
		}
		if got, want := len(first), 2*7+1; got != want {
			t.Errorf("got %d tokens, want %d, that of requests without one included", got, want)
		}
	})
}

func TestABrokenAnswerIsAskedForAgainOnlyWhereThatIsSafe(t *testing.T) {
	faults := map[string]step{
		"cut":              {status: 0},
		"cut in the body":  {status: 200, body: `{"msg":"","da…`},
		"not JSON":         {status: 200, body: `<html>`},
		"not the envelope": {status: 200, body: `{}`},
		"proxy 502":        {status: 502, body: `<html>`},
		"proxy 504":        {status: 504},
	}
	for name, fault := range faults {
		for _, c := range calls {
			t.Run(name+" "+c.name, func(t *testing.T) {
				steps := []step{fault}
				if c.repeats {
					steps = append(steps, fault, ok(c.data))
				}
				play(t, client.Answer, steps, func(t *testing.T, s *client.Session, _ *script) {
					if err := c.do(t.Context(), s); (err == nil) != c.repeats {
						t.Errorf("got error %v, want one: %v", err, !c.repeats)
					}
				})
			})
		}
	}
}

func TestWhatWillNotPassIsNotRepeated(t *testing.T) {
	cases := []step{
		refusal(200, custerrors.KeyIsExpired),
		refusal(200, custerrors.SdpNoValues),
		refusal(400, custerrors.BodyIsNotUTF8),
		refusal(413, custerrors.BodyIsTooLong),
		refusal(429, custerrors.QueueIsFull).retryAfter("1"),
		refusal(500, custerrors.InternalError),
		{status: 404, body: "404 page not found"},
		{status: 301, header: http.Header{"Location": {"http://elsewhere.example/"}}},
		{status: 200, body: strings.Repeat("x", 101)},
	}
	for _, c := range cases {
		play(t, client.Offer, []step{c}, func(t *testing.T, s *client.Session, _ *script) {
			if err := s.AddCandidate(t.Context(), "c"); err == nil {
				t.Errorf("status %d, body %q: got no error", c.status, c.body)
			}
		}, client.WithMaxReply(100))
	}
}

func TestErrorSaysStatusMsgAndRetryAfter(t *testing.T) {
	play(t, client.Offer, []step{refusal(429, custerrors.QueueIsFull).retryAfter("2")},
		func(t *testing.T, s *client.Session, _ *script) {
			err := s.AddCandidate(t.Context(), "c")
			var got *client.Error
			if !errors.As(err, &got) || !errors.Is(err, custerrors.QueueIsFull) {
				t.Fatalf("got %v, want an *Error with QueueIsFull", err)
			}
			want := client.Error{
				Method: "POST", Path: "/offer/candidate", Status: 429, Msg: custerrors.QueueIsFull, RetryAfter: 2 * time.Second,
			}
			if *got != want {
				t.Errorf("got %+v, want %+v", *got, want)
			}
		})
}

func TestAttemptsAreCounted(t *testing.T) {
	cut := step{}
	play(t, client.Offer, []step{cut, cut, cut}, func(t *testing.T, s *client.Session, played *script) {
		if err := s.AddCandidate(t.Context(), "c"); !errors.Is(err, errCut) {
			t.Errorf("got %v, want %v", err, errCut)
		}
		if got, most := played.at[2], 3*time.Second; got > most {
			t.Errorf("gave up after %v, want at most %v", got, most)
		}
	}, client.WithRetry(client.Retry{Attempts: 3, Base: time.Second, Max: time.Second * 2}))
}

func TestContextEndsACall(t *testing.T) {
	t.Run("while the server waits", func(t *testing.T) {
		play(t, client.Offer, []step{ok(`"x"`).late(20 * time.Second)}, func(t *testing.T, s *client.Session, _ *script) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := s.TakeSDP(ctx, 30*time.Second); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
			}
		})
	})
	t.Run("in a pause", func(t *testing.T) {
		play(t, client.Offer, []step{refusal(503, custerrors.ServerIsShuttingDown).retryAfter("60")},
			func(t *testing.T, s *client.Session, _ *script) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				err := s.PutSDP(ctx, "x", 0)
				if !errors.Is(err, context.Canceled) || !errors.Is(err, custerrors.ServerIsShuttingDown) {
					t.Errorf("got %v, want both %v and what it came after", err, context.Canceled)
				}
			})
	})
	t.Run("before the pause would", func(t *testing.T) {
		play(t, client.Offer, []step{refusal(503, custerrors.ServerIsShuttingDown).retryAfter("60")},
			func(t *testing.T, s *client.Session, played *script) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				if err := s.PutSDP(ctx, "x", 0); !errors.Is(err, custerrors.ServerIsShuttingDown) {
					t.Errorf("got %v, want %v", err, custerrors.ServerIsShuttingDown)
				}
				if got := time.Since(played.begin); got != 0 {
					t.Errorf("returned after %v, want at once", got)
				}
			})
	})
}

func TestASilentServerCountsAsABrokenConnection(t *testing.T) {
	play(t, client.Offer, []step{ok(`null`).late(time.Hour), ok(`null`)},
		func(t *testing.T, s *client.Session, played *script) {
			if err := s.AddCandidate(t.Context(), "c"); err != nil {
				t.Errorf("got %v, want no error", err)
			}
			if got, least := played.at[1], 4*time.Second; got < least || got > least+time.Second {
				t.Errorf("asked again after %v, want about %v", got, least)
			}
		}, client.WithTimeout(4*time.Second))
}

func TestARepetitionWaitsForWhatIsLeft(t *testing.T) {
	steps := []step{step{}.late(20 * time.Second), refusal(200, custerrors.SdpNoValues)}
	play(t, client.Offer, steps, func(t *testing.T, s *client.Session, played *script) {
		_, err := s.Messages(t.Context(), "cursor", 90*time.Second)
		if !client.NothingYet(err) {
			t.Errorf("got %v, want %v", err, custerrors.SdpNoValues)
		}
		if got, want := played.seen[0].URL.Query().Get("wait"), "30.000"; got != want {
			t.Errorf("first wait: got %s, want %s", got, want)
		}
		got := played.seen[1].URL.Query().Get("wait")
		if left, err := strconv.ParseFloat(got, 64); err != nil || left < 9.8 || left > 9.9 {
			t.Errorf("second wait: got %s, want what was left of 30 s after 20 s and a pause of 0.1 to 0.2 s", got)
		}
	})
}

func TestErrorsDoNotShowTheKey(t *testing.T) {
	key := "se\x01cret"
	cut := &script{t: t, steps: []step{{}}}
	s := newSession(t, "http://server.example", key, client.Offer,
		client.WithHTTPClient(&http.Client{Transport: cut}), client.WithRetry(client.NoRetry))
	err := s.AddCandidate(t.Context(), "c")
	if err == nil || strings.Contains(err.Error(), "se") && strings.Contains(err.Error(), "cret") {
		t.Errorf("got %v, want an error without the key", err)
	}
	if got := cut.seen[0].URL.Query().Get("key"); got != key {
		t.Errorf("got key %q in the query, want %q", got, key)
	}
}
