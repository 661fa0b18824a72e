package port

import (
	"net"
	"strconv"
	"testing"
)

func TestHold(t *testing.T) {
	address := Hold(t, 100)
	number, err := strconv.Atoi(Of(address))
	if want := net.JoinHostPort(loopback, strconv.Itoa(number)); err != nil || address != want {
		t.Fatalf("got %q, %v, want an address of the loopback", address, err)
	}
	for _, held := range []string{address, net.JoinHostPort(loopback, strconv.Itoa(number+100))} {
		if conn, err := net.Dial("tcp", held); err == nil {
			conn.Close()
			t.Errorf("%s: got a connection, want nobody there", held)
		}
		for range 2 {
			l, err := net.Listen("tcp", held)
			if err != nil {
				t.Fatalf("%s: got %v, want to listen there as often as one likes", held, err)
			}
			l.Close()
		}
	}
}

// The system gives no held port away: the ports of many listeners and of those who dial them are all others.
func TestHeldPortsAreGivenToNobody(t *testing.T) {
	held := make(map[string]bool)
	for range 500 {
		held[Hold(t)] = true
	}
	if len(held) != 500 {
		t.Errorf("got %d ports, want 500", len(held))
	}
	for range 500 {
		l, err := net.Listen("tcp", loopback+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, got := range []string{l.Addr().String(), conn.LocalAddr().String()} {
			if held[got] {
				t.Errorf("got %s, want none that is held", got)
			}
		}
	}
}
