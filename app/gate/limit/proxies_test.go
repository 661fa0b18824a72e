package limit

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestClient(t *testing.T) {
	for _, tt := range []struct{ trusted, from, forwarded, want string }{
		{"", "192.0.2.1", "203.0.113.7", "192.0.2.1"}, // nobody is believed
		{"loopback", "127.0.0.1", "", "127.0.0.1"},
		{"loopback", "127.0.0.1", "203.0.113.7", "203.0.113.7"},
		{"loopback", "192.0.2.1", "203.0.113.7", "192.0.2.1"},
		{"loopback", "127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"}, // the client wrote the first one, which counts for nothing
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
		{"fe80::/10", "fe80::1%eth0", "203.0.113.7", "203.0.113.7"}, // the peer's own zone
		{"loopback", "127.0.0.1", "203.0.113.7:", "127.0.0.1"},
		{"loopback", "127.0.0.1", "203.0.113.7:http", "127.0.0.1"},
		{"loopback", "127.0.0.1", "]203.0.113.7[", "127.0.0.1"},
		{"loopback", "127.0.0.1", "[2001:db8::1", "127.0.0.1"},
		{"loopback", "127.0.0.1", "[2001:db8::1]x", "127.0.0.1"},
		{"loopback", "127.0.0.1", "0203.0.113.7", "127.0.0.1"},
		{"loopback", "127.0.0.1", "203.0.113.7,", "127.0.0.1"}, // the proxy wrote an empty entry; the one before it is only the client's word
		{"loopback", "127.0.0.1", "unix:", "127.0.0.1"},        // as nginx writes it
		{"::ffff:10.0.0.0/104", "10.0.0.1", "203.0.113.7", "203.0.113.7"},
		{"private", "10.0.0.1", strings.Repeat("10.0.0.2,", 1000) + "10.0.0.3", "10.0.0.2"}, // a bounded look
		{"unix", "", "203.0.113.7", "203.0.113.7"},
		{"loopback", "", "203.0.113.7", ""},
	} {
		p, from, want := proxies(t, tt.trusted), address(tt.from), address(tt.want)
		if got := p.Client(from, []byte(tt.forwarded)); got != want {
			t.Errorf("%q, from %q for %.60q: got %v, want %v", tt.trusted, tt.from, tt.forwarded, got, want)
		}
	}
}

