package nat_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"signal-server/app/turn/turntest"
)

// TestThreeAddresses asks a server that listens everywhere, on a host with three addresses on one interface: each answers as itself. From a socket
// for all of them the kernel would answer as the first.
func TestThreeAddresses(t *testing.T) {
	t.Parallel()
	at, outside := newRoom(t), newRoom(t)
	addresses := []string{"198.18.1.1", "198.18.1.11", "198.18.1.12"}
	cable(t, at, "net", addresses[0]+"/24", outside, "net", "198.18.1.2/24")
	for _, more := range addresses[1:] {
		at.ip(t, "address add "+more+"/24 dev net")
	}
	s := serve(t, at, "--turn", "--turn-listen=:3478")
	credential := s.relays(t).credential

	asking := outside.listenPacket(t, "udp4", ":0") // connected to none of them
	for _, address := range addresses {
		question := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
		if _, err := asking.WriteTo(question.Raw, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address+":3478"))); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 2000)
		asking.SetReadDeadline(time.Now().Add(patience / 6))
		n, from, err := asking.ReadFrom(buffer)
		if err != nil || from.String() != address+":3478" {
			t.Fatalf("who asks %s: got an answer from %v, %v, want it from there", address, from, err)
		}
		answer, seen := &stun.Message{Raw: buffer[:n]}, stun.XORMappedAddress{}
		if err := answer.Decode(); err != nil || answer.TransactionID != question.TransactionID {
			t.Fatalf("%s: got %v, %v, want the answer", address, answer, err)
		}
		if err := seen.GetFrom(answer); err != nil || seen.IP.String() != "198.18.1.2" || seen.Port != asking.LocalAddr().(*net.UDPAddr).Port {
			t.Errorf("%s: got %v, %v, want the address of who asked", address, seen, err)
		}
	}
	s.wantMetric(t, "signal_stun_requests_total", float64(len(addresses)))

	var relays []net.PacketConn
	for _, address := range addresses {
		relay := allocate(t, client(t, outside, address+":3478", credential))
		if host := relay.LocalAddr().(*net.UDPAddr).IP.String(); !slices.Contains(addresses, host) {
			t.Fatalf("by %s: got a relay at %s, want one of %v", address, host, addresses)
		}
		for _, other := range relays {
			exchange(t, relay, other)
		}
		relays = append(relays, relay)
	}
}

// TestSecondAddressBehindNAT has a router translate two addresses of a host one to one, and a server at the second of them. Its relays have the one that
// belongs to --turn-address, not the one by which the host reaches the internet.
func TestSecondAddressBehindNAT(t *testing.T) {
	t.Parallel()
	const second, secondOutside = "10.77.0.6", "192.0.2.11"
	a := newBehindNAT(t)
	a.server.ip(t, "address add "+second+"/24 dev net")
	a.nat.ip(t, "address add "+secondOutside+"/32 dev lo")
	a.nat.translate(t, secondOutside, second)
	for i, peer := range a.peers {
		peer.ip(t, fmt.Sprintf("route add %s via 198.18.%d.1", secondOutside, i+1))
	}
	s := serve(t, a.server, "--turn", "--turn-listen="+second+":3478", "--turn-address="+secondOutside, "--turn-allow-peers=198.18.0.0/15")
	relay := allocate(t, client(t, a.peers[0], secondOutside+":3478", s.relays(t).credential))
	peer := a.peers[1].listenPacket(t, "udp4", "198.18.2.2:0")
	if _, err := relay.WriteTo([]byte("hello"), peer.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	peer.SetReadDeadline(time.Now().Add(patience / 6))
	n, from, err := peer.ReadFrom(buffer)
	if err != nil || from.String() != relay.LocalAddr().String() {
		t.Fatalf("the peer: got %q from %v, %v, want it from %v", buffer[:n], from, err, relay.LocalAddr())
	}
	if _, err := peer.WriteTo([]byte("hello"), relay.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	relay.SetReadDeadline(time.Now().Add(patience / 6))
	if n, from, err := relay.ReadFrom(buffer); err != nil || from.String() != peer.LocalAddr().String() {
		t.Errorf("the relay: got %q from %v, %v, want it from %v", buffer[:n], from, err, peer.LocalAddr())
	}
}

// TestClientOfOneLink has a client that has no address but that of its link (RFC 4291, Section 2.5.6). Of packets that come in a row the server learns the
// interface by its number, and now and then by its name. It is one client all the same.
func TestClientOfOneLink(t *testing.T) {
	t.Parallel()
	const relays, n = "2600:8::1", 100
	at, outside := newRoom(t), newRoom(t)
	cable(t, at, "net", relays+"/64", outside, "net", "fe80::2/64")
	outside.ip(t, "route add 2600:8::/64 dev net")
	s := serve(t, at, "--turn", "--turn-address="+relays)
	c := newRaw(t, outside, "["+relays+"]:3478", s.relays(t).credential)
	c.Allocate()
	var last *stun.Message
	for range n {
		last = c.Send(stun.MethodCreatePermission, turntest.PeerAt(&net.UDPAddr{IP: net.ParseIP("2600:7::1"), Port: 9}))
	}
	if c.Answer(last) == nil {
		t.Fatal("got no answer to the last request, want one")
	}
	s.wantMetric(t, "signal_turn_permissions_refused_total", 0)
}

// TestAddressThatSettles starts a server on a host that has just come up: the kernel still asks whether somebody else has its address of IPv6, and
// lets nobody use it meanwhile.
func TestAddressThatSettles(t *testing.T) {
	t.Parallel()
	const address = "2001:db8:2::1"
	at, outside := newRoom(t), newRoom(t)
	cable(t, at, "net", "198.18.1.1/24", outside, "net", "198.18.1.2/24")
	at.ip(t, "address add "+address+"/64 dev net")
	s := serve(t, at, "--turn", "--turn-listen=:3478", "--turn-address="+address)
	relay := allocate(t, client(t, at, "["+address+"]:3478", s.relays(t).credential))
	if host := relay.LocalAddr().(*net.UDPAddr).IP.String(); host != address {
		t.Errorf("got a relay at %s, want one at %s", host, address)
	}
}
