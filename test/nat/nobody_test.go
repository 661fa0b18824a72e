package nat_test

import (
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"signal-server/app/turn/turntest"
)

// TestPeersThatNobodyIs has a client send to addresses in a network of the server that no machine has. The system keeps such packets until it gives up
// asking who has them, after 3 s. Other clients do not wait for that.
func TestPeersThatNobodyIs(t *testing.T) {
	t.Parallel()
	const relays, nobodies = "9.9.8.1", 8
	at, outside := newRoom(t), newRoom(t)
	cable(t, at, "net", relays+"/24", outside, "net", "9.9.8.2/24")
	s := serve(t, at, "--turn", "--turn-address="+relays, "--turn-unauthenticated-rate=off")
	credential := s.relays(t).credential
	c, other := newRaw(t, outside, relays+":3478", credential), newRaw(t, outside, relays+":3478", credential)
	c.Allocate()
	peer := func(i int) *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4(9, 9, 8, byte(100+i)).To4(), Port: 9} }
	for i := range nobodies {
		c.Must(stun.MethodCreatePermission, turntest.PeerAt(peer(i)))
	}
	other.Must(stun.MethodBinding)
	data := string(make([]byte, 1300))
	waits := 0 // where a client waits for another's packets it does so again each time their buffer is full; a busy machine does not
	for range 60 {
		for i := range nobodies {
			c.SendTo(peer(i), data)
		}
		begun := time.Now()
		other.Must(stun.MethodBinding)
		if time.Since(begun) > 2*time.Second {
			waits++
		}
	}
	if waits > 1 {
		t.Errorf("another client: waited %d times for seconds, want its answers at once", waits)
	}
	if got := s.metric(t, `signal_turn_packets_dropped_total{reason="overrun"}`); got == 0 {
		t.Error("got no packet dropped, want some: nothing is tested")
	}
}
