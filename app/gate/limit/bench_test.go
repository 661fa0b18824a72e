package limit

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"signal-server/cache"
)

// public are limits that no benchmark reaches.
var public = Config{
	Requests: Rate{1 << 30, time.Second}, Opens: Rate{1 << 30, time.Second}, WrongKeys: Rate{1 << 30, time.Second},
	Block: time.Minute, Waits: 1 << 20,
}

// nth returns an address, another one for each n.
func nth(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// blocker returns a limiter that has blocked alice.
func blocker() *Limiter {
	l := New(Config{WrongKeys: Rate{1, time.Hour}, Block: time.Hour})
	for n := range 3 {
		l.WrongKey(alice, cache.Key(fmt.Sprint(n)))
	}
	return l
}

func TestAllocations(t *testing.T) {
	l, refusing, blocking := New(public), New(Config{Requests: Rate{1, time.Hour}}), blocker()
	small := New(Config{Requests: Rate{1, time.Hour}, WrongKeys: Rate{1, time.Hour}, Block: time.Hour, Clients: 64})
	var n uint32
	keys := make([]cache.Key, 100)
	for i := range keys {
		keys[i] = cache.Key(fmt.Sprint(i))
	}
	for name, f := range map[string]func(){
		"request":               func() { l.Request(alice) },
		"request, refused":      func() { refusing.Request(alice) },
		"request, blocked":      func() { blocking.Request(alice) },
		"request of a stranger": func() { n++; small.Request(nth(n)) },
		"block of a stranger":   func() { n++; small.WrongKey(nth(n), "a"); small.WrongKey(nth(n), "b"); small.WrongKey(nth(n), "c") },
		"open":                  func() { l.Open(alice) },
		"the same wrong key":    func() { l.WrongKey(alice, "k") },
		"another wrong key":     func() { n++; l.WrongKey(alice, keys[n%100]) },
		"wait":                  func() { h, _ := l.Wait(alice); h.Release() },
	} {
		if got := testing.AllocsPerRun(1000, f); got != 0 {
			t.Errorf("%s: got %v allocations, want none", name, got)
		}
	}
}

// TestMemory lets a million addresses ask.
func TestMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	l := New(public)
	for n := range uint32(1_000_000) {
		l.Request(nth(n))
	}
	got := heap() - before
	clients, _ := l.Known()
	t.Logf("%d bytes for %d clients, %d each", got, clients, got/DefaultClients)
	if clients != DefaultClients {
		t.Errorf("clients: got %d, want %d", clients, DefaultClients)
	}
	if limit := uint64(DefaultClients * 203); got > limit {
		t.Errorf("heap: got %d bytes, want %d at the most", got, limit)
	}
}

// TestBlocksOutlast blocks more others than there is room for. The oldest blocks are forgotten first.
func TestBlocksOutlast(t *testing.T) {
	l := New(Config{WrongKeys: Rate{1, time.Hour}, Block: time.Hour, Clients: 64})
	block := func(n uint32) {
		for k := range 3 {
			l.WrongKey(nth(n), cache.Key(fmt.Sprint(k)))
		}
	}
	const room = 64 / 8
	for n := range uint32(room + 1) {
		block(n)
	}
	if _, got := l.Known(); got != room {
		t.Errorf("blocked: got %d, want %d", got, room)
	}
	for n := range uint32(room + 1) {
		if got, want := l.shards[0].blocked.Contains(idOf(nth(n))), n > 0; got != want {
			t.Errorf("number %d of %d: got blocked %v, want %v", n+1, room+1, got, want)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	refusing, blocking := public, blocker()
	refusing.Requests = Rate{1, time.Hour}
	many := New(public)
	for n := range uint32(DefaultClients) {
		many.Request(nth(n))
	}
	var n uint32
	for _, bb := range []struct {
		name string
		run  func()
	}{
		{"served", func() { many.Request(alice) }},
		{"served, one of many", func() { n++; many.Request(nth(n * 40503 % (DefaultClients / 2))) }},
		{"a stranger", func() { n++; many.Request(nth(n * 2654435761)) }},
		{"refused", func() func() { l := New(refusing); return func() { l.Request(alice) } }()},
		{"blocked", func() { blocking.Request(alice) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bb.run()
			}
		})
	}
}

func BenchmarkRequestParallel(b *testing.B) {
	refusing := public
	refusing.Requests = Rate{1, time.Hour}
	for _, bb := range []struct {
		name   string
		config Config
		one    bool
	}{
		{"served, many clients", public, false},
		{"served, one client", public, true},
		{"refused, one client", refusing, true},
	} {
		b.Run(bb.name, func(b *testing.B) {
			l := New(bb.config)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				n := uint32(0)
				for pb.Next() {
					if !bb.one {
						n++
					}
					l.Request(nth(n % 1000))
				}
			})
		})
	}
}

func BenchmarkWrongKey(b *testing.B) {
	l := New(public)
	keys := make([]cache.Key, 1000)
	for i := range keys {
		keys[i] = cache.Key(fmt.Sprint(i))
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		l.WrongKey(alice, keys[n%len(keys)])
	}
}

func BenchmarkWait(b *testing.B) {
	l := New(public)
	b.ReportAllocs()
	for b.Loop() {
		h, _ := l.Wait(alice)
		h.Release()
	}
}

func BenchmarkProxies(b *testing.B) {
	p, err := ParseProxies([]string{"loopback", "private"})
	if err != nil {
		b.Fatal(err)
	}
	from := netip.MustParseAddr("127.0.0.1")
	for name, header := range map[string]string{
		"one proxy":   "203.0.113.7",
		"two proxies": "203.0.113.7, 10.0.0.1",
		"hostile":     "203.0.113.7" + string(make([]byte, 4000)) + ",10.0.0.1",
	} {
		b.Run(name, func(b *testing.B) {
			forwarded := []byte(header)
			b.ReportAllocs()
			for b.Loop() {
				p.Client(from, forwarded)
			}
		})
	}
}
