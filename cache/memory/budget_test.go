package memory

import (
	"fmt"
	"testing"
	"testing/synctest"

	"signal-server/cache"
	"signal-server/custerrors"
	"signal-server/test/synctime"
)

// sharedStore is newStore, with an eighth for each payer.
func sharedStore(t testing.TB, memory int64) *Store {
	t.Helper()
	c := Config{Limits: limits(), Memory: memory}
	c.ClientMemory = cache.Share{Part: 8}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestClientShare(t *testing.T) {
	full := int64(fullEntries(&cache.Limits{Candidates: 128, SessionBytes: 256 << 10})) + recordCost
	for _, test := range []struct {
		memory int64
		share  cache.Share
		want   int64 // of the budget
	}{
		{1 << 30, cache.Share{}, 0},
		{1 << 30, cache.Share{Part: 8}, 128 << 20 / ofMemory * sessionShare},
		{1 << 30, cache.Share{Bytes: 64 << 20}, 64 << 20 / ofMemory * sessionShare},
		{1 << 30, cache.Share{Bytes: 1}, 4 * full},
		{MinMemory, cache.Share{Part: 8}, 4 * full}, // more than there is
	} {
		c := Config{Limits: limits(), Memory: test.memory}
		c.ClientMemory = test.share
		if got := clientShare(&c); got != test.want {
			t.Errorf("%v of %d: got %d, want %d", test.share, test.memory, got, test.want)
		}
	}
}

// TestFloodOfOne lets one payer open sessions without content. It gets its share and no more, and others open and complete theirs meanwhile.
func TestFloodOfOne(t *testing.T) {
	s := sharedStore(t, 64*MinMemory)
	tiny, answer := batch(1, 0, 0), batch(2000, 6, 120)
	opened := 0
	for ; ; opened++ {
		err := put(s, cache.Write{Key: key(opened), From: cache.Offer, Opens: true, Payer: someone, Batch: tiny})
		if err == custerrors.TooManyRequests {
			break
		}
		if err != nil {
			t.Fatalf("session %d: %v", opened, err)
		}
	}
	share := int64(64*MinMemory) / 8 / ofMemory * sessionShare
	if got := s.budget.used.Load(); got > share || got < share-leastAside-recordCost {
		t.Errorf("a flood of %d sessions: got %d bytes taken, want the share, %d", opened, got, share)
	}
	for i := range 3000 {
		k := cache.Key(fmt.Sprintf("other-%d", i))
		if err := put(s, cache.Write{Key: k, From: cache.Offer, Opens: true, Payer: cache.Payer{15: byte(i)}, Batch: batch(2000, 6, 120)}); err != nil {
			t.Fatalf("another client's session %d: %v", i, err)
		}
		if err := put(s, cache.Write{Key: k, From: cache.Answer, Payer: someone, Batch: answer}); err != nil {
			t.Fatalf("its answer: %v", err)
		}
	}
	for i := range opened {
		if err := s.End(ctx, key(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3000 {
		if err := s.End(ctx, cache.Key(fmt.Sprintf("other-%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.budget.used.Load(); got != 0 {
		t.Errorf("when all have ended: got %d bytes taken, want 0", got)
	}
}

// TestSettled fills a store, lets what is set aside settle, and fills it again. What each session has four times room for stays its own: the
// answers and candidates of usual sessions, though nothing else is left.
func TestSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 4*MinMemory)
		offer := batch(2100, 4, 120)
		fill := func(name string, b *cache.Batch) (keys []cache.Key) {
			for i := 0; ; i++ {
				k := cache.Key(fmt.Sprintf("%s-%d", name, i))
				err := put(s, cache.Write{Key: k, From: cache.Offer, Opens: true, Batch: b})
				if err == custerrors.CacheOverrunMaxCost {
					return keys
				}
				if err != nil {
					t.Fatal(err)
				}
				keys = append(keys, k)
			}
		}
		tiny := fill("tiny", batch(1, 0, 0))
		full := s.budget.used.Load()
		synctime.Pass(cache.SetAsideFor - sweepEvery)
		if got := s.budget.used.Load(); got != full {
			t.Errorf("before it settles: got %d bytes, want %d", got, full)
		}
		synctime.Pass(2 * sweepEvery)
		want := int64(len(tiny)) * (recordCost + int64(cache.Settled(int(leastAside), 1+headerBytes+queueBytes)))
		if got := s.budget.used.Load(); got != want {
			t.Errorf("%d tiny sessions, settled: got %d bytes, want %d", len(tiny), got, want)
		}
		usual := fill("usual", offer)
		if len(usual) < len(tiny)*9/10 {
			t.Errorf("beside %d tiny sessions: got %d usual ones, want nearly as many", len(tiny), len(usual))
		}
		synctime.Pass(cache.SetAsideFor + sweepEvery)
		more := fill("more", offer)
		if len(more) > len(usual)/4 {
			t.Errorf("beside %d usual sessions, settled: got %d more, want few", len(usual), len(more))
		}
		if !s.budget.take(s.budget.total-s.budget.used.Load(), s.budget.total) { // others have used up what is for those that grow
			t.Fatal("the rest of the budget: got it refused")
		}
		for _, k := range usual {
			if err := put(s, cache.Write{Key: k, From: cache.Answer, Batch: batch(2300, 8, 120)}); err != nil {
				t.Fatalf("a late answer: %v", err)
			}
			if err := put(s, cache.Write{Key: k, From: cache.Offer, Batch: batch(0, 8, 120)}); err != nil {
				t.Fatalf("late candidates: %v", err)
			}
		}
		if err := put(s, cache.Write{Key: tiny[0], From: cache.Answer, Batch: batch(2300, 0, 0)}); err != custerrors.CacheOverrunMaxCost {
			t.Errorf("a long answer to a tiny offer, late, in a store without any room: got %v, want %v", err, custerrors.CacheOverrunMaxCost)
		}
	})
}
