package turn

import (
	"net/netip"
	"os"
	"regexp"
	"testing"
)

// TestCoturnRefusesTheSame asks for some hundred thousand addresses whether the configuration of coturn in deploy/ refuses them: those that are refused here, and
// no others.
func TestCoturnRefusesTheSame(t *testing.T) {
	text, err := os.ReadFile("../../deploy/coturn/turnserver.conf")
	if err != nil {
		t.Fatal(err)
	}
	type span struct{ first, last netip.Addr }
	var denied []span
	for _, m := range regexp.MustCompile(`(?m)^denied-peer-ip=([^-\n]+)-(.+)$`).FindAllStringSubmatch(string(text), -1) {
		denied = append(denied, span{netip.MustParseAddr(m[1]), netip.MustParseAddr(m[2])})
	}
	refuses := func(addr netip.Addr) bool {
		for _, d := range denied {
			if d.first.BitLen() == addr.BitLen() && d.first.Compare(addr) <= 0 && addr.Compare(d.last) <= 0 {
				return true
			}
		}
		return false
	}
	var sample []netip.Addr
	for n := range 1 << 16 { // each /16 of both families, and the smaller networks where some of them are refused
		high, low := byte(n>>8), byte(n)
		sample = append(sample, netip.AddrFrom4([4]byte{high, low, 200, 1}), netip.AddrFrom4([4]byte{192, 0, high, low}), netip.AddrFrom4([4]byte{192, 88, high, low}),
			netip.AddrFrom4([4]byte{198, 51, high, low}), netip.AddrFrom4([4]byte{203, 0, high, low}))
		for _, beginning := range [][]byte{{high, low, 0x80}, {0x20, 0x01, high, low}, {0x3f, 0xff, high, low}, {0, 0x64, 0xff, 0x9b, high, low}, {0x01, 0, 0, 0, 0, 0, high, low}} {
			var addr [16]byte
			copy(addr[:], beginning)
			sample = append(sample, netip.AddrFrom16(addr))
		}
		sample = append(sample, netip.AddrFrom16([16]byte{10: high, 11: low, 12: 8, 15: 8}))
	}
	refused := 0
	for _, addr := range sample {
		want := special.Contains(addr) || addr.Is4In6()
		if got := refuses(addr); got != want {
			t.Fatalf("%v: got %v, want %v, as here", addr, got, want)
		}
		if want {
			refused++
		}
	}
	if refused == 0 || refused == len(sample) {
		t.Fatalf("got %d of %d refused: nothing was compared", refused, len(sample))
	}
}
