package turn

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"signal-server/app/turn/turntest"
	"signal-server/test/until"
)

// hurried serves with little patience.
func hurried(t *testing.T) *rig {
	c := small()
	c.TLSListen = []string{"127.0.0.1:0"}
	return serve(t, c, Parts{TLS: testTLS(t)}, func(s *Server) {
		s.patience = patience{first: 300 * time.Millisecond, idle: 300 * time.Millisecond, read: 300 * time.Millisecond}
	})
}

func (r *rig) wantConnections(want int64) {
	r.Helper()
	until.Nil(r, soon, func() error {
		r.server.mu.Lock()
		open := len(r.server.streams)
		r.server.mu.Unlock()
		if got := r.server.counts.plain.Load() + r.server.counts.tls.Load(); got != want || int64(open) != want {
			return fmt.Errorf("connections: got %d, of which %d are open, want %d", got, open, want)
		}
		return nil
	})
}

// TestSilentConnections wants connections to be closed on which no whole message comes in time.
func TestSilentConnections(t *testing.T) {
	r := hurried(t)
	for name, bytes := range map[string][]byte{
		"silence": nil, "half a message": aBinding(t)[:10], "half of TLS": {0x16, 3, 1, 0, 200, 1, 0}, "a byte": {0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, l := range r.server.listeners {
				wantClosed(t, l, bytes, soon)
			}
			(&rig{t, r.server, r.secrets}).wantConnections(0)
		})
	}
}

// TestStrangeConnections wants connections to be closed at once that bring something else than messages.
func TestStrangeConnections(t *testing.T) {
	r := serve(t, small(), Parts{})
	binding := aBinding(t)
	hello := append([]byte{0x16, 3, 1, 1, 40, 1, 0, 1, 36, 3, 3}, make([]byte, 400)...) // as long as its length is, read as that of a message
	for name, bytes := range map[string][]byte{
		"HTTP": []byte("GET / HTTP/1.1\r\n\r\n"), "TLS": hello, "zeros": make([]byte, 100), "no type": {0xff, 0xff, 0, 0, 0, 0, 0, 0},
		"a message that is too long": withLength(binding, maxMessage-stunHeader), "one that is far too long": withLength(binding, 0xfffc),
		"a length that is no multiple of four": withLength(binding, 2), "a channel that is too long": {0x40, 0, 0xff, 0xff, 1, 2, 3, 4},
	} {
		t.Run(name, func(t *testing.T) {
			wantClosed(t, r.server.listeners[0], bytes, usualPatience.first/2)
			(&rig{t, r.server, r.secrets}).wantConnections(0)
		})
	}
}

func aBinding(t *testing.T) []byte {
	t.Helper()
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

// withLength returns the message with another length in its head.
func withLength(message []byte, length uint16) []byte {
	other := append([]byte(nil), message...)
	binary.BigEndian.PutUint16(other[2:], length)
	return other
}

// wantClosed wants the server to close a connection on which that is sent.
func wantClosed(t *testing.T, l net.Listener, sent []byte, within time.Duration) {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(within))
	for buffer := make([]byte, 100); err == nil; {
		_, err = conn.Read(buffer) // an alert of TLS, perhaps
	}
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("%v: the connection is kept", l.Addr())
	}
}

// TestPiecesOfAMessage sends a message a byte at a time, and two at once.
func TestPiecesOfAMessage(t *testing.T) {
	r := serve(t, small(), Parts{})
	conn, err := net.Dial("tcp", r.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &turntest.Client{TB: t, Conn: conn}
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Raw {
		if _, err := conn.Write(m.Raw[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if c.Answer(m) == nil {
		t.Fatal("a message in pieces: got no answer, want one")
	}
	other, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(append(append([]byte(nil), m.Raw...), other.Raw...)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 2*len(m.Raw)+200)
	got := 0
	for conn.SetReadDeadline(time.Now().Add(soon)); got < 2*32; {
		n, err := conn.Read(buffer[got:])
		if err != nil {
			t.Fatalf("two messages at once: got %d bytes (%v), want two answers", got, err)
		}
		got += n
	}
}

// TestConnectionsThatAreIdle wants a connection to be closed that has no relay, and one to be kept that has, and closed after that has ended.
func TestConnectionsThatAreIdle(t *testing.T) {
	r := hurried(t)
	conn, err := net.Dial("tcp", r.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &turntest.Client{TB: t, Conn: conn, Credential: r.secrets.Issue("u", time.Now().Add(time.Minute))}
	if code, _ := c.Ask(stun.MethodAllocate, turntest.OverUDP); code != 0 {
		t.Fatalf("Allocate: got %d, want success", code)
	}
	over := time.Now().Add(3 * r.server.patience.idle)
	until.Nil(t, soon, func() error {
		if time.Now().Before(over) {
			return fmt.Errorf("it is early")
		}
		return nil
	})
	if code, _ := c.Ask(stun.MethodRefresh, turntest.Lifetime(1)); code != 0 {
		t.Fatalf("Refresh of a connection with a relay: got %d, want success", code)
	}
	r.wantConnections(0) // its relay has ended, then it was idle
}

// TestWhoDoesNotReadIsCutOff sends much to a client that reads nothing.
func TestWhoDoesNotReadIsCutOff(t *testing.T) {
	for _, transport := range []string{"tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			r := hurried(t)
			var conn net.Conn
			var err error
			if transport == "tcp" {
				conn, err = net.Dial("tcp", r.address())
			} else {
				conn, err = tls.Dial("tcp", r.server.listeners[1].Addr().String(), &tls.Config{InsecureSkipVerify: true})
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			c := &turntest.Client{TB: t, Conn: conn, Credential: r.secrets.Issue("u", time.Now().Add(time.Minute))}
			m := sendFirst(c)
			answer := c.Answer(m)
			var at stun.XORMappedAddress
			if answer == nil || at.GetFromAs(answer, stun.AttrXORRelayedAddress) != nil {
				t.Fatalf("Allocate: got %v, want a relay", answer)
			}
			peer := r.allocate(r.client("udp", "v", time.Minute))
			if code, _ := c.Ask(stun.MethodCreatePermission, turntest.PeerAt(net.UDPAddrFromAddrPort(addrPort(peer.LocalAddr())))); code != 0 {
				t.Fatalf("CreatePermission: got %d, want success", code)
			}
			before := r.server.counts.plain.Load() + r.server.counts.tls.Load()
			packet := make([]byte, 1400)
			until.Nil(t, 3*soon, func() error {
				for range 500 {
					peer.WriteTo(packet, &net.UDPAddr{IP: at.IP, Port: at.Port})
				}
				if now := r.server.counts.plain.Load() + r.server.counts.tls.Load(); now >= before {
					return fmt.Errorf("connections: got %d, want less", now)
				}
				return nil
			})
			until.Nil(t, soon, func() error { return wantCount(r.server, 1) })
		})
	}
}

// sendFirst asks for a relay, and returns the request that is signed.
func sendFirst(c *turntest.Client) *stun.Message {
	c.Helper()
	answer := c.Answer(c.Send(stun.MethodAllocate, turntest.OverUDP))
	if answer == nil || c.Nonce.GetFrom(answer) != nil || c.Realm.GetFrom(answer) != nil {
		c.Fatalf("Allocate without a credential: got %v, want a nonce", answer)
	}
	return c.Send(stun.MethodAllocate, turntest.OverUDP)
}
