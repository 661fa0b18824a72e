package link

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"signal-server/test/until"
)

func TestMain(m *testing.M) {
	// What fasthttp leaves behind: the first sleeps on for up to 10 s after the end, the second never ends.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

const patience = 20 * time.Second

// served is a Listener that fasthttp serves.
type served struct {
	*Listener
	server *fasthttp.Server
	counts Counts
	stop   func() // stops the Listener, and waits for fasthttp
}

// full are the answers of a Listener that is full.
var full = [][]byte{
	[]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
	[]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
}

// tooMany is an answer to a client that has too many connections.
func tooMany(after time.Duration) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: %d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", after/time.Second)
}

// peers takes each address for a client, but for that of a proxy, and lets no client connect whose address is hasty.
type peers struct{}

var (
	proxy = netip.MustParseAddr("127.0.0.9")
	hasty = netip.MustParseAddr("127.0.0.7")
)

const hastyFor = 7 * time.Second

func (peers) Peer(from netip.Addr) netip.Addr {
	if from = from.Unmap(); from == proxy {
		return netip.Addr{}
	}
	return from
}

func (peers) Connects(client netip.Addr) time.Duration {
	if client == hasty {
		return hastyFor
	}
	return 0
}

func serve(t *testing.T, c Config, handle fasthttp.RequestHandler, tune ...func(*fasthttp.Server)) *served {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, raw, c, handle, tune...)
}

func serveOn(t *testing.T, raw net.Listener, c Config, handle fasthttp.RequestHandler, tune ...func(*fasthttp.Server)) *served {
	t.Helper()
	s := &served{server: &fasthttp.Server{Handler: handle, ConnState: Follow, CloseOnShutdown: true}}
	for _, tune := range tune {
		tune(s.server)
	}
	crew := NewCrew()
	s.Listener = Listen(raw, c, Parts{
		Peers: peers{}, Refusals: Refusals{Full: full, TooMany: tooMany}, Counts: &s.counts, Log: slog.New(slog.DiscardHandler),
		Serve: s.server.ServeConn, Crew: crew,
	})
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(s.Listener) }()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		s.Stop()
		<-ended
		crew.Dismiss()
	}
	t.Cleanup(s.stop)
	return s
}

// slow are limits that no test reaches.
func slow(connections int) Config {
	return Config{MaxConnections: connections, ReadTimeout: time.Minute, IdleTimeout: time.Minute}
}

type client struct {
	net.Conn
	r *bufio.Reader
}

func (s *served) dial(t *testing.T) *client { return s.dialFrom(t, "127.0.0.1") }

// dialFrom connects from an address of the loopback.
func (s *served) dialFrom(t *testing.T, from string) *client {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &client{c, bufio.NewReader(c)}
}

// ask sends a request for that path, and returns the answer.
func (c *client) ask(t *testing.T, path string) *http.Response {
	t.Helper()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	return c.answer(t, path)
}

func (c *client) answer(t *testing.T, path string) *http.Response {
	t.Helper()
	a, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatalf("%s: got %v, want an answer", path, err)
	}
	io.Copy(io.Discard, a.Body)
	return a
}

func (c *client) wantEnd(t *testing.T, what string) {
	t.Helper()
	if rest, err := io.ReadAll(c.r); errors.Is(err, os.ErrDeadlineExceeded) || len(rest) > 0 {
		t.Errorf("%s: got %q, %v, want the connection to end", what, rest, err)
	}
}

func (s *served) awaitOpen(t *testing.T, want int) {
	t.Helper()
	until.Nil(t, patience, func() error {
		if got := s.Open(); got != want {
			return fmt.Errorf("got %d connections, want %d", got, want)
		}
		return nil
	})
}

func TestMaxConnections(t *testing.T) {
	s := serve(t, slow(2), func(*fasthttp.RequestCtx) {})
	first, second := s.dial(t), s.dial(t)
	for _, c := range []*client{first, second} {
		if a := c.ask(t, "/"); a.StatusCode != http.StatusOK {
			t.Errorf("of two: got %d, want 200", a.StatusCode)
		}
	}
	told := map[string]bool{}
	for range 2 {
		c := s.dial(t)
		a := c.ask(t, "/")
		if a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a third: got %d, want 503", a.StatusCode)
		}
		told[a.Header.Get("Retry-After")] = true
		c.wantEnd(t, "a third")
		c.Close()
	}
	if len(told) != 2 {
		t.Errorf("two that were turned away: got %v, want them to be sent away for different times", told)
	}
	s.awaitOpen(t, 2)
	if got := s.counts.TurnedAway[Full].Load(); got != 2 {
		t.Errorf("turned away: got %d, want 2", got)
	}
	first.Close()
	s.awaitOpen(t, 1)
	if a := s.dial(t).ask(t, "/"); a.StatusCode != http.StatusOK {
		t.Errorf("once one has ended: got %d, want 200", a.StatusCode)
	}
	if got := s.counts.Accepted.Load(); got != 3 {
		t.Errorf("accepted: got %d, want 3", got)
	}
}

