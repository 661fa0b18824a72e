package client_test

import (
	"bufio"
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

// cutter is a server that answers the first request of a connection, and closes the connection when it has read a second one. A server
// does so if it crashes, or if the connection's idle time is over, just then.
type cutter struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu sync.Mutex
	// guarded by mu
	requests []*http.Request
}

func newCutter(t *testing.T) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l}
	c.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); c.wg.Wait() })
	return c
}

func (c *cutter) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for n := range 2 {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		c.mu.Lock()
		c.requests = append(c.requests, req)
		c.mu.Unlock()
		if n == 0 {
			body := `{"msg":"","data":"x"}`
			conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" + body))
		}
	}
}

// net/http repeats a GET by itself if a kept connection breaks before the answer. If the GET is a take, it does so under the same token.
func TestTheTransportRepeatsATakeUnderItsToken(t *testing.T) {
	c := newCutter(t)
	hc := &http.Client{Transport: &http.Transport{}}
	defer hc.CloseIdleConnections()
	s := newSession(t, "http://"+c.listener.Addr().String(), "key", client.Offer, client.WithHTTPClient(hc))
	if got, err := s.TakeCandidate(t.Context(), 0); got != "x" || err != nil {
		t.Fatalf("got %q, %v, want x", got, err)
	}
	if got, err := s.TakeCandidate(t.Context(), 0); got != "x" || err != nil {
		t.Errorf("got %q, %v, want x by the repetition", got, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if got, want := len(c.requests), 3; got != want {
		t.Fatalf("the server got %d requests, want %d", got, want)
	}
	tokens := []string{}
	for _, r := range c.requests {
		tokens = append(tokens, r.Header.Get("Idempotency-Key"))
	}
	if tokens[0] == tokens[1] || tokens[1] != tokens[2] || tokens[1] == "" {
		t.Errorf("got tokens %q, want the second take's repeated", tokens)
	}
}

func TestATakeThatWasNotSentIsRepeated(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"msg":"","data":"x"}`))
	}))
	defer server.Close()
	var dials atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) < 3 {
			return nil, errors.New("connection refused")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	defer transport.CloseIdleConnections()
	s := newSession(t, server.URL, "key", client.Offer, client.WithHTTPClient(&http.Client{Transport: transport}),
		client.WithRetry(client.Retry{Attempts: 3, Base: time.Millisecond, Max: time.Millisecond}))
	if got, err := s.TakeSDP(t.Context(), 0); got != "x" || err != nil {
		t.Errorf("got %q, %v, want x", got, err)
	}
}

func TestKeysReachTheServerAsTheyAre(t *testing.T) {
	var header, query string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header, query = r.Header.Get("key"), r.URL.Query().Get("key")
		w.Write([]byte(`{"msg":"","data":null}`))
	}))
	defer server.Close()
	for _, c := range []struct{ key, header, query string }{
		{"plain", "plain", ""},
		{"  two words ", "two words", ""},
		{"钥匙 🔑", "钥匙 🔑", ""},
		{"\u00a0é\u2003", "é", ""},
		{"not\xffutf8", "not\xffutf8", ""},
		{"line\nbreak", "", "line\nbreak"},
		{"a&b=c#d%20", "a&b=c#d%20", ""},
		{"\x00&=#%", "", "\x00&=#%"},
		{strings.Repeat("🔑", 32), strings.Repeat("🔑", 32), ""},
	} {
		s := newSession(t, server.URL, c.key, client.Offer, client.WithHTTPClient(server.Client()))
		if err := s.AddCandidate(t.Context(), "c"); err != nil {
			t.Errorf("%q: %v", c.key, err)
		}
		if header != c.header || query != c.query {
			t.Errorf("%q: got header %q and query %q, want %q and %q", c.key, header, query, c.header, c.query)
		}
	}
}

func TestSessionRefusesWhatIsNoKeyOrNoRole(t *testing.T) {
	c, err := client.New("http://server.example/mounted/here")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		key  string
		want error
	}{
		{"", custerrors.KeyIsEmpty},
		{" \t\n", custerrors.KeyIsEmpty},
		{strings.Repeat("é", 33), custerrors.KeyIsTooLong},
	} {
		if _, err := c.Session(k.key, client.Offer); !errors.Is(err, k.want) {
			t.Errorf("key %q: got %v, want %v", k.key, err, k.want)
		}
	}
	if _, err := c.Session("key", "caller"); err == nil {
		t.Error("role caller: got no error")
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for _, base := range []string{"", "server.example", "ftp://server.example", "http://", "http://h/?a=b", "http://h/#x", "http://h:x"} {
		if _, err := client.New(base); err == nil {
			t.Errorf("base URL %q: got no error", base)
		}
	}
	for name, o := range map[string]client.Option{
		"negative attempts":          client.WithRetry(client.Retry{Attempts: -1}),
		"negative pause":             client.WithRetry(client.Retry{Base: -1}),
		"negative longest pause":     client.WithRetry(client.Retry{Max: -1}),
		"Max under Base":             client.WithRetry(client.Retry{Attempts: 1, Base: 2, Max: 1}),
		"negative timeout":           client.WithTimeout(-1),
		"negative reply":             client.WithMaxReply(-1),
		"negative time of the other": client.WithHTTPClient(&http.Client{Timeout: -1}),
	} {
		if _, err := client.New("http://server.example", o); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// What is zero means the default, and what is huge is a day, not a sum that overflows: each of these answers a request.
func TestAnOptionThatIsZeroOrHugeWorks(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"msg":"","data":null}`))
	}))
	defer server.Close()
	for name, o := range map[string]client.Option{
		"no retry":       client.WithRetry(client.Retry{}),
		"attempts alone": client.WithRetry(client.Retry{Attempts: 2}),
		"a pause alone":  client.WithRetry(client.Retry{Base: time.Minute}),
		"a short Max":    client.WithRetry(client.Retry{Max: 1}),
		"no http.Client": client.WithHTTPClient(nil),
		"no logger":      client.WithLogger(nil),
		"no timeout":     client.WithTimeout(0),
		"no reply":       client.WithMaxReply(0),
		"huge timeout":   client.WithTimeout(math.MaxInt64),
		"huge reply":     client.WithMaxReply(math.MaxInt64),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, server.URL, "key", client.Offer, client.WithHTTPClient(server.Client()), o)
			if err := s.AddCandidate(t.Context(), "c"); err != nil {
				t.Error(err)
			}
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections() // it served where there was no http.Client
}

func TestAServerMountedUnderAPath(t *testing.T) {
	var paths []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		w.Write([]byte(`{"msg":"","data":null}`))
	}))
	defer server.Close()
	for _, base := range []string{"", "/", "/under/here", "/under/here/"} {
		s := newSession(t, server.URL+base, "key", client.Answer, client.WithHTTPClient(server.Client()))
		if err := s.End(t.Context()); err != nil {
			t.Error(err)
		}
	}
	got, want := strings.Join(paths, " "), "/session /session /under/here/session /under/here/session"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
