package link

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"signal-server/test/until"
)

// resting returns how many connections rest: fresh ones, and those between two requests.
func (s *served) resting() (fresh, idle int) {
	s.patrol.mu.Lock()
	defer s.patrol.mu.Unlock()
	return s.patrol.fresh.n, s.patrol.idle.n
}

func (s *served) awaitResting(t *testing.T, wantFresh, wantIdle int) {
	t.Helper()
	until.Nil(t, patience, func() error {
		if fresh, idle := s.resting(); fresh != wantFresh || idle != wantIdle {
			return fmt.Errorf("got %d fresh and %d idle connections that rest, want %d and %d", fresh, idle, wantFresh, wantIdle)
		}
		return nil
	})
}

func skipWhereNobodyRests(t *testing.T, s *served) {
	if !s.patrol.watcher.rests() {
		t.Skip("connections do not rest on this system")
	}
}

// TestRest lets connections rest before their first request, and between two. Requests that come then are served, one by one, together, and in
// pieces; and a client that leaves is forgotten.
func TestRest(t *testing.T) {
	s := serve(t, slow(0), func(c *fasthttp.RequestCtx) { c.SetBody(c.Path()) })
	skipWhereNobodyRests(t, s)
	fresh, idle := s.dial(t), s.dial(t)
	idle.ask(t, "/")
	s.awaitResting(t, 1, 1)
	for range 3 { // the first time it is kicked, later it rests at once
		idle.ask(t, "/again")
		s.awaitResting(t, 1, 1)
	}
	fresh.ask(t, "/first")
	s.awaitResting(t, 0, 2)

	io.WriteString(idle, "GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\n\r\n")
	for _, want := range []string{"/one", "/two"} {
		a, err := http.ReadResponse(idle.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(a.Body); string(body) != want {
			t.Errorf("of two requests together: got %q, want %q", body, want)
		}
	}
	s.awaitResting(t, 0, 2)
	io.WriteString(fresh, "GET /pieces HT")
	s.awaitResting(t, 0, 1) // half a request does not rest
	io.WriteString(fresh, "TP/1.1\r\nHost: x\r\n\r\n")
	fresh.answer(t, "/pieces")
	s.awaitResting(t, 0, 2)

	idle.Close()
	s.awaitResting(t, 0, 1)
	raw, _ := fresh.Conn.(*net.TCPConn)
	raw.SetLinger(0)
	fresh.Close()
	s.awaitOpen(t, 0)
}

// TestLastRequestOfOneThatRests comes together with the end of the client's side.
func TestLastRequestOfOneThatRests(t *testing.T) {
	s := serve(t, slow(0), func(*fasthttp.RequestCtx) {})
	skipWhereNobodyRests(t, s)
	c := s.dial(t)
	c.ask(t, "/")
	s.awaitResting(t, 0, 1)
	io.WriteString(c, "GET /last HTTP/1.1\r\nHost: x\r\n\r\n")
	raw, _ := c.Conn.(*net.TCPConn)
	raw.CloseWrite()
	c.answer(t, "/last")
	c.wantEnd(t, "after the last request")
}

// TestRestIsBounded ends connections that rest for too long: fresh ones by the limit of a request, which they are told, and others by that of
// idleness.
func TestRestIsBounded(t *testing.T) {
	s := serve(t, Config{ReadTimeout: 400 * time.Millisecond, IdleTimeout: time.Minute}, func(*fasthttp.RequestCtx) {})
	skipWhereNobodyRests(t, s)
	fresh, idle := s.dial(t), s.dial(t)
	idle.ask(t, "/")
	s.awaitResting(t, 1, 1)
	if a := fresh.answer(t, "fresh"); a.StatusCode != http.StatusRequestTimeout {
		t.Errorf("fresh: got %d, want 408", a.StatusCode)
	}
	fresh.wantEnd(t, "fresh")
	idle.ask(t, "/")

	s = serve(t, Config{ReadTimeout: time.Minute, IdleTimeout: 400 * time.Millisecond}, func(*fasthttp.RequestCtx) {})
	fresh, idle = s.dial(t), s.dial(t)
	idle.ask(t, "/")
	s.awaitResting(t, 1, 1)
	idle.wantEnd(t, "idle")
	fresh.ask(t, "/")
}

// TestDrainOfThoseThatRest ends them at once, but for one whose next request has come.
func TestDrainOfThoseThatRest(t *testing.T) {
	s := serve(t, slow(0), func(c *fasthttp.RequestCtx) { c.SetConnectionClose() })
	skipWhereNobodyRests(t, s)
	fresh := s.dial(t)
	s.awaitResting(t, 1, 0)
	asks := s.dial(t)
	s.awaitResting(t, 2, 0)
	s.patrol.mu.Lock() // so that nobody hears of the request before the end
	io.WriteString(asks, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	until.Nil(t, patience, func() error {
		for c := s.patrol.fresh.first; c != nil; c = c.next {
			if unread(c.socket) {
				return nil
			}
		}
		return errors.New("got nothing to read, want a request")
	})
	s.patrol.draining.Store(true)
	s.patrol.mu.Unlock()
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	asks.answer(t, "one whose request has come")
	fresh.wantEnd(t, "fresh")
	fresh.Close()
	asks.Close()
	if err := <-drained; err != nil {
		t.Errorf("Drain: got %v, want nil", err)
	}
}

// serveTLS returns a Listener over TLS, and the configuration of its clients.
func serveTLS(t *testing.T, handle fasthttp.RequestHandler) (*served, *tls.Config) {
	t.Helper()
	lent := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer lent.Close()
	transport, _ := lent.Client().Transport.(*http.Transport)
	config := transport.TLSClientConfig.Clone()
	config.ServerName = "example.com"
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, tls.NewListener(raw, &tls.Config{Certificates: lent.TLS.Certificates, MinVersion: tls.VersionTLS13}), slow(0), handle), config
}

// TestRestOverTLS lets a connection over TLS rest, also one whose next request comes in two records, of which one comes with the request before it.
func TestRestOverTLS(t *testing.T) {
	var served atomic.Int64
	s, config := serveTLS(t, func(*fasthttp.RequestCtx) { served.Add(1) })
	skipWhereNobodyRests(t, s)
	raw := s.dial(t)
	c := &client{Conn: tls.Client(raw, config)}
	c.r = bufio.NewReader(c.Conn)
	for range 3 {
		c.ask(t, "/")
		s.awaitResting(t, 0, 1)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT")
	c.answer(t, "/")
	s.awaitResting(t, 0, 0)
	io.WriteString(c, "TP/1.1\r\nHost: x\r\n\r\n")
	c.answer(t, "in two records")
	s.awaitResting(t, 0, 1)
	c.Close()
	s.awaitOpen(t, 0)
}

// TestRestLosesNothing has clients whose pauses are about as long as it takes to be sent to rest, so that requests meet a kick in every way.
func TestRestLosesNothing(t *testing.T) {
	s := serve(t, slow(0), func(c *fasthttp.RequestCtx) { c.SetBody(c.Path()) })
	const clients, rounds = 24, 60
	var asking sync.WaitGroup
	for i := range clients {
		c := s.dial(t)
		asking.Go(func() {
			for n := range rounds {
				<-time.After(time.Duration((i*7+n*3)%16) * time.Millisecond)
				path := fmt.Sprintf("/%d/%d", i, n)
				fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
				a, err := http.ReadResponse(c.r, nil)
				if err != nil {
					t.Errorf("%s: got %v, want an answer", path, err)
					return
				}
				if body, _ := io.ReadAll(a.Body); string(body) != path {
					t.Errorf("%s: got %q, want the answer to it", path, body)
				}
			}
		})
	}
	asking.Wait()
}

// writesToRead is a connection whose Read writes first, as that of TLS may, to a client that reads nothing.
type writesToRead struct {
	net.Conn
	cut chan struct{}
}

func (c *writesToRead) Read([]byte) (int, error) {
	<-c.cut
	return 0, os.ErrDeadlineExceeded
}

func (c *writesToRead) SetReadDeadline(time.Time) error { return nil }

func (c *writesToRead) SetWriteDeadline(time.Time) error {
	select {
	case <-c.cut:
	default:
		close(c.cut)
	}
	return nil
}

// TestAKickIsBounded kicks a connection that does not stop reading at that.
func TestAKickIsBounded(t *testing.T) {
	const limit = 50 * time.Millisecond
	p := newPatrol(limit, limit, limit, NewCrew(), nil, nil)
	defer p.stop()
	_, theirs := connect(t)
	c := newConn(&writesToRead{theirs, make(chan struct{})}, p)
	p.admit(c, 0, 0)
	defer c.Close()
	ended := make(chan struct{})
	go func() {
		c.Read(make([]byte, 1))
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("got a Read that goes on, want its end: its client does not read")
	}
}
