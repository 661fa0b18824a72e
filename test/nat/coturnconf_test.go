package nat_test

import (
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"signal-server/app/turn/turntest"
	"signal-server/test/need"
)

// Addresses of these rooms that are nothing special: those of other tests are refused by coturn as it is configured.
const (
	coturnAt      = "192.0.3.1"
	coturnAt6     = "2600:3::1"
	clientOfIt    = "192.0.3.2"
	clientOfIt6   = "2600:3::2"
	publicPeer    = "192.0.4.2"
	publicPeer6   = "2600:4::2"
	metadata      = "169.254.169.254" // what clouds tell their machines at, passwords too
	coturnOutside = "192.0.5.10"      // of one behind a router that translates addresses
)

// configureCoturn returns the configuration of coturn in deploy/ as docs/operations.md has it finished: with the secret appended, and edited.
func configureCoturn(t testing.TB, edits ...string) (path string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/coturn/turnserver.conf")
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	for i := 0; i+1 < len(edits); i += 2 {
		line := regexp.MustCompile(`(?m)^` + edits[i] + `$`)
		if n := len(line.FindAllString(config, -1)); n != 1 {
			t.Fatalf("turnserver.conf: got %d lines %s, want one", n, edits[i])
		}
		config = line.ReplaceAllLiteralString(config, edits[i+1])
	}
	return write(t, "turnserver.conf", config+"static-auth-secret="+secret+"\n")
}

// TestCoturnAsConfigured runs coturn by the configuration in deploy/ on a machine with public addresses: it leads to public peers of both families, and to
// no special ones.
func TestCoturnAsConfigured(t *testing.T) {
	t.Parallel()
	need.Programs(t, "turnserver")
	at, outside := newRoom(t), newRoom(t) // the other one has all that the server might reach
	cable(t, at, "net", coturnAt+"/24", outside, "net", clientOfIt+"/24")
	at.ip(t, "address add "+coturnAt6+"/64 dev net nodad")
	outside.ip(t, "address add "+clientOfIt6+"/64 dev net nodad")
	at.ip(t, "route add default via "+clientOfIt, "route add default via "+clientOfIt6)
	for _, address := range []string{publicPeer + "/32", publicPeer6 + "/128", nearby + "/32", metadata + "/32"} {
		outside.ip(t, "address add "+address+" dev lo nodad")
	}
	cert := newCertificate(t, nil, net.ParseIP(coturnAt))
	startCoturn(t, at, outside, []string{coturnAt + ":3478", net.JoinHostPort(coturnAt6, "3478"), coturnAt + ":5349"},
		"-c", configureCoturn(t, `#cert=\S+`, "cert="+cert.cert, `#pkey=\S+`, "pkey="+cert.key))

	var refused [3][]net.IP // by family: the first and the last of each special network
	add := func(addr netip.Addr) {
		if addr.Is4() {
			refused[1] = append(refused[1], addr.AsSlice())
			long := addr.As16()
			refused[2] = append(refused[2], long[:]) // ::ffff:a.b.c.d
		} else {
			refused[2] = append(refused[2], addr.AsSlice())
		}
	}
	for _, text := range special {
		network := netip.MustParsePrefix(text)
		add(network.Addr())
		add(last(network))
	}
	add(netip.MustParseAddr("::127.0.0.1")) // that was once a way to write the one of IPv4
	add(netip.MustParseAddr("::8.8.8.8"))
	for _, address := range []string{"::8.8.8.0", "::ffff:0:8.8.8.8", "200::1", "1fff::1", "4000::1"} { // in no registry, and not public either
		add(netip.MustParseAddr(address))
	}
	services := make(map[string]*net.UDPConn)
	for address, in := range map[string]*room{"127.0.0.1": at, "::1": at, nearby: outside, metadata: outside} {
		services[address] = in.listenPacket(t, "udp", net.JoinHostPort(address, servant[1:]))
		add(netip.MustParseAddr(address))
	}

	g := &guarded{services: services}
	for _, of := range []struct {
		family       byte
		server, peer string
	}{{1, coturnAt, publicPeer}, {2, coturnAt6, publicPeer6}} {
		c := newRaw(t, outside, net.JoinHostPort(of.server, "3478"), issue(t, "somebody", time.Now().Add(time.Minute)))
		g.client = c
		relay := c.Allocate(turntest.Family(of.family))
		if relay.IP.String() != of.server {
			t.Errorf("got a relay at %v, want one at %s", relay, of.server)
		}
		peer := outside.listenPacket(t, "udp", net.JoinHostPort(of.peer, "0"))
		c.Must(stun.MethodCreatePermission, turntest.PeerAt(addressOf(peer)))
		exchangeWith(c, peer, relay)
		for _, ip := range refused[of.family] {
			to := &net.UDPAddr{IP: ip, Port: 5353}
			if code, _ := c.Ask(stun.MethodCreatePermission, turntest.PeerAt(to)); code != stun.CodeForbidden {
				t.Errorf("a permission for %d bytes %v: got %d, want %d", len(ip), ip, code, stun.CodeForbidden)
			}
			if code, _ := c.Ask(stun.MethodChannelBind, turntest.PeerAt(to), turntest.Channel(0x4000)); code != stun.CodeForbidden {
				t.Errorf("a channel to %d bytes %v: got %d, want %d", len(ip), ip, code, stun.CodeForbidden)
			}
			c.SendTo(to, token)
		}
		exchangeWith(c, peer, relay) // still; and what was sent before has been handled
		g.wantSilent()
	}

	credential := issue(t, "somebody", time.Now().Add(time.Minute))
	over := tls.Client(outside.dial(t, "tcp", coturnAt+":5349"), cert.trusted(t, coturnAt))
	byTLS := allocate(t, clientOver(t, turn.NewSTUNConn(over), coturnAt+":5349", credential))
	if _, err := byTLS.WriteTo([]byte("there"), addressOf(outside.listenPacket(t, "udp", publicPeer+":0"))); err != nil {
		t.Errorf("by TLS: got %v, want a relay that sends", err)
	}
	credential.Password = "wrong"
	wrong := newRaw(t, outside, coturnAt+":3478", credential)
	if code, _ := wrong.Ask(stun.MethodAllocate, turntest.OverUDP); code != stun.CodeUnauthorized {
		t.Errorf("with a wrong password: got %d, want %d", code, stun.CodeUnauthorized)
	}
}

