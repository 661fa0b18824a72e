package memory

import (
	"testing"
	"testing/synctest"

	"signal-server/cache"
	"signal-server/test/synctime"
)

// TestCompleted gives both sdp in either order and by either way, and each of them again. The session counts once, when both are given.
func TestCompleted(t *testing.T) {
	s := newStore(t, MinMemory)
	take := func(k cache.Key, to cache.Role) {
		if _, err := s.Take(ctx, nil, cache.Take{Key: k, To: to, Kind: cache.SDP, Limit: 1, Form: &lines}); err != nil {
			t.Errorf("Take by %v: got %v, want the sdp", to, err)
		}
	}
	read := func(k cache.Key, to cache.Role) {
		if _, _, err := s.Read(ctx, nil, k, to, 0, cache.MaxLog, &lines); err != nil {
			t.Errorf("Read by %v: got %v, want the sdp", to, err)
		}
	}
	want := int64(0)
	for i, give := range []func(cache.Key, cache.Role){take, read} {
		for j, first := range cache.Roles {
			k := key(10*i + j)
			put(s, cache.Write{Key: k, From: cache.Offer, Opens: true, Batch: batch(100, 0, 0)})
			put(s, cache.Write{Key: k, From: cache.Answer, Batch: batch(100, 0, 0)})
			give(k, first)
			read(k, first)
			if got := s.Stats().Completed; got != want {
				t.Errorf("only the sdp that %v reads is given: got %d completed, want %d", first, got, want)
			}
			give(k, first.Other())
			read(k, first.Other())
			want++
			if got := s.Stats().Completed; got != want {
				t.Errorf("both are given: got %d completed, want %d", got, want)
			}
		}
	}
}

// TestSweepCounts checks that a session for which nobody asks any more is counted as expired, once.
func TestSweepCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, MinMemory)
		const sessions = 50
		for i := range sessions {
			put(s, cache.Write{Key: key(i), From: cache.Offer, Opens: true, Batch: batch(100, 0, 0)})
		}
		held := s.Stats().Held
		synctime.Pass(limits().TTL + sweepEvery)
		got := s.Stats()
		if got.Expired != sessions || got.Live != 0 || got.Held != 0 || held == 0 {
			t.Errorf("after the sweep: got %d expired, %d live, %d bytes held of %d, want %d, 0, 0", got.Expired, got.Live, got.Held, held, sessions)
		}
	})
}
