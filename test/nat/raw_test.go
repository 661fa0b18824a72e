package nat_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"signal-server/app/iceserver"
)

// raw is a TURN client that sends what it is told, a request at a time, over one UDP socket.
type raw struct {
	testing.TB
	conn       net.Conn
	credential iceserver.Credential

	realm stun.Realm // these two are learned from the first refusal
	nonce stun.Nonce
}

// newRaw returns a client in the room of a server.
func newRaw(t testing.TB, in *room, server string, credential iceserver.Credential) *raw {
	t.Helper()
	return &raw{TB: t, conn: in.dial(t, "udp", server), credential: credential}
}

const noAnswer = -1

// ask sends a request and returns the code of the error that it is answered with; 0: it was served; or noAnswer.
func (c *raw) ask(method stun.Method, more ...stun.Setter) (code stun.ErrorCode, answer *stun.Message) {
	c.Helper()
	for range 3 {
		if answer = c.answer(c.send(stun.NewType(method, stun.ClassRequest), more...)); answer == nil {
			return noAnswer, nil
		}
		var refused stun.ErrorCodeAttribute
		if refused.GetFrom(answer) != nil {
			return 0, answer
		}
		code = refused.Code
		hadNone := c.nonce == nil
		if c.nonce.GetFrom(answer) != nil || code != stun.CodeStaleNonce && !(code == stun.CodeUnauthorized && hadNone) {
			return code, answer
		}
		if err := c.realm.GetFrom(answer); err != nil {
			c.Fatal(err)
		}
	}
	return code, answer
}

// must sends a request that has to be served.
func (c *raw) must(method stun.Method, more ...stun.Setter) *stun.Message {
	c.Helper()
	code, answer := c.ask(method, more...)
	if code != 0 {
		c.Fatalf("%v: got %d, want it served", method, code)
	}
	return answer
}

// send sends a message, signed if it is a request and the server has said by what.
func (c *raw) send(of stun.MessageType, more ...stun.Setter) *stun.Message {
	c.Helper()
	setters := append([]stun.Setter{stun.TransactionID, of}, more...)
	if c.nonce != nil && of.Class == stun.ClassRequest {
		key := turn.GenerateAuthKey(c.credential.Username, string(c.realm), c.credential.Password)
		setters = append(setters, stun.NewUsername(c.credential.Username), c.realm, c.nonce, stun.MessageIntegrity(key))
	}
	m, err := stun.Build(setters...)
	if err != nil {
		c.Fatal(err)
	}
	c.write(m.Raw)
	return m
}

func (c *raw) write(message []byte) {
	c.Helper()
	if _, err := c.conn.Write(message); err != nil {
		c.Fatal(err)
	}
}

// answer returns the answer to a request, or nil.
func (c *raw) answer(to *stun.Message) *stun.Message {
	c.conn.SetReadDeadline(time.Now().Add(patience / 12))
	for buffer := make([]byte, 2000); ; {
		n, err := c.conn.Read(buffer)
		if err != nil {
			return nil
		}
		m := &stun.Message{Raw: bytes.Clone(buffer[:n])}
		if m.Decode() == nil && m.TransactionID == to.TransactionID {
			return m
		}
	}
}

// allocate makes a relay of UDP, and returns its address.
func (c *raw) allocate(more ...stun.Setter) *net.UDPAddr {
	c.Helper()
	return relayedAddress(c, c.must(stun.MethodAllocate, append([]stun.Setter{overUDP}, more...)...))
}

func relayedAddress(t testing.TB, answer *stun.Message) *net.UDPAddr {
	t.Helper()
	var relayed stun.XORMappedAddress
	if err := relayed.GetFromAs(answer, stun.AttrXORRelayedAddress); err != nil {
		t.Fatal(err)
	}
	return &net.UDPAddr{IP: relayed.IP, Port: relayed.Port}
}

// sendTo sends an indication with data for the peer. Nobody answers it.
func (c *raw) sendTo(to *net.UDPAddr, data string) {
	c.Helper()
	c.send(stun.NewType(stun.MethodSend, stun.ClassIndication), peerAt(to), attr{stun.AttrData, []byte(data)})
}

// attr is an attribute of a message.
type attr struct {
	of    stun.AttrType
	value []byte
}

// AddTo implements stun.Setter.
func (a attr) AddTo(m *stun.Message) error {
	m.Add(a.of, a.value)
	return nil
}

var (
	overUDP = attr{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}} // RFC 8656, Section 18.8
	overTCP = attr{stun.AttrRequestedTransport, []byte{6, 0, 0, 0}}  // RFC 6062, Section 6.1
)

// peerAt is the attribute that names a peer, with an address of IPv4 or of IPv6 as it is: ::ffff:127.0.0.1 stands there in 16 bytes.
type peerAddress struct{ net.UDPAddr }

func peerAt(at *net.UDPAddr) stun.Setter { return peerAddress{*at} }

// AddTo implements stun.Setter (RFC 8489, Section 14.2).
func (p peerAddress) AddTo(m *stun.Message) error {
	family := byte(1)
	if len(p.IP) == net.IPv6len {
		family = 2
	}
	value := append([]byte{0, family, byte(p.Port>>8) ^ m.Raw[4], byte(p.Port) ^ m.Raw[5]}, p.IP...)
	for i := range p.IP {
		value[4+i] ^= m.Raw[4+i] // the cookie, and the transaction
	}
	m.Add(stun.AttrXORPeerAddress, value)
	return nil
}

// channel is the attribute that names a channel, 0x4000 and above.
func channel(number uint16) stun.Setter {
	return attr{stun.AttrChannelNumber, []byte{byte(number >> 8), byte(number), 0, 0}}
}
