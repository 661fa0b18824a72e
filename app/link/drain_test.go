package link

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"signal-server/test/until"
)

// TestDrainLosesNoAnswer ends a listener while clients ask all the time over connections that they keep, round after round. What was done was
// answered: a request that crosses the end of its connection is not done.
func TestDrainLosesNoAnswer(t *testing.T) {
	const rounds, clients = 20, 16
	for range rounds {
		var leaving atomic.Bool
		var done, answered sync.Map
		s := serve(t, slow(0), func(c *fasthttp.RequestCtx) {
			done.Store(string(c.Path()), true)
			if leaving.Load() {
				c.SetConnectionClose()
			}
		})
		var asked atomic.Int64
		var asking sync.WaitGroup
		for i := range clients {
			c := s.dial(t)
			asking.Go(func() {
				for n := 0; ; n++ {
					path := fmt.Sprintf("/%d/%d", i, n)
					if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
						return
					}
					a, err := http.ReadResponse(c.r, nil)
					if err != nil {
						return
					}
					io.Copy(io.Discard, a.Body)
					answered.Store(path, true)
					if asked.Add(1); a.Close {
						c.Close()
						return
					}
				}
			})
		}
		until.Nil(t, patience, func() error {
			if got := asked.Load(); got < 10*clients {
				return fmt.Errorf("got %d answers, want some for each", got)
			}
			return nil
		})
		leaving.Store(true)
		if err := s.Drain(t.Context()); err != nil {
			t.Errorf("Drain: got %v, want nil", err)
		}
		s.stop()
		asking.Wait()
		done.Range(func(path, _ any) bool {
			if _, ok := answered.Load(path); !ok {
				t.Errorf("%v: got it done and not answered, want both or neither", path)
			}
			return true
		})
	}
}

// TestDrain of a listener: connections on which no request has begun end at once, one whose request has begun has its time, and one whose
// answer was the last lingers until its client has closed it.
func TestDrainOfAListener(t *testing.T) {
	answer := make(chan struct{})
	s := serve(t, slow(0), func(c *fasthttp.RequestCtx) {
		if string(c.Path()) == "/slow" {
			<-answer
			c.SetConnectionClose()
		}
	})
	silent, idle, half, asking := s.dial(t), s.dial(t), s.dial(t), s.dial(t)
	idle.ask(t, "/")
	io.WriteString(half, "GET /slow HTTP/1.1\r\nHo")
	fmt.Fprint(asking, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /behind HTTP/1.1\r\nHost: x\r\n\r\n")
	s.awaitOpen(t, 4)
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	silent.wantEnd(t, "silent")
	idle.wantEnd(t, "idle")
	silent.Close()
	idle.Close()
	io.WriteString(half, "st: x\r\n\r\n")
	close(answer)
	for what, c := range map[string]*client{"half a request": half, "a request that is served": asking} {
		if a := c.answer(t, what); !a.Close {
			t.Errorf("%s: got no Connection: close, want it", what)
		}
		c.wantEnd(t, what)
		select {
		case err := <-drained:
			t.Errorf("%s: got the end (%v) before its client has closed, want to wait a little", what, err)
		default:
		}
		io.WriteString(c, "GET /crosses HTTP/1.1\r\nHost: x\r\n\r\n") // nobody reads it
		c.Close()
	}
	if err := <-drained; err != nil {
		t.Errorf("Drain: got %v, want nil", err)
	}
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		c.Close()
		t.Error("afterwards: got a connection, want none")
	}
}

// TestDrainEnds has a client that does not finish its request, and one that does not close its side.
func TestDrainEnds(t *testing.T) {
	s := serve(t, slow(0), func(*fasthttp.RequestCtx) {})
	kept := s.dial(t)
	kept.ask(t, "/")
	began := time.Now()
	if err := s.Drain(t.Context()); err != nil {
		t.Errorf("a client that does not close its side: got %v, want nil", err)
	}
	if took := time.Since(began); took < partingFor || took > patience/2 {
		t.Errorf("a client that does not close its side: got the end after %v, want it after %v", took, partingFor)
	}

	s = serve(t, slow(0), func(*fasthttp.RequestCtx) {})
	half := s.dial(t)
	io.WriteString(half, "GET / HTTP/1.1\r\nHo")
	s.awaitOpen(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Drain(ctx); err == nil {
		t.Error("a client that does not finish its request: got nil, want the end of the context")
	}
}

// TestShut looks at a connection on which no request has begun, once with the first byte of one in the system's buffer.
func TestShut(t *testing.T) {
	p := newPatrol(time.Minute, time.Minute, time.Minute, NewCrew(), nil, nil)
	defer p.stop()
	for _, sent := range []string{"", "G"} {
		ours, theirs := connect(t)
		c := newConn(theirs, p)
		c.enter(phaseIdle)
		io.WriteString(ours, sent)
		if sent != "" {
			until.Nil(t, patience, func() error {
				if !unread(theirs) {
					return fmt.Errorf("got nothing to read, want %q", sent)
				}
				return nil
			})
		}
		state := c.state.Load()
		c.shut(state)
		if _, got := c.wake(); got != (sent != "") {
			t.Errorf("with %q sent: got it served %v, want %v", sent, got, sent != "")
		}
		if c.shut(state); c.state.Load()&phaseMask == phaseShut && sent != "" {
			t.Errorf("with %q sent: got a request shut that has begun, want it served", sent)
		}
	}
}

// connect returns both ends of a connection of the system.
func connect(t testing.TB) (ours, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	ours, _ = dialed.(*net.TCPConn)
	theirs, _ = accepted.(*net.TCPConn)
	return ours, theirs
}
