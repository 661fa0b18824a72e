package turn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"signal-server/test/until"
)

// service is a program at an address of this machine that is no relay.
func service(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// wantNothing wants nothing to arrive. What has been sent over loopback is there already.
func wantNothing(t *testing.T, conn net.PacketConn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	buffer := make([]byte, 2000)
	if n, from, err := conn.ReadFrom(buffer); err == nil {
		t.Errorf("got %q from %v, want nothing", buffer[:n], from)
	}
}

// TestServicesOfThisMachine wants a relay to reach no program at its own address, and to hear of none.
func TestServicesOfThisMachine(t *testing.T) {
	r := serve(t, small(), Parts{})
	a := r.allocate(r.client("udp", "a", time.Minute))
	own := service(t)
	dropped := &r.server.counts.dropped[droppedPort]
	for i := range 10 { // the first ones are sent as indications, those after by a channel
		if _, err := a.WriteTo([]byte("who is there?"), own.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		until.Nil(t, soon, func() error {
			if dropped.Load() < int64(i+1) {
				return errors.New("the packet is not counted")
			}
			return nil
		})
	}
	wantNothing(t, own)
	if _, err := own.WriteTo([]byte("me"), a.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	until.Nil(t, soon, func() error {
		if got := dropped.Load(); got != 11 {
			return fmt.Errorf("dropped: got %d, want 11", got)
		}
		return nil
	})
	wantNothing(t, a)
}

func TestPeersThatAreRefused(t *testing.T) {
	r := serve(t, small(), Parts{})
	client := r.client("udp", "a", time.Minute)
	a := r.allocate(client)
	refused := &r.server.counts.permissionsRefused
	for i, peer := range []string{"127.0.0.2", "0.0.0.0", "10.0.0.1", "169.254.169.254", "255.255.255.255"} {
		to := &net.UDPAddr{IP: net.ParseIP(peer), Port: 53}
		if err := client.CreatePermission(to); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("a permission for %s: got %v, want 403", peer, err)
		}
		if got := refused.Load(); got != int64(i+1) {
			t.Errorf("refused: got %d, want %d", got, i+1)
		}
	}
	if _, err := a.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 53}); err == nil {
		t.Error("WriteTo a peer that is refused: got nil, want an error")
	}
	if err := client.CreatePermission(&net.UDPAddr{IP: net.IPv4(9, 9, 9, 9), Port: 53}); err != nil {
		t.Errorf("a permission for a public address: got %v, want nil", err)
	}
}

func TestAllowedPeers(t *testing.T) {
	c := small()
	c.Listen, c.Addresses, c.AllowPeers = []string{"127.0.0.1:0"}, []string{"127.0.0.3"}, []string{"127.0.0.1"}
	r := serve(t, c, Parts{}, at("127.0.0.3", "127.0.0.3"))
	a := r.allocate(r.client("udp", "a", time.Minute))
	own := service(t)
	if _, err := a.WriteTo([]byte("hello"), own.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 2000)
	own.SetReadDeadline(time.Now().Add(soon))
	n, from, err := own.ReadFrom(buffer)
	if err != nil || string(buffer[:n]) != "hello" || from.String() != a.LocalAddr().String() {
		t.Errorf("got %q from %v (%v), want hello from %v", buffer[:n], from, err, a.LocalAddr())
	}
}

// at puts relays at an address that peers see, and another that sockets are bound to.
func at(public, local string) func(*Server) {
	return func(s *Server) {
		s.v4.public, s.v4.local = netip.MustParseAddr(public), netip.MustParseAddr(local)
		s.v4.ports.at = s.v4.local
		s.peers.relays.v4 = s.v4.public
	}
}

