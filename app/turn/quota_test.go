package turn

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
)

func TestQuotas(t *testing.T) {
	c := Config{UserAllocations: 2, ClientAllocations: 3, Allocations: 16}
	for _, tt := range []struct {
		name string
		of   func(i int) share
		want int
	}{
		{"one user", func(i int) share { return shareOf("u", netip.AddrFrom4([4]byte{9, 9, 9, byte(i)})) }, 2},
		{"one address", func(i int) share { return shareOf(fmt.Sprint(i), netip.MustParseAddr("9.9.9.9")) }, 3},
		{"one /64", func(i int) share { return shareOf(fmt.Sprint(i), netip.MustParseAddr(fmt.Sprintf("2a00::%x", i+1))) }, 3},
		{"one /48", func(i int) share {
			return shareOf(fmt.Sprint(i), netip.MustParseAddr(fmt.Sprintf("2a00:0:0:%x::1", i+1)))
		}, 4},
		{"all", func(i int) share { return shareOf(fmt.Sprint(i), netip.AddrFrom4([4]byte{9, 9, 9, byte(i)})) }, 16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := newQuotas(&c)
			var got atomic.Int64
			var wg sync.WaitGroup
			for i := range 64 {
				wg.Go(func() {
					if q.take(tt.of(i)) {
						got.Add(1)
					}
				})
			}
			wg.Wait()
			if int(got.Load()) != tt.want || q.count() != tt.want {
				t.Errorf("taken: got %d, counted %d, want %d", got.Load(), q.count(), tt.want)
			}
		})
	}
}

// TestQuotasAreGivenBack wants nothing to be left once all is given back.
func TestQuotasAreGivenBack(t *testing.T) {
	q := newQuotas(&Config{UserAllocations: 9, ClientAllocations: 9, Allocations: 36})
	for range 2 {
		var all []share
		for i := range 9 {
			s := shareOf("u", netip.MustParseAddr("2a00::1"))
			if i >= 4 {
				s = shareOf("u", netip.MustParseAddr("9.9.9.9"))
			}
			if !q.take(s) {
				t.Fatalf("number %d: got refused, want taken", i)
			}
			all = append(all, s)
		}
		if q.take(shareOf("u", netip.MustParseAddr("9.9.9.8"))) {
			t.Error("number 10 of one user: got taken, want refused")
		}
		for _, s := range all {
			q.give(s)
		}
		if q.count() != 0 || len(q.users)+len(q.clients)+len(q.sites) != 0 {
			t.Errorf("left: got %d, %v, %v, %v, want nothing", q.count(), q.users, q.clients, q.sites)
		}
	}
}
