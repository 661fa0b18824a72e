package nat_test

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"signal-server/app/turn/turntest"
)

// special are networks where a relay must lead nowhere: by the registries of special-purpose addresses of IANA (RFC 6890).
var special = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "::1/128", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7",
	"fe80::/10", "fec0::/10", "ff00::/8",
}

// Addresses of the guarded server, beside public and public6. Nobody outside of the room sees that two of them are somebody else's.
const (
	owned   = "11.0.0.1"     // neither special nor the relays'
	owned6  = "2600::1"      // nor is this one
	nearby  = "10.1.0.2"     // in a room that only the server reaches
	servant = ":5353"        // a service's port at each of them
	token   = "from a relay" // what must arrive nowhere
)

// guarded is a server with services around it that no client may reach, and a client.
type guarded struct {
	*server
	client   *turntest.Client
	services map[string]*net.UDPConn // by address
}

func newGuarded(t testing.TB) *guarded {
	t.Helper()
	at, outside, inner := newRoom(t), newRoom(t), newRoom(t)
	for _, address := range []string{public + "/32", public6 + "/128", owned + "/32", owned6 + "/128"} {
		at.ip(t, "address add "+address+" dev lo")
	}
	cable(t, at, "client", "198.18.1.1/24", outside, "net", "198.18.1.2/24")
	cable(t, at, "inner", "10.1.0.1/24", inner, "net", nearby+"/24")
	outside.ip(t, "route add "+public+" via 198.18.1.1")
	inner.ip(t, "route add "+public+" via 10.1.0.1")
	g := &guarded{services: make(map[string]*net.UDPConn)}
	g.server = serve(t, at, "--turn", "--turn-address="+public+","+public6)
	g.client = newRaw(t, outside, public+":3478", g.relays(t).credential)
	for _, address := range []string{public, public6, owned, owned6, "127.0.0.1", "::1", "10.1.0.1"} {
		g.services[address] = at.listenPacket(t, "udp", net.JoinHostPort(address, servant[1:]))
	}
	g.services[nearby] = inner.listenPacket(t, "udp", nearby+servant)
	return g
}

// wantHeard checks that the service gets what the test has sent to an address: otherwise nothing is tested.
func (g *guarded) wantHeard(service, at string) {
	t := g.client
	t.Helper()
	buffer := make([]byte, 100)
	g.services[service].SetReadDeadline(time.Now().Add(patience / 6))
	if n, _, err := g.services[service].ReadFrom(buffer); err != nil || string(buffer[:n]) != "the test" {
		t.Fatalf("who asks at %s: got %q, %v, want what the test sends there", at, buffer[:n], err)
	}
}

// wantSilent checks that no service has got anything: what comes next is what the test sends there now.
func (g *guarded) wantSilent() {
	t := g.client
	t.Helper()
	for address, service := range g.services {
		if _, err := service.WriteTo([]byte("the test"), service.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 100)
		service.SetReadDeadline(time.Now().Add(patience))
		n, from, err := service.ReadFrom(buffer)
		if err != nil || string(buffer[:n]) != "the test" {
			t.Errorf("the service at %s: got %q from %v, %v, want nothing", address, buffer[:n], from, err)
		}
	}
}

