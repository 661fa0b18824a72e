package bridge

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signal-server/client"
	"signal-server/test/port"
)

// fake is a local program that keeps what is posted to it. With answers it posts its sdp from inside its /sdp handler, as
// upstream's answer does.
type fake struct {
	t       *testing.T
	address string

	mu sync.Mutex
	// guarded by mu
	bridge  string                   // the URL to which it posts
	answers string                   // the sdp that it answers with; empty: none
	status  func(client.Message) int // what it answers a delivery with; nil: always 200
	got     []client.Message         // that it answered with 200
	grown   chan struct{}            // closed and replaced at each change
	server  *httptest.Server         // nil while it is down
}

// newFake returns a program that is down.
func newFake(t *testing.T) *fake {
	f := &fake{t: t, address: port.Hold(t), grown: make(chan struct{})}
	t.Cleanup(f.stop)
	return f
}

// start makes the program listen at its address. It has got nothing yet.
func (f *fake) start() *fake {
	f.t.Helper()
	l, err := net.Listen("tcp", f.address)
	if err != nil {
		f.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(f)
	server.Listener.Close()
	server.Listener = l
	server.Start()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server, f.got = server, nil
	return f
}

func (f *fake) stop() {
	f.mu.Lock()
	server := f.server
	f.server = nil
	f.mu.Unlock()
	if server != nil {
		server.Close()
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Errorf("a delivery: got %v, want it whole", err)
	}
	m := client.Message{Kind: client.Kind(strings.TrimPrefix(r.URL.Path, "/")), Data: string(body)}
	if got, want := r.Header.Get("Content-Type"), "application/json; charset=utf-8"; got != want {
		f.t.Errorf("Content-Type: got %q, want %q", got, want)
	}
	f.mu.Lock()
	status, answer := 200, ""
	if f.status != nil {
		status = f.status(m)
	}
	if status == 200 {
		f.got = append(f.got, m)
		close(f.grown)
		f.grown = make(chan struct{})
		if m.Kind == client.SDP {
			answer = f.answers
		}
	}
	f.mu.Unlock()
	if answer != "" {
		f.post(sdp(answer))
	}
	w.WriteHeader(status)
}

// post posts the messages to the bridge.
func (f *fake) post(messages ...client.Message) {
	f.t.Helper()
	f.mu.Lock()
	bridge := f.bridge
	f.mu.Unlock()
	for _, m := range messages {
		resp, err := http.Post(bridge+"/"+string(m.Kind), "application/json; charset=utf-8", strings.NewReader(m.Data))
		if err != nil {
			f.t.Errorf("posting to the bridge: got %v, want no error", err)
			return
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			f.t.Errorf("posting to the bridge: got status %d, want 200", resp.StatusCode)
		}
	}
}

// beside tells the program where its bridge is.
func (f *fake) beside(r running) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bridge = r.url
}

// answerWith makes the program answer each sdp with the given one. A program that is up may have got an sdp already: so it comes before start.
func (f *fake) answerWith(sdp string) *fake {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers = sdp
	return f
}

// refuse makes the program answer deliveries with what status returns.
func (f *fake) refuse(status func(client.Message) int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
}

// want waits until the program has got as many messages, and fails the test if they are others.
func (f *fake) want(messages ...client.Message) {
	f.t.Helper()
	timeout := time.After(patience)
	for {
		f.mu.Lock()
		got, grown := slices.Clone(f.got), f.grown
		f.mu.Unlock()
		if len(got) >= len(messages) {
			if !slices.Equal(got, messages) {
				f.t.Fatalf("the program: got %v, want %v", got, messages)
			}
			return
		}
		select {
		case <-grown:
		case <-timeout:
			f.t.Fatalf("the program: got %v within %v, want %v", got, patience, messages)
		}
	}
}

// both is a pair of fake programs and the bridges between them.
type both struct {
	offer, answer             *fake
	besideOffer, besideAnswer running
}

// newBoth starts the bridges. The programs are down.
func newBoth(t *testing.T, server, key string, change ...func(*Config)) *both {
	t.Helper()
	b := &both{offer: newFake(t), answer: newFake(t)}
	b.besideOffer = startBridge(t, server, key, client.Offer, b.offer.address, change...)
	b.besideAnswer = startBridge(t, server, key, client.Answer, b.answer.address, change...)
	b.offer.beside(b.besideOffer)
	b.answer.beside(b.besideAnswer)
	return b
}
