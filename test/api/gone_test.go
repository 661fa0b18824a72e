package api_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
	"signal-server/test/until"
)

// takes is every request that takes a payload, and the request that posts one for it.
var takes = []struct{ line, byLine, byBody, data string }{
	{"GET /offer/sdp", "POST /answer/sdp", "a", `"a"`},
	{"GET /offer/candidate", "POST /answer/candidate", "a1", `"a1"`},
	{"GET /offer/candidates", "POST /answer/candidates", `["a1","a2"]`, `["a1","a2"]`},
}

// TestNothingIsTakenForAClientThatHasLeft lets a client wait and leave, in every way, before the payload comes. The next taker gets the
// payload.
func TestNothingIsTakenForAClientThatHasLeft(t *testing.T) {
	s, g := gated(t)
	for how, leave := range map[string]func(*peer){
		"closed": func(c *peer) { c.Close() },
		"reset":  func(c *peer) { c.SetLinger(0); c.Close() },
		"closed, with bytes of a next request on their way": func(c *peer) {
			c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
			c.Close()
		},
		"reset, with bytes of a next request on their way": func(c *peer) {
			c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
			c.SetLinger(0)
			c.Close()
		},
	} {
		t.Run(how, func(t *testing.T) {
			for _, take := range takes {
				for _, age := range ages {
					key := newKey()
					s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
					conn, _ := s.dial(t)
					fmt.Fprintf(conn, "%s?wait=30 HTTP/1.1\r\nHost: x\r\nkey: %s\r\n\r\n", take.line, key)
					s.grow(t, key, 1, age)
					<-g.known // from now on it looks only when the bell has rung, and first at the client
					leave(conn)
					s.do(t, request{line: take.byLine, key: key, body: take.byBody})
					s.store.await(t, key, 0)
					s.do(t, request{line: take.line, key: key}).expect(t, take.line, "", take.data)
				}
			}
		})
	}
}

// TestNothingIsTakenForAClientThatLeftBefore lets a client leave after it has asked and before the server looks, which is busy with the request
// before. The payload is there, and the next taker gets it.
func TestNothingIsTakenForAClientThatLeftBefore(t *testing.T) {
	s, g := gated(t)
	for how, leave := range map[string]func(*peer){
		"closed":      func(c *peer) { c.Close() },
		"reset":       func(c *peer) { c.SetLinger(0); c.Close() },
		"half closed": func(c *peer) { c.CloseWrite() },
	} {
		t.Run(how, func(t *testing.T) {
			for _, take := range takes {
				for _, wait := range []string{"", "?wait=30"} {
					key, other := newKey(), newKey()
					for _, k := range []string{key, other} {
						s.do(t, request{line: "POST /offer/sdp", key: k, body: open("o")})
					}
					s.do(t, request{line: take.byLine, key: key, body: take.byBody})
					conn, br := s.dial(t)
					g.Lock()
					fmt.Fprintf(conn, "GET /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: %s\r\n\r\n%s%s HTTP/1.1\r\nHost: x\r\nkey: %s\r\n\r\n",
						other, take.line, wait, key)
					g.awaitAsking(t)
					leave(conn)
					g.Unlock()
					if how == "half closed" { // nothing is said, beside the answer before
						readAnswer(t, br, "GET").expect(t, "the request before", custerrors.SdpNoValues, "")
						wantEnd(t, br)
					}
					s.client.CloseIdleConnections()
					s.eventually(t, "signal_connections", 0)
					s.do(t, request{line: take.line, key: key}).expect(t, take.line+wait, "", take.data)
				}
			}
		})
	}
}

// TestHalfClosedClientsAreAnswered shuts down a client's sending side behind requests that take nothing: each is answered.
func TestHalfClosedClientsAreAnswered(t *testing.T) {
	s := serve(t)
	key := newKey()
	conn, br := s.dial(t)
	for _, r := range []struct{ line, body string }{
		{"POST /offer/messages", `{"sdp":"o","candidates":["1"]}`}, {"POST /offer/candidate", "2"}, {"GET /answer/messages", ""}, {"DELETE /session", ""},
	} {
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nkey: %s\r\nContent-Length: %d\r\n\r\n%s", r.line, key, len(r.body), r.body)
	}
	conn.CloseWrite()
	readAnswer(t, br, "POST").expect(t, "the first", "", news())
	readAnswer(t, br, "POST").expect(t, "the second", "", "")
	readAnswer(t, br, "GET").expect(t, "the third", "", news("sdp o", "candidate 1", "candidate 2"))
	readAnswer(t, br, "DELETE").expect(t, "the fourth", "", "")
	wantEnd(t, br)
}

