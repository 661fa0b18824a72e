package pionsignal_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"signal-server/app/apptest"
	"signal-server/cache/memory"
	"signal-server/client"
)

// world is a real server on loopback, and a client of it that counts its requests.
type world struct {
	t      *testing.T
	server *apptest.Server
	store  *memory.Store
	client *client.Client
	wire   *counter
}

func newWorld(t *testing.T, changes ...func(*apptest.Config)) *world {
	t.Helper()
	config := apptest.Defaults()
	for _, change := range changes {
		change(&config)
	}
	store, err := memory.New(memory.Config{Limits: config.Limits, Memory: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	server := apptest.Serve(t, apptest.Listen(t), config, store)
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	w := &world{t: t, server: server, store: store, wire: &counter{next: transport}}
	t.Cleanup(func() {
		w.client.Wait()
		transport.CloseIdleConnections()
	})
	w.client, err = client.New(server.URL, client.WithHTTPClient(&http.Client{Transport: w.wire}))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) session(key string, role client.Role) *client.Session {
	w.t.Helper()
	s, err := w.client.Session(key, role)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// counter is a transport that records the requests it carries, and may fail some.
type counter struct {
	next http.RoundTripper

	mu sync.Mutex
	// guarded by mu
	seen []string
	more chan struct{}               // closed with the next request; nil: nobody waits for it
	fail func(r *http.Request) error // nil: none
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.seen = append(c.seen, strings.TrimSuffix(fmt.Sprintf("%s %s?%s", r.Method, r.URL.Path, waits(r)), "?"))
	if c.more != nil {
		close(c.more)
		c.more = nil
	}
	fail := c.fail
	c.mu.Unlock()
	if fail != nil {
		if err := fail(r); err != nil {
			return nil, err
		}
	}
	return c.next.RoundTrip(r)
}

func waits(r *http.Request) string {
	if r.URL.Query().Has("wait") {
		return "wait"
	}
	return ""
}

func (c *counter) failWhere(fail func(r *http.Request) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = fail
}

// await returns when a request that begins with the given text has been seen since the last take.
func (c *counter) await(t *testing.T, request string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		c.mu.Lock()
		if slices.ContainsFunc(c.seen, func(s string) bool { return strings.HasPrefix(s, request) }) {
			c.mu.Unlock()
			return
		}
		if c.more == nil {
			c.more = make(chan struct{})
		}
		more := c.more
		c.mu.Unlock()
		select {
		case <-more:
		case <-limit:
			t.Errorf("no %s came", request)
			return
		}
	}
}

// take returns the requests since the last call.
func (c *counter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	return seen
}

// newPC returns a PeerConnection that uses only loopback and asks no server for its address.
func newPC(t testing.TB, changes ...func(*webrtc.SettingEngine)) *webrtc.PeerConnection {
	t.Helper()
	return newPCWith(t, webrtc.Configuration{}, changes...)
}

func newPCWith(t testing.TB, config webrtc.Configuration, changes ...func(*webrtc.SettingEngine)) *webrtc.PeerConnection {
	t.Helper()
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetIPFilter(net.IP.IsLoopback)
	for _, change := range changes {
		change(&s)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pc.GracefulClose(); err != nil {
			t.Error(err)
		}
	})
	return pc
}

// channel is the offerer's data channel.
func channel(t testing.TB, pc *webrtc.PeerConnection) *webrtc.DataChannel {
	t.Helper()
	dc, err := pc.CreateDataChannel("data", nil)
	if err != nil {
		t.Fatal(err)
	}
	return dc
}

// echo makes the answerer send back what it receives.
func echo(pc *webrtc.PeerConnection) {
	pc.OnDataChannel(func(dc *webrtc.DataChannel) {
		dc.OnMessage(func(m webrtc.DataChannelMessage) { dc.SendText(string(m.Data) + " back") })
	})
}

// talk fails the test if the other side of dc does not echo.
func talk(t *testing.T, dc *webrtc.DataChannel) {
	t.Helper()
	opened, heard := make(chan struct{}), make(chan string, 1)
	dc.OnOpen(func() { close(opened) })
	dc.OnMessage(func(m webrtc.DataChannelMessage) { heard <- string(m.Data) })
	limit := time.After(20 * time.Second)
	select {
	case <-opened:
	case <-limit:
		t.Fatal("the data channel does not open")
	}
	if err := dc.SendText("hello"); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-heard:
		if want := "hello back"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	case <-limit:
		t.Fatal("no echo")
	}
}

// within returns a context that ends after d, or with the test.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
