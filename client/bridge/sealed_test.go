package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/pionsignal"
	"signal-server/client/seal"
	"signal-server/custerrors"
	"signal-server/test/port"
)

func withSecret(secret string) func(*Config) { return func(c *Config) { c.Secret = secret } }

// The programs get what they would get without a secret, and the server is given nothing of it. What the server refuses leaves no gap.
func TestSealedBridgesCarryEverythingInOrder(t *testing.T) {
	for name, key := range map[string]string{"with a key": "k", "without": ""} {
		t.Run(name, func(t *testing.T) {
			session, _, err := seal.Agreed(key, "one")
			if err != nil {
				t.Fatal(err)
			}
			server := startServer(t)
			b := newBoth(t, server, key, withSecret("one"))
			b.answer.start()
			b.offer.start().post(candidate("c1"), candidate(strings.Repeat("c", 5000)), candidate("c2"), sdp("offer"))
			b.answer.want(sdp("offer"), candidate("c1"), candidate("c2"))
			b.answer.post(candidate("a1"), candidate(strings.Repeat("a", 5000)), sdp("answer"), candidate("a2"))
			b.offer.want(sdp("answer"), candidate("a1"), candidate("a2"))
			for i := range 20 {
				b.offer.post(candidate(fmt.Sprint("c", i+3)))
			}
			b.besideAnswer.log.want(t, "delivered")
			for _, role := range []client.Role{client.Offer, client.Answer} {
				batch, err := newSession(t, server, session, role).Messages(t.Context(), "", 0)
				if err != nil || len(batch.Messages) < 3 {
					t.Fatalf("got %v, %v, want what the other side wrote", batch, err)
				}
				for _, m := range batch.Messages {
					if !seal.Sealed(m.Data) {
						t.Errorf("the server was given %.40q, want it sealed", m.Data)
					}
				}
			}
		})
	}
}

// A session that the server forgets is opened again, and all that belongs to it is sealed for the new one.
func TestSealedBridgesOutliveTheSession(t *testing.T) {
	b := forgotten(t, withSecret("one"))
	b.answer.answerWith("answer 1").start()
	b.answer.want(sdp("offer"), candidate("c1"))
	b.offer.want(sdp("answer 1"))

	b.answer.stop()
	b.answer.answerWith("answer 2").start()
	b.offer.stop()
	b.offer.start().post(sdp("offer 2"))
	b.answer.want(sdp("offer 2"))
	b.offer.want(sdp("answer 2"))
}

// Both sides learn at once that their secrets differ, and go on with the next offer.
func TestBridgesWithSecretsThatDiffer(t *testing.T) {
	server := startServer(t)
	offer, answer, other := newFake(t), newFake(t), newFake(t).start()
	one := startBridge(t, server, "k", client.Offer, offer.address, withSecret("one"))
	two := startBridge(t, server, "k", client.Answer, answer.address, withSecret("two"))
	offer.beside(one)
	offer.start().post(sdp("offer"))
	one.log.want(t, "give both sides the same secret")
	two.log.want(t, "give both sides the same secret")
	two.stop()

	right := startBridge(t, server, "k", client.Answer, other.address, withSecret("one"))
	other.beside(right)
	other.answerWith("answer")
	offer.post(sdp("offer 2"))
	other.want(sdp("offer 2"))
	offer.want(sdp("answer"))
	answer.want() // nothing
}

// A bridge without a secret passes on what a sealing peer says, because its program may open that, and says so.
func TestBridgeWithoutTheSecretOfTheOtherSide(t *testing.T) {
	server := startServer(t)
	offer, answer := newFake(t), newFake(t).start()
	one := startBridge(t, server, "k", client.Offer, offer.address, withSecret("one"))
	two := startBridge(t, server, "k", client.Answer, answer.address)
	offer.beside(one)
	answer.beside(two)
	answer.answerWith("answer")
	offer.start().post(sdp("offer"))
	two.log.want(t, "give this bridge the same secret")
	one.log.want(t, "give both sides the same secret")
}

// peer is a program on Pion that signals as upstream's do, but in JSON, beside its bridge.
type peer struct {
	t      *testing.T
	pc     *webrtc.PeerConnection
	server *httptest.Server
	bridge string
	heard  chan string
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{t: t, pc: loopbackPC(t), heard: make(chan string, 1)}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	dc := chat(t, p.pc)
	dc.OnOpen(func() { dc.SendText("hello of the program") })
	dc.OnMessage(func(m webrtc.DataChannelMessage) { p.heard <- string(m.Data) })
	return p
}

