package limit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/cache"
	"signal-server/test/synctime"
)

// TestGuessing lets a client guess keys. It is slowed. When it goes on it is blocked, longer each time, and in the end forgiven.
func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{WrongKeys: Rate{6, time.Minute}, Block: time.Minute})
		guess := func(n int) time.Duration {
			if after := l.Request(alice); after > 0 {
				return after
			}
			l.WrongKey(alice, cache.Key(fmt.Sprint("guess ", n)))
			return 0
		}
		for n := range 6 {
			if got := guess(n); got != 0 {
				t.Fatalf("guess %d: got refused for %v, want served", n+1, got)
			}
		}
		wait := guess(6)
		if wait != 10*time.Second {
			t.Errorf("guess 7: got %v, want the 10 s until one is due", wait)
		}
		synctime.Pass(wait)
		if got := guess(7); got != 0 {
			t.Errorf("who has waited: got refused for %v, want served", got)
		}
		for want := time.Minute; want <= 4*time.Minute; want *= 2 {
			var got time.Duration
			for n := 0; n <= patience+1; n++ {
				got = guess(100 + n)
			}
			if got != want {
				t.Errorf("who does not wait: got %v, want blocked for %v", got, want)
			}
			synctime.Pass(want - time.Second)
			if got := guess(200); got <= 0 || got > time.Second {
				t.Errorf("a second before the end: got %v, want blocked", got)
			}
			if got := l.Open(alice); got == 0 {
				t.Error("a blocked client opens: got served, want refused")
			}
			if got := l.Request(bob); got != 0 {
				t.Errorf("somebody else: got refused for %v, want served", got)
			}
			synctime.Pass(2 * time.Second)
			for n := 300; guess(n) == 0; n++ { // until it is slowed again
			}
		}
	})
}

// TestWaitingForOneKey lets an answerer ask for the key of a session that is not open yet, and then a client mistype a key now and then.
func TestWaitingForOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{WrongKeys: Rate{3, time.Minute}, Block: time.Minute})
		for range 1000 {
			if got := l.Request(alice); got != 0 {
				t.Fatalf("got refused for %v, want served: it asks for the same key", got)
			}
			l.WrongKey(alice, "the key")
		}
		for n := range 100 {
			synctime.Pass(21 * time.Second)
			if got := l.Request(alice); got != 0 {
				t.Fatalf("a new key every 21 s: got refused for %v, want served", got)
			}
			l.WrongKey(alice, cache.Key(fmt.Sprint(n)))
		}
	})
}

// TestRemembered asks in turn for as many keys as are remembered, and then for one key more than that.
func TestRemembered(t *testing.T) {
	for _, tt := range []struct {
		keys int
		want bool // it goes on for ever
	}{{rememberedKeys, true}, {rememberedKeys + 1, false}} {
		l := New(Config{WrongKeys: Rate{rememberedKeys + 1, time.Hour}, Block: time.Minute})
		served := true
		for n := range 10 * tt.keys {
			served = served && l.Request(alice) == 0
			l.WrongKey(alice, cache.Key(fmt.Sprint(n%tt.keys)))
		}
		if served != tt.want {
			t.Errorf("%d keys over and over: got served %v, want %v", tt.keys, served, tt.want)
		}
	}
}

// TestGuessingBeside lets requests in side by side, before any of them is known to be for a wrong key. All count: on average no more are
// let in than the rate says, and a client that runs up more than twice as many is blocked.
func TestGuessingBeside(t *testing.T) {
	const events = 6
	for _, tt := range []struct {
		beside int
		want   Reason
		after  time.Duration
	}{
		{events, WrongKeys, 10 * time.Second},
		{events + 1, WrongKeys, 20 * time.Second},
		{2 * events, WrongKeys, 70 * time.Second},
		{2*events + 1, Blocked, time.Hour},
		{1000, Blocked, time.Hour}, // once, not once for each
	} {
		synctest.Test(t, func(t *testing.T) {
			l := New(Config{WrongKeys: Rate{events, time.Minute}, Block: time.Hour})
			for range tt.beside {
				if got := l.Request(alice); got != 0 {
					t.Fatalf("got refused for %v, want served", got)
				}
			}
			for n := range tt.beside {
				l.WrongKey(alice, cache.Key(fmt.Sprint(n)))
			}
			if got := l.Request(alice); got != tt.after || l.Refused(tt.want) != 1 {
				t.Errorf("%d beside each other: got refused for %v, want for %v because of %v", tt.beside, got, tt.after, tt.want)
			}
		})
	}
}

// TestPatience asks on while it is refused: as often as patience allows, and once more.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{WrongKeys: Rate{1, time.Minute}, Block: 2 * time.Hour})
		l.WrongKey(alice, "a")
		for n := range patience {
			if got := l.Request(alice); got != time.Minute {
				t.Fatalf("refusal %d: got %v, want a minute", n+1, got)
			}
		}
		if got := l.Request(alice); got != 2*time.Hour {
			t.Errorf("refusal %d: got %v, want a block of 2 hours, as configured", patience+1, got)
		}
		if got := l.Refused(WrongKeys); got != patience {
			t.Errorf("refused for wrong keys: got %d, want %d", got, patience)
		}
		if got := l.Refused(Blocked); got != 1 {
			t.Errorf("refused because blocked: got %d, want 1", got)
		}
	})
}

// TestBlocks has a client provoke one block right after the other, and then one more, an hour after the last block ended.
func TestBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{WrongKeys: Rate{1, time.Second}, Block: 10 * time.Minute})
		n := 0
		provoke := func() time.Duration {
			for range 3 {
				n++
				l.WrongKey(alice, cache.Key(fmt.Sprint(n)))
			}
			return l.Request(alice)
		}
		for i, want := range []time.Duration{10, 20, 40, 60, 60} {
			want *= time.Minute
			if got := provoke(); got != want {
				t.Errorf("block %d: got %v, want %v", i+1, got, want)
			}
			if _, got := l.Known(); got != 1 {
				t.Errorf("in block %d: got %d blocked, want 1", i+1, got)
			}
			synctime.Pass(want - 1)
			if got := l.Request(alice); got != 1 {
				t.Errorf("at the end of block %d: got %v, want 1 ns", i+1, got)
			}
			synctime.Pass(time.Nanosecond)
			if _, got := l.Known(); got != 0 {
				t.Errorf("after block %d: got %d blocked, want 0", i+1, got)
			}
		}
		synctime.Pass(forgive)
		if got, want := provoke(), 10*time.Minute; got != want {
			t.Errorf("an hour later: got %v, want %v", got, want)
		}
	})
}

// TestRateOfGuesses lets a client guess as much as it can in a day without being blocked.
func TestRateOfGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{WrongKeys: Rate{20, time.Hour}, Block: time.Minute})
		guesses := 0
		for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); {
			if after := l.Request(alice); after > 0 {
				synctime.Pass(after)
				continue
			}
			l.WrongKey(alice, cache.Key(fmt.Sprint(guesses)))
			guesses++
		}
		if want := 20 + 24*20 - 1; guesses != want { // those that it has at first, and those that come back before the end
			t.Errorf("got %d guesses, want %d", guesses, want)
		}
	})
}
