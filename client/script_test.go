package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/client"
)

// step is how a scripted server answers one request.
type step struct {
	status int           // 0: the connection breaks
	body   string        // of the answer; with "…" at its end, the answer is cut there
	after  time.Duration // it takes that long
	header http.Header
}

// script is a transport that plays one step for each request. It uses no network, so that it works in a synctest bubble. One goroutine
// uses it.
type script struct {
	t     *testing.T
	steps []step
	seen  []*http.Request
	sent  []string // bodies
	at    []time.Duration
	begin time.Time
}

var errCut = errors.New("connection reset by peer")

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.begin.IsZero() {
		s.begin = time.Now()
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	s.seen, s.sent, s.at = append(s.seen, r), append(s.sent, string(body)), append(s.at, time.Since(s.begin))
	if len(s.seen) > len(s.steps) {
		s.t.Errorf("got request %d (%s %s), want %d", len(s.seen), r.Method, r.URL, len(s.steps))
		return nil, errCut
	}
	do := s.steps[len(s.seen)-1]
	select {
	case <-time.After(do.after):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if do.status == 0 {
		return nil, errCut
	}
	text, cut := strings.CutSuffix(do.body, "…")
	reply := io.Reader(strings.NewReader(text))
	if cut {
		reply = io.MultiReader(reply, brokenReader{})
	}
	if do.header == nil {
		do.header = http.Header{}
	}
	return &http.Response{StatusCode: do.status, Header: do.header, Body: io.NopCloser(reply), Request: r}, nil
}

// tokens returns the Idempotency-Key of each request, as far as it had one.
func (s *script) tokens() (tokens []string) {
	for _, r := range s.seen {
		tokens = append(tokens, r.Header.Get("Idempotency-Key"))
	}
	return tokens
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// play runs test in a bubble, with a session whose server plays the steps. It checks that all steps were played.
func play(t *testing.T, role client.Role, steps []step, test func(t *testing.T, s *client.Session, played *script),
	opts ...client.Option,
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		played := &script{t: t, steps: steps}
		opts := append([]client.Option{client.WithHTTPClient(&http.Client{Transport: played})}, opts...)
		test(t, newSession(t, "http://server.example", "key", role, opts...), played)
		if got, want := len(played.seen), len(steps); got != want {
			t.Errorf("got %d requests, want %d", got, want)
		}
	})
}

func newSession(t *testing.T, base, key string, role client.Role, opts ...client.Option) *client.Session {
	t.Helper()
	c, err := client.New(base, opts...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Session(key, role)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// nobody is an http.Client whose use fails the test.
func nobody(t *testing.T) *http.Client { return &http.Client{Transport: &script{t: t}} }

// ok, refusal and batch are answers of the server.
func ok(data string) step { return step{status: 200, body: `{"msg":"","data":` + data + `}`} }

func refusal(status int, msg error) step {
	return step{status: status, body: fmt.Sprintf(`{"msg":%q,"data":null}`, msg.Error())}
}

func batch(next string, messages ...string) step {
	return ok(fmt.Sprintf(`{"next":%q,"messages":[%s]}`, next, strings.Join(messages, ",")))
}

func (s step) late(d time.Duration) step { s.after = d; return s }

func (s step) retryAfter(v string) step { s.header = http.Header{"Retry-After": {v}}; return s }

const (
	offerSDP = `{"type":"sdp","data":"offer"}`
	first    = `{"type":"candidate","data":"c1"}`
	second   = `{"type":"candidate","data":"c2"}`
)
