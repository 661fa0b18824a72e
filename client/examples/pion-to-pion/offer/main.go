// Command offer calls command answer: it opens a data channel to it through a signaling server, and says something random
// every few seconds. Start both with the same key, in either order. One that was killed before they were connected can be started again:
//
//	go run ./client/examples/pion-to-pion/answer -key K
//	go run ./client/examples/pion-to-pion/offer -key K
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/pionsignal"
)

func main() {
	server := flag.String("server", "http://localhost:8080", "`URL` of the signaling server")
	key := flag.String("key", "", "what both sides agree on: 1 to 32 characters that nobody else guesses")
	stun := flag.String("stun", "", "a STUN server, such as stun:stun.example.org:3478; needed across NATs only")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := call(ctx, *server, *key, *stun); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func call(ctx context.Context, server, key, stun string) error {
	c, err := client.New(server)
	if err != nil {
		return err
	}
	session, err := c.Session(key, client.Offer)
	if err != nil {
		return err
	}
	var config webrtc.Configuration
	if stun != "" {
		config.ICEServers = []webrtc.ICEServer{{URLs: []string{stun}}}
	}
	lost, hangUp := context.WithCancel(ctx)
	defer hangUp()
	pc, err := pionsignal.ConnectNew(ctx, session, func(client.Role) (*webrtc.PeerConnection, error) {
		pc, err := webrtc.NewPeerConnection(config)
		if err != nil {
			return nil, err
		}
		channel, err := pc.CreateDataChannel("data", nil)
		if err != nil {
			return nil, err
		}
		channel.OnMessage(func(m webrtc.DataChannelMessage) { fmt.Printf("received %s\n", m.Data) })
		channel.OnOpen(func() { go chat(lost, channel) })
		return pc, nil
	})
	if err != nil {
		return err
	}
	defer pc.Close()
	untilLost(pc, hangUp)
	<-lost.Done()
	return nil
}

// untilLost tells the state of a connected PeerConnection, and calls hangUp when the connection is lost.
func untilLost(pc *webrtc.PeerConnection, hangUp func()) {
	tell := func(s webrtc.PeerConnectionState) {
		fmt.Println("connection:", s)
		if s == webrtc.PeerConnectionStateFailed || s == webrtc.PeerConnectionStateClosed {
			hangUp()
		}
	}
	pc.OnConnectionStateChange(tell)
	tell(pc.ConnectionState()) // which may have changed before the handler was set
}

// chat sends something random every few seconds until the connection is lost.
func chat(lost context.Context, channel *webrtc.DataChannel) {
	for {
		text := rand.Text()[:15]
		if err := channel.SendText(text); err != nil {
			return
		}
		fmt.Printf("sent %s\n", text)
		select {
		case <-time.After(5 * time.Second):
		case <-lost.Done():
			return
		}
	}
}
