package redis_test

import (
	"context"
	"testing"

	"signal-server/cache"
	"signal-server/cache/redis/redistest"
	"signal-server/custerrors"
)

// TestStatsOfTrips counts calls that succeed, are refused, and get no answer.
func TestStatsOfTrips(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL("?timeout=200ms"), benchLimits())
	defer s.Close()
	ctx := context.Background()
	if got := s.Stats(); got.Opened != 0 || got.Trips != 0 || got.Tripping.Count() != 0 {
		t.Errorf("before anybody has asked: got %+v, want no trips", got)
	}
	if err := put(s, cache.Write{Key: "k", From: cache.Offer, Opens: true, Batch: sdpBatch("o")}); err != nil {
		t.Fatalf("Open: %v", err)
	}
	const calls = 1000 // a sixteenth is timed: that none is has a chance of 1 in 10^28
	for range calls {
		if _, err := s.Touch(ctx, "other"); err != custerrors.KeyNotFound {
			t.Fatalf("Touch: got %v, want %v", err, custerrors.KeyNotFound)
		}
	}
	got := s.Stats()
	if got.Trips != calls+1 || got.Failed != 0 {
		t.Errorf("%d refused: got %d trips, %d failed, want %d and none", calls, got.Trips, got.Failed, calls+1)
	}
	if n := got.Tripping.Count(); n == 0 || n > calls/2 || got.Tripping.Sum <= 0 {
		t.Errorf("%d calls: got %d timed, %v in all, want about a sixteenth", calls, n, got.Tripping.Sum)
	}
	if got.Expired != cache.Unknown || got.Live != cache.Unknown || got.Held != cache.Unknown || got.Answering.Known {
		t.Errorf("got %+v, want nothing of what only the server knows", got)
	}
	server.Pause()
	defer server.Resume()
	for range 3 {
		s.Touch(ctx, "k") // which fails, as TestAway has it
	}
	if got := s.Stats(); got.Failed != 3 || got.Trips != calls+4 {
		t.Errorf("the server is away: got %d of %d trips failed, want 3 of %d", got.Failed, got.Trips, calls+4)
	}
}
