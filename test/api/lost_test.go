package api_test

import (
	"context"
	"fmt"
	"testing"

	"signal-server/cache"
)

// brake is a store that opens a session only when the test says so.
type brake struct {
	cache.Store
	come, leave chan struct{}
}

func (b *brake) Write(ctx context.Context, dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
	if w.Opens {
		b.come <- struct{}{}
		<-b.leave
	}
	return b.Store.Write(ctx, dst, w)
}

// TestClientsLostBeforeTheirWaitIsParked lets clients send two requests at once and reset the connection before the first is answered. So
// fasthttp drops the connection although the second request, which waits, has asked to take it over. Nothing may be held for that one.
func TestClientsLostBeforeTheirWaitIsParked(t *testing.T) {
	b := &brake{come: make(chan struct{}), leave: make(chan struct{})}
	s := serve(t, func(o *options) {
		o.wrap = func(store cache.Store) cache.Store {
			b.Store = store
			return b
		}
	})
	for _, line := range []string{"GET /offer/sdp?wait=30", "GET /offer/events"} {
		key := newKey()
		conn, _ := s.dial(t)
		body := open("o")
		fmt.Fprintf(conn, "POST /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: %s\r\nContent-Length: %d\r\n\r\n%s%s HTTP/1.1\r\nHost: x\r\nkey: %[1]s\r\n\r\n",
			key, len(body), body, line)
		<-b.come
		conn.SetLinger(0)
		if line == "GET /offer/events" { // which is detached at once
			conn.Close()
			b.leave <- struct{}{}
		} else { // after 25 ms, in which nobody looks for the client
			b.leave <- struct{}{}
			s.store.await(t, key, 1)
			conn.Close()
		}
		s.store.await(t, key, 0)
		s.eventually(t, "signal_waits", 0)
		s.eventually(t, "signal_streams", 0)
		s.eventually(t, "signal_connections", 0)
	}
}
