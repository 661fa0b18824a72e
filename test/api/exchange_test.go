package api_test

import (
	"context"
	"sync/atomic"
	"testing"

	"signal-server/cache"
	"signal-server/custerrors"
)

// counted counts the calls of a wait.
type counted struct {
	cache.Store
	reads, touches atomic.Int64
}

func (c *counted) Read(ctx context.Context, dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form,
) ([]byte, cache.Cursor, error) {
	c.reads.Add(1)
	return c.Store.Read(ctx, dst, key, to, after, limit, form)
}

func (c *counted) Touch(ctx context.Context, key cache.Key) (cache.Lease, error) {
	c.touches.Add(1)
	return c.Store.Touch(ctx, key)
}

// TestOpenerWaitsByFewCalls checks what a handshake costs a store that is elsewhere: who opens a session and waits in one request
// looks once when its bell hangs, and once when it has rung.
func TestOpenerWaitsByFewCalls(t *testing.T) {
	store := new(counted)
	s := serve(t, func(o *options) { o.wrap = func(below cache.Store) cache.Store { store.Store = below; return store } })
	wait := s.start(t, request{line: "POST /offer/messages?wait=30", key: "k", body: `{"sdp":"o"}`})
	s.grow(t, "k", 1, 0)
	s.do(t, request{line: "POST /answer/messages", key: "k", body: `{"sdp":"a"}`})
	wait().expect(t, "the answer", "", `{"next":"NEXT","messages":[{"type":"sdp","data":"a"}]}`)
	// A wait of more than 25 ms is parked: it hangs its bell, and looks, once more.
	if reads, touches := store.reads.Load(), store.touches.Load(); reads > 4 || touches > 0 {
		t.Errorf("got %d reads and %d touches, want 2 of the one, or 4 if it was parked, and none of the other", reads, touches)
	}
}

// reopened is a store where the session is ended and opened anew right behind a Write of the offerer.
type reopened struct{ cache.Store }

func (r reopened) Write(ctx context.Context, dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
	out, next, err := r.Store.Write(ctx, dst, w)
	if w.From == cache.Offer {
		r.End(ctx, w.Key)
		r.Store.Write(ctx, nil, cache.Write{Key: w.Key, From: cache.Offer, Opens: true, Batch: w.Batch})
		r.Store.Write(ctx, nil, cache.Write{Key: w.Key, From: cache.Answer, Batch: w.Batch})
	}
	return out, next, err
}

// TestExchangeWaitsInItsSession checks that who writes and waits is not told what a later session of that key has.
func TestExchangeWaitsInItsSession(t *testing.T) {
	s := serve(t, func(o *options) { o.wrap = func(below cache.Store) cache.Store { return reopened{below} } })
	s.do(t, request{line: "POST /offer/messages?wait=5", key: "k", body: `{"sdp":"o"}`}).expect(t, "the wait", custerrors.KeyIsExpired, "")
}
