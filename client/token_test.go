package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

// bearers returns the Authorization of each request.
func (s *script) bearers() (all []string) {
	for _, r := range s.seen {
		all = append(all, strings.Join(r.Header["Authorization"], "+"))
	}
	return all
}

func want(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

var unknownToken = refusal(401, custerrors.NotAuthenticated)

func TestATokenGoesWithEveryRequest(t *testing.T) {
	for _, c := range calls {
		steps := []step{refusal(503, custerrors.ServerIsOverloaded), ok(c.data)}
		play(t, client.Offer, steps, func(t *testing.T, s *client.Session, played *script) {
			if err := c.do(t.Context(), s); err != nil {
				t.Errorf("%s: got %v, want no error", c.name, err)
			}
			want(t, c.name, played.bearers(), []string{"Bearer secret", "Bearer secret"})
		}, client.WithToken("secret"))
	}
	play(t, client.Offer, []step{ok("null")}, func(t *testing.T, s *client.Session, played *script) {
		<-s.Report(client.Outcome{})
		want(t, "Report", played.bearers(), []string{"Bearer secret"})
	}, client.WithToken("secret"))
	play(t, client.Offer, []step{ok("null")}, func(t *testing.T, s *client.Session, played *script) {
		if err := s.End(t.Context()); err != nil {
			t.Error(err)
		}
		want(t, "without a token", played.bearers(), []string{""})
	}, client.WithToken(""))
}

// tokens returns a func that hands out these tokens, one after the other, and the last one from then on.
func tokens(all ...string) func(context.Context) (string, error) {
	var mu sync.Mutex
	return func(context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		token := all[0]
		if len(all) > 1 {
			all = all[1:]
		}
		return token, nil
	}
}

func TestATokenFuncIsAskedForEachRequest(t *testing.T) {
	steps := []step{refusal(503, custerrors.ServerIsOverloaded), ok("null"), ok("null"), ok("null")}
	play(t, client.Offer, steps, func(t *testing.T, s *client.Session, played *script) {
		if err := s.AddCandidate(t.Context(), "c"); err != nil {
			t.Error(err)
		}
		<-s.Report(client.Outcome{})
		if err := s.End(t.Context()); err != nil {
			t.Error(err)
		}
		want(t, "tokens", played.bearers(), []string{"Bearer 1", "Bearer 2", "Bearer 3", "Bearer 4"})
	}, client.WithTokenFunc(tokens("1", "2", "3", "4")))
}

// A 401 says that nothing was done, so even what must not be done twice is sent again.
func TestATokenThatHasExpiredIsRenewedOnce(t *testing.T) {
	for _, c := range calls {
		play(t, client.Offer, []step{unknownToken, ok(c.data)}, func(t *testing.T, s *client.Session, played *script) {
			if err := c.do(t.Context(), s); err != nil {
				t.Errorf("%s: got %v, want no error", c.name, err)
			}
			want(t, c.name, played.bearers(), []string{"Bearer old", "Bearer new"})
			if keys := played.tokens(); keys[0] != keys[1] {
				t.Errorf("%s: got the Idempotency-Keys %q, want one", c.name, keys)
			}
			if got := time.Since(played.begin); got != 0 {
				t.Errorf("%s: took %v, want no pause", c.name, got)
			}
		}, client.WithTokenFunc(tokens("old", "new")))
	}
}

func TestA401IsNotRepeatedWithoutEnd(t *testing.T) {
	for name, c := range map[string]struct {
		token client.Option
		steps []step
	}{
		"a fixed token":              {client.WithToken("old"), []step{unknownToken}},
		"no token":                   {client.WithToken(""), []step{unknownToken}},
		"no func":                    {client.WithTokenFunc(nil), []step{unknownToken}},
		"a func with one token":      {client.WithTokenFunc(tokens("old")), []step{unknownToken}},
		"a func with ever new ones":  {client.WithTokenFunc(tokens("1", "2", "3", "4")), []step{unknownToken, unknownToken}},
		"after the server was tired": {client.WithToken("old"), []step{refusal(503, custerrors.ServerIsOverloaded), unknownToken}},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, client.Answer, c.steps, func(t *testing.T, s *client.Session, _ *script) {
				if _, err := s.Inbox("").Next(t.Context()); !errors.Is(err, custerrors.NotAuthenticated) {
					t.Errorf("Next: got %v, want %v", err, custerrors.NotAuthenticated)
				}
			}, c.token)
		})
	}
	played := &script{t: t, steps: []step{unknownToken}}
	c, err := client.New("http://server.example", client.WithHTTPClient(&http.Client{Transport: played}), client.WithToken("old"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Meeting("key")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Join(t.Context()); !errors.Is(err, custerrors.NotAuthenticated) {
		t.Errorf("Join: got %v, want %v", err, custerrors.NotAuthenticated)
	}
}

func TestAnErrorOfTheTokenFuncEndsTheCall(t *testing.T) {
	broken := errors.New("the issuer is away")
	asked := 0
	fails := func(context.Context) (string, error) { asked++; return "", broken }
	play(t, client.Offer, nil, func(t *testing.T, s *client.Session, _ *script) {
		err := s.AddCandidate(t.Context(), "c")
		if got, want := fmt.Sprint(err), "client: POST /offer/candidate: the token: the issuer is away"; got != want || !errors.Is(err, broken) {
			t.Errorf("got %q, want %q", got, want)
		}
		if asked != 1 {
			t.Errorf("asked %d times, want once", asked)
		}
	}, client.WithTokenFunc(fails))
	play(t, client.Offer, nil, func(t *testing.T, s *client.Session, _ *script) {
		err := s.AddCandidate(t.Context(), "c")
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "the end of a line at byte 7 of 7") {
			t.Errorf("got %v, want it to say where the fault is, without the token", err)
		}
	}, client.WithTokenFunc(tokens("secret\n")))
	play(t, client.Offer, nil, func(t *testing.T, s *client.Session, _ *script) { // one that never answers
		if err := s.AddCandidate(t.Context(), "c"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
	}, client.WithTimeout(time.Second), client.WithTokenFunc(func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}))
}