func (p *peer) address() string { return strings.TrimPrefix(p.server.URL, "http://") }

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil && r.URL.Path == "/candidate" {
		var c webrtc.ICECandidateInit
		if err = json.Unmarshal(body, &c); err == nil {
			err = p.pc.AddICECandidate(c)
		}
	} else if err == nil {
		var d webrtc.SessionDescription
		if err = json.Unmarshal(body, &d); err == nil {
			err = p.pc.SetRemoteDescription(d)
		}
		if err == nil && d.Type == webrtc.SDPTypeOffer {
			err = p.describe(p.pc.CreateAnswer(nil))
		}
	}
	if err != nil {
		p.t.Errorf("%s %.60q: got %v, want it to be taken", r.URL.Path, body, err)
	}
}

// describe posts the description with all candidates.
func (p *peer) describe(d webrtc.SessionDescription, err error) error {
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err == nil {
		err = p.pc.SetLocalDescription(d)
	}
	if err != nil {
		return err
	}
	<-gathered
	text, err := json.Marshal(p.pc.LocalDescription())
	if err != nil {
		return err
	}
	resp, err := http.Post(p.bridge+"/sdp", "application/json", strings.NewReader(string(text)))
	if err == nil {
		resp.Body.Close()
	}
	return err
}

func loopbackPC(t *testing.T) *webrtc.PeerConnection {
	t.Helper()
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetIPFilter(net.IP.IsLoopback)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.GracefulClose() })
	return pc
}

// chat is a data channel of which both sides make their half.
func chat(t *testing.T, pc *webrtc.PeerConnection) *webrtc.DataChannel {
	t.Helper()
	yes, id := true, uint16(0)
	dc, err := pc.CreateDataChannel("chat", &webrtc.DataChannelInit{Negotiated: &yes, ID: &id})
	if err != nil {
		t.Fatal(err)
	}
	return dc
}

// A program beside a bridge with a secret meets one that uses pionsignal with the same secret, in either role.
func TestSealedBridgeMeetsPionsignal(t *testing.T) {
	for _, role := range []client.Role{client.Offer, client.Answer} {
		for name, key := range map[string]string{"with a key": "k", "without": ""} {
			t.Run(string(role)+" "+name, func(t *testing.T) {
				server := startServer(t)
				p := newPeer(t)
				p.bridge = startBridge(t, server, key, role, p.address(), withSecret("one")).url
				if role == client.Offer {
					if err := p.describe(p.pc.CreateOffer(nil)); err != nil {
						t.Fatal(err)
					}
				}
				pc := loopbackPC(t)
				dc := chat(t, pc)
				heard := make(chan string, 1)
				dc.OnOpen(func() { dc.SendText("hello of pionsignal") })
				dc.OnMessage(func(m webrtc.DataChannelMessage) { heard <- string(m.Data) })
				transport := &http.Transport{}
				t.Cleanup(transport.CloseIdleConnections)
				err := pionsignal.Connect(t.Context(), pc, server, key,
					pionsignal.WithSecret("one"), pionsignal.WithHTTPClient(&http.Client{Transport: transport}), pionsignal.WithoutReport())
				if err != nil {
					t.Fatal(err)
				}
				for want, from := range map[string]chan string{"hello of the program": heard, "hello of pionsignal": p.heard} {
					select {
					case got := <-from:
						if got != want {
							t.Errorf("got %q, want %q", got, want)
						}
					case <-time.After(patience):
						t.Errorf("got nothing within %v, want %q", patience, want)
					}
				}
			})
		}
	}
}

// A bridge whose token is not taken ends, and does not ask again.
func TestRunEndsWhenTheTokenIsNotTaken(t *testing.T) {
	for _, role := range []client.Role{client.Offer, client.Answer} {
		asked := make(chan string, 100)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- r.Header.Get("Authorization")
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"msg":"`+string(custerrors.NotAuthenticated)+`","data":null}`)
		}))
		t.Cleanup(server.Close)
		tokens := []string{"expired", "wrong", "never"}
		log := newLines(t, "bridge")
		cfg := Config{
			Server: server.URL, Key: "k", Role: role, Listen: port.Hold(t), Forward: "127.0.0.1:1", Logger: logTo(log),
			Token: func(context.Context) (string, error) { token := tokens[0]; tokens = tokens[1:]; return token, nil },
		}
		f := newFake(t)
		ended := make(chan error, 1)
		go func() { ended <- Run(t.Context(), cfg) }()
		log.want(t, "the bridge is ready")
		if role == client.Offer {
			f.bridge = "http://" + cfg.Listen
			f.post(sdp("offer"))
		}
		err := <-ended
		if !errors.Is(err, custerrors.NotAuthenticated) || !strings.HasPrefix(err.Error(), "token: client: ") {
			t.Errorf("%s: got %v, want %v that begins with token:", role, err, custerrors.NotAuthenticated)
		}
		if got, want := fmt.Sprint(<-asked, ", ", <-asked, ", ", len(asked)), "Bearer expired, Bearer wrong, 0"; got != want {
			t.Errorf("%s: got requests with %s, want %s", role, got, want)
		}
		if log.count("expired")+log.count("Bearer") > 0 || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: got a token in the log or in %v", role, err)
		}
	}
}
