package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/cache/redis/redistest"
	"signal-server/custerrors"
)

// take takes what role answer can take of that kind, one payload of it.
func take(s cache.Store, key cache.Key, kind cache.Kind, token cache.Token) (string, error) {
	out, err := s.Take(context.Background(), nil, cache.Take{
		Key: key, To: cache.Answer, Kind: kind, Limit: 1, Form: &benchForm, Token: token, Route: "GET",
	})
	return string(out), err
}

// scripts returns how many scripts the server has run.
func scripts(server *redistest.Server) (calls int) {
	for line := range strings.Lines(server.Do("INFO", "commandstats")) {
		var n int
		for _, name := range []string{"evalsha", "eval"} {
			if _, err := fmt.Sscanf(line, "cmdstat_"+name+":calls=%d,", &n); err == nil {
				calls += n
			}
		}
	}
	return calls
}

// TestNothingIsDoneLate stops the server until callers have been told that it is not available. When the server goes on it finds what they
// asked for, and does none of it: also if the node is wrong about the server's clock.
func TestNothingIsDoneLate(t *testing.T) {
	t.Parallel()
	const timeout = 500 * time.Millisecond
	for _, mistake := range []time.Duration{0, time.Hour, -time.Hour, timeout / 2, -timeout / 2} {
		t.Run(fmt.Sprintf("clock %v ahead", mistake), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			s := open(t, server.URL("?timeout=500ms"), benchLimits())
			defer s.Close()
			near := open(t, server.URL("?timeout=5s"), benchLimits())
			defer near.Close()
			ctx := context.Background()
			for _, key := range []cache.Key{"take", "token", "candidate", "write", "end"} {
				if err := put(s, cache.Write{Key: key, From: cache.Offer, Opens: true, Batch: description()}); err != nil {
					t.Fatalf("Open: %v", err)
				}
			}
			late := []func() error{
				func() error { _, err := take(s, "take", cache.SDP, ""); return err },
				func() error { _, err := take(s, "token", cache.SDP, "token"); return err },
				func() error { _, err := take(s, "candidate", cache.Candidate, ""); return err },
				func() error {
					return put(s, cache.Write{Key: "write", From: cache.Answer, Token: "token", Batch: sdpBatch("late")})
				},
				func() error {
					return put(s, cache.Write{Key: "new", From: cache.Offer, Opens: true, Batch: sdpBatch("late")})
				},
				func() error { return s.End(ctx, "end") },
			}
			before := scripts(server)
			server.Pause()
			s.Mistake(mistake)
			var callers sync.WaitGroup
			for i, call := range late {
				callers.Go(func() {
					if err := call(); !errors.Is(err, custerrors.StoreIsUnavailable) {
						t.Errorf("call %d to a server that is stopped: got %v, want %v", i, err, custerrors.StoreIsUnavailable)
					}
				})
			}
			callers.Wait()
			if mistake > 0 && mistake < timeout { // the server's clock was set back during the stall: this much later it is late nevertheless
				<-time.After(mistake)
			}
			server.Resume()
			eventually(t, "the server has seen the late calls", 10*time.Second, func() error {
				if n := scripts(server) - before; n < len(late) {
					return fmt.Errorf("%d scripts", n)
				}
				return nil
			})
			for _, key := range []cache.Key{"take", "token"} {
				if got, err := take(near, key, cache.SDP, ""); err != nil || !strings.Contains(got, sdpText) {
					t.Errorf("Take of %q afterwards: got %.40q (%v), want the sdp", key, got, err)
				}
			}
			first, err := near.Take(ctx, nil, cache.Take{Key: "candidate", To: cache.Answer, Kind: cache.Candidate, Limit: 99, Form: &benchForm})
			if got := strings.Count(string(first), candidateText); err != nil || got != trickled {
				t.Errorf("Take of candidates afterwards: got %d (%v), want all %d", got, err, trickled)
			}
			if _, _, err := near.Read(ctx, nil, "write", cache.Offer, 0, 9, &benchForm); err != custerrors.SdpNoValues {
				t.Errorf("Read of what was written late: got %v, want %v", err, custerrors.SdpNoValues)
			}
			if _, err := near.Touch(ctx, "new"); err != custerrors.KeyNotFound {
				t.Errorf("Touch of what was opened late: got %v, want %v", err, custerrors.KeyNotFound)
			}
			if _, err := near.Touch(ctx, "end"); err != nil {
				t.Errorf("Touch of what was ended late: got %v, want it alive", err)
			}
		})
	}
}

