package nat_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"signal-server/app/turn/turntest"
	"signal-server/test/until"
)

// TestCallOutlivesItsCredential has a client whose credential ends while it relays: it may go on for --turn-lifetime, and have no new relay.
func TestCallOutlivesItsCredential(t *testing.T) {
	t.Parallel()
	for lifetime, after := range map[string]stun.ErrorCode{"12h": 0, "0s": stun.CodeUnauthorized} {
		t.Run(lifetime, func(t *testing.T) {
			t.Parallel()
			s := serve(t, nil, "--turn", "--turn-listen=127.0.0.1:0", "--turn-lifetime="+lifetime, "--turn-secret-file="+write(t, "secret", secret+"\n"))
			at := s.relays(t)
			short := issue(t, "somebody", time.Now().Add(2*time.Second)) // in whole seconds: at the least one
			c := newRaw(t, nil, at.udp, short)
			relay := c.Allocate()
			peer := allocate(t, client(t, nil, at.udp, at.credential))
			to := peer.LocalAddr().(*net.UDPAddr)
			to.IP = to.IP.To4()
			if _, err := peer.WriteTo([]byte("open"), relay); err != nil {
				t.Fatal(err)
			}

			until.Nil(t, patience/6, func() error {
				fresh := newRaw(t, nil, at.udp, short)
				if code, _ := fresh.Ask(stun.MethodAllocate, turntest.OverUDP); code != stun.CodeUnauthorized {
					fresh.Ask(stun.MethodRefresh, turntest.Lifetime(0))
					return fmt.Errorf("another relay: got %d, want %d once the credential has ended", code, stun.CodeUnauthorized)
				}
				return nil
			})
			for method, more := range map[stun.Method][]stun.Setter{
				stun.MethodRefresh: nil, stun.MethodCreatePermission: {turntest.PeerAt(to)}, stun.MethodChannelBind: {turntest.PeerAt(to), turntest.Channel(0x4000)},
			} {
				if code, _ := c.Ask(method, more...); code != after {
					t.Errorf("%v: got %d, want %d", method, code, after)
				}
			}
			if after != 0 {
				return
			}
			const said = "still there"
			c.SendTo(to, said)
			buffer := make([]byte, 100)
			peer.SetReadDeadline(time.Now().Add(patience / 6))
			if n, from, err := peer.ReadFrom(buffer); err != nil || string(buffer[:n]) != said || from.String() != relay.String() {
				t.Errorf("the peer: got %q from %v, %v, want %q from %v", buffer[:n], from, err, said, relay)
			}
		})
	}
}