// TestPeersThatAreRefused asks for each address that a relay must not lead to, in each way, and sends there nevertheless.
func TestPeersThatAreRefused(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	var v4, v6, mapped []net.IP
	add := func(addr netip.Addr) {
		if addr.Is4() {
			long := addr.As16()
			v4, mapped = append(v4, addr.AsSlice()), append(mapped, long[:])
		} else {
			v6 = append(v6, addr.AsSlice())
		}
	}
	for _, text := range special {
		network := netip.MustParsePrefix(text)
		add(network.Addr())
		add(last(network))
	}
	for address := range g.services {
		if address != public && address != public6 {
			add(netip.MustParseAddr(address))
		}
	}
	c, refused := g.client, 0
	for _, relay := range []struct {
		family byte
		codes  map[stun.ErrorCode][]net.IP // what CreatePermission answers
	}{
		{1, map[stun.ErrorCode][]net.IP{stun.CodeForbidden: append(v4, mapped...), stun.CodePeerAddrFamilyMismatch: v6}},
		{2, map[stun.ErrorCode][]net.IP{stun.CodeForbidden: v6, stun.CodePeerAddrFamilyMismatch: append(v4, mapped...)}},
	} {
		c.Allocate(turntest.Family(relay.family))
		for permission, peers := range relay.codes {
			binding := permission
			if permission == stun.CodeForbidden {
				binding = stun.CodeUnauthorized // so does Pion's server
				refused += 2 * len(peers)
			}
			for _, ip := range peers {
				peer := &net.UDPAddr{IP: ip, Port: 5353}
				if code, _ := c.Ask(stun.MethodCreatePermission, turntest.PeerAt(peer)); code != permission {
					t.Errorf("a permission for %d bytes %v: got %d, want %d", len(ip), ip, code, permission)
				}
				if code, _ := c.Ask(stun.MethodChannelBind, turntest.PeerAt(peer), turntest.Channel(0x4000)); code != binding {
					t.Errorf("a channel to %d bytes %v: got %d, want %d", len(ip), ip, code, binding)
				}
				c.SendTo(peer, token)
				c.SendByChannel(0x4000, token) // by the channel
			}
		}
		c.Must(stun.MethodRefresh, turntest.Lifetime(0)) // what was sent before has been handled
	}
	g.wantSilent()
	g.wantMetric(t, "signal_turn_permissions_refused_total", float64(refused))
	g.wantMetric(t, `signal_turn_bytes_total{direction="to_peer"}`, 0)
}

// last is the last address of a network.
func last(network netip.Prefix) netip.Addr {
	addr := network.Addr().AsSlice()
	for bit := network.Bits(); bit < 8*len(addr); bit++ {
		addr[bit/8] |= 0x80 >> (bit % 8)
	}
	end, _ := netip.AddrFromSlice(addr)
	return end
}

// TestServicesBesideRelays gives a relay a permission for the address that relays have, which another service of the machine has, too.
func TestServicesBesideRelays(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	for family, address := range map[byte]string{1: public, 2: public6} {
		service := g.services[address]
		peer := service.LocalAddr().(*net.UDPAddr)
		before := g.metric(t, `signal_turn_packets_dropped_total{reason="port"}`)
		c := g.client
		relay := c.Allocate(turntest.Family(family))
		c.Must(stun.MethodCreatePermission, turntest.PeerAt(peer))
		c.Must(stun.MethodChannelBind, turntest.PeerAt(peer), turntest.Channel(0x4000))
		for range 5 {
			c.SendTo(peer, token)
			c.SendByChannel(0x4000, token)
		}
		for range 5 {
			if _, err := service.WriteTo([]byte(token), relay); err != nil { // nor does it reach the client
				t.Fatal(err)
			}
		}
		g.wantMetric(t, `signal_turn_packets_dropped_total{reason="port"}`, before+15)
		c.Must(stun.MethodRefresh, turntest.Lifetime(0))
	}
	g.wantSilent()
	g.wantMetric(t, `signal_turn_bytes_total{direction="to_peer"}`, 0)
	g.wantMetric(t, `signal_turn_bytes_total{direction="from_peer"}`, 0)
}

// TestNoRelayOfTCP asks for what would be a proxy for TCP (RFC 6062).
func TestNoRelayOfTCP(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	if code, _ := g.client.Ask(stun.MethodAllocate, turntest.OverTCP); code != stun.CodeInsufficientCapacity {
		t.Errorf("a relay of TCP: got %d, want %d", code, stun.CodeInsufficientCapacity)
	}
	g.wantMetric(t, `signal_turn_allocations_total{result="no_port"}`, 1)
	g.wantMetric(t, "signal_turn_allocations", 0)

	service := g.room.listen(t, public+":0")
	g.client.Allocate()
	peer := turntest.PeerAt(&net.UDPAddr{IP: net.ParseIP(public).To4(), Port: service.Addr().(*net.TCPAddr).Port})
	if code, _ := g.client.Ask(stun.MethodConnect, peer); code <= 0 {
		t.Errorf("a connection to a peer, by a relay of UDP: got %d, want it refused", code)
	}
	own := g.room.dial(t, "tcp", service.Addr().String())
	if conn, err := service.Accept(); err != nil || conn.RemoteAddr().String() != own.LocalAddr().String() {
		t.Errorf("got a connection %v, %v, want none but that of the test", conn, err)
	}
}

