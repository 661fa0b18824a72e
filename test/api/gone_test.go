package api_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"signal-server/cache"
	"signal-server/custerrors"
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

// gate is a store from which nobody can take while it is shut.
type gate struct {
	cache.Store
	sync.RWMutex
	known chan struct{} // gets something once a wait knows its session
}

func (g *gate) Take(ctx context.Context, dst []byte, t cache.Take) ([]byte, error) {
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
