package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"runtime/pprof"
	"strconv"
	"sync"
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/cache/redis/redistest"
	"signal-server/custerrors"
)

func sdpBatch(text string) *cache.Batch { return frameBatch(cache.SDP, text) }

func candidateBatch(text string) *cache.Batch { return frameBatch(cache.Candidate, text) }

func frameBatch(kind cache.Kind, text string) *cache.Batch {
	var b cache.Batch
	b.Add(cache.Frame{Kind: kind, Size: len(text), Wire: []byte(text)})
	return &b
}

// again is how long a test waits before it tries again.
const again = 10 * time.Millisecond

// eventually calls try until it returns nil.
func eventually(t *testing.T, what string, within time.Duration, try func() error) (took time.Duration) {
	t.Helper()
	begin := time.Now()
	tick := time.NewTicker(again)
	defer tick.Stop()
	for ; ; <-tick.C {
		err := try()
		took = time.Since(begin)
		if err == nil {
			return took
		}
		if took > within {
			t.Fatalf("%s: got %v for %v, want it done within %v", what, err, took, within)
		}
	}
}

// countGoroutines returns a function that tells how many goroutines this test has: itself and, as labels are inherited, those that it
// starts from now on, and that these start. Tests beside it do not count.
func countGoroutines(t *testing.T) func() int {
	t.Helper()
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("test", t.Name())))
	group := regexp.MustCompile(`(?m)^(\d+) @ .*\n# labels: \{"test":"` + t.Name() + `"\}$`)
	return func() (all int) {
		var stacks bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&stacks, 1); err != nil {
			t.Fatalf("the goroutines: got %v, want no error", err)
		}
		for _, found := range group.FindAllSubmatch(stacks.Bytes(), -1) {
			n, err := strconv.Atoi(string(found[1]))
			if err != nil {
				t.Fatalf("the goroutines: got %q, want a number of them", found[1])
			}
			all += n
		}
		if all == 0 {
			t.Fatalf("the goroutines: got none, want at least the test's own")
		}
		return all
	}
}

// TestAway lets 500 callers ask a server that is away, in each way of being away. Each call ends within the timeout with
// StoreIsUnavailable, no goroutines are left, and afterwards all is well without a restart of the store.
func TestAway(t *testing.T) {
	t.Parallel()
	goroutines := countGoroutines(t)
	const timeout = 500 * time.Millisecond
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server)
	s := open(t, proxy.URL("/?timeout=500ms"), benchLimits())
	defer s.Close()
	ctx := context.Background()
	before := goroutines()
	ways := []struct {
		name           string
		away, comeBack func()
	}{
		{"connections cut and refused", proxy.Cut, proxy.Restore},
		{"a black hole", proxy.Silence, proxy.Restore},
		{"a process that is stopped", server.Pause, server.Resume},
		{"killed and started anew", server.Kill, server.Restart},
	}
	for i, way := range ways {
		key := cache.Key(fmt.Sprintf("k%d", i))
		if err := put(s, cache.Write{Key: key, From: cache.Offer, Opens: true, Batch: sdpBatch("o")}); err != nil {
			t.Fatalf("%s: Open before: got %v, want none", way.name, err)
		}
		way.away()
		var callers sync.WaitGroup
		for range 500 {
			callers.Go(func() {
				begin := time.Now()
				_, err := s.Touch(ctx, key)
				if !errors.Is(err, custerrors.StoreIsUnavailable) {
					t.Errorf("%s: Touch: got %v, want %v", way.name, err, custerrors.StoreIsUnavailable)
				}
				if took := time.Since(begin); took > 2*timeout+time.Second {
					t.Errorf("%s: Touch: got an answer after %v, want it within about %v", way.name, took, timeout)
				}
			})
		}
		callers.Wait()
		begin := time.Now()
		if err := s.Hang(ctx, "new", cache.Offer, cache.NewChime()); !errors.Is(err, custerrors.StoreIsUnavailable) {
			t.Errorf("%s: Hang: got %v after %v, want %v", way.name, err, time.Since(begin), custerrors.StoreIsUnavailable)
		}
		eventually(t, way.name+": Ready says so", 5*time.Second, func() error {
			if err := s.Ready(ctx); !errors.Is(err, custerrors.StoreIsUnavailable) {
				return fmt.Errorf("Ready: %w", err)
			}
			return nil
		})
		way.comeBack()
		took := eventually(t, way.name+": back again", 10*time.Second, func() error {
			_, err := s.Touch(ctx, key)
			if err == custerrors.KeyNotFound && way.name == "killed and started anew" {
				return nil
			}
			return err
		})
		eventually(t, way.name+": ready again", 5*time.Second, func() error { return s.Ready(ctx) })
		t.Logf("%s: back after %v", way.name, took)
		eventually(t, way.name+": goroutines are gone", 10*time.Second, func() error {
			if n := goroutines(); n > before+50 {
				return fmt.Errorf("%d goroutines, %d before", n, before)
			}
			return nil
		})
	}
}

