package limit

import (
	"net/netip"
	"strings"
	"testing"
)

func TestClient(t *testing.T) {
	for _, tt := range []struct{ trusted, from, forwarded, want string }{
		{"", "192.0.2.1", "203.0.113.7", "192.0.2.1"}, // nobody is believed
		{"loopback", "127.0.0.1", "", "127.0.0.1"},
		{"loopback", "127.0.0.1", "203.0.113.7", "203.0.113.7"},
		{"loopback", "192.0.2.1", "203.0.113.7", "192.0.2.1"},
		{"loopback", "127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"}, // what the client wrote counts for nothing
		{"loopback,10.0.0.0/8", "127.0.0.1", "198.51.100.1, 203.0.113.7,10.1.2.3", "203.0.113.7"},
		{"loopback,private", "::1", " 203.0.113.7 ,\t192.168.0.1 ", "203.0.113.7"},
		{"loopback", "127.0.0.1", "203.0.113.7:4711", "203.0.113.7"},
		{"loopback", "127.0.0.1", "[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::"},
		{"loopback", "127.0.0.1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"loopback", "127.0.0.1", "[2001:db8:1:2::9]", "2001:db8:1:2::"},
		{"", "2001:db8:1:2:ffff::1", "", "2001:db8:1:2::"},
		{"", "::ffff:192.0.2.1", "", "192.0.2.1"},
		{"127.0.0.1", "::ffff:127.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"},
		{"loopback", "127.0.0.1", "unknown", "127.0.0.1"},
		{"loopback,private", "127.0.0.1", "unknown, 10.0.0.1", "10.0.0.1"},
		{"loopback,private", "127.0.0.1", "203.0.113.7, , 10.0.0.1", "10.0.0.1"},
		{"loopback", "127.0.0.1", "fe80::1%eth0", "127.0.0.1"},
		{"private", "10.0.0.1", strings.Repeat("10.0.0.2,", 1000) + "10.0.0.3", "10.0.0.2"}, // a bounded look
		{"unix", "", "203.0.113.7", "203.0.113.7"},
		{"loopback", "", "203.0.113.7", ""},
	} {
		var list []string
		if tt.trusted != "" {
			list = strings.Split(tt.trusted, ",")
		}
		p, err := ParseProxies(list)
		if err != nil {
			t.Fatal(err)
		}
		var from, want netip.Addr
		if tt.from != "" {
			from = netip.MustParseAddr(tt.from)
		}
		if tt.want != "" {
			want = netip.MustParseAddr(tt.want)
		}
		if got := p.Client(from, []byte(tt.forwarded)); got != want {
			t.Errorf("%q, from %q for %.60q: got %v, want %v", tt.trusted, tt.from, tt.forwarded, got, want)
		}
	}
}

func TestProxiesThatAreNone(t *testing.T) {
	_, err := ParseProxies([]string{"10.0.0.0/8", "10.0.0.0/33", "example.org", "", "fe80::1%eth0", "10.0.0.1:80"})
	if err == nil {
		t.Fatal("got nil, want an error")
	}
	for _, want := range []string{`"10.0.0.0/33"`, `"example.org"`, `""`, `"fe80::1%eth0"`, `"10.0.0.1:80"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), `"10.0.0.0/8"`) {
		t.Errorf("got %v, want it to name the wrong ones only", err)
	}
}

// FuzzForwarded reads any header: who counts is the peer, or an address that the header has behind the last that is not trusted.
func FuzzForwarded(f *testing.F) {
	for _, header := range []string{"", "203.0.113.7", "a, b", "10.0.0.1,203.0.113.7", "[::1]:80", "fe80::1%x", ",,,", "::ffff:10.0.0.1"} {
		f.Add(header)
	}
	p, err := ParseProxies([]string{"private"})
	if err != nil {
		f.Fatal(err)
	}
	peer := netip.MustParseAddr("10.9.9.9")
	f.Fuzz(func(t *testing.T, header string) {
		got := p.Client(peer, []byte(header))
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("%q: got %v, want an address", header, got)
		}
		// Whatever a client writes before what the proxy appends changes nothing.
		if got, want := p.Client(peer, []byte(header+", 203.0.113.7")), netip.MustParseAddr("203.0.113.7"); got != want {
			t.Errorf("%q and then the client's address: got %v, want %v", header, got, want)
		}
	})
}
