// Command pionpeer is the Go side of tests of pages: it connects as a program of the reader's would, by pionsignal.Connect, and sends back what
// it hears on data channel 0. It runs until a signal ends it.
//
//	pionpeer URL KEY SECRET ROLE    an empty KEY, SECRET or ROLE is not given
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/pionsignal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := connect(ctx, os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func connect(ctx context.Context, url, key, secret, role string) error {
	var opts []pionsignal.Option
	if secret != "" {
		opts = append(opts, pionsignal.WithSecret(secret))
	}
	if role != "" {
		opts = append(opts, pionsignal.WithRole(client.Role(role)))
	}
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	defer pc.Close()
	both, id := true, uint16(0)
	channel, err := pc.CreateDataChannel("chat", &webrtc.DataChannelInit{Negotiated: &both, ID: &id})
	if err != nil {
		return err
	}
	channel.OnMessage(func(m webrtc.DataChannelMessage) { channel.SendText(string(m.Data) + " back") })
	fmt.Println("connecting to", url)
	if err := pionsignal.Connect(ctx, pc, url, key, opts...); err != nil {
		return err
	}
	fmt.Println("connected by", url)
	<-ctx.Done()
	return nil
}
