package redis_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"signal-server/cache"
	"signal-server/cache/redis/redistest"
)

// TestAllocs states exactly what a call allocates: one string for all that it sends, and what rueidis makes of the answer.
func TestAllocs(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	server := redistest.Start(t)
	limits := benchLimits()
	limits.Candidates, limits.SessionBytes = 60_000, 64<<20
	s := open(t, server.URL(""), limits)
	defer s.Close()
	ctx := context.Background()
	dst := make([]byte, 0, 1<<20)
	if err := put(s, cache.Write{Key: "k", From: cache.Offer, Opens: true, Token: "token", Batch: description()}); err != nil {
		t.Fatalf("Open: %v", err)
	}
	epoch, err := s.Touch(ctx, "k")
	if err != nil {
		t.Fatalf("Touch: %v", err)
	}
	end := cache.NewCursor(epoch.Epoch, 1+trickled)
	candidate := candidateBatch(candidateText)
	offer := description()
	calls := []struct {
		name string
		want float64
		call func()
	}{
		{"Touch", 2, func() { _, _ = s.Touch(ctx, "k") }},
		{"Read, nothing new", 2, func() { _, _, _ = s.Read(ctx, dst, "k", cache.Answer, end, math.MaxInt, &benchForm) }},
		{"Read, an sdp and candidates", 5, func() { _, _, _ = s.Read(ctx, dst, "k", cache.Answer, 0, math.MaxInt, &benchForm) }},
		{"Take, nothing there", 1, func() {
			_, _ = s.Take(ctx, dst, cache.Take{Key: "k", To: cache.Offer, Kind: cache.SDP, Limit: 1, Form: &benchForm})
		}},
		{"Open, it lives", 1, func() { _ = put(s, cache.Write{Key: "k", From: cache.Offer, Opens: true, Batch: offer}) }},
		{"Open, repeated", 1, func() {
			_ = put(s, cache.Write{Key: "k", From: cache.Offer, Opens: true, Token: "token", Batch: offer})
		}},
		{"Append of a candidate", 1, func() { _ = put(s, cache.Write{Key: "k", From: cache.Answer, Batch: candidate}) }},
		{"Take of a candidate", 3, func() {
			_, _ = s.Take(ctx, dst, cache.Take{Key: "k", To: cache.Offer, Kind: cache.Candidate, Limit: 1, Form: &benchForm})
		}},
	}
	for _, c := range calls {
		if got := testing.AllocsPerRun(1000, c.call); got != c.want {
			t.Errorf("%s: got %v allocations, want %v", c.name, got, c.want)
		}
	}
}

// TestRoundTrips counts commands: each call is one.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(""), benchLimits())
	defer s.Close()
	handshake(t, s, "warm", nil, description())
	server.Do("CONFIG", "RESETSTAT")
	handshake(t, s, "k", nil, description())
	stats := server.Do("INFO", "commandstats")
	if !strings.Contains(stats, "cmdstat_evalsha:calls=4,") || strings.Contains(stats, "cmdstat_eval:") {
		t.Errorf("a handshake of 4 calls: got %s, want 4 calls of evalsha", stats)
	}
}
