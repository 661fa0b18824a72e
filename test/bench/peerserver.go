package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// webSocket is a peer's connection to PeerServer.
type webSocket struct {
	web    *websocket.Conn
	faults *faults
	id     string
	sent   int

	out, want []byte // scratch
}

// dialPeer brings a peer to PeerServer, as PeerJS does.
func (b *bench) dialPeer(ctx context.Context, addr, id string) (*webSocket, error) {
	web, _, err := websocket.Dial(ctx, "ws://"+addr+"/peerjs?key=peerjs&version=1.5.5&token="+id+"&id="+id, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return b.poller.dial(addr) },
		}},
	})
	if err != nil {
		return nil, err
	}
	s := &webSocket{web: web, faults: &b.faults, id: id}
	_, got, err := web.Read(ctx)
	if err == nil && string(got) != `{"type":"OPEN"}` {
		err = fmt.Errorf("PeerServer says %q, want OPEN", got)
	}
	if err != nil {
		web.CloseNow()
		return nil, err
	}
	return s, nil
}

// hangUp closes the socket as PeerJS does, without waiting for the other side.
func (s *webSocket) hangUp() { s.web.CloseNow() }

// handshake is one peer's part: it sends an sdp and candidates to the other and gets as many back. The answerer answers when
// it has got the offer.
func (s *webSocket) handshake(ctx context.Context, role, to, key string) error {
	if role == "answer" {
		if err := s.receive(ctx, sdp(key, "offer")); err != nil {
			return err
		}
	}
	if err := s.send(ctx, sdp(key, role), to); err != nil {
		return err
	}
	for n := 1; n <= candidatesASide; n++ {
		if err := s.send(ctx, short(key, role, n), to); err != nil {
			return err
		}
	}
	other := otherRole(role)
	if role == "offer" {
		if err := s.receive(ctx, sdp(key, "answer")); err != nil {
			return err
		}
	}
	for n := 1; n <= candidatesASide; n++ {
		if err := s.receive(ctx, short(key, other, n)); err != nil {
			return err
		}
	}
	return nil
}

// send sends one payload in PeerJS's form.
func (s *webSocket) send(ctx context.Context, p payload, to string) error {
	s.sent++
	switch {
	case p.n > 0:
		s.out = append(s.out[:0], `{"type":"CANDIDATE","payload":{"candidate":{"candidate":"`...)
		s.out = append(p.appendWire(s.out), `","sdpMLineIndex":0,"sdpMid":"0"},"type":"data"`...)
	case p.role == "offer":
		s.out = append(s.out[:0], `{"type":"OFFER","payload":{"sdp":{"type":"offer","sdp":"`...)
		s.out = append(p.appendWire(s.out), `"},"type":"data","label":"bench","reliable":true,"serialization":"binary"`...)
	default:
		s.out = append(s.out[:0], `{"type":"ANSWER","payload":{"sdp":{"type":"answer","sdp":"`...)
		s.out = append(p.appendWire(s.out), `"},"type":"data"`...)
	}
	s.out = append(append(append(s.out, `,"connectionId":"dc_bench"},"dst":"`...), to...), `"}`...)
	return s.web.Write(ctx, websocket.MessageText, s.out)
}

// receive takes the next message, which must bear that payload, and adds what is wrong with it to the faults.
func (s *webSocket) receive(ctx context.Context, p payload) error {
	_, got, err := s.web.Read(ctx)
	if err != nil {
		return fmt.Errorf("a message is lost: %w", err)
	}
	s.want = append(p.appendWire(append(s.want[:0], '"')), '"')
	if at := bytes.Index(got, s.want); at >= 0 {
		got = got[at : at+len(s.want)]
	}
	if !s.faults.check(got, s.want, p.key) {
		return s.faults.err()
	}
	return nil
}
