package limit

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"signal-server/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	alice = netip.MustParseAddr("192.0.2.1")
	bob   = netip.MustParseAddr("192.0.2.2")
)

func TestNothingToLimit(t *testing.T) {
	if l := New(Config{Block: time.Minute}); l != nil {
		t.Errorf("got %v, want nil", l)
	}
}

// TestRates takes all at once, one more, and one again when it is due.
func TestRates(t *testing.T) {
	for name, tt := range map[string]struct {
		config Config
		ask    func(*Limiter, netip.Addr) time.Duration
		reason Reason
	}{
		"requests": {Config{Requests: Rate{5, time.Second}}, (*Limiter).Request, Requests},
		"opens":    {Config{Opens: Rate{5, time.Second}}, (*Limiter).Open, Opens},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New(tt.config)
				for i := range 5 {
					if got := tt.ask(l, alice); got != 0 {
						t.Errorf("number %d: got refused for %v, want served", i+1, got)
					}
				}
				wait := tt.ask(l, alice)
				if wait <= 190*time.Millisecond || wait > 200*time.Millisecond {
					t.Errorf("number 6: got %v, want 200 ms, when the next is due", wait)
				}
				if got := tt.ask(l, bob); got != 0 {
					t.Errorf("somebody else: got refused for %v, want served", got)
				}
				time.Sleep(wait + time.Millisecond)
				if got := tt.ask(l, alice); got != 0 {
					t.Errorf("when it is due: got refused for %v, want served", got)
				}
				if got := tt.ask(l, alice); got == 0 {
					t.Error("one more: got served, want refused")
				}
				if got := l.Refused(tt.reason); got != 2 {
					t.Errorf("refused: got %d, want 2", got)
				}
			})
		})
	}
}

// TestGuessing has a client guess keys: it is slowed, and blocked when it goes on, longer each time, and forgiven in the end.
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
		if wait <= 9*time.Second || wait > 10*time.Second {
			t.Errorf("guess 7: got %v, want the 10 s until one is due", wait)
		}
		time.Sleep(wait + time.Millisecond)
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
			time.Sleep(want - time.Second)
			if got := guess(200); got <= 0 || got > time.Second {
				t.Errorf("a second before the end: got %v, want blocked", got)
			}
			if got := l.Open(alice); got == 0 {
				t.Error("a blocked client opens: got served, want refused")
			}
			if got := l.Request(bob); got != 0 {
				t.Errorf("somebody else: got refused for %v, want served", got)
			}
			time.Sleep(2 * time.Second)
			for n := 300; guess(n) == 0; n++ { // until it is slowed again
			}
		}
	})
}

// TestWaitingForOneKey has an answerer ask for the key of a session that is not open yet, and clients that mistype now and then.
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
			time.Sleep(21 * time.Second)
			if got := l.Request(alice); got != 0 {
				t.Fatalf("a new key every 21 s: got refused for %v, want served", got)
			}
			l.WrongKey(alice, cache.Key(fmt.Sprint(n)))
		}
	})
}

func TestWaits(t *testing.T) {
	l := New(Config{Waits: 2})
	first, ok1 := l.Wait(alice)
	_, ok2 := l.Wait(alice)
	_, ok3 := l.Wait(alice)
	_, other := l.Wait(bob)
	if got := [...]bool{ok1, ok2, ok3, other}; got != [...]bool{true, true, false, true} {
		t.Errorf("three waits of one and one of another, 2 allowed: got %v", got)
	}
	first.Release()
	if _, ok := l.Wait(alice); !ok {
		t.Error("after a release: got refused, want one more")
	}
	if _, ok := l.Wait(alice); ok {
		t.Error("and again: got one more, want refused")
	}
	if got := l.Refused(Waits); got != 2 {
		t.Errorf("refused: got %d, want 2", got)
	}
	Held{}.Release()
}

// TestWaitsAtOnce checks the count under concurrency.
func TestWaitsAtOnce(t *testing.T) {
	l := New(Config{Waits: 100})
	var all sync.WaitGroup
	held := make(chan Held, 1000)
	for range 10 {
		all.Go(func() {
			for range 100 {
				if h, ok := l.Wait(alice); ok {
					held <- h
				}
			}
		})
	}
	all.Wait()
	if got := len(held); got != 100 {
		t.Errorf("got %d waits, want 100", got)
	}
}

// TestForgetting floods the limiter with addresses: memory stays, and who is blocked stays blocked.
func TestForgetting(t *testing.T) {
	l := New(Config{Requests: Rate{1000, time.Second}, WrongKeys: Rate{1, time.Hour}, Block: time.Hour, Clients: 1024})
	l.WrongKey(alice, "a")
	for range patience + 2 {
		l.Request(alice)
	}
	var b [4]byte
	for n := range uint32(200_000) {
		binary.BigEndian.PutUint32(b[:], n)
		l.Request(netip.AddrFrom4(b))
	}
	clients, blocked := l.Known()
	if clients > 1024 || blocked != 1 {
		t.Errorf("got %d clients and %d blocked, want 1024 at the most, and one", clients, blocked)
	}
	if got := l.Request(alice); got < 50*time.Minute {
		t.Errorf("the blocked client after the flood: got %v, want it blocked", got)
	}
}

func TestNoAllocations(t *testing.T) {
	l := New(Config{Requests: Rate{1 << 30, time.Second}, Opens: Rate{1 << 30, time.Second}, WrongKeys: Rate{1 << 30, time.Second}, Waits: 1})
	var p Proxies
	forwarded := []byte("192.0.2.7, 10.0.0.1")
	for name, f := range map[string]func(){
		"request": func() { l.Request(alice) },
		"open":    func() { l.Open(alice) },
		"key":     func() { l.WrongKey(alice, "k") },
		"wait":    func() { h, _ := l.Wait(alice); h.Release() },
		"proxies": func() { p.Client(alice, forwarded) },
	} {
		if got := testing.AllocsPerRun(1000, f); got != 0 {
			t.Errorf("%s: got %v allocations, want none", name, got)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	l := New(Config{Requests: Rate{1 << 30, time.Second}, WrongKeys: Rate{20, time.Minute}})
	b.ReportAllocs()
	for b.Loop() {
		l.Request(alice)
	}
}

func BenchmarkRefused(b *testing.B) {
	l := New(Config{Requests: Rate{1, time.Hour}})
	b.ReportAllocs()
	for b.Loop() {
		l.Request(alice)
	}
}

func BenchmarkClient(b *testing.B) {
	p, err := ParseProxies([]string{"loopback", "private"})
	if err != nil {
		b.Fatal(err)
	}
	from, forwarded := netip.MustParseAddr("127.0.0.1"), []byte("203.0.113.7, 10.0.0.1")
	b.ReportAllocs()
	for b.Loop() {
		p.Client(from, forwarded)
	}
}
