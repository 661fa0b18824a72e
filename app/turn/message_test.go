package turn

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"signal-server/app/turn/turntest"
)

// withNonce is a request for a relay by a nonce of that many characters, which no server has given.
func withNonce(t *testing.T, length int) *stun.Message {
	t.Helper()
	m, err := stun.Build(
		stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest), stun.NewSoftware("padded"), turntest.OverUDP,
		stun.NewUsername("9999999999:u"), stun.NewRealm("test"), stun.RawAttribute{Type: stun.AttrNonce, Value: bytes.Repeat([]byte("z"), length)}, stun.MessageIntegrity("k"),
	)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestLongNonces wants a nonce that is longer than any to be left to nobody who takes long to read it: over UDP the message comes to nothing, over TCP the
// connection ends.
func TestLongNonces(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		for length, want := range map[int]bool{40: true, maxNonce: true, maxNonce + 1: false, 763: false, 1800: false} { // 763: 128 characters of six bytes
			t.Run(fmt.Sprint(transport, " ", length), func(t *testing.T) {
				r := serve(t, small(), Parts{})
				conn, err := net.Dial(transport, r.address())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				c := &turntest.Client{TB: t, Conn: conn}
				m := withNonce(t, length)
				if _, err := conn.Write(m.Raw); err != nil {
					t.Fatal(err)
				}
				var code stun.ErrorCodeAttribute
				switch {
				case want:
					if answer := c.Answer(m); answer == nil || code.GetFrom(answer) != nil || code.Code != stun.CodeStaleNonce {
						t.Errorf("got %v, want %d", answer, stun.CodeStaleNonce)
					}
				case transport == "udp":
					m.Raw[0] |= 0x80 // no message of STUN any more, but for pion
					if _, err := conn.Write(m.Raw); err != nil {
						t.Fatal(err)
					}
					wantNext(t, conn, c.Send(stun.MethodBinding)) // the server handles one after the other
				default:
					conn.SetReadDeadline(time.Now().Add(soon))
					if n, err := conn.Read(make([]byte, 2000)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("got %d bytes, %v, want the end of the connection", n, err)
					}
				}
			})
		}
	}
}

// wantNext wants the next packet to be the answer to that request.
func wantNext(t *testing.T, conn net.Conn, to *stun.Message) {
	t.Helper()
	buffer := make([]byte, 2000)
	conn.SetReadDeadline(time.Now().Add(soon))
	n, err := conn.Read(buffer)
	answer := &stun.Message{Raw: buffer[:n]}
	if err != nil || answer.Decode() != nil || answer.TransactionID != to.TransactionID {
		t.Errorf("got %v (%v), want the answer to %v", answer, err, to)
	}
}

func TestIsOverlong(t *testing.T) {
	long, short := withNonce(t, maxNonce+1).Raw, withNonce(t, maxNonce).Raw
	data := bytes.Clone(long)
	data[0] |= 0x40 // what a channel brings is anything
	foreign := bytes.Clone(long)
	foreign[0] |= 0x80
	after := bytes.Clone(long)
	after[2], after[3] = 0, 0 // a message of no attributes, and something else behind it
	for name, tt := range map[string]struct {
		message []byte
		want    bool
	}{
		"a nonce that is too long": {long, true}, "one that is just not": {short, false}, "of a channel": {data, false}, "of no type": {foreign, true},
		"cut short in the nonce": {long[:len(long)-40], false}, "cut short in the head": {long[:stunHeader-1], false}, "nothing": {nil, false},
		"the head": {long[:stunHeader], false}, "behind the message": {after, false},
	} {
		if got := isOverlong(tt.message); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}
