package memory

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
	"signal-server/test/synctime"
)

var (
	ctx   = context.Background()
	lines = cache.Form{SDP: "s:", Candidate: "c:", After: "\n"}
)

func limits() cache.Limits {
	return cache.Limits{TTL: 30 * time.Second, Lifetime: 5 * time.Minute, Candidates: 128, SessionBytes: 256 << 10}
}

func newStore(t testing.TB, memory int64) *Store {
	t.Helper()
	s, err := New(Config{Limits: limits(), Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// batch returns an sdp of that many bytes, or none if that is 0, and candidates that begin with their number.
func batch(sdp, candidates, size int) *cache.Batch {
	b := new(cache.Batch)
	if sdp > 0 {
		b.Add(cache.Frame{Kind: cache.SDP, Size: sdp, Wire: []byte(strings.Repeat("s", sdp))})
	}
	for i := range candidates {
		wire := fmt.Appendf(nil, "%-*d", size, i)
		b.Add(cache.Frame{Kind: cache.Candidate, Size: len(wire), Wire: wire})
	}
	return b
}

func key(i int) cache.Key { return cache.Key(fmt.Sprintf("key-%d", i)) }

// wantLog reads the log from its beginning and compares it with what the batch holds.
func wantLog(t *testing.T, s *Store, k cache.Key, to cache.Role, want *cache.Batch) {
	t.Helper()
	var text []byte
	for f, rest, ok := cache.NextFrame(want.Frames()); ok; f, rest, ok = cache.NextFrame(rest) {
		text = lines.End(append(lines.Begin(text, f.Kind, true), f.Wire...))
	}
	got, _, err := s.Read(ctx, nil, k, to, 0, cache.MaxLog, &lines)
	if err != nil || string(got) != string(text) {
		t.Fatalf("log of %s that %s reads: got %d bytes, %v, want %d bytes as written", k, to, len(got), err, len(text))
	}
}

func TestConfig(t *testing.T) {
	bad := Config{Memory: MinMemory - 1, Limits: cache.Limits{SessionBytes: cache.MaxSessionBytes + 1}}
	_, err := New(bad)
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("New of four mistakes: got %v, want four lines", err)
	}
}

func TestValidate(t *testing.T) {
	for memory, want := range map[int64]string{
		MinMemory: "", 1 << 40: "",
		MinMemory - 1: "is 1023KiB1023B, must be 1MiB or more", 0: "is 0B, must be 1MiB or more", -1: "is -1B, must be 1MiB or more",
	} {
		c, got := Config{Memory: memory}, ""
		c.Validate(func(field any, format string, args ...any) {
			if field != &c.Memory {
				t.Errorf("memory of %d: got a mistake of %T %p, want a pointer to Memory", memory, field, field)
			}
			got += fmt.Sprintf(format, args...)
		})
		if got != want {
			t.Errorf("memory of %d: got %q, want %q", memory, got, want)
		}
	}
}

// TestFullStore fills a store until it refuses. Every session that it took completes nevertheless, with an answer as large as its
// offer and candidates on both sides. When these sessions have ended, the store takes new ones again.
func TestFullStore(t *testing.T) {
	s := newStore(t, 4*MinMemory)
	offer, answer, trickle := batch(2100, 0, 0), batch(2100, 6, 120), batch(0, 6, 120)
	for round := range 3 {
		opened := 0
		for ; ; opened++ {
			err := put(s, cache.Write{Key: key(opened), From: cache.Offer, Opens: true, Batch: offer})
			if err == custerrors.CacheOverrunMaxCost {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if opened < 100 {
			t.Fatalf("round %d: got %d sessions, want 100 or more in 4 MiB", round, opened)
		}
		if err := s.Ready(ctx); err != custerrors.CacheOverrunMaxCost {
			t.Errorf("Ready when full: got %v, want %v", err, custerrors.CacheOverrunMaxCost)
		}
		for i := range opened {
			if err := put(s, cache.Write{Key: key(i), From: cache.Answer, Batch: answer}); err != nil {
				t.Fatalf("answer of session %d of %d: %v", i, opened, err)
			}
			if err := put(s, cache.Write{Key: key(i), From: cache.Offer, Batch: trickle}); err != nil {
				t.Fatalf("candidates of session %d of %d: %v", i, opened, err)
			}
		}
		for i := range opened {
			wantLog(t, s, key(i), cache.Offer, answer)
			if err := s.End(ctx, key(i)); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.budget.used.Load(); got != 0 {
			t.Errorf("budget in use when all have ended: got %d, want 0", got)
		}
	}
}

// TestNothingAliveIsLost keeps some sessions alive, and lets them grow, while thousands come and go around them, so that the cleaner
// moves them over and over.
func TestNothingAliveIsLost(t *testing.T) {
	s := newStore(t, 8*MinMemory)
	const keep = 64
	log := make([]*cache.Batch, keep)
	for i := range keep {
		log[i] = batch(1+i*300, 0, 0) // up to three fragments
		if err := put(s, cache.Write{Key: key(i), From: cache.Offer, Opens: true, Batch: log[i]}); err != nil {
			t.Fatal(err)
		}
	}
	passing := batch(3000, 10, 200)
	for n := range 20_000 {
		k := cache.Key(fmt.Sprintf("passing-%d", n))
		if err := put(s, cache.Write{Key: k, From: cache.Offer, Opens: true, Batch: passing}); err != nil {
			t.Fatalf("session %d: %v", n, err)
		}
		if err := s.End(ctx, k); err != nil {
			t.Fatal(err)
		}
		if i := n % keep; n%97 == 0 && log[i].Candidates() < 128 {
			one := batch(0, 1, 100)
			if err := put(s, cache.Write{Key: key(i), From: cache.Offer, Batch: one}); err != nil {
				t.Fatal(err)
			}
			f, _, _ := cache.NextFrame(one.Frames())
			log[i].Add(f)
		}
	}
	for i := range keep {
		wantLog(t, s, key(i), cache.Answer, log[i])
	}
	for i := range s.stripes {
		st := &s.stripes[i]
		if limit := st.live/deadShare + deadAtRest; st.dead > limit {
			t.Errorf("stripe %d: got %d dead bytes beside %d living, want %d or less", i, st.dead, st.live, limit)
		}
	}
}

// TestTakesSurviveTheCleaner takes candidates one by one while the cleaner moves what is left.
func TestTakesSurviveTheCleaner(t *testing.T) {
	s := newStore(t, 8*MinMemory)
	if err := put(s, cache.Write{Key: "k", From: cache.Offer, Opens: true, Batch: batch(100, 128, 100)}); err != nil {
		t.Fatal(err)
	}
	passing := batch(6000, 0, 0)
	for i := range 128 {
		for n := range 400 {
			k := cache.Key(fmt.Sprintf("passing-%d", n))
			if err := put(s, cache.Write{Key: k, From: cache.Offer, Opens: true, Batch: passing}); err != nil {
				t.Fatal(err)
			}
			if err := s.End(ctx, k); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Take(ctx, nil, cache.Take{Key: "k", To: cache.Answer, Kind: cache.Candidate, Limit: 1, Form: &lines})
		if want := fmt.Sprintf("c:%-100d\n", i); string(got) != want || err != nil {
			t.Fatalf("take %d: got %q, %v, want %q", i, got, err, want)
		}
	}
}

// TestForgottenWithoutBeingAsked lets sessions expire that nobody asks for again.
func TestForgottenWithoutBeingAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 64*MinMemory)
		for i := range 2000 {
			if err := put(s, cache.Write{Key: key(i), From: cache.Offer, Opens: true, TTL: time.Second, Batch: batch(5000, 4, 100)}); err != nil {
				t.Fatal(err)
			}
		}
		synctime.Pass(time.Second + 2*sweepEvery)
		if got := s.budget.used.Load(); got != 0 {
			t.Errorf("budget in use: got %d, want 0", got)
		}
		for i := range s.stripes {
			st := &s.stripes[i]
			if st.live != 0 || st.dead != 0 || len(st.index) != 0 || len(st.ring.chunks) > 1 || len(st.records.pages) > 1 {
				t.Errorf("stripe %d: got %d living and %d dead bytes, %d sessions, %d chunks, %d pages, want next to nothing",
					i, st.live, st.dead, len(st.index), len(st.ring.chunks), len(st.records.pages))
			}
		}
	})
}

// TestChurn opens, uses and ends sessions. At the end they take as much memory as after the first ones.
func TestChurn(t *testing.T) {
	s := newStore(t, 1<<30)
	offer, answer := batch(2100, 6, 120), batch(2000, 6, 120)
	var buf []byte
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var first uint64
	for n := 1; n <= 100_000; n++ {
		k := key(n)
		if err := put(s, cache.Write{Key: k, From: cache.Offer, Opens: true, Batch: offer}); err != nil {
			t.Fatal(err)
		}
		if err := put(s, cache.Write{Key: k, From: cache.Answer, Batch: answer}); err != nil {
			t.Fatal(err)
		}
		buf, _, _ = s.Read(ctx, buf[:0], k, cache.Offer, 0, cache.MaxLog, &lines)
		if err := s.End(ctx, k); err != nil {
			t.Fatal(err)
		}
		if n == 1000 {
			first = heap()
		}
	}
	if last := heap(); last > first+first/10 {
		t.Errorf("heap after 100,000 sessions: got %d, want within 10 %% of the %d after 1,000", last, first)
	}
}

func TestTokensAreFoundAfterMoves(t *testing.T) {
	s := newStore(t, 8*MinMemory)
	if err := put(s, cache.Write{Key: "k", From: cache.Offer, Opens: true, Token: "open", Batch: batch(100, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	one := batch(0, 1, 50)
	for range 2 {
		for n := range 5000 {
			put(s, cache.Write{Key: key(n), From: cache.Offer, Opens: true, Batch: batch(3000, 0, 0)})
			s.End(ctx, key(n))
		}
		if err := put(s, cache.Write{Key: "k", From: cache.Offer, Token: "add", Batch: one}); err != nil {
			t.Fatal(err)
		}
		if err := put(s, cache.Write{Key: "k", From: cache.Offer, Opens: true, Token: "open", Batch: batch(100, 0, 0)}); err != nil {
			t.Errorf("the same Open again: got %v, want nil", err)
		}
	}
	got, err := s.Take(ctx, nil, cache.Take{Key: "k", To: cache.Answer, Kind: cache.Candidate, Limit: 9, Form: &lines})
	if want := fmt.Sprintf("c:%-50d\n", 0); string(got) != want || err != nil {
		t.Errorf("candidates: got %q, %v, want %q, applied once", got, err, want)
	}
}

// put makes a Write that reads nothing.
func put(s *Store, w cache.Write) error {
	_, _, err := s.Write(ctx, nil, w)
	return err
}