// TestCrowd sends more calls than may be in flight to a server that does not answer. It refuses the calls beyond that at once.
func TestCrowd(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL("?timeout=1s&max_in_flight=10"), benchLimits())
	defer s.Close()
	server.Pause()
	defer server.Resume()
	var callers sync.WaitGroup
	for range 10 {
		callers.Go(func() { _, _ = s.Touch(context.Background(), "k") })
	}
	eventually(t, "all calls that may be are in flight", 500*time.Millisecond, func() error {
		if n := s.InFlight(); n != 10 {
			return fmt.Errorf("%d in flight", n)
		}
		return nil
	})
	begin := time.Now()
	for range 100 {
		if _, err := s.Touch(context.Background(), "k"); !errors.Is(err, custerrors.StoreIsUnavailable) {
			t.Errorf("Touch: got %v, want %v", err, custerrors.StoreIsUnavailable)
		}
	}
	if took := time.Since(begin); took > 500*time.Millisecond {
		t.Errorf("100 calls too many: got answers after %v, want them at once", took)
	}
	callers.Wait()
}

// TestWaitOutlastsFailure lets readers wait while the network breaks. What another node writes meanwhile reaches them soon after the
// network is whole again, although their node has missed the news.
func TestWaitOutlastsFailure(t *testing.T) {
	t.Parallel()
	goroutines := countGoroutines(t)
	const readers = 200
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server)
	near := open(t, server.URL(""), benchLimits())
	far := open(t, proxy.URL("?timeout=1s"), benchLimits())
	defer near.Close()
	defer far.Close()
	ctx := context.Background()
	m := cache.NewMailroom(far, benchLimits())
	key := func(i int) cache.Key { return cache.Key(fmt.Sprintf("k%d", i)) }
	for i := range readers {
		if err := put(near, cache.Write{Key: key(i), From: cache.Offer, Opens: true, Batch: sdpBatch("o")}); err != nil {
			t.Fatalf("Open: %v", err)
		}
	}
	before := goroutines()
	var waiting sync.WaitGroup
	var restored time.Time
	for i := range readers {
		waiting.Go(func() {
			w := cache.Wait{For: 25 * time.Second}
			defer w.End()
			out, _, err := m.Read(ctx, nil, key(i), cache.Offer, 0, math.MaxInt, &benchForm, &w)
			if want := `{"s":"a"}`; err != nil || string(out) != want {
				t.Errorf("Read: got %q (%v), want %q", out, err, want)
			}
		})
	}
	eventually(t, "everybody waits", 10*time.Second, func() error {
		if got := server.Do("PUBSUB", "SHARDCHANNELS"); len(got) < readers*30 {
			return fmt.Errorf("%d bytes of channels", len(got))
		}
		return nil
	})
	if more := goroutines() - before; more > readers+20 {
		t.Errorf("%d who wait: got %d goroutines more, want no more than they are", readers, more)
	}
	if n := proxy.Connections(); n > 3 {
		t.Errorf("%d who wait: got %d connections, want 2", readers, n)
	}
	// A call that is under way would fail, rightly. Each reader makes two before it sleeps: a Read, and a Touch.
	eventually(t, "everybody sleeps", 10*time.Second, func() error {
		if trips, now := far.Stats().Trips, far.InFlight(); trips != 2*readers || now > 0 {
			return fmt.Errorf("%d trips, %d calls under way", trips, now)
		}
		return nil
	})
	proxy.Cut()
	for i := range readers {
		if err := put(near, cache.Write{Key: key(i), From: cache.Answer, Batch: sdpBatch("a")}); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
	eventually(t, "the failure is noticed", 5*time.Second, func() error {
		if err := far.Ready(ctx); !errors.Is(err, custerrors.StoreIsUnavailable) {
			return fmt.Errorf("Ready: %w", err)
		}
		return nil
	})
	restored = time.Now()
	proxy.Restore()
	waiting.Wait()
	if took := time.Since(restored); took > 5*time.Second {
		t.Errorf("after the network was whole again: got the last answer after %v, want it within 2 s", took)
	}
	eventually(t, "nobody is subscribed any more", 5*time.Second, func() error {
		if got := server.Do("PUBSUB", "SHARDCHANNELS"); got != "" {
			return errors.New(got)
		}
		return nil
	})
}

// TestSlow puts 100 ms each way between node and server. A call takes that twice, concurrent calls take no longer than one, and a wait
// ends when its time is up.
func TestSlow(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server)
	s := open(t, proxy.URL("?timeout=3s"), benchLimits())
	defer s.Close()
	proxy.Delay(100 * time.Millisecond)
	ctx := context.Background()
	if err := put(s, cache.Write{Key: "k", From: cache.Offer, Opens: true, Batch: sdpBatch("o")}); err != nil {
		t.Fatalf("Open: %v", err)
	}
	begin := time.Now()
	var callers sync.WaitGroup
	for range 1000 {
		callers.Go(func() {
			if _, err := s.Touch(ctx, "k"); err != nil {
				t.Errorf("Touch: %v", err)
			}
		})
	}
	callers.Wait()
	if took := time.Since(begin); took < 200*time.Millisecond || took > 2*time.Second {
		t.Errorf("1000 calls at once: got answers after %v, want 200 ms or a little more", took)
	}
	m := cache.NewMailroom(s, benchLimits())
	begin = time.Now()
	w := cache.Wait{For: time.Second}
	_, _, err := m.Read(ctx, nil, "k", cache.Offer, 0, 1, &benchForm, &w)
	w.End()
	if took := time.Since(begin); err != custerrors.SdpNoValues || took > 4*time.Second {
		t.Errorf("Read with a wait of 1 s: got %v after %v, want %v within 2 s or so", err, took, custerrors.SdpNoValues)
	}
}
