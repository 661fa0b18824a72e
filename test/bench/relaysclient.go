package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/pion/stun/v4"
)

// relayClient is a client of a TURN server over UDP, with a relay on it. It speaks no more than it needs: what it costs, the load cannot send.
type relayClient struct {
	conn      *net.UDPConn
	integrity stun.MessageIntegrity
	username  stun.Username
	nonce     stun.Nonce

	relay stun.XORMappedAddress
}

const (
	relayedUDP   = 17               // RFC 8656, Section 18.8
	relayChannel = 0x4000           // the first (RFC 8656, Section 12)
	relayFor     = 10 * time.Minute // a channel's time (RFC 8656, Section 12), and a relay's: nothing has to be renewed
)

// dialRelay makes a client and has it make its relay, as a user of its own. Close must follow.
func dialRelay(server string, user int) (*relayClient, error) {
	to, err := net.ResolveUDPAddr("udp4", server)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialUDP("udp4", nil, to)
	if err != nil {
		return nil, err
	}
	conn.SetReadBuffer(4 << 20) // what is lost is lost by the server, also where the load has to wait for its core
	username := fmt.Sprintf("%d:bench%d", time.Now().Add(time.Hour).Unix(), user)
	sign := hmac.New(sha1.New, []byte(turnSecret))
	sign.Write([]byte(username))
	password := base64.StdEncoding.EncodeToString(sign.Sum(nil)) // draft-uberti-behave-turn-rest-00
	c := &relayClient{
		conn: conn, username: stun.NewUsername(username), integrity: stun.NewLongTermIntegrity(username, turnRealm, password),
	}
	answer, err := c.ask(stun.MethodAllocate, stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{relayedUDP, 0, 0, 0}})
	if err == nil {
		err = c.relay.GetFromAs(answer, stun.AttrXORRelayedAddress)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("a relay: %w", err)
	}
	return c, nil
}

// bind binds the channel to a peer.
func (c *relayClient) bind(peer stun.XORMappedAddress) error {
	number := binary.BigEndian.AppendUint16(nil, relayChannel)
	_, err := c.ask(stun.MethodChannelBind, stun.RawAttribute{Type: stun.AttrChannelNumber, Value: append(number, 0, 0)}, peerAddress(peer))
	if err != nil {
		return fmt.Errorf("a channel: %w", err)
	}
	return nil
}

// peerAddress is XOR-PEER-ADDRESS (RFC 8656, Section 18.3).
type peerAddress stun.XORMappedAddress

// AddTo implements stun.Setter.
func (a peerAddress) AddTo(m *stun.Message) error {
	return stun.XORMappedAddress(a).AddToAs(m, stun.AttrXORPeerAddress)
}

// ask sends a request, again if it is told a nonce that it has to name, and returns the answer that grants it.
func (c *relayClient) ask(method stun.Method, attributes ...stun.Setter) (*stun.Message, error) {
	for range 3 {
		request := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, attributes...)
		if c.nonce != nil {
			request = append(request, c.username, stun.NewRealm(turnRealm), c.nonce, c.integrity)
		}
		m, err := stun.Build(request...)
		if err != nil {
			return nil, err
		}
		answer, err := c.exchange(m)
		if err != nil {
			return nil, err
		}
		var code stun.ErrorCodeAttribute
		if answer.Type.Class == stun.ClassSuccessResponse {
			return answer, nil
		}
		if err := code.GetFrom(answer); err != nil {
			return nil, err
		}
		if (code.Code != stun.CodeUnauthorized || c.nonce != nil) && code.Code != stun.CodeStaleNonce {
			return nil, fmt.Errorf("refused: %v", code)
		}
		if err := c.nonce.GetFrom(answer); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("refused again and again")
}

// exchange sends a request until it is answered.
func (c *relayClient) exchange(m *stun.Message) (*stun.Message, error) {
	const again, patient = 500 * time.Millisecond, 20 * time.Second
	in := make([]byte, 2048)
	var err error
	for begun := time.Now(); time.Since(begun) < patient; {
		if _, err = c.conn.Write(m.Raw); err == nil {
			err = c.conn.SetReadDeadline(time.Now().Add(again))
		}
		for err == nil {
			var n int
			if n, err = c.conn.Read(in); err == nil {
				answer := &stun.Message{Raw: in[:n]}
				if answer.Decode() == nil && answer.TransactionID == m.TransactionID {
					return answer, nil
				}
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			time.Sleep(again / 50) // the server has just begun, and has no socket yet
		}
	}
	return nil, fmt.Errorf("no answer: %w", err)
}
