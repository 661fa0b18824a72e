package cache

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
)

func payer(n uint64) (p Payer) {
	binary.BigEndian.PutUint64(p[:8], 0x20010db8_00000000+n)
	return p
}

func TestLedger(t *testing.T) {
	l := NewLedger(100)
	one, two := payer(1), payer(2)
	for i, step := range []struct {
		what string
		got  bool
		want bool
	}{
		{"up to the limit", l.Take(one, 60) && l.Take(one, 40), true},
		{"a byte more", l.Take(one, 1), false},
		{"nothing more", l.Take(one, 0), true},
		{"another payer", l.Take(two, 100), true},
		{"more than the limit at once", l.Take(payer(3), 101), false},
		{"nobody in particular", l.Take(Payer{}, 1<<40), true},
	} {
		if step.got != step.want {
			t.Errorf("step %d, %s: got %v, want %v", i, step.what, step.got, step.want)
		}
	}
	l.Give(one, 30)
	l.Give(Payer{}, 1<<40)
	if l.Take(one, 31) || !l.Take(one, 30) {
		t.Error("after 30 bytes came back: got 31 taken or 30 not, want 30 exactly")
	}
	if got := l.Refused(); got != 3 {
		t.Errorf("Refused: got %d, want 3", got)
	}
	l.Give(one, 100)
	l.Give(two, 100)
	if got := l.known(); got != 0 {
		t.Errorf("payers that hold nothing: got %d remembered, want none", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("Give of what was not taken: got no panic, want one")
		}
	}()
	l.Give(two, 1)
}

// known returns how many payers the ledger remembers.
func (l *Ledger) known() (n int) {
	for i := range l.pages {
		n += len(l.pages[i].held)
	}
	return n
}

func TestLedgerWithoutLimit(t *testing.T) {
	l := NewLedger(0)
	if !l.Take(payer(1), 1<<60) || l.known() != 0 {
		t.Errorf("got %d payers counted, want none", l.known())
	}
	l.Give(payer(1), 1<<61)
}

// TestLedgerGivesMemoryBack lets many payers come and go.
func TestLedgerGivesMemoryBack(t *testing.T) {
	l := NewLedger(1)
	const many = ledgerPages * ledgerKeep * 8
	for n := range uint64(many) {
		if !l.Take(payer(n), 1) {
			t.Fatalf("payer %d: got it refused, want its one byte", n)
		}
	}
	fullest := 0
	for i := range l.pages {
		fullest = max(fullest, len(l.pages[i].held))
	}
	if fullest > 2*many/ledgerPages {
		t.Errorf("the fullest of %d pages: got %d of %d payers, want them spread evenly", ledgerPages, fullest, many)
	}
	for n := range uint64(many) {
		l.Give(payer(n), 1)
	}
	for i := range l.pages {
		if most := l.pages[i].most; most != 0 {
			t.Errorf("page %d: got the memory of %d payers kept, want it given back", i, most)
		}
	}
}

func TestLedgerAtOnce(t *testing.T) {
	l := NewLedger(1000)
	var all sync.WaitGroup
	for i := range uint64(8) {
		all.Go(func() {
			for n := range uint64(10_000) {
				p := payer((i + n) % 3)
				if l.Take(p, 300) {
					l.Give(p, 300)
				}
			}
		})
	}
	all.Wait()
	if got := l.known(); got != 0 {
		t.Errorf("after all gave back: got %d payers, want none", got)
	}
}

func TestLedgerAllocs(t *testing.T) {
	l := NewLedger(1000)
	p, other := payer(1), payer(2)
	l.Take(other, 1)
	if got := testing.AllocsPerRun(10_000, func() {
		if !l.Take(p, 1000) || l.Take(p, 1) {
			t.Error("got another limit than 1000")
		}
		l.Give(p, 1000)
	}); got != 0 {
		t.Errorf("Take and Give: got %v allocations, want 0", got)
	}
}

func BenchmarkLedger(b *testing.B) {
	l, p := NewLedger(1000), payer(1)
	b.ReportAllocs()
	for b.Loop() {
		l.Take(p, 1000)
		l.Give(p, 1000)
	}
}

func TestPayerOf(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1":                 "192.0.2.1",
		"::ffff:192.0.2.1":          "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":      "2001:db8:1:2::/64",
		"2001:db8:1:2::":            "2001:db8:1:2::/64",
		"fe80::1%eth0":              "fe80::/64",
		"127.0.0.1":                 "127.0.0.1",
		"2001:db8:1:2:ffff:ffff::1": "2001:db8:1:2::/64",
	} {
		p := PayerOf(netip.MustParseAddr(text))
		if got := p.String(); got != want || p == (Payer{}) {
			t.Errorf("%s: got the payer %s, want %s", text, got, want)
		}
	}
	if got := PayerOf(netip.Addr{}); got != (Payer{}) || got.String() != "nobody in particular" {
		t.Errorf("no address: got %s, want nobody in particular", got)
	}
}

func TestShare(t *testing.T) {
	const memory = 1 << 30
	for text, want := range map[string]struct {
		written string
		of      int64
	}{
		"1/8": {"1/8", memory / 8}, "1/1": {"1/1", memory}, "1/1000000000000": {"1/1000000000000", 1}, "0": {"0", 0}, "1": {"1B", 1}, "64MiB": {"64MiB", 64 << 20}, "1.5KiB": {"1KiB512B", 1536},
		"4GiB": {"4GiB", 4 << 30},
	} {
		var s, again Share
		if err := s.UnmarshalText([]byte(text)); err != nil || s.String() != want.written || s.Of(memory) != want.of {
			t.Errorf("%q: got %v (%v), which is %d of a GiB; want %s, which is %d", text, s, err, s.Of(memory), want.written, want.of)
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%q, written and read again: got %v (%v), want %v", text, again, err, s)
		}
	}
	if got := (Share{Part: 8}).Of(0); got != 0 {
		t.Errorf("an eighth of an unknown memory: got %d, want 0: no limit", got)
	}
	for _, text := range []string{"", "x", "-1", "1/0", "1/-8", "1/+8", "1/", "2/8", "1/8.5", "0.125", "12.5%", "1 /8", "1KiB/8", "off", "-1KiB", "9223372036854775807"} {
		s := Share{Part: 8}
		if err := s.UnmarshalText([]byte(text)); err == nil || s != (Share{Part: 8}) {
			t.Errorf("%q: got %v (%v), want it refused and the share as it was", text, s, err)
		}
	}
}
