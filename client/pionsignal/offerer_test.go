package pionsignal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

// abandoned is a server with a session whose offerer is gone: it lives for ttl after each request.
type abandoned struct {
	began, last time.Time
	ttl         time.Duration
	tickets     bool
	asked       []string // what, and when
}

func (a *abandoned) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.began.IsZero() {
		a.began, a.last = time.Now(), time.Now()
	}
	a.asked = append(a.asked, fmt.Sprintf("%s %v", r.Method, time.Since(a.began)))
	status, answer := 200, fmt.Sprintf(`{"msg":%q,"data":null}`, custerrors.SdpAlreadyExist)
	switch over := time.Since(a.last) >= a.ttl; {
	case r.Method == http.MethodPost && over:
		answer = `{"msg":"","data":{"next":"1","messages":[]}}`
	case r.Method == http.MethodGet && a.tickets:
		status, answer = 403, fmt.Sprintf(`{"msg":%q,"data":null}`, custerrors.NotAllowed)
	case r.Method == http.MethodGet:
		wait, err := time.ParseDuration(r.URL.Query().Get("wait") + "s")
		if err != nil {
			return nil, err
		}
		<-time.After(wait)
		answer = fmt.Sprintf(`{"msg":%q,"data":null}`, custerrors.SdpNoValues)
	}
	a.last = time.Now()
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// An offerer that waits for the end of its former session must not keep that alive by asking: it asks ever more seldom.
func TestWaitingLetsTheFormerSessionEnd(t *testing.T) {
	for name, c := range map[string]struct {
		server abandoned
		want   []string
	}{
		"of this client": {
			abandoned{ttl: offerTTL},
			[]string{"POST 0s", "GET 0s", "POST 16s"},
		},
		"of another one": {
			abandoned{ttl: 30 * time.Second},
			[]string{"POST 0s", "GET 0s", "POST 16s", "GET 16s", "POST 43s", "GET 43s", "POST 1m19s"},
		},
		"with tickets": {
			abandoned{ttl: offerTTL, tickets: true},
			[]string{"POST 0s", "GET 0s", "POST 11s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := c.server
				cl, err := client.New("http://server.example", client.WithHTTPClient(&http.Client{Transport: &server}))
				if err != nil {
					t.Fatal(err)
				}
				session, err := cl.Session("key", client.Offer)
				if err != nil {
					t.Fatal(err)
				}
				h := &handshake{session: session, inbox: session.Inbox(""), options: options{log: slog.New(slog.DiscardHandler)}}
				if err := h.open(t.Context(), client.Write{SDP: "offer"}, 0); err != nil || !h.opened.Load() {
					t.Errorf("got %v, opened: %v, want the session opened", err, h.opened.Load())
				}
				if !slices.Equal(server.asked, c.want) {
					t.Errorf("got %q, want %q", server.asked, c.want)
				}

				server = c.server
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				err = h.open(ctx, client.Write{SDP: "offer"}, 0)
				if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, custerrors.SdpAlreadyExist) || h.opened.Load() {
					t.Errorf("got %v, opened: %v, want %v and %v", err, h.opened.Load(), context.DeadlineExceeded, custerrors.SdpAlreadyExist)
				}
			})
		})
	}
}
