package pionsignal_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/pionsignal"
)

// Two programs that run this with the same key connect, whichever comes first: neither has to know whether it offers.
func ExampleConnectNew() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.New("http://localhost:8080")
	if err != nil {
		log.Fatal(err)
	}
	meeting, err := c.Meeting("a random string that both know")
	if err != nil {
		log.Fatal(err)
	}
	pc, err := pionsignal.ConnectNew(ctx, meeting, func(role client.Role) (*webrtc.PeerConnection, error) {
		pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			return nil, err
		}
		pc.OnDataChannel(greet) // the answerer's
		if role == client.Offer {
			channel, err := pc.CreateDataChannel("chat", nil)
			if err != nil {
				return nil, err
			}
			greet(channel)
		}
		return pc, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pc.Close()
	<-ctx.Done()
}

func greet(channel *webrtc.DataChannel) {
	channel.OnOpen(func() { channel.SendText("hello") })
	channel.OnMessage(func(m webrtc.DataChannelMessage) { fmt.Printf("%s\n", m.Data) })
}
