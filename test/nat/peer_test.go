package nat_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/pion/webrtc/v4"

	"signal-server/client/pionsignal"
)

// peerVariable makes the test binary a peer, of the server with that URL.
const peerVariable = "SIGNAL_NAT_PEER"

const (
	relayed  = 100_000 // bytes that each peer sends
	doneLine = "all is there, by relays only"
)

// peer connects with the other peer by relays only, and says doneLine when it has what that has sent. It ends with its standard input. It returns
// the exit status.
func peer(url string) int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := converse(ctx, url); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(doneLine)
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// converse opens a data channel to the other peer and sends by it, while that does the same.
func converse(ctx context.Context, url string) error {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{ICETransportPolicy: webrtc.ICETransportPolicyRelay})
	if err != nil {
		return err
	}
	both, id := true, uint16(0)
	channel, err := pc.CreateDataChannel("data", &webrtc.DataChannelInit{Negotiated: &both, ID: &id})
	if err != nil {
		return err
	}
	var got int
	all := make(chan struct{})
	channel.OnMessage(func(m webrtc.DataChannelMessage) {
		if got += len(m.Data); got == relayed {
			close(all)
		}
	})
	opened := make(chan struct{})
	channel.OnOpen(func() { close(opened) })
	if err := pionsignal.Connect(ctx, pc, url, "peers apart"); err != nil {
		return err
	}
	if err := wait(ctx, opened, "the channel to open"); err != nil {
		return err
	}
	for range 100 {
		if err := channel.Send(bytes.Repeat([]byte("x"), relayed/100)); err != nil {
			return err
		}
	}
	if err := wait(ctx, all, "the peer's data"); err != nil {
		return err
	}
	pair, err := pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil {
		return err
	}
	if pair.Local.Typ != webrtc.ICECandidateTypeRelay {
		return fmt.Errorf("connected by %v, want a relay here", pair)
	}
	return nil
}

func wait(ctx context.Context, until <-chan struct{}, what string) error {
	select {
	case <-until:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no longer waiting for %s: %w", what, ctx.Err())
	}
}
