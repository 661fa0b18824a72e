package turn

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestPeers(t *testing.T) {
	c := Config{AllowPeers: []string{"10.1.0.0/16"}, DenyPeers: []string{"10.1.2.0/24", "8.8.4.4"}}
	p, err := newPeers(&c, addresses{v4: netip.MustParseAddr("203.0.113.7"), v6: netip.MustParseAddr("2001:db8::7")})
	if err != nil {
		t.Fatal(err)
	}
	may := map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true, // public
		"203.0.113.7": true, "2001:db8::7": true, "::ffff:203.0.113.7": true, // relays' own
		"10.1.1.1": true, "::ffff:10.1.1.1": true, // allowed
		"10.1.2.3": false, "8.8.4.4": false, "::ffff:8.8.4.4": false, // denied

		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "100.64.0.1": false, "100.127.255.255": false, "127.0.0.1": false, "127.255.0.1": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.0.0.1": false, "192.0.2.1": false, "192.88.99.1": false,
		"192.168.1.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false, "203.0.113.8": false, "224.0.0.1": false,
		"239.255.255.255": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:0.0.0.0": false, "::127.0.0.1": false, "::ffff:192.168.1.1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "64:ff9b:1::1": false, "100::1": false, "2001::1": false, "2001:1ff::1": false, "2001:db8::8": false,
		"2002:7f00:1::": false, "2002:a00:1::1": false, "3fff::1": false, "5f00::1": false, "fc00::1": false, "fd12::1": false, "fe80::1": false,
		"febf::1": false, "fec0::1": false, "ff02::1": false,
		"::ffff:0:7f00:1": false, "64:ff9c::1": false, "200::1": false, "1fff::1": false, "4000::1": false, "a000::1": false, // in no registry
		"99.255.255.255": true, "100.128.0.1": true, "172.32.0.1": true, "172.15.0.1": true, "198.17.255.255": true, "198.20.0.1": true, "223.255.255.255": true,
		"2001:200::1": true, "2003::1": true, "2a00::1": true, "3ffe::1": true,
	}
	for text, want := range may {
		if got := p.may(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	if p.may(netip.Addr{}) || p.may(netip.MustParseAddr("2606:4700::1111%eth0")) {
		t.Error("no address, and one with a zone: want none")
	}
}

// TestOwnAddresses wants addresses of this machine that would be public to be refused.
func TestOwnAddresses(t *testing.T) {
	p, err := newPeers(&Config{}, addresses{})
	if err != nil {
		t.Fatal(err)
	}
	p.own, p.asked = map[netip.Addr]bool{netip.MustParseAddr("8.8.8.8"): true}, time.Now()
	if p.may(netip.MustParseAddr("8.8.8.8")) || p.may(netip.MustParseAddr("::ffff:8.8.8.8")) {
		t.Error("an address of this machine: got allowed, want refused")
	}
	for _, c := range []struct {
		allowed string
		want    bool
	}{{"10.1.0.0/16", false}, {"private", false}, {"10.1.0.1", true}, {"10.1.0.1/32", true}, {"10.1.0.2", false}} {
		p, err := newPeers(&Config{AllowPeers: []string{c.allowed}}, addresses{})
		if err != nil {
			t.Fatal(err)
		}
		own := netip.MustParseAddr("10.1.0.1")
		p.own, p.asked = map[netip.Addr]bool{own: true}, time.Now()
		if got := p.may(own); got != c.want {
			t.Errorf("%v of this machine, with --turn-allow-peers=%s: got %v, want %v", own, c.allowed, got, c.want)
		}
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	own, err := ownAddresses()
	if err != nil || len(own) != len(list) {
		t.Errorf("got %v (%v), want as many as %v", own, err, list)
	}
}
