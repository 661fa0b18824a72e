package turn

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"signal-server/test/until"
)

func wantCount(s *Server, want int) error {
	if got := s.quotas.count(); got != want {
		return fmt.Errorf("got %d relays, want %d", got, want)
	}
	return nil
}

// talk has each of two relays send to the other, by permissions first and then by channels, and wants all of it to arrive.
func talk(t *testing.T, a, b net.PacketConn) {
	t.Helper()
	buffer := make([]byte, 2000)
	b.WriteTo([]byte("packet, to have a permission"), a.LocalAddr())
	for i := range 20 {
		for _, way := range [][2]net.PacketConn{{a, b}, {b, a}} {
			said := []byte(fmt.Sprintf("packet %d", i))
			until.Nil(t, soon, func() error { // a permission of the other side may be on its way
				if _, err := way[0].WriteTo(said, way[1].LocalAddr()); err != nil {
					return err
				}
				way[1].SetReadDeadline(time.Now().Add(200 * time.Millisecond))
				n, from, err := way[1].ReadFrom(buffer)
				if err != nil {
					return err
				}
				if !bytes.HasPrefix(buffer[:n], []byte("packet")) || from.String() != way[0].LocalAddr().String() {
					return fmt.Errorf("got %q from %v, want a packet from %v", buffer[:n], from, way[0].LocalAddr())
				}
				return nil
			})
		}
	}
}

func TestRelayToRelay(t *testing.T) {
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			c, parts := small(), Parts{}
			if transport == "tls" {
				c.TLSListen, parts.TLS = []string{"127.0.0.1:0"}, testTLS(t)
			}
			r := serve(t, c, parts)
			a, b := r.allocate(r.client(transport, "a", time.Minute)), r.allocate(r.client(transport, "b", time.Minute))
			if at := a.LocalAddr().String(); !strings.HasPrefix(at, "127.0.0.1:") {
				t.Errorf("relay: got %s, want one at 127.0.0.1", at)
			}
			talk(t, a, b)
			if got := r.server.quotas.count(); got != 2 {
				t.Errorf("relays: got %d, want 2", got)
			}
			a.Close()
			b.Close()
			until.Nil(t, soon, func() error { return wantCount(r.server, 0) })
		})
	}
}
