// Command hello says hello to another one, or to the README's page, which it meets under the key K at a server on this machine, in either
// order. The README shows it, and a test runs it as it stands there.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/pion/webrtc/v4"

	"signal-server/client/pionsignal"
)

func main() {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		log.Fatal(err)
	}
	both, id := true, uint16(0) // both sides make the channel, under the same ID
	chat, err := pc.CreateDataChannel("chat", &webrtc.DataChannelInit{Negotiated: &both, ID: &id})
	if err != nil {
		log.Fatal(err)
	}
	chat.OnOpen(func() { chat.SendText("hello") })
	chat.OnMessage(func(m webrtc.DataChannelMessage) { fmt.Println(string(m.Data)) })
	if err := pionsignal.Connect(context.Background(), pc, "http://localhost:8080", "K"); err != nil {
		log.Fatal(err)
	}
	select {} // until ^C
}
