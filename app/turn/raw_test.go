package turn

import (
	"cmp"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"signal-server/app/iceserver"
)

// raw is a TURN client that sends what it is told, a request at a time.
type raw struct {
	t          *testing.T
	conn       net.Conn
	credential iceserver.Credential
	nonce      stun.Nonce
	realm      string        // empty: the server's
	answer     *stun.Message // the last one that ask got
}

// ask sends a request and returns the code that refuses it; 0: it was served; -1: there is no answer.
func (c *raw) ask(method stun.Method, more ...stun.Setter) int {
	c.t.Helper()
	for range 3 {
		m := c.send(method, more...)
		answer := c.receive(m)
		if c.answer = answer; answer == nil {
			return -1
		}
		var code stun.ErrorCodeAttribute
		if code.GetFrom(answer) != nil {
			return 0
		}
		if code.Code != stun.CodeUnauthorized && code.Code != stun.CodeStaleNonce || c.nonce != nil && code.Code == stun.CodeUnauthorized {
			return int(code.Code)
		}
		if err := c.nonce.GetFrom(answer); err != nil {
			c.t.Fatal(err)
		}
	}
	return 401
}

func (c *raw) send(method stun.Method, more ...stun.Setter) *stun.Message {
	c.t.Helper()
	setters := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, more...)
	if c.nonce != nil {
		realm := cmp.Or(c.realm, "test")
		key := turn.GenerateAuthKey(c.credential.Username, realm, c.credential.Password)
		setters = append(setters, stun.NewUsername(c.credential.Username), stun.NewRealm(realm), c.nonce, stun.MessageIntegrity(key))
	}
	m, err := stun.Build(setters...)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.Write(m.Raw); err != nil {
		c.t.Fatal(err)
	}
	return m
}

// receive returns the answer to a request, or nil.
func (c *raw) receive(to *stun.Message) *stun.Message {
	buffer := make([]byte, 2000)
	for {
		c.conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		n, err := c.conn.Read(buffer)
		if err != nil {
			return nil
		}
		answer := &stun.Message{Raw: append([]byte(nil), buffer[:n]...)}
		if answer.Decode() == nil && answer.TransactionID == to.TransactionID {
			return answer
		}
	}
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

// udp asks for a relay of UDP (RFC 8656, Section 18.8).
func (*raw) udp() stun.Setter { return attr{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}} }

func lifetime(seconds byte) stun.Setter {
	return attr{stun.AttrLifetime, []byte{0, 0, 0, seconds}}
}