// TestAWaiterBehindOneThatLeft lets two clients wait. The first one leaves; the other one gets what comes.
func TestAWaiterBehindOneThatLeft(t *testing.T) {
	s := serve(t)
	for _, take := range takes {
		key := newKey()
		s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
		conn, _ := s.dial(t)
		fmt.Fprintf(conn, "%s?wait=30 HTTP/1.1\r\nHost: x\r\nkey: %s\r\n\r\n", take.line, key)
		s.store.await(t, key, 1)
		second := s.start(t, request{line: take.line + "?wait=30", key: key})
		s.store.await(t, key, 2)
		conn.Close()
		s.do(t, request{line: take.byLine, key: key, body: take.byBody})
		second().expect(t, take.line, "", take.data)
	}
}

// TestAClientThatPipelinesIsThere sends the next request while the first one waits. Both are answered, in order.
func TestAClientThatPipelinesIsThere(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	conn, br := s.dial(t)
	fmt.Fprintf(conn, "GET /offer/sdp?wait=30 HTTP/1.1\r\nHost: x\r\nkey: %s\r\n\r\n", key)
	s.store.await(t, key, 1)
	fmt.Fprintf(conn, "GET /offer/candidate?wait=30 HTTP/1.1\r\nHost: x\r\nkey: %s\r\n\r\n", key)
	s.do(t, request{line: "POST /answer/sdp", key: key, body: "a"})
	readAnswer(t, br, "GET").expect(t, "the first", "", `"a"`)
	s.do(t, request{line: "POST /answer/candidate", key: key, body: "c"})
	readAnswer(t, br, "GET").expect(t, "the second", "", `"c"`)
}

// TestWhoLeavesIsLetGo lets clients leave in every way that a transport has, from wherever a connection may be. Nothing else happens, and the server
// keeps nothing of them.
func TestWhoLeavesIsLetGo(t *testing.T) {
	s := serve(t)
	ways := map[string]func(*peer){
		"closed":      func(c *peer) { c.Close() }, // over TLS a close_notify, and the FIN behind it
		"half closed": func(c *peer) { c.CloseWrite() },
		"a FIN":       func(c *peer) { c.socket.(interface{ CloseWrite() error }).CloseWrite() },
		"reset":       func(c *peer) { c.SetLinger(0); c.Close() },
	}
	for where, test := range map[string]struct {
		sent    string
		answers int
		series  string // which counts it
		age     time.Duration
	}{
		"nowhere":              {series: "signal_connections"},
		"between two requests": {sent: "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", answers: 1, series: "signal_connections", age: ages[1]},
		"a wait":               {sent: "GET /answer/sdp?wait=30&key=%s HTTP/1.1\r\nHost: x\r\n\r\n", series: "signal_connections"},
		"a parked wait":        {sent: "GET /answer/sdp?wait=30&key=%s HTTP/1.1\r\nHost: x\r\n\r\n", series: "signal_waits"},
		"a parked reader":      {sent: "GET /answer/messages?wait=30&key=%s HTTP/1.1\r\nHost: x\r\n\r\n", series: "signal_waits"},
		"a stream":             {sent: "GET /answer/events?key=%s HTTP/1.1\r\nHost: x\r\n\r\n", series: "signal_streams"},
	} {
		for how, leave := range ways {
			t.Run(where+", "+how, func(t *testing.T) {
				conn, br := s.dial(t)
				io.WriteString(conn, strings.Replace(test.sent, "%s", newKey(), 1))
				for range test.answers {
					readAnswer(t, br, "GET")
				}
				s.eventually(t, test.series, 1)
				<-time.After(test.age)
				left := time.Now()
				leave(conn)
				s.eventually(t, "signal_connections", 0)
				if took, before := time.Since(left), 10*time.Second; took > before { // whatever else the server would find it by comes later
					t.Errorf("got the client let go after %v, want it at once", took)
				}
				s.eventually(t, "signal_waits", 0)
				s.eventually(t, "signal_streams", 0)
			})
		}
	}
}