// TestTranslatedAddresses has relays at an address that no interface has, as in clouds that translate addresses one to one.
func TestTranslatedAddresses(t *testing.T) {
	r := serve(t, small(), Parts{}, at("192.0.2.1", "127.0.0.1"))
	a, b := r.allocate(r.client("udp", "a", time.Minute)), r.allocate(r.client("tcp", "b", time.Minute))
	for _, relay := range []net.PacketConn{a, b} {
		if host, _, _ := net.SplitHostPort(relay.LocalAddr().String()); host != "192.0.2.1" {
			t.Errorf("relay: got %v, want one at 192.0.2.1", relay.LocalAddr())
		}
	}
	talk(t, a, b)
	own := service(t)
	a.WriteTo([]byte("who is there?"), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: own.LocalAddr().(*net.UDPAddr).Port})
	wantNothing(t, own)
	if _, err := a.WriteTo([]byte("who is there?"), own.LocalAddr()); err == nil {
		t.Error("the local address of relays as a peer: got nil, want an error")
	}
}

func TestRates(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"of a relay": func(c *Config) { c.Rate = 64 << 10 },
		"of all":     func(c *Config) { c.TotalRate = 64 << 10 },
	} {
		t.Run(name, func(t *testing.T) {
			c := small()
			change(&c)
			r := serve(t, c, Parts{})
			a, b := r.allocate(r.client("tcp", "a", time.Minute)), r.allocate(r.client("tcp", "b", time.Minute))
			talk(t, a, b)
			packet := make([]byte, 1000)
			for range 300 {
				if _, err := a.WriteTo(packet, b.LocalAddr()); err != nil {
					t.Fatal(err)
				}
			}
			until.Nil(t, soon, func() error {
				if got := r.server.counts.dropped[droppedRate].Load(); got < 50 {
					return fmt.Errorf("dropped: got %d, want 50 or more", got)
				}
				return nil
			})
		})
	}
}

// TestPermissionsAreBounded wants one relay not to have any number of permissions and channels, which take memory.
func TestPermissionsAreBounded(t *testing.T) {
	r := serve(t, small(), Parts{})
	client := r.client("udp", "a", time.Minute)
	r.allocate(client)
	for i := range maxPermissions {
		if err := client.CreatePermission(&net.UDPAddr{IP: net.IPv4(9, 9, 9, byte(i)), Port: 9}); err != nil {
			t.Fatalf("permission %d: got %v, want nil", i+1, err)
		}
	}
	if err := client.CreatePermission(&net.UDPAddr{IP: net.IPv4(9, 9, 10, 1), Port: 9}); err == nil {
		t.Errorf("permission %d: got nil, want an error", maxPermissions+1)
	}
}

// TestPacketsThatAreTooLong wants what would not come whole not to come at all.
func TestPacketsThatAreTooLong(t *testing.T) {
	c := small()
	c.AllowPeers = []string{"127.0.0.1"}
	r := serve(t, c, Parts{}, at("127.0.0.3", "127.0.0.3"))
	a := r.allocate(r.client("tcp", "a", time.Minute))
	peer := service(t)
	if _, err := a.WriteTo([]byte("hello"), peer.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1600, 9000} {
		if _, err := peer.WriteTo(make([]byte, size), a.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := peer.WriteTo(make([]byte, 1500), a.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	a.SetReadDeadline(time.Now().Add(soon))
	if n, _, err := a.ReadFrom(make([]byte, 10000)); n != 1500 || err != nil {
		t.Errorf("got %d bytes (%v), want 1500", n, err)
	}
	if got := r.server.counts.dropped[droppedOverrun].Load(); got != 2 {
		t.Errorf("dropped: got %d, want 2", got)
	}
}

// TestStrangersAreNotHeard wants what comes from nobody's peer to be dropped and counted.
func TestStrangersAreNotHeard(t *testing.T) {
	r := serve(t, small(), Parts{}, at("127.0.0.3", "127.0.0.3"))
	a := r.allocate(r.client("udp", "a", time.Minute))
	stranger := service(t)
	if _, err := stranger.WriteTo([]byte("hello"), a.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	until.Nil(t, soon, func() error {
		if got := r.server.counts.dropped[droppedPeer].Load(); got != 1 {
			return fmt.Errorf("dropped: got %d, want 1", got)
		}
		return nil
	})
	wantNothing(t, a)
}
