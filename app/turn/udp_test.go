package turn

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"signal-server/app/gate/limit"
	"signal-server/app/turn/turntest"
)

// TestNobodyIsFlooded asks more often than one network is answered that has not shown who it is, and wants a client that has to be served all the same.
func TestNobodyIsFlooded(t *testing.T) {
	c := small()
	c.Unauthenticated = limit.Rate{Events: 10, Per: time.Hour}
	r := serve(t, c, Parts{})
	client := r.client("udp", "u", time.Minute)
	r.allocate(client) // one answer of the ten
	stranger, err := net.Dial("udp4", r.address())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	s := &turntest.Client{TB: t, Conn: stranger}
	answered := 0
	for i := range 20 {
		method := []stun.Method{stun.MethodBinding, stun.MethodAllocate, stun.MethodRefresh}[i%3]
		m, err := stun.Build(stun.TransactionID, stun.NewType(method, stun.ClassRequest))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stranger.Write(m.Raw); err != nil {
			t.Fatal(err)
		}
		if answered < 9 {
			if s.Answer(m) == nil {
				t.Fatalf("question %d: got no answer, want one", i+1)
			}
			answered++
		}
	}
	wantNoAnswer(t, stranger)
	if got := r.server.counts.unanswered.Load(); got != 11 {
		t.Errorf("unanswered: got %d, want 11", got)
	}
	if err := client.CreatePermission(&net.UDPAddr{IP: net.IPv4(9, 9, 9, 9), Port: 9}); err != nil {
		t.Errorf("a client that has shown who it is: got %v, want nil", err)
	}
}

func wantNoAnswer(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := conn.Read(make([]byte, 2000)); err == nil {
		t.Errorf("got %d bytes, want nothing", n)
	}
}

func TestNetworkOf(t *testing.T) {
	for addr, want := range map[string]string{
		"9.8.7.6": "9.8.7.0", "::ffff:9.8.7.6": "9.8.7.0", "2a00:1:2:3ff::1": "2a00:1:2:300::", "fe80::1%eth0": "fe80::",
	} {
		if got := networkOf(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}

// TestAddressesWithoutZones wants a client of one link to be the same by whatever its zone is named, as it is for pion.
func TestAddressesWithoutZones(t *testing.T) {
	want := netip.MustParseAddrPort("[fe80::1]:9")
	for _, zone := range []string{"", "2", "eth0"} {
		if got := addrPort(&net.UDPAddr{IP: net.ParseIP("fe80::1"), Port: 9, Zone: zone}); got != want {
			t.Errorf("zone %q: got %v, want %v", zone, got, want)
		}
	}
}

// TestSocketsOfEachAddress wants a socket for each address of this machine, and each to answer by itself.
func TestSocketsOfEachAddress(t *testing.T) {
	at, err := listenedAddresses(netip.Addr{})
	if err != nil || len(at) == 0 {
		t.Fatalf("got %v (%v), want addresses", at, err)
	}
	for _, addr := range at {
		if addr.IsUnspecified() || addr.IsLinkLocalUnicast() || addr.Is4In6() {
			t.Errorf("got %v, which one cannot listen at", addr)
		}
	}
	c := small()
	c.Listen = nil
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		c.Listen = append(c.Listen, net.JoinHostPort(host, "0"))
	}
	r := serve(t, c, Parts{})
	for _, l := range r.server.listeners {
		conn, err := net.ListenPacket("udp4", "127.0.0.9:0") // not connected: it would hear an answer by any address
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		m, err := stun.Build(stun.TransactionID, stun.BindingRequest)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.WriteTo(m.Raw, net.UDPAddrFromAddrPort(addrPort(l.Addr()))); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(soon))
		if _, from, err := conn.ReadFrom(make([]byte, 2000)); err != nil || from.String() != l.Addr().String() {
			t.Errorf("got an answer from %v (%v), want one from %v", from, err, l.Addr())
		}
	}
}