// addressOf is the address of a socket, one of IPv4 in 4 bytes.
func addressOf(conn *net.UDPConn) *net.UDPAddr {
	at := *conn.LocalAddr().(*net.UDPAddr)
	if v4 := at.IP.To4(); v4 != nil {
		at.IP = v4
	}
	return &at
}

// exchangeWith sends data to a peer that it may send to, and has it send some back.
func exchangeWith(c *turntest.Client, peer *net.UDPConn, relay *net.UDPAddr) {
	c.Helper()
	c.SendTo(addressOf(peer), "there")
	buffer := make([]byte, 2000)
	peer.SetReadDeadline(time.Now().Add(patience / 6))
	if n, from, err := peer.ReadFrom(buffer); err != nil || string(buffer[:n]) != "there" || from.String() != relay.String() {
		c.Fatalf("the peer %v: got %q from %v, %v, want data from %v", peer.LocalAddr(), buffer[:n], from, err, relay)
	}
	if _, err := peer.WriteTo([]byte("back"), relay); err != nil {
		c.Fatal(err)
	}
	c.Conn.SetReadDeadline(time.Now().Add(patience / 6))
	for {
		n, err := c.Conn.Read(buffer)
		if err != nil {
			c.Fatalf("from the peer %v: got %v, want data", peer.LocalAddr(), err)
		}
		m := &stun.Message{Raw: buffer[:n]}
		if m.Decode() != nil || m.Type != stun.NewType(stun.MethodData, stun.ClassIndication) {
			continue
		}
		if data, err := m.Get(stun.AttrData); err != nil || string(data) != "back" {
			c.Fatalf("from the peer %v: got %q, %v, want data", peer.LocalAddr(), data, err)
		}
		return
	}
}

// TestCoturnBehindNAT runs coturn by that configuration with the line in use that is for a cloud host, in both ways that it tells of.
func TestCoturnBehindNAT(t *testing.T) {
	t.Parallel()
	need.Programs(t, "turnserver", "nft")
	for line, meets := range map[string]bool{ // two clients of this server reach each other
		"external-ip=" + coturnOutside + "/" + private: true,
		"external-ip=" + coturnOutside:                 false,
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			at, nat, outside := newRoom(t), newRoom(t), newRoom(t)
			cable(t, at, "net", private+"/24", nat, "server", "10.77.0.1/24")
			at.ip(t, "route add default via 10.77.0.1")
			cable(t, nat, "peer", "192.0.3.1/24", outside, "net", clientOfIt+"/24")
			outside.ip(t, "route add "+coturnOutside+" via 192.0.3.1")
			nat.translate(t, coturnOutside, private)
			server := coturnOutside + ":3478"
			startCoturn(t, at, outside, []string{server}, "-c", configureCoturn(t, `#external-ip=\S+`, line))

			credential := issue(t, "somebody", time.Now().Add(time.Minute))
			c := newRaw(t, outside, server, credential)
			relay := c.Allocate()
			if relay.IP.String() != coturnOutside {
				t.Errorf("got a relay at %v, want one at %s", relay, coturnOutside)
			}
			peer := outside.listenPacket(t, "udp4", clientOfIt+":0")
			c.Must(stun.MethodCreatePermission, turntest.PeerAt(addressOf(peer)))
			exchangeWith(c, peer, relay)

			may := map[string]bool{coturnOutside: meets, private: meets, "10.77.0.1": false, "10.77.0.6": false, "127.0.0.1": false, metadata: false}
			for address, may := range may {
				want := stun.CodeForbidden
				if may {
					want = 0
				}
				if code, _ := c.Ask(stun.MethodCreatePermission, turntest.PeerAt(&net.UDPAddr{IP: net.ParseIP(address).To4(), Port: 9})); code != want {
					t.Errorf("a permission for %s: got %d, want %d", address, code, want)
				}
			}
			if meets {
				exchange(t, allocate(t, client(t, outside, server, credential)), allocate(t, client(t, outside, server, credential)))
			}
		})
	}
}