// TestOne looks at who is one client: whoever Client returns, unless many may be behind that.
func TestOne(t *testing.T) {
	for _, tt := range []struct{ trusted, from, forwarded, want string }{
		{"", "192.0.2.1", "203.0.113.7", "192.0.2.1"},
		{"", "127.0.0.1", "", "127.0.0.1"}, // loopback is a client as any other
		{"", "2001:db8:1:2:ffff::1", "", "2001:db8:1:2::"},
		{"", "", "", ""},
		{"", "", "203.0.113.7", ""}, // nobody said that whoever can reach the socket is a proxy
		{"unix", "", "", ""},
		{"unix", "", "203.0.113.7", "203.0.113.7"},
		{"loopback", "127.0.0.1", "", ""},
		{"loopback", "127.0.0.1", "unknown", ""},
		{"loopback", "127.0.0.1", "203.0.113.7", "203.0.113.7"},
		{"loopback", "192.0.2.1", "127.0.0.1", "192.0.2.1"},
		{"loopback", "127.0.0.1", "127.0.0.1, 203.0.113.7", "203.0.113.7"}, // a client that would rather be nobody
		{"loopback,private", "127.0.0.1", "203.0.113.7, 10.0.0.1", "203.0.113.7"},
		{"loopback,private", "127.0.0.1", "10.0.0.1", ""},
		{"2001:db8:1:2::1", "2001:db8:1:2::1", "", ""}, // though its network is not believed
		{"2001:db8:1:2::1", "2001:db8:1:2::2", "", "2001:db8:1:2::"},
		{"private", "10.0.0.1", strings.Repeat("10.0.0.2,", 1000) + "10.0.0.3", ""},
	} {
		p, from, want := proxies(t, tt.trusted), address(tt.from), address(tt.want)
		if got := p.One(from, []byte(tt.forwarded)); got != want {
			t.Errorf("%q, from %q for %.60q: got %v, want %v", tt.trusted, tt.from, tt.forwarded, got, want)
		}
		if got := p.One(from); !p.Believes(from) && got != want {
			t.Errorf("%q, from %q, which is not believed: got %v, want %v whatever it says", tt.trusted, tt.from, got, want)
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

// TestClientOfManyHeaders is about proxies that add a header of their own below the others, as HAProxy does.
func TestClientOfManyHeaders(t *testing.T) {
	p, err := ParseProxies([]string{"private"})
	if err != nil {
		t.Fatal(err)
	}
	peer := netip.MustParseAddr("10.0.0.1")
	for _, tt := range []struct {
		headers []string
		want    string
	}{
		{[]string{}, "10.0.0.1"},
		{[]string{""}, "10.0.0.1"},
		{[]string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7"},
		{[]string{"198.51.100.1", "203.0.113.7", "10.0.0.2"}, "203.0.113.7"},
		{[]string{"198.51.100.1, 203.0.113.7", "10.0.0.3,10.0.0.2"}, "203.0.113.7"},
		{[]string{"203.0.113.7", ""}, "10.0.0.1"},
		{[]string{"10.0.0.4", "10.0.0.3"}, "10.0.0.4"}, // all are proxies, so the furthest one asks for itself
	} {
		var headers [][]byte
		for _, h := range tt.headers {
			headers = append(headers, []byte(h))
		}
		if got := p.Client(peer, headers...); got != netip.MustParseAddr(tt.want) {
			t.Errorf("%q: got %v, want %s", tt.headers, got, tt.want)
		}
	}
}

func TestHopsAreBounded(t *testing.T) {
	p, err := ParseProxies([]string{"private"})
	if err != nil {
		t.Fatal(err)
	}
	peer := netip.MustParseAddr("10.0.0.1")
	for _, tt := range []struct {
		proxies int
		want    string
	}{{maxHops - 1, "203.0.113.7"}, {maxHops, "10.0.0.2"}} {
		header := "203.0.113.7" + strings.Repeat(",10.0.0.2", tt.proxies)
		if got := p.Client(peer, []byte(header)); got != netip.MustParseAddr(tt.want) {
			t.Errorf("behind %d proxies: got %v, want %s", tt.proxies, got, tt.want)
		}
	}
}

func TestClientAllocations(t *testing.T) {
	p, err := ParseProxies([]string{"private"})
	if err != nil {
		t.Fatal(err)
	}
	peer := netip.MustParseAddr("10.0.0.1")
	for _, tt := range []struct {
		header string
		want   float64
	}{
		{"", 0},
		{"203.0.113.7", 0},
		{"203.0.113.7:4711, 10.0.0.2", 0},
		{"[2001:db8::1]:4711,10.0.0.2,fd00::1", 0},
		{"unknown", 0},
		{"fe80::1%eth0", 0},
		{strings.Repeat("x", 4000), 0},
		{strings.Repeat("10.0.0.2,", 400), 0},
		{"999.1.1.1", 1}, // of the error, once, since that ends the walk
		{"::1::, 999.1.1.1", 1},
	} {
		header := []byte(tt.header)
		if got := testing.AllocsPerRun(100, func() { p.Client(peer, header) }); got != tt.want {
			t.Errorf("%.40q: got %v allocations, want %v", tt.header, got, tt.want)
		}
	}
}

// FuzzForwardedFor cuts any text into two headers, and compares Client with the same rules written down naively.
func FuzzForwardedFor(f *testing.F) {
	p, err := ParseProxies([]string{"private"})
	if err != nil {
		f.Fatal(err)
	}
	peer := netip.MustParseAddr("10.9.9.9")
	f.Fuzz(func(t *testing.T, first, second string) {
		got := p.Client(peer, []byte(first), []byte(second))
		if want := naive(&p, peer, first+","+second); got != want {
			t.Errorf("%q, %q: got %v, want %v", first, second, got, want)
		}
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("%q, %q: got %v, want an address without zone or mapping", first, second, got)
		}
		// Whatever a client writes before the entry that the proxy adds changes nothing.
		appended := netip.MustParseAddr("203.0.113.7")
		if got := p.Client(peer, []byte(first), []byte(second+", 203.0.113.7")); got != appended {
			t.Errorf("%q, %q and then the client's address: got %v, want %v", first, second, got, appended)
		}
		if got := p.Client(appended, []byte(first), []byte(second)); got != appended {
			t.Errorf("%q, %q of a stranger: got %v, want %v", first, second, got, appended)
		}
	})
}

// TestPeers says whose connections count together.
func TestPeers(t *testing.T) {
	p, err := ParseProxies([]string{"10.0.0.0/8", "fd00::/8", "unix"})
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "127.0.0.1": "127.0.0.1", "::1": "::",
		"2001:db8::1:2:3:4": "2001:db8::", "2001:db8:0:1::9": "2001:db8:0:1::", "fe80::1%eth0": "fe80::",
		"10.1.2.3": "", "::ffff:10.1.2.3": "", "fd12::7": "",
	} {
		got := p.One(netip.MustParseAddr(from))
		if want == "" && got.IsValid() || want != "" && got != netip.MustParseAddr(want) {
			t.Errorf("%s: got %v, want %q", from, got, want)
		}
	}
	for _, p := range []Proxies{p, {}} {
		if got := p.One(netip.Addr{}); got.IsValid() {
			t.Errorf("a Unix socket: got %v, want no one client", got)
		}
	}
}

// naive walks the entries from the right. It reads an entry by taking every way of writing an address in turn.
func naive(p *Proxies, addr netip.Addr, header string) netip.Addr {
	entries := strings.Split(header, ",")
	slices.Reverse(entries)
	for _, entry := range entries[:min(len(entries), maxHops)] {
		if !p.trusted(addr) {
			break
		}
		entry = strings.Trim(entry, " \t")
		bare, bracketed := strings.CutPrefix(entry, "[")
		if bracketed {
			bare, bracketed = strings.CutSuffix(bare, "]")
		}
		hop, err := netip.ParseAddr(bare)
		if strings.HasPrefix(entry, "[") && !bracketed || err != nil {
			host, port, ok := strings.Cut(entry, ":")
			if i := strings.LastIndex(entry, "]:"); strings.HasPrefix(entry, "[") && i >= 0 {
				host, port, ok = entry[1:i], entry[i+2:], true
			}
			if digits := regexp.MustCompile(`^[0-9]{1,5}$`); !ok || !digits.MatchString(port) {
				break
			}
			if hop, err = netip.ParseAddr(host); err != nil {
				break
			}
		}
		if hop.Zone() != "" || len(entry) > maxEntry {
			break
		}
		addr = hop.Unmap()
	}
	return identity(addr)
}

// proxies returns those of a list with commas; "": none.
func proxies(t *testing.T, trusted string) Proxies {
	t.Helper()
	var list []string
	if trusted != "" {
		list = strings.Split(trusted, ",")
	}
	p, err := ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// address returns the address of a text; "": the zero one.
func address(text string) netip.Addr {
	if text == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(text)
}
