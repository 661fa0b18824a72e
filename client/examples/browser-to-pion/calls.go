package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/pionsignal"
)

const (
	// maxCalls is how many calls run at once at the most: each sends video.
	maxCalls = 8
	// patience is how long this side waits for the page that has asked for a call.
	patience = 30 * time.Second
)

// calls begins calls, and ends all of them when its context ends.
type calls struct {
	ctx     context.Context
	client  *client.Client
	server  string
	config  webrtc.Configuration
	places  chan struct{}
	running sync.WaitGroup
}

func newCalls(ctx context.Context, c *client.Client, server, stun string) *calls {
	s := &calls{ctx: ctx, client: c, server: server, places: make(chan struct{}, maxCalls)}
	if stun != "" {
		s.config.ICEServers = []webrtc.ICEServer{{URLs: []string{stun}}}
	}
	return s
}

// wait waits until all calls have ended. They end when the context ends.
func (s *calls) wait() { s.running.Wait() }

// serve begins a call with the page that asks for one, and answers with the server and the key. The page names its own role.
func (s *calls) serve(w http.ResponseWriter, r *http.Request) {
	role := client.Answer
	if r.FormValue("role") == "answer" {
		role = client.Offer
	}
	key := rand.Text()
	session, err := s.client.Session(key, role)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	select {
	case s.places <- struct{}{}:
	default:
		http.Error(w, "there are too many calls, try again later", http.StatusServiceUnavailable)
		return
	}
	s.running.Go(func() {
		defer func() { <-s.places }()
		if err := s.call(session); err != nil && s.ctx.Err() == nil {
			log.Print(err)
		}
	})
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"url": s.server, "key": key})
}

// call makes one call, from its beginning to its end.
func (s *calls) call(session *client.Session) error {
	pc, err := webrtc.NewPeerConnection(s.config)
	if err != nil {
		return err
	}
	defer pc.Close()

	over, hangUp := context.WithCancel(s.ctx)
	defer hangUp()
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		fmt.Println("connection:", state)
		if state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateClosed {
			hangUp()
		}
	})
	echo := func(channel *webrtc.DataChannel) {
		channel.OnMessage(func(m webrtc.DataChannelMessage) { reply(channel, m) })
		channel.OnClose(hangUp) // the page is gone
	}
	pc.OnDataChannel(echo)
	track, err := addPattern(pc)
	if err != nil {
		return err
	}
	if err := s.connect(over, pc, session, echo); err != nil {
		return err
	}
	return showPattern(over, track)
}

// connect connects pc in the session's role. The offerer creates the data channel.
func (s *calls) connect(ctx context.Context, pc *webrtc.PeerConnection, session *client.Session, echo func(*webrtc.DataChannel)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if session.Role() == client.Answer {
		return pionsignal.Answer(ctx, pc, session)
	}
	channel, err := pc.CreateDataChannel("echo", nil)
	if err != nil {
		return err
	}
	echo(channel)
	return pionsignal.Offer(ctx, pc, session)
}

func reply(channel *webrtc.DataChannel, m webrtc.DataChannelMessage) {
	if m.IsString {
		channel.SendText(string(m.Data)) // if it fails, the channel is closing, and OnClose is called
	} else {
		channel.Send(m.Data)
	}
}
