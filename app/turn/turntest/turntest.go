// Package turntest is a TURN client for tests that sends what it is told, a request at a time, what pion's would not send included.
//
// It is for tests only. It knows no server but by its answers.
package turntest

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"signal-server/app/iceserver"
)

// Client is a TURN client over one connection, or a UDP socket that is connected. It is not safe for concurrent use.
type Client struct {
	testing.TB
	Conn       net.Conn
	Credential iceserver.Credential

	// Realm is what requests are signed for. Empty: what the server names.
	Realm stun.Realm
	// Nonce is what requests are signed by. The server names it in its first refusal.
	Nonce stun.Nonce
}

// patience bounds how long an answer is waited for.
const patience = 5 * time.Second

// NoAnswer is what Ask returns in place of a code if no answer comes.
const NoAnswer stun.ErrorCode = -1

// Ask sends a request and returns the code of the error that it is answered with; 0: it was served; or NoAnswer.
func (c *Client) Ask(method stun.Method, more ...stun.Setter) (code stun.ErrorCode, answer *stun.Message) {
	c.Helper()
	for range 3 {
		if answer = c.Answer(c.Send(method, more...)); answer == nil {
			return NoAnswer, nil
		}
		var refused stun.ErrorCodeAttribute
		if refused.GetFrom(answer) != nil {
			return 0, answer
		}
		code = refused.Code
		hadNone := c.Nonce == nil
		if c.Nonce.GetFrom(answer) != nil || code != stun.CodeStaleNonce && !(code == stun.CodeUnauthorized && hadNone) {
			return code, answer
		}
		if len(c.Realm) == 0 {
			if err := c.Realm.GetFrom(answer); err != nil {
				c.Fatal(err)
			}
		}
	}
	return code, answer
}

// Must sends a request that has to be served.
func (c *Client) Must(method stun.Method, more ...stun.Setter) *stun.Message {
	c.Helper()
	code, answer := c.Ask(method, more...)
	if code != 0 {
		c.Fatalf("%v: got %d, want it served", method, code)
	}
	return answer
}

// Send sends a request, signed if the server has said by what.
func (c *Client) Send(method stun.Method, more ...stun.Setter) *stun.Message {
	c.Helper()
	setters := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, more...)
	if c.Nonce != nil {
		key := turn.GenerateAuthKey(c.Credential.Username, string(c.Realm), c.Credential.Password)
		setters = append(setters, stun.NewUsername(c.Credential.Username), c.Realm, c.Nonce, stun.MessageIntegrity(key))
	}
	return c.write(setters)
}

// SendTo sends an indication with data for the peer. Nobody answers it.
func (c *Client) SendTo(to *net.UDPAddr, data string) {
	c.Helper()
	c.write([]stun.Setter{stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), PeerAt(to), attribute(stun.AttrData, []byte(data)...)})
}

// SendByChannel sends data by a channel (RFC 8656, Section 12.4). Nobody answers it.
func (c *Client) SendByChannel(number uint16, data string) {
	c.Helper()
	message := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, number), uint16(len(data)))
	if _, err := c.Conn.Write(append(message, data...)); err != nil {
		c.Fatal(err)
	}
}

func (c *Client) write(setters []stun.Setter) *stun.Message {
	c.Helper()
	m, err := stun.Build(setters...)
	if err != nil {
		c.Fatal(err)
	}
	if _, err := c.Conn.Write(m.Raw); err != nil {
		c.Fatal(err)
	}
	return m
}

// Answer returns the answer to a request, or nil if none comes.
func (c *Client) Answer(to *stun.Message) *stun.Message {
	c.Conn.SetReadDeadline(time.Now().Add(patience))
	for buffer := make([]byte, 2000); ; {
		n, err := c.Conn.Read(buffer)
		if err != nil {
			return nil
		}
		m := &stun.Message{Raw: bytes.Clone(buffer[:n])}
		if m.Decode() == nil && m.TransactionID == to.TransactionID {
			return m
		}
	}
}

// Allocate makes a relay of UDP, and returns its address.
func (c *Client) Allocate(more ...stun.Setter) *net.UDPAddr {
	c.Helper()
	return RelayedAddress(c, c.Must(stun.MethodAllocate, append([]stun.Setter{OverUDP}, more...)...))
}

// RelayedAddress returns the address of the relay that an answer tells of.
func RelayedAddress(t testing.TB, answer *stun.Message) *net.UDPAddr {
	t.Helper()
	var relayed stun.XORMappedAddress
	if err := relayed.GetFromAs(answer, stun.AttrXORRelayedAddress); err != nil {
		t.Fatal(err)
	}
	return &net.UDPAddr{IP: relayed.IP, Port: relayed.Port}
}
