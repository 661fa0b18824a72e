package turn

import (
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// TestOwnAddressesAreUnknown asks for peers while the system gives no descriptor to ask it by: who may be this machine is refused.
func TestOwnAddressesAreUnknown(t *testing.T) {
	elsewhere, own, special := netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("10.0.0.1")
	allowed, listed := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1")
	relays := addresses{v4: netip.MustParseAddr("9.9.9.10")}
	p, err := newPeers(&Config{AllowPeers: []string{"10.1.0.0/16", listed.String()}}, relays)
	if err != nil {
		t.Fatal(err)
	}
	want := func(when string, may map[netip.Addr]bool) {
		t.Helper()
		for addr, want := range may {
			if got := p.may(addr); got != want {
				t.Errorf("%s, %v: got %v, want %v", when, addr, got, want)
			}
		}
	}
	withoutDescriptors(t, func() {
		want("unknown", map[netip.Addr]bool{elsewhere: false, own: false, special: false, allowed: false, listed: true, relays.v4: true})
	})
	want("known", map[netip.Addr]bool{elsewhere: true, special: false, allowed: true, listed: true})
	p.own[own] = true
	p.asked = time.Now().Add(-2 * ownFor)
	withoutDescriptors(t, func() {
		want("known, and asked again in vain", map[netip.Addr]bool{elsewhere: true, own: false, special: false})
	})
}

// withoutDescriptors calls f while this process may open nothing.
func withoutDescriptors(t *testing.T, f func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
	}()
	if _, err := ownAddresses(); err == nil {
		t.Fatal("the system tells its addresses: nothing is tested")
	}
	f()
}
