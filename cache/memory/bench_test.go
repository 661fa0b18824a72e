package memory

import (
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

var someone = cache.Payer{10: 0xff, 0xff, 192, 0, 2, 1}

// hot names each operation of the hot path. Its session is open, and has an sdp and six candidates of each role.
func hot(t testing.TB, s *Store) map[string]func() {
	if err := put(s, cache.Write{Key: "k", From: cache.Offer, Opens: true, Batch: batch(2100, 6, 120)}); err != nil {
		t.Fatal(err)
	}
	if err := put(s, cache.Write{Key: "k", From: cache.Answer, Batch: batch(2000, 6, 120)}); err != nil {
		t.Fatal(err)
	}
	check := func(err, want error) {
		if err != want {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	buf := make([]byte, 0, 16<<10)
	one, offer := batch(0, 1, 150), batch(2100, 6, 120)
	return map[string]func(){
		"open, end": func() {
			check(put(s, cache.Write{Key: "o", From: cache.Offer, Opens: true, Batch: offer}), nil)
			check(s.End(ctx, "o"), nil)
		},
		"open and end of one that pays": func() {
			check(put(s, cache.Write{Key: "o", From: cache.Offer, Opens: true, Payer: someone, Batch: offer}), nil)
			check(s.End(ctx, "o"), nil)
		},
		"open, append, take, end": func() {
			check(put(s, cache.Write{Key: "p", From: cache.Offer, Opens: true, Batch: offer}), nil)
			check(put(s, cache.Write{Key: "p", From: cache.Answer, Batch: one}), nil)
			_, err := s.Take(ctx, buf, cache.Take{Key: "p", To: cache.Offer, Kind: cache.Candidate, Limit: 1, Form: &lines})
			check(err, nil)
			check(s.End(ctx, "p"), nil)
		},
		"exchange, end": func() {
			_, _, err := s.Write(ctx, buf, cache.Write{Key: "x", From: cache.Offer, Opens: true, Batch: offer, Limit: cache.MaxLog, Form: &lines})
			check(err, custerrors.SdpNoValues)
			check(s.End(ctx, "x"), nil)
		},
		"empty take": func() {
			_, err := s.Take(ctx, buf, cache.Take{Key: "o", To: cache.Offer, Kind: cache.SDP, Limit: 1, Form: &lines})
			if err == nil {
				t.Fatal("got an sdp, want none")
			}
		},
		"read of an sdp and six candidates": func() {
			_, _, err := s.Read(ctx, buf, "k", cache.Answer, 0, cache.MaxLog, &lines)
			check(err, nil)
		},
	}
}

// TestAllocs: nothing is allocated per call, hits included.
func TestAllocs(t *testing.T) {
	for name, call := range hot(t, sharedStore(t, 64*MinMemory)) {
		for range 1000 {
			call() // until the ring's chunks and the maps are as large as they get
		}
		if got := testing.AllocsPerRun(1000, call); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, got)
		}
	}
}

func BenchmarkHot(b *testing.B) {
	for name, call := range hot(b, sharedStore(b, 64*MinMemory)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}

// BenchmarkSweep walks past 100,000 live sessions.
func BenchmarkSweep(b *testing.B) {
	s := newStore(b, 2<<30)
	offer := batch(100, 0, 0)
	for i := range 100_000 {
		if err := put(s, cache.Write{Key: key(i), From: cache.Offer, Opens: true, Batch: offer}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for i := range s.stripes {
			s.stripes[i].sweep(time.Second, s.limits.Lifetime)
		}
	}
}
