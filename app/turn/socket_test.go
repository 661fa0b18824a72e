package turn

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

// openSocket returns a socket of the loopback of that family.
func openSocket(t testing.TB, loopback string) (*socket, netip.AddrPort) {
	t.Helper()
	at := netip.MustParseAddr(loopback)
	conn, err := net.ListenUDP(network("udp", at), net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		t.Skipf("no %s here: %v", loopback, err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(soon))
	return newSocket(conn), addrPort(conn.LocalAddr())
}

// TestSocket has packets of all sizes come whole and from whom they are, more of them in a row than are taken without a word to the scheduler.
func TestSocket(t *testing.T) {
	for _, loopback := range []string{"127.0.0.1", "::1"} {
		t.Run(loopback, func(t *testing.T) {
			one, from := openSocket(t, loopback)
			other, to := openSocket(t, loopback)
			sizes := []int{0, 1, 3, 1000, maxMessage}
			for len(sizes) < 3*16 {
				sizes = append(sizes, len(sizes))
			}
			for range 2 {
				for i, size := range sizes {
					if n, err := one.WriteToUDPAddrPort(bytes.Repeat([]byte{byte(i)}, size), to); n != size || err != nil {
						t.Fatalf("write %d: got %d, %v, want %d", i, n, err, size)
					}
				}
				in := make([]byte, maxMessage+1)
				for i, size := range sizes {
					n, sender, err := other.ReadFromUDPAddrPort(in)
					if err != nil || sender != from || !bytes.Equal(in[:n], bytes.Repeat([]byte{byte(i)}, size)) {
						t.Fatalf("read %d: got %d bytes from %v, %v, want %d from %v", i, n, sender, err, size, from)
					}
				}
			}
		})
	}
}

// TestSocketWaits has a reader that waits woken by a packet, and by the end.
func TestSocketWaits(t *testing.T) {
	s, at := openSocket(t, "127.0.0.1")
	other, _ := openSocket(t, "127.0.0.1")
	type read struct {
		n   int
		err error
	}
	reads := make(chan read)
	go func() {
		in := make([]byte, 10)
		for {
			n, _, err := s.ReadFromUDPAddrPort(in)
			reads <- read{n, err}
			if err != nil {
				return
			}
		}
	}()
	for i := range 40 {
		if _, err := other.WriteToUDPAddrPort(make([]byte, i%10), at); err != nil {
			t.Fatal(err)
		}
		if got := <-reads; got.n != i%10 || got.err != nil {
			t.Fatalf("packet %d: got %v, want %d bytes", i, got, i%10)
		}
	}
	s.Close()
	if got := <-reads; !errors.Is(got.err, net.ErrClosed) {
		t.Errorf("after Close: got %v, want net.ErrClosed", got.err)
	}
	if _, err := s.WriteToUDPAddrPort(nil, at); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after Close: got %v, want net.ErrClosed", err)
	}
}

// TestSocketRefuses wants errors where the system, or package net, has them.
func TestSocketRefuses(t *testing.T) {
	s, at := openSocket(t, "127.0.0.1")
	for name, tt := range map[string]struct {
		packet []byte
		to     netip.AddrPort
	}{
		"too long":       {make([]byte, 1<<16), at},
		"another family": {nil, netip.MustParseAddrPort("[::1]:9")},
		"nowhere":        {nil, netip.AddrPortFrom(at.Addr(), 0)},
	} {
		if n, err := s.WriteToUDPAddrPort(tt.packet, tt.to); err == nil {
			t.Errorf("%s: got %d, want an error", name, n)
		}
	}
}

func TestSocketAllocatesNothing(t *testing.T) {
	s, at := openSocket(t, "127.0.0.1")
	packet, in := make([]byte, 1000), make([]byte, maxMessage)
	got := testing.AllocsPerRun(100, func() { passOne(t, s, at, packet, in) })
	if got != 0 {
		t.Errorf("allocations of a packet: got %v, want 0", got)
	}
}

func passOne(t testing.TB, s *socket, at netip.AddrPort, packet, in []byte) {
	_, err := s.WriteToUDPAddrPort(packet, at)
	if err == nil {
		_, _, err = s.ReadFromUDPAddrPort(in)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkSocket(b *testing.B) {
	s, at := openSocket(b, "127.0.0.1")
	s.SetReadDeadline(time.Time{})
	packet, in := make([]byte, 1000), make([]byte, maxMessage)
	b.ReportAllocs()
	for b.Loop() {
		passOne(b, s, at, packet, in)
	}
}
