package pionsignal_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/pionsignal"
	"signal-server/client/seal"
	"signal-server/custerrors"
)

// Two programs that run this with the same key connect, whichever comes first. The data channel is one that both sides make.
func ExampleConnect() {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		log.Fatal(err)
	}
	defer pc.Close()
	both, id := true, uint16(0)
	channel, err := pc.CreateDataChannel("chat", &webrtc.DataChannelInit{Negotiated: &both, ID: &id})
	if err != nil {
		log.Fatal(err)
	}
	greet(channel)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := pionsignal.Connect(ctx, pc, "http://localhost:8080", "a random string that both know"); err != nil {
		log.Fatal(err)
	}
	<-ctx.Done()
}

// Both peers know the words, and need no key: the server learns neither where they meet nor what they say.
func ExampleWithSecret() {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		log.Fatal(err)
	}
	defer pc.Close()
	if _, err := pc.CreateDataChannel("chat", nil); err != nil {
		log.Fatal(err)
	}
	err = pionsignal.Connect(context.Background(), pc, "https://signal.example", "",
		pionsignal.WithSecret("correct horse battery staple"), pionsignal.WithToken(os.Getenv("TOKEN")))
	switch {
	case errors.Is(err, seal.ErrBroken):
		log.Fatal("the two have different secrets: ", err)
	case errors.Is(err, custerrors.NotAuthenticated):
		log.Fatal("the server does not take the token: ", err)
	case err != nil:
		log.Fatal(err)
	}
}

// Two programs that run this with the same key connect though either one is killed and started again before that: neither has to know
// whether it offers.
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