// TestWhoLeavesWithTheRequestIsLetGo lets clients end their side in the same segment as their request. Over TLS the server then reads both at once,
// and the system below has nothing more to tell.
func TestWhoLeavesWithTheRequestIsLetGo(t *testing.T) {
	s := serve(t)
	for _, line := range []string{"GET /answer/sdp?wait=30", "GET /answer/messages?wait=30", "GET /answer/events?x"} {
		socket, err := net.Dial(s.over.network(), s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { socket.Close() })
		held := &holding{Conn: socket}
		conn := &peer{Conn: socket, socket: socket}
		if s.over == overTLS {
			secured := tls.Client(held, trusting())
			if err := secured.Handshake(); err != nil {
				t.Fatal(err)
			}
			conn.Conn = secured
		}
		s.eventually(t, "signal_connections", 1)
		held.holds = true
		fmt.Fprintf(conn, "%s&key=%s HTTP/1.1\r\nHost: x\r\n\r\n", line, newKey())
		conn.CloseWrite()
		left := time.Now()
		if s.over == overTLS {
			socket.SetWriteDeadline(time.Time{}) // CloseWrite has ended it
			if _, err := socket.Write(held.held); err != nil {
				t.Fatal(err)
			}
		}
		s.eventually(t, "signal_connections", 0)
		if took, before := time.Since(left), 10*time.Second; took > before {
			t.Errorf("%s: got the client let go after %v, want it at once", line, took)
		}
		s.eventually(t, "signal_waits", 0)
		s.eventually(t, "signal_streams", 0)
	}
}

// holding is a socket that keeps what is written, if it holds.
type holding struct {
	net.Conn
	holds bool
	held  []byte
}

func (h *holding) Write(b []byte) (int, error) {
	if !h.holds {
		return h.Conn.Write(b)
	}
	h.held = append(h.held, b...)
	return len(b), nil
}

// gate is a store from which nobody can take while it is shut.
type gate struct {
	cache.Store
	sync.RWMutex
	known chan struct{} // gets something once a wait knows its session

	asking atomic.Int64 // calls of Take that have not returned
}

// awaitAsking returns once somebody wants to take.
func (g *gate) awaitAsking(t *testing.T) {
	t.Helper()
	until.Nil(t, soon, func() error {
		if g.asking.Load() == 0 {
			return errors.New("got nobody who takes, want one")
		}
		return nil
	})
}

func (g *gate) Take(ctx context.Context, dst []byte, t cache.Take) ([]byte, error) {
	g.asking.Add(1)
	defer g.asking.Add(-1)
	g.RLock()
	defer g.RUnlock()
	return g.Store.Take(ctx, dst, t)
}

func (g *gate) Touch(ctx context.Context, key cache.Key) (cache.Lease, error) {
	lease, err := g.Store.Touch(ctx, key)
	select {
	case g.known <- struct{}{}:
	default:
	}
	return lease, err
}

// Tells says that a look may take its time, so that a writer does not look for those that wait.
func (*gate) Tells() bool { return true }

// gated returns a server over a gate.
func gated(t *testing.T) (*server, *gate) {
	t.Helper()
	g := &gate{known: make(chan struct{}, 1)}
	s := serve(t, func(o *options) {
		o.wrap = func(store cache.Store) cache.Store {
			g.Store = store
			return g
		}
	})
	return s, g
}

// TestAWaitDoesNotOutliveItsSession ends a session and opens the key anew before the waiting request looks again. DELETE ends a wait, so
// the request must not take from the new session.
func TestAWaitDoesNotOutliveItsSession(t *testing.T) {
	s, g := gated(t)
	for i := range len(takes) * len(ages) {
		take, age := takes[i/len(ages)], ages[i%len(ages)]
		key := newKey()
		s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
		old := s.start(t, request{line: take.line + "?wait=30", key: key})
		s.grow(t, key, 1, age)
		<-g.known // the bell may hang earlier
		g.Lock()
		s.do(t, request{line: "DELETE /session", key: key})
		s.do(t, request{line: "POST /offer/sdp", key: key, body: open("new")})
		s.do(t, request{line: take.byLine, key: key, body: take.byBody})
		g.Unlock()
		old().expect(t, take.line+", waiting in the old session", custerrors.KeyIsExpired, "")
		s.do(t, request{line: take.line, key: key}).expect(t, strings.TrimPrefix(take.line, "GET ")+" of the new session", "", take.data)
	}
}