// TestClockIsLearnt lets the node be wrong about the server's clock, in both directions. Calls succeed nevertheless, and the mistake is
// gone after the first one that matters.
func TestClockIsLearnt(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	server := redistest.Start(t)
	s := open(t, server.URL("?timeout=2s"), benchLimits())
	defer s.Close()
	right := s.Ahead()
	if right == 0 {
		t.Fatal("after Open: got a clock that is not known, want it known")
	}
	for i, mistake := range []time.Duration{time.Hour, -time.Hour, 2 * timeout, -2 * timeout, timeout / 3, -timeout / 3, 0} {
		s.Mistake(mistake)
		before := scripts(server)
		key := cache.Key(fmt.Sprintf("k%d", i))
		if err := put(s, cache.Write{Key: key, From: cache.Offer, Opens: true, Batch: description()}); err != nil {
			t.Errorf("a clock that is %v ahead: Write: got %v, want none", mistake, err)
		}
		trips := 1
		if mistake >= timeout/3 || mistake <= -timeout {
			trips = 2
		}
		if got := scripts(server) - before; got != trips {
			t.Errorf("a clock that is %v ahead: got %d trips, want %d", mistake, got, trips)
		}
		if off := s.Ahead() - right; trips == 2 && (off > 20*time.Millisecond || off < -timeout/8) {
			t.Errorf("a clock that was %v ahead: got it %v ahead after a call, want it right", mistake, off)
		}
		if trips == 1 {
			s.Mistake(-mistake)
		}
	}
}

// TestClocksDiffer lets many calls at once go to a server whose clock jumps, so that what one of them learns is used by others.
func TestClocksDiffer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(""), benchLimits())
	defer s.Close()
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for n := range 200 {
				if i == 0 {
					s.Mistake(time.Duration(n%3-1) * time.Minute)
				}
				key := cache.Key(fmt.Sprintf("k%d.%d", i, n))
				if err := put(s, cache.Write{Key: key, From: cache.Offer, Opens: true, Batch: sdpBatch("o")}); err != nil {
					t.Errorf("Write: got %v, want none", err)
				}
				if got, err := take(s, key, cache.SDP, ""); err != nil {
					t.Errorf("Take: got %q (%v), want the sdp", got, err)
				}
			}
		})
	}
	callers.Wait()
}

// TestTakeOfTooFewReplicas stops the replica that writes wait for. A take is done by then, and its payload is handed out. A write is refused.
func TestTakeOfTooFewReplicas(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	replica := redistest.Start(t, "--replicaof", "127.0.0.1 "+server.Port)
	s := open(t, server.URL("?timeout=1s"), benchLimits())
	defer s.Close()
	eventually(t, "the replica is there", 20*time.Second, func() error {
		if !strings.Contains(server.Do("INFO", "replication"), "state=online") {
			return errors.New("no replica is online")
		}
		return nil
	})
	const timeout = 3 * time.Second
	waits := open(t, server.URL("?timeout=3s&wait_replicas=1"), benchLimits())
	defer waits.Close()
	if err := put(waits, cache.Write{Key: "k", From: cache.Offer, Opens: true, Batch: description()}); err != nil {
		t.Fatalf("Open with a replica: %v", err)
	}
	replica.Pause()
	defer replica.Resume()
	for _, kind := range []cache.Kind{cache.SDP, cache.Candidate} {
		begin := time.Now()
		if got, err := take(waits, "k", kind, "token"+cache.Token(rune('0'+kind))); err != nil || got == "" {
			t.Errorf("Take of kind %d without replica: got %q (%v), want the payload", kind, got, err)
		}
		if took := time.Since(begin); took > timeout {
			t.Errorf("Take of kind %d without replica: got it after %v, want it within the timeout", kind, took)
		}
	}
	if _, err := take(waits, "k", cache.SDP, ""); err != custerrors.SdpNoValues {
		t.Errorf("Take again: got %v, want %v", err, custerrors.SdpNoValues)
	}
	err := put(waits, cache.Write{Key: "k", From: cache.Answer, Batch: sdpBatch("a")})
	if !errors.Is(err, custerrors.StoreIsUnavailable) {
		t.Errorf("Write without replica: got %v, want %v", err, custerrors.StoreIsUnavailable)
	}
}

