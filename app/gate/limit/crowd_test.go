package limit

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/cache"
	"signal-server/test/synctime"
)

// crowdRate is the rate of these tests: each client may guess so often.
var crowdRate = Rate{4, time.Minute}

// in returns client number n of the site of that number.
func in(site, n int) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(site >> 8), byte(site), byte(n >> 8), byte(n), 1})
}

// guess asks for a key that has no session, and returns for how long it was refused.
func guess(l *Limiter, client netip.Addr, key string) time.Duration {
	if after := l.Request(client); after > 0 {
		return after
	}
	if after := l.Doubts(client, cache.Key(key)); after > 0 {
		return after
	}
	l.WrongKey(client, cache.Key(key))
	return 0
}

// right asks for a key that has a session.
func right(l *Limiter, client netip.Addr, key string) time.Duration {
	if after := max(l.Request(client), l.Doubts(client, cache.Key(key))); after > 0 {
		return after
	}
	l.RightKey(client, cache.Key(key))
	return 0
}

// TestGuessingOfASite lets 200 /64 of one /48 guess.
func TestGuessingOfASite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{WrongKeys: crowdRate, Block: time.Minute})
		met, early := in(0, 1000), in(0, 1001)
		if right(l, met, "met") > 0 || guess(l, early, "early") > 0 {
			t.Fatal("before: got refused, want served")
		}
		let := 0
		for n := range 200 {
			for i := range crowdRate.Events {
				if guess(l, in(0, n), fmt.Sprint(n, i)) == 0 {
					let++
				}
			}
		}
		if want := perSite*crowdRate.Events - 1; let != want { // early had one
			t.Errorf("got %d guesses, want %d", let, want)
		}
		if got := guess(l, in(0, 500), "x"); got <= 0 || got > time.Minute/perSite {
			t.Errorf("another client of the site, which does not know its key: got refused for %v, want until the site's next guess is due", got)
		}
		if got := right(l, met, "met"); got != 0 {
			t.Errorf("a client of the site that has met its peer: got refused for %v, want served", got)
		}
		if got := guess(l, early, "early"); got != 0 {
			t.Errorf("a client of the site that waits for its peer: got refused for %v, want served", got)
		}
		if got := guess(l, in(1, 0), "x"); got != 0 {
			t.Errorf("another site: got refused for %v, want served", got)
		}
		if got := guess(l, alice, "x"); got != 0 {
			t.Errorf("a client of IPv4: got refused for %v, want served", got)
		}
		synctime.Pass(time.Minute / time.Duration(perSite*crowdRate.Events))
		if got := guess(l, in(0, 501), "y"); got != 0 {
			t.Errorf("when one is due: got refused for %v, want served", got)
		}
		if got := guess(l, in(0, 502), "z"); got == 0 {
			t.Error("one more: got served, want refused")
		}
		if _, blocked := l.Known(); blocked != 0 {
			t.Errorf("got %d blocked, want none: each client has kept to its own", blocked)
		}
	})
}

// TestASiteRefusesForNothing lets a client try to open while its site has nothing left. It has all of its own when the site has again.
func TestASiteRefusesForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{WrongKeys: crowdRate, Block: time.Minute})
		for n := range perSite {
			for i := range crowdRate.Events {
				l.Try(in(0, n), cache.Key(fmt.Sprint(n, i)))
			}
		}
		client := in(0, perSite)
		for i := range crowdRate.Events {
			if after, _ := l.Try(client, cache.Key(fmt.Sprint("early", i))); after == 0 {
				t.Fatal("beside a site that has used up what it has: got served, want refused")
			}
		}
		synctime.Pass(time.Minute / perSite) // for as many as one client has, of the site; for none, of the client
		for i := range crowdRate.Events {
			if after, _ := l.Try(client, cache.Key(fmt.Sprint("late", i))); after != 0 {
				t.Errorf("session %d: got refused for %v, want served: those that were refused count for nothing", i, after)
			}
		}
	})
}

// TestOpeningOfASite lets 200 /64 of one /48 open sessions that nobody answers.
func TestOpeningOfASite(t *testing.T) {
	l := New(Config{WrongKeys: crowdRate, Block: time.Minute})
	open := 0
	for n := range 200 {
		for i := range crowdRate.Events {
			client, key := in(0, n), cache.Key(fmt.Sprint(n, i))
			if after, counts := l.Try(client, key); after == 0 && counts {
				l.Opened(client, key)
				open++
			}
		}
	}
	if want := perSite * crowdRate.Events; open != want {
		t.Errorf("got %d opened, want %d", open, want)
	}
	if after, _ := l.Try(in(1, 0), "k"); after != 0 {
		t.Errorf("another site: got refused for %v, want served", after)
	}
	if got := l.Request(in(0, 0)); got != 0 {
		t.Errorf("what opens nothing: got refused for %v, want served", got)
	}
}

// TestAnsweredSessions gives each session back once.
func TestAnsweredSessions(t *testing.T) {
	for _, client := range []netip.Addr{alice, in(0, 0)} {
		l := New(Config{WrongKeys: crowdRate, Block: time.Minute})
		try := func(key cache.Key) bool {
			after, counts := l.Try(client, key)
			if after == 0 && counts {
				l.Opened(client, key)
			}
			return after == 0
		}
		for i := range 100 { // each is answered before the next one
			key := cache.Key(fmt.Sprint("answered ", i))
			if !try(key) {
				t.Fatalf("session %d: got refused, want opened", i)
			}
			l.RightKey(client, key) // it polls
			l.Met(client, key)
		}
		for i := range crowdRate.Events {
			if !try(cache.Key(fmt.Sprint("alone ", i))) {
				t.Fatalf("session %d that nobody answers: got refused, want opened", i)
			}
		}
		for range 5 {
			l.Met(client, "alone 0")    // one that was answered late
			l.Met(client, "answered 0") // long ago
			l.Met(client, "nobody's")
		}
		for i, want := range []bool{true, false, false} {
			if got := try(cache.Key(fmt.Sprint("more ", i))); got != want {
				t.Errorf("session %d after one was given back: got opened %v, want %v", i, got, want)
			}
		}
	}
}

