package client_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signal-server/client"
)

// Every take's first two answers are lost, and still nothing is.
func TestTakesWhoseAnswersAreLost(t *testing.T) {
	lost := &lossy{RoundTripper: &http.Transport{}, lose: func(n int, r *http.Request) bool { return r.Method == http.MethodGet && n%3 != 0 }}
	t.Cleanup(lost.RoundTripper.(*http.Transport).CloseIdleConnections)
	offer, answer := peers(t, "lossy takes", client.WithHTTPClient(&http.Client{Transport: lost}),
		client.WithRetry(client.Retry{Attempts: 3, Base: time.Millisecond, Max: time.Millisecond}))
	if err := offer.PutSDP(t.Context(), "offer", 0); err != nil {
		t.Fatal(err)
	}
	if err := offer.AddCandidates(t.Context(), []string{"c1", "c2", "c3"}); err != nil {
		t.Fatal(err)
	}
	lost.mu.Lock()
	lost.n = 0 // each take is three requests from here on
	lost.mu.Unlock()
	sdp, err := answer.TakeSDP(t.Context(), 0)
	if sdp != "offer" || err != nil {
		t.Errorf("got %q, %v, want the offer", sdp, err)
	}
	one, err := answer.TakeCandidate(t.Context(), 0)
	if one != "c1" || err != nil {
		t.Errorf("got %q, %v, want c1", one, err)
	}
	rest, err := answer.TakeCandidates(t.Context(), 0)
	if strings.Join(rest, " ") != "c2 c3" || err != nil {
		t.Errorf("got %q, %v, want c2 and c3", rest, err)
	}
}
