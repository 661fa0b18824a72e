package limit

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"signal-server/cache"
	"signal-server/test/synctime"
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

// TestRates takes all events at once, asks for one more, and takes one again when it is due.
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
				if wait != 200*time.Millisecond {
					t.Errorf("number 6: got %v, want 200 ms, when the next is due", wait)
				}
				if got := tt.ask(l, bob); got != 0 {
					t.Errorf("somebody else: got refused for %v, want served", got)
				}
				synctime.Pass(wait)
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

// TestRateOfConnections connects as often as one client may, and once more. A client that is refused is told when to come back, and
// counts as none whose request was refused.
func TestRateOfConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{Connections: Rate{2, time.Second}})
		for i := range 2 {
			if got := l.Connect(alice); got != 0 {
				t.Errorf("number %d: got refused for %v, want served", i+1, got)
			}
		}
		wait := l.Connect(alice)
		if wait != 500*time.Millisecond {
			t.Errorf("number 3: got %v, want 500 ms, when the next is due", wait)
		}
		if got := l.Connect(bob); got != 0 {
			t.Errorf("somebody else: got refused for %v, want served", got)
		}
		if got := l.Request(alice); got != 0 {
			t.Errorf("a request over a connection: got refused for %v, want served", got)
		}
		synctime.Pass(wait)
		if got := l.Connect(alice); got != 0 {
			t.Errorf("when it is due: got refused for %v, want served", got)
		}
		for _, r := range Reasons() {
			if got := l.Refused(r); got != 0 {
				t.Errorf("requests refused for %v: got %d, want none", r, got)
			}
		}
	})
	if got := New(Config{Requests: Rate{1, time.Second}}).Connect(alice); got != 0 {
		t.Errorf("without such a rate: got refused for %v, want served", got)
	}
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

// TestReleaseOfTheForgotten makes the limiter forget a client while it waits. The client begins anew, and the wait from before no longer
// counts.
func TestReleaseOfTheForgotten(t *testing.T) {
	l := New(Config{Waits: 1, Clients: 1})
	old, _ := l.Wait(alice)
	hers, _ := l.Wait(bob) // alice is forgotten
	old.Release()
	if _, ok := l.Wait(bob); ok {
		t.Error("the release of somebody forgotten let another have one more")
	}
	hers.Release()
	if _, ok := l.Wait(alice); !ok { // she is known again
		t.Fatal("who begins anew: got refused")
	}
	old.Release()
	if _, ok := l.Wait(alice); ok {
		t.Error("the release of what was held before let her have one more")
	}
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
	for range 100 {
		all.Go(func() { (<-held).Release() })
	}
	all.Wait()
	for n := range 101 {
		if _, ok := l.Wait(alice); ok != (n < 100) {
			t.Errorf("wait %d after all were released: got %v", n+1, ok)
		}
	}
}

// TestRequestsAtOnce asks from many goroutines. No more are served than the bucket has.
func TestRequestsAtOnce(t *testing.T) {
	l := New(Config{Requests: Rate{100, time.Hour}, WrongKeys: Rate{1 << 20, time.Second}, Block: time.Minute, Clients: 64})
	var served atomic.Int64
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := range 100 {
				if l.Request(alice) == 0 {
					served.Add(1)
				}
				l.WrongKey(alice, cache.Key(fmt.Sprint(worker, n)))
				l.Open(alice)
				l.Known()
			}
		})
	}
	all.Wait()
	if got := served.Load(); got != 100 {
		t.Errorf("got %d served, want 100", got)
	}
}

func TestIdentities(t *testing.T) {
	addrs := []netip.Addr{
		{},
		netip.MustParseAddr("::1"), netip.MustParseAddr("0.0.0.0"), alice, bob,
		netip.MustParseAddr("2001:db8:0:1::1"), netip.MustParseAddr("2001:db8:0:2::1"),
	}
	seen := make(map[id]netip.Addr)
	for _, addr := range addrs {
		if other, ok := seen[idOf(addr)]; ok {
			t.Errorf("%v and %v: got one client, want two", addr, other)
		}
		seen[idOf(addr)] = addr
	}
	for _, same := range [][2]string{{"2001:db8::1", "2001:db8::ffff:0:0:1"}, {"192.0.2.1", "::ffff:192.0.2.1"}} {
		if a, b := idOf(netip.MustParseAddr(same[0])), idOf(netip.MustParseAddr(same[1])); a != b {
			t.Errorf("%v: got two clients, want one", same)
		}
	}
}

// TestForgetting floods the limiter with addresses. Memory stays the same, and a client that is blocked stays blocked.
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
	if clients != 1024 || blocked != 1 {
		t.Errorf("got %d clients and %d blocked, want 1024 and one", clients, blocked)
	}
	if got := l.Request(alice); got < 50*time.Minute {
		t.Errorf("the blocked client after the flood: got %v, want it blocked", got)
	}
}