// TestOwnAddressBehindNAT lets clients reach private addresses, behind a router that translates the server's own one. A network of them leaves that out. Where
// it is allowed by itself it stands for relays: no service there is reached.
func TestOwnAddressBehindNAT(t *testing.T) {
	t.Parallel()
	for allowed, own := range map[string]stun.ErrorCode{"private": stun.CodeForbidden, "10.77.0.0/24": stun.CodeForbidden, "private," + private: 0} {
		t.Run(allowed, func(t *testing.T) {
			t.Parallel()
			a := newBehindNAT(t)
			s := serve(t, a.server, "--turn", "--turn-address="+outside, "--turn-allow-peers="+allowed)
			g := &guarded{server: s, client: newRaw(t, a.peers[0], outside+":3478", s.relays(t).credential), services: map[string]*net.UDPConn{
				private: a.server.listenPacket(t, "udp", private+servant),
			}}
			g.client.Allocate()
			dropped := 0
			for address, want := range map[string]stun.ErrorCode{private: own, outside: 0, "10.77.0.1": 0} {
				peer := &net.UDPAddr{IP: net.ParseIP(address).To4(), Port: 5353}
				if code, _ := g.client.Ask(stun.MethodCreatePermission, turntest.PeerAt(peer)); code != want {
					t.Errorf("a permission for %s: got %d, want %d", address, code, want)
				}
				if address == "10.77.0.1" {
					continue // another machine, which may be reached
				}
				if want == 0 {
					dropped++
				}
				g.client.SendTo(peer, token)
			}
			g.client.Must(stun.MethodRefresh)
			g.wantSilent()
			g.wantMetric(t, `signal_turn_packets_dropped_total{reason="port"}`, float64(dropped))
		})
	}
}

// TestNetworksOfThisMachine asks for addresses that are no interface's, and at which the machine gets packets all the same: of everybody in a network of IPv4,
// and of any router in one of IPv6. One of everybody is of somebody's choosing: the server does not know it, and sends nothing there.
func TestNetworksOfThisMachine(t *testing.T) {
	t.Parallel()
	const here, here6, chosen = "9.9.8.1", "2600:8::5", "9.9.7.77"
	at, outside := newRoom(t), newRoom(t)
	at.do(func() {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0); err != nil { // of a router
			t.Fatal(err)
		}
	})
	cable(t, at, "net", "9.9.7.1/24 broadcast "+chosen, outside, "net", "9.9.8.2/24")
	at.ip(t, "address add "+here+"/24 broadcast + dev net", "address add "+here6+"/64 dev net nodad")
	s := serve(t, at, "--turn", "--turn-address="+here+","+here6)
	g := &guarded{server: s, client: newRaw(t, outside, here+":3478", s.relays(t).credential), services: map[string]*net.UDPConn{
		"all of IPv4": at.listenPacket(t, "udp4", servant), "all of IPv6": at.listenPacket(t, "udp6", "[::]"+servant),
	}}
	for _, of := range []struct {
		family  byte
		service string
		peers   map[string]stun.ErrorCode // at which the system has the service hear; what CreatePermission answers
	}{
		{1, "all of IPv4", map[string]stun.ErrorCode{"9.9.8.255": stun.CodeForbidden, chosen: 0}},
		{2, "all of IPv6", map[string]stun.ErrorCode{"2600:8::": stun.CodeForbidden}},
	} {
		c := g.client
		c.Allocate(turntest.Family(of.family))
		for address, want := range of.peers {
			ip := netip.MustParseAddr(address)
			peer := &net.UDPAddr{IP: ip.AsSlice(), Port: 5353}
			if code, _ := c.Ask(stun.MethodCreatePermission, turntest.PeerAt(peer)); code != want {
				t.Errorf("a permission for %s: got %d, want %d", address, code, want)
			}
			c.SendTo(peer, token)
			if _, err := g.services[of.service].WriteTo([]byte("the test"), peer); err != nil {
				t.Fatal(err)
			}
			g.wantHeard(of.service, address)
		}
		c.Must(stun.MethodRefresh, turntest.Lifetime(0)) // what was sent before has been handled
	}
	g.wantSilent()
}