func TestNewRefusesATokenThatNoHeaderTakes(t *testing.T) {
	for token, want := range map[string]string{
		"secret\n":        "the end of a line at byte 7 of 7",
		"se\r\ncret":      "the end of a line at byte 3 of 8",
		"Bearer secret":   "a space at byte 7 of 13",
		"secret\x00":      "a control character at byte 7 of 7",
		"secret\x7f":      "a control character at byte 7 of 7",
		"\u00e9secret":    "a character that is not ASCII at byte 1 of 8",
		" ":               "a space at byte 1 of 1",
		"secret\u200bend": "a character that is not ASCII at byte 7 of 12",
	} {
		_, err := client.New("http://server.example", client.WithToken(token))
		want := "client: the token: it has " + want + ": a token is one word of visible ASCII characters"
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%q: got %q, want %q", token, got, want)
		}
	}
	if _, err := client.New("http://me:pass@server.example", client.WithToken("secret")); err == nil ||
		strings.Contains(err.Error(), "pass") || !strings.Contains(err.Error(), "user in the base URL") {
		t.Errorf("with a user in the URL: got %v, want an error that names it", err)
	}
}

// A redirect takes the token to the same host alone, even if it takes the rest elsewhere.
func TestATokenStaysAtItsHost(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	note := func(r *http.Request, where string) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, where+" "+r.Header.Get("Authorization"))
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(r, "other")
		fmt.Fprint(w, `{"msg":"","data":{"next":"n","messages":[]}}`)
	}))
	t.Cleanup(other.Close)
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(r, "home")
		if r.URL.Path == "/offer/messages" {
			http.Redirect(w, r, "/moved", http.StatusTemporaryRedirect)
			return
		}
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(home.Close)
	follows := &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
	}
	t.Cleanup(follows.CloseIdleConnections)
	s := newSession(t, home.URL, "key", client.Offer, client.WithHTTPClient(follows), client.WithToken("secret"))
	if _, err := s.Messages(t.Context(), "", 0); err != nil {
		t.Error(err)
	}
	want(t, "followed", seen, []string{"home Bearer secret", "home Bearer secret", "other "})

	seen = nil
	s = newSession(t, home.URL, "key", client.Offer, client.WithToken("secret"),
		client.WithHTTPClient(&http.Client{Transport: follows.Transport}))
	if _, err := s.Messages(t.Context(), "", 0); err == nil {
		t.Error("got no error, want one that tells of the redirect")
	}
	want(t, "not followed", seen, []string{"home Bearer secret"})
}

// What is logged and returned shows neither token nor key, and says that the token goes over plain http.
func TestNoTokenIsTold(t *testing.T) {
	var log strings.Builder
	debug := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	play(t, client.Offer, []step{refusal(503, custerrors.ServerIsOverloaded), {}, unknownToken}, func(t *testing.T, s *client.Session, played *script) {
		err := s.AddCandidate(t.Context(), "c")
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(fmt.Sprintf("%#v", err), "secret") {
			t.Errorf("got %v, want an error without the token", err)
		}
		for _, r := range played.seen {
			if strings.Contains(r.URL.String(), "secret") {
				t.Errorf("got the URL %s, want it without the token", r.URL)
			}
		}
	}, client.WithToken("secret"), client.WithLogger(debug))
	if got := log.String(); strings.Contains(got, "secret") || strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, "plain http") {
		t.Errorf("got the log %q, want it without the token, and one warning of plain http", got)
	}
	for _, quiet := range []string{"http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "https://server.example"} {
		log.Reset()
		if _, err := client.New(quiet, client.WithToken("secret"), client.WithLogger(debug)); err != nil || log.Len() > 0 {
			t.Errorf("%s: got %v and the log %q, want neither", quiet, err, log.String())
		}
	}
}

func TestRandomKey(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		key := client.RandomKey()
		if len(key) != 22 || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" || seen[key] {
			t.Fatalf("got %q, want 22 characters of base64url that did not come before", key)
		}
		seen[key] = true
	}
}