// TestUnknownEnds cuts the connection while a server that is stopped has a take before it. The caller is told so when the take can run no
// more, and not before.
func TestUnknownEnds(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server)
	const timeout = time.Second
	s := open(t, proxy.URL("?timeout=1s"), benchLimits())
	defer s.Close()
	if err := put(s, cache.Write{Key: "k", From: cache.Offer, Opens: true, Batch: description()}); err != nil {
		t.Fatalf("Open: %v", err)
	}
	server.Pause()
	done := make(chan error, 1)
	begin := time.Now()
	go func() {
		_, err := take(s, "k", cache.SDP, "")
		done <- err
	}()
	eventually(t, "the take is under way", timeout/2, func() error {
		if s.InFlight() == 0 {
			return errors.New("nothing is in flight")
		}
		return nil
	})
	<-time.After(timeout / 10)
	proxy.Cut()
	err := <-done
	if took := time.Since(begin); !errors.Is(err, custerrors.StoreIsUnavailable) || took < timeout {
		t.Errorf("Take whose connection was cut: got %v after %v, want %v after the timeout of %v", err, took, custerrors.StoreIsUnavailable, timeout)
	}
	server.Resume()
	proxy.Restore()
	eventually(t, "the payload is there", 5*time.Second, func() error {
		_, err := take(s, "k", cache.SDP, "")
		return err
	})
}

// TestTokenOfTheVersionBefore repeats writes whose tokens a node of the version before has kept, without what they are bound to. Only the
// sdp is compared then. Such nodes find any field, whatever it holds.
func TestTokenOfTheVersionBefore(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(""), benchLimits())
	defer s.Close()
	write := func(sdp, candidate, body string) error {
		w := cache.Write{Key: "k", From: cache.Offer, Token: "token", Route: "POST", Body: []byte(body), Batch: new(cache.Batch)}
		if sdp != "" {
			w.Opens = true
			w.Batch = sdpBatch(sdp)
		}
		if candidate != "" {
			w.Batch.Add(cache.Frame{Kind: cache.Candidate, Size: len(candidate), Wire: []byte(candidate)})
		}
		return put(s, w)
	}
	if err := write("o", "c", "body"); err != nil {
		t.Fatalf("Open: %v", err)
	}
	for _, tt := range []struct {
		name            string
		sdp, cand, body string
		own, before     error
	}{
		{"the same", "o", "c", "body", nil, nil},
		{"the same, which nodes spell differently", "o", "c", "BODY", custerrors.IdempotencyKeyIsReused, nil},
		{"another sdp", "p", "", "other", custerrors.IdempotencyKeyIsReused, custerrors.IdempotencyKeyIsReused},
		{"a candidate", "", "d", "other", custerrors.IdempotencyKeyIsReused, nil},
	} {
		if err := write(tt.sdp, tt.cand, tt.body); err != tt.own {
			t.Errorf("%s, of this version: got %v, want %v", tt.name, err, tt.own)
		}
		kept := server.Do("HGET", s.Name("k"), "t1token")
		server.Do("HSET", s.Name("k"), "t1token", "")
		if err := write(tt.sdp, tt.cand, tt.body); err != tt.before {
			t.Errorf("%s, of the version before: got %v, want %v", tt.name, err, tt.before)
		}
		if len(kept) == 0 {
			t.Errorf("%s: got nothing kept of what the token is bound to", tt.name)
		}
		server.Do("DEL", s.Name("k"))
		if err := write("o", "c", "body"); err != nil {
			t.Fatalf("Open anew: %v", err)
		}
	}
}
