// Command hello says hello to another one that was started with the same key, in either order. Type this into two terminals, beside a
// server on this machine; the variable SERVER names another one:
//
//	go run ./client/examples/hello KEY
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/pion/webrtc/v4"

	"signal-server/client/pionsignal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		log.Fatal(err)
	}
	both, id := true, uint16(0) // both sides make the channel, under the same ID
	chat, err := pc.CreateDataChannel("chat", &webrtc.DataChannelInit{Negotiated: &both, ID: &id})
	if err != nil {
		log.Fatal(err)
	}
	chat.OnOpen(func() { chat.SendText(fmt.Sprint("hello from process ", os.Getpid())) })
	chat.OnMessage(func(m webrtc.DataChannelMessage) {
		if string(m.Data) == "bye" { // the other one has heard this one
			stop()
			return
		}
		fmt.Println(string(m.Data))
		chat.SendText("bye")
	})
	chat.OnClose(stop)

	server := cmp.Or(os.Getenv("SERVER"), "http://localhost:8080")
	if err := pionsignal.Connect(ctx, pc, server, strings.Join(os.Args[1:], " ")); err != nil {
		log.Fatal(err)
	}
	<-ctx.Done() // both have heard the other, or somebody has pressed ^C
	pc.Close()
}
