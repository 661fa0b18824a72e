package attack_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/pionsignal"
	"signal-server/test/until"
)

// restart kills the server and starts it again at the same address.
func (s *server) restart(t *testing.T) *server {
	t.Helper()
	s.Cmd.Process.Kill()
	<-s.Ended
	<-time.After(300 * time.Millisecond) // a process manager takes a moment
	return start(t, exec.Command(program, "--listen="+s.Addr, "--admin=", anyMemory))
}

// TestRestart kills the server under load, twice, and starts it again at the same address. Every handshake completes: by a repeated
// request, or by starting over where the session has gone with the server. (client/js/test/server.test.js and
// test/browser/restart.test.js do the same with the browser's client.)
func TestRestart(t *testing.T) {
	s := serve(t)
	p := connecting(t, s.url(), nil)
	total := figures{}
	add := func(f figures) {
		total.handshakes += f.handshakes
		total.restarted += f.restarted
	}
	for range 2 {
		p.settle()
		s = s.restart(t)
		add(p.take(t))
	}
	until.True(t, patience, "a handshake completes after the restart", func() bool { return p.completed() > 0 })
	p.stop()
	p.done.Wait() // each that began has completed, or failed
	add(p.take(t))
	t.Logf("two kills: %d handshakes completed, %d of them after starting over, 0 failed", total.handshakes, total.restarted)
}

// TestRestartWithPion does the same with peers of pionsignal, which really connect.
func TestRestartWithPion(t *testing.T) {
	s := serve(t)
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * pairs}
	defer transport.CloseIdleConnections()
	c, err := client.New(s.url(), client.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	var connected, again atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var pairing sync.WaitGroup
	for range pairs {
		pairing.Go(func() {
			for ctx.Err() == nil {
				for began := time.Now(); ; again.Add(1) { // a pair that fails starts over, as applications do
					err := connectPion(c, rand.Text())
					if err == nil {
						connected.Add(1)
						break
					}
					if time.Since(began) > patience {
						t.Errorf("a pair does not connect: %v", err)
						return
					}
				}
			}
		})
	}
	defer pairing.Wait()
	defer stop()
	const some = 10 * pairs
	more := func() {
		t.Helper()
		enough := connected.Load() + some
		until.True(t, patience, "some more pairs connect", func() bool { return connected.Load() >= enough })
	}
	const kills = 2
	for range kills {
		more()
		s = s.restart(t)
	}
	more()
	stop()
	pairing.Wait() // each that began has connected
	if got, most := again.Load(), int64(2*kills*pairs); got > most {
		t.Errorf("pairs started over %d times, want %d at the most: once for each kill, and once more where that was hit too", got, most)
	}
	t.Logf("%d kills: %d pairs of pion peers connected, %d of them after starting over, 0 failed", kills, connected.Load(), again.Load())
}

// connectPion connects two peers on the loopback. When one fails it ends the other, which would wait in vain.
func connectPion(c *client.Client, key string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	roles := []client.Role{client.Offer, client.Answer}
	errs := make([]error, len(roles))
	pcs := make([]*webrtc.PeerConnection, len(roles))
	var both sync.WaitGroup
	for i, role := range roles {
		session, err := c.Session(key, role)
		if err != nil {
			return err
		}
		both.Go(func() {
			pc, err := pionsignal.ConnectNew(ctx, session, loopbackPeer)
			if errs[i] = err; err != nil {
				cancel()
				return
			}
			pcs[i] = pc
		})
	}
	both.Wait()
	for _, pc := range pcs {
		if pc != nil {
			pc.Close()
		}
	}
	return errors.Join(errs...)
}

// loopbackPeer returns a PeerConnection of the loopback alone, which needs no STUN server. An offerer's has a data channel.
func loopbackPeer(role client.Role) (*webrtc.PeerConnection, error) {
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetIPFilter(net.IP.IsLoopback)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err == nil && role == client.Offer {
		_, err = pc.CreateDataChannel("data", nil)
	}
	return pc, err
}