// TestStop stops a Listener while connections are silent, between two requests, detached, and turned away.
func TestStop(t *testing.T) {
	over := make(chan struct{})
	s := serve(t, slow(3), func(c *fasthttp.RequestCtx) {
		if string(c.Path()) == "/detach" {
			Detach(c, func(conn *Conn) {
				go func() {
					defer conn.Close()
					io.Copy(io.Discard, conn)
					close(over)
				}()
			})
		}
	})
	silent, idle, detached := s.dial(t), s.dial(t), s.dial(t)
	idle.ask(t, "/")
	fmt.Fprintf(detached, "GET /detach HTTP/1.1\r\nHost: x\r\n\r\n")
	s.awaitOpen(t, 3)
	away := s.dial(t)
	until.Nil(t, patience, func() error {
		if s.counts.TurnedAway[Full].Load() == 0 {
			return errors.New("got nobody turned away, want one")
		}
		return nil
	})
	s.stop()
	for what, c := range map[string]*client{"silent": silent, "idle": idle, "detached": detached, "turned away": away} {
		c.wantEnd(t, what)
	}
	select {
	case <-over:
	case <-time.After(patience):
		t.Error("detached: got its owner still reading, want it to find the end")
	}
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		c.Close()
		t.Error("afterwards: got a connection, want none")
	}
}

func TestSlowClientsAreCutOff(t *testing.T) {
	const limit = 50 * time.Millisecond
	s := serve(t, Config{ReadTimeout: limit, IdleTimeout: limit}, func(*fasthttp.RequestCtx) {})
	silent, half, idle := s.dial(t), s.dial(t), s.dial(t)
	io.WriteString(half, "GET / HTTP/1.1\r\nHo")
	idle.ask(t, "/")
	for what, c := range map[string]*client{"silent": silent, "half a request": half, "idle": idle} {
		if _, err := io.ReadAll(c.r); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: got no end, want the connection closed", what)
		}
	}
	s.awaitOpen(t, 0)
}

// TestDetach gives connections back that have sent their next request already, and that send it later.
func TestDetach(t *testing.T) {
	const n = 3
	detached := make(chan *Conn, 2*n)
	s := serve(t, slow(0), func(c *fasthttp.RequestCtx) {
		if string(c.Path()) == "/detach" {
			Detach(c, func(conn *Conn) { detached <- conn })
		}
	})
	var clients []*client
	for i := range 2 * n {
		c := s.dial(t)
		io.WriteString(c, "GET /detach HTTP/1.1\r\nHost: x\r\n\r\n")
		if i < n {
			io.WriteString(c, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n") // it is not lost
		}
		clients = append(clients, c)
	}
	for range clients {
		conn := <-detached
		io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		conn.Rest()
	}
	for i, c := range clients {
		if a := c.answer(t, "/detach"); a.StatusCode != http.StatusNoContent {
			t.Errorf("/detach: got %d, want 204", a.StatusCode)
		}
		if i >= n {
			io.WriteString(c, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		if a := c.answer(t, "/next"); a.StatusCode != http.StatusOK {
			t.Errorf("/next: got %d, want 200", a.StatusCode)
		}
		c.Close()
	}
	s.awaitOpen(t, 0)
}

// TestOnlyItsOwnIsDetached serves a connection that no Listener has made.
func TestOnlyItsOwnIsDetached(t *testing.T) {
	server := &fasthttp.Server{ConnState: Follow, Handler: func(c *fasthttp.RequestCtx) {
		if Detach(c, func(*Conn) { t.Error("got it run, want not") }) {
			t.Error("Detach: got true, want false")
		}
	}}
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- server.ServeConn(theirs) }()
	c := &client{ours, bufio.NewReader(ours)}
	if a := c.ask(t, "/"); a.StatusCode != http.StatusOK {
		t.Errorf("got %d, want 200", a.StatusCode)
	}
	ours.Close()
	<-ended
}
