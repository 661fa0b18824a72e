package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/pionsignal"
)

// ways of peers to come by their ICE servers, the places in what connectTime measures.
const (
	askedServers = iota // the server's list, which the client has kept from the first time
	givenServers        // the same, in the PeerConnection's configuration
	noServers
	serverWays
)

// connectTime measures how long an offerer takes until it is connected, with the server's list of ICE servers and without.
func connectTime(ctx context.Context, b *bench) error {
	server, err := b.relaying("signal-server --turn", b.server)
	if err != nil {
		return err
	}
	p, err := b.start(ctx, server)
	if err != nil {
		return err
	}
	defer p.stop()
	url := "http://" + p.addr
	given, err := toldServers(ctx, url)
	if err != nil {
		return err
	}
	var median [serverWays]series
	err = b.turnsOf(ctx, b.size.rounds, 1, func(int) error {
		var took [serverWays]series
		for n := range b.size.connects {
			for i := range serverWays {
				way := (n + i) % serverWays
				var config webrtc.Configuration
				var opts []pionsignal.Option
				switch way {
				case givenServers:
					config.ICEServers = given
				case noServers:
					opts = append(opts, pionsignal.WithoutICEServers())
				}
				d, err := connectPeers(ctx, url, config, opts)
				if err != nil {
					return fmt.Errorf("connecting: %w", err)
				}
				b.faults.checked.Add(1)
				took[way] = append(took[way], milliseconds(d))
			}
		}
		for way := range took {
			median[way] = append(median[way], took[way].median())
		}
		return nil
	})
	if err != nil {
		return err
	}
	t := table{
		title: "Time to connected, with the list of ICE servers",
		text: fmt.Sprintf("From the offerer's pionsignal.Connect until its PeerConnection is connected, while the answerer waits already; both in the process of the load, "+
			"over a server with --turn, all on the loopback. The client has kept the list of GET /ice. The first row against the second is what the list costs; against the "+
			"third, also the relays that both peers make before they write: each waits for them, 50 ms at the most. Median of %d connections of each kind a round, in turns.", b.size.connects),
		columns: []string{"ICE servers", "ms", "÷ none", "÷ given by the program"},
	}
	for way, name := range [...]string{askedServers: "the server's, kept", givenServers: "the same, given by the program", noServers: "none"} {
		t.add(name, median[way].span(2), median[way].over(median[noServers]).span(3), median[way].over(median[givenServers]).span(3))
	}
	b.report.add(t)
	b.report.bar("time to connected, the server's ICE servers kept ÷ the same, given by the program", median[askedServers].over(median[givenServers]), 3, 1.02, 0)
	b.report.bar("time to connected, the server's ICE servers kept ÷ none", median[askedServers].over(median[noServers]), 3, 1.02, 0)
	return nil
}

// toldServers returns the ICE servers that the server tells of, and has clients of this process keep them.
func toldServers(ctx context.Context, url string) (all []webrtc.ICEServer, err error) {
	c, err := client.New(url)
	if err != nil {
		return nil, err
	}
	told, err := c.ICEServers(ctx)
	if err == nil && len(told) == 0 {
		err = errors.New("the server tells of no ICE servers")
	}
	for _, s := range told {
		server := webrtc.ICEServer{URLs: s.URLs, Username: s.Username}
		if s.Credential != "" {
			server.Credential = s.Credential
		}
		all = append(all, server)
	}
	return all, err
}

// connectPeers has two new peers connect, and returns how long the offerer took.
func connectPeers(ctx context.Context, url string, config webrtc.Configuration, opts []pionsignal.Option) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var peers [2]*webrtc.PeerConnection
	for i := range peers {
		if peers[i], err = newPeer(config); err != nil {
			return 0, err
		}
		defer peers[i].GracefulClose()
	}
	key, answered := newKey(), make(chan error, 1)
	var answering sync.WaitGroup
	defer answering.Wait()
	answering.Go(func() {
		answered <- pionsignal.Connect(ctx, peers[1], url, key, append(opts[:len(opts):len(opts)], pionsignal.WithRole(client.Answer))...)
	})
	if err := sleep(ctx, 5*time.Millisecond); err != nil { // until the answerer waits
		return 0, err
	}
	connected := make(chan time.Time, 1)
	peers[0].OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			select {
			case connected <- time.Now():
			default:
			}
		}
	})
	begun := time.Now()
	err = pionsignal.Connect(ctx, peers[0], url, key, append(opts[:len(opts):len(opts)], pionsignal.WithRole(client.Offer))...)
	if err != nil {
		return 0, err
	}
	select {
	case at := <-connected:
		return at.Sub(begun), <-answered
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// newPeer returns a PeerConnection of the loopback with a data channel.
func newPeer(config webrtc.Configuration) (*webrtc.PeerConnection, error) {
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetIPFilter(net.IP.IsLoopback)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(config)
	if err != nil {
		return nil, err
	}
	negotiated, id := true, uint16(1)
	if _, err := pc.CreateDataChannel("data", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id}); err != nil {
		pc.Close()
		return nil, err
	}
	return pc, nil
}