// TestBrake lets many addresses guess, until the server has no guess left.
func TestBrake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{WrongKeys: crowdRate, Block: time.Minute})
		guilty := nth(0) // bob and alice are none of the others
		for n := range perServer {
			for i := range crowdRate.Events {
				if got := guess(l, nth(uint32(n)), fmt.Sprint(n, i)); got != 0 && n > 0 {
					t.Fatalf("guess %d of client %d: got refused for %v, want served", i, n, got)
				}
			}
		}
		if got := right(l, alice, "r1") + right(l, alice, "r2"); got != 0 {
			t.Errorf("a client that asks for right keys: got refused for %v, want served", got)
		}
		if got := guess(l, bob, "b1"); got != 0 {
			t.Errorf("the first wrong key of a client: got refused for %v, want served", got)
		}
		if got := guess(l, bob, "b2"); got != 45*time.Second {
			t.Errorf("the second one: got refused for %v, want for the 45 s in which three come back", got)
		}
		if got := l.Refused(Brake); got != 1 {
			t.Errorf("refused by the brake: got %d, want 1", got)
		}
		if got := guess(l, bob, "b1"); got != 0 {
			t.Errorf("the first one again, for which it waits: got refused for %v, want served", got)
		}
		if got := right(l, bob, "b1"); got != 0 {
			t.Errorf("the first one, when it turns out right: got refused for %v, want served", got)
		}
		if got := right(l, bob, "b3"); got != 0 {
			t.Errorf("a further right one then: got refused for %v, want served", got)
		}
		shared := in(7, 7) // by many people
		for i := range 3 {
			if got := right(l, shared, fmt.Sprint("right ", i)); got != 0 {
				t.Fatalf("right key %d of an address that many share: got refused for %v, want served", i, got)
			}
		}
		for i := range 3 {
			if got := guess(l, shared, fmt.Sprint("wrong ", i)); got != 0 {
				t.Errorf("wrong key %d of an address that was served with 3 right ones: got refused for %v, want served", i, got)
			}
		}
		if got := guess(l, shared, "wrong 3"); got == 0 {
			t.Error("a wrong key too many of that address: got served, want refused")
		}
		if got := guess(l, guilty, "g"); got == 0 {
			t.Error("a client that has guessed before: got served, want refused")
		}
		if _, blocked := l.Known(); blocked != 0 {
			t.Errorf("got %d blocked, want none", blocked)
		}
		synctime.Pass(3 * time.Minute)
		for i := range crowdRate.Events {
			if got := guess(l, bob, fmt.Sprint("later", i)); got != 0 {
				t.Errorf("guess %d when the brake is off: got refused for %v, want served", i, got)
			}
		}
	})
}

// TestBrakeComesOff guesses from a million addresses. What the server lacks then is bounded.
func TestBrakeComesOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{WrongKeys: crowdRate, Block: time.Minute})
		for n := range uint32(100_000) {
			guess(l, nth(n), "k")
		}
		if !l.braked(time.Since(l.base)) {
			t.Fatal("got no brake, want one")
		}
		synctime.Pass(time.Minute + time.Second)
		if l.braked(time.Since(l.base)) {
			t.Error("a minute later: got the brake still on, want it off")
		}
	})
}

// TestGuessesAllocateNothing is about all that a request may count.
func TestGuessesAllocateNothing(t *testing.T) {
	for _, client := range []netip.Addr{alice, in(0, 0)} {
		l := New(Config{WrongKeys: Rate{1 << 20, time.Second}, Block: time.Minute})
		if got := testing.AllocsPerRun(100, func() {
			l.WrongKey(client, "a")
			l.RightKey(client, "a")
			l.OthersKey(client, "b", 3)
			l.Try(client, "c")
			l.Opened(client, "c")
			l.Met(client, "c")
			l.Untry(client, "d")
			l.guesses.doubt(time.Hour)
			l.Doubts(client, "e")
		}); got != 0 {
			t.Errorf("%v: got %v allocations, want none", client, got)
		}
	}
}

func BenchmarkDoubts(b *testing.B) {
	for name, doubtful := range map[string]time.Duration{"nobody guesses": 0, "somebody guesses": 1 << 60} {
		for who, client := range map[string]netip.Addr{"IPv4": alice, "IPv6": in(0, 0)} {
			b.Run(name+", "+who, func(b *testing.B) {
				l := New(Config{WrongKeys: crowdRate, Block: time.Minute})
				l.guesses.doubtful.Store(int64(doubtful))
				b.ReportAllocs()
				for b.Loop() {
					l.Doubts(client, "a key of the usual sort")
				}
			})
		}
	}
}

func BenchmarkRightKey(b *testing.B) {
	l := New(Config{WrongKeys: crowdRate, Block: time.Minute})
	b.ReportAllocs()
	for b.Loop() {
		l.RightKey(alice, "a key of the usual sort")
	}
}
