package cachetest

import (
	"time"

	"signal-server/cache"
)

// sdp and cand make frames of payloads that need no escaping.
func sdp(wire string) cache.Frame {
	return cache.Frame{Kind: cache.SDP, Size: len(wire), Wire: []byte(wire)}
}

func cand(wire string) cache.Frame {
	return cache.Frame{Kind: cache.Candidate, Size: len(wire), Wire: []byte(wire)}
}

func cands(wires ...string) (frames []cache.Frame) {
	for _, wire := range wires {
		frames = append(frames, cand(wire))
	}
	return frames
}

// with puts a frame before others.
func with(first cache.Frame, rest ...cache.Frame) []cache.Frame {
	return append([]cache.Frame{first}, rest...)
}

func batch(frames ...cache.Frame) *cache.Batch {
	var b cache.Batch
	for _, f := range frames {
		b.Add(f)
	}
	return &b
}

// text is what plain makes of the frames.
func text(frames ...cache.Frame) string {
	var out []byte
	for i, f := range frames {
		out = plain.Begin(out, f.Kind, i == 0)
		out = plain.End(append(out, f.Wire...))
	}
	return string(out)
}

// write makes a Write that reads nothing, and wants that nothing is read. It may be called beside the test's goroutine.
func (r *rig) write(store cache.Store, w cache.Write) error {
	r.Helper()
	out, next, err := store.Write(r.ctx, dst(), w)
	if got := r.appended("Write", out, err); got != "" {
		r.Errorf("Write of no messages: got %.200q, want nothing", got)
	}
	if err != nil && next != w.After {
		r.Errorf("Write that failed with %v: got cursor %x, want the same, %x", err, next, w.After)
	}
	if err == nil && (next.Position() != w.After.Position() || next.Epoch() == 0) {
		r.Errorf("Write of no messages: got cursor %x, want the session's, where %x is", next, w.After)
	}
	return err
}

// open opens a session of the longest TTL, as the offerer, or ends the test.
func (r *rig) open(key cache.Key, frames ...cache.Frame) {
	r.Helper()
	r.openFor(key, 0, frames...)
}

// openFor opens a session of that TTL, as the offerer, or ends the test.
func (r *rig) openFor(key cache.Key, ttl time.Duration, frames ...cache.Frame) {
	r.Helper()
	err := r.write(r.node(), cache.Write{Key: key, From: cache.Offer, Opens: true, TTL: ttl, Batch: batch(frames...)})
	if err != nil {
		r.Fatalf("Open %q: got %v, want no error", key, err)
	}
}

// openAs opens a session of the longest TTL, or ends the test.
func (r *rig) openAs(from cache.Role, key cache.Key, frames ...cache.Frame) {
	r.Helper()
	if err := r.write(r.node(), cache.Write{Key: key, From: from, Opens: true, Batch: batch(frames...)}); err != nil {
		r.Fatalf("Open %q by %v: got %v, want no error", key, from, err)
	}
}

// wantOpen opens as the offerer, without a token if token is "", and wants that error or nil.
func (r *rig) wantOpen(want error, key cache.Key, token cache.Token, frames ...cache.Frame) {
	r.Helper()
	err := r.write(r.node(), cache.Write{Key: key, From: cache.Offer, Opens: true, Token: token, Batch: batch(frames...)})
	r.wantError("Open "+string(key), err, want)
}

// append appends without a token.
func (r *rig) append(key cache.Key, from cache.Role, frames ...cache.Frame) {
	r.Helper()
	r.wantAppend(nil, key, from, "", frames...)
}

func (r *rig) wantAppend(want error, key cache.Key, from cache.Role, token cache.Token, frames ...cache.Frame) {
	r.Helper()
	err := r.write(r.node(), cache.Write{Key: key, From: from, Token: token, Batch: batch(frames...)})
	r.wantError("Append by "+from.String(), err, want)
}

func (r *rig) take(key cache.Key, to cache.Role, kind cache.Kind, limit int) (string, error) {
	r.Helper()
	out, err := r.node().Take(r.ctx, dst(), cache.Take{Key: key, To: to, Kind: kind, Limit: limit, Form: &plain})
	return r.appended("Take", out, err), err
}

// wantTake takes at most limit payloads and wants exactly these.
func (r *rig) wantTake(key cache.Key, to cache.Role, kind cache.Kind, limit int, want ...cache.Frame) {
	r.Helper()
	got, err := r.take(key, to, kind, limit)
	if err != nil || got != text(want...) {
		r.Errorf("Take by %v: got %.200q (%s), want %.200q", to, got, said(err), text(want...))
	}
}

func (r *rig) refuseTake(want error, key cache.Key, to cache.Role, kind cache.Kind) {
	r.Helper()
	_, err := r.take(key, to, kind, 1)
	r.wantError("Take by "+to.String(), err, want)
}

func (r *rig) read(key cache.Key, to cache.Role, after cache.Cursor, limit int) (string, cache.Cursor, error) {
	r.Helper()
	out, next, err := r.node().Read(r.ctx, dst(), key, to, after, limit, &plain)
	return r.appended("Read", out, err), next, err
}

// wantRead reads at most limit messages, wants exactly these, and returns the cursor behind them.
func (r *rig) wantRead(key cache.Key, to cache.Role, after cache.Cursor, limit int, want ...cache.Frame) cache.Cursor {
	r.Helper()
	got, next, err := r.read(key, to, after, limit)
	if err != nil || got != text(want...) {
		r.Errorf("Read by %v after %d: got %.200q (%s), want %.200q", to, after.Position(), got, said(err), text(want...))
	}
	if got, want := next.Position(), after.Position()+len(want); got != want {
		r.Errorf("Read by %v: got a cursor behind %d messages, want %d", to, got, want)
	}
	if next.Epoch() == 0 {
		r.Errorf("Read by %v: got a cursor without epoch, want one", to)
	}
	return next
}

// refuseRead reads and wants the error. It returns the cursor.
func (r *rig) refuseRead(want error, key cache.Key, to cache.Role, after cache.Cursor) cache.Cursor {
	r.Helper()
	_, next, err := r.read(key, to, after, 10)
	r.wantError("Read by "+to.String(), err, want)
	return next
}

func (r *rig) touch(key cache.Key) error {
	_, err := r.node().Touch(r.ctx, key)
	return err
}

func (r *rig) end(key cache.Key) {
	r.Helper()
	r.wantError("End", r.node().End(r.ctx, key), nil)
}

// wantAll wants the log that role to reads to hold exactly these messages.
func (r *rig) wantAll(key cache.Key, to cache.Role, want ...cache.Frame) {
	r.Helper()
	r.wantRead(key, to, 0, cache.MaxLog, want...)
}

// wantDead makes every call that needs a live session, for both roles, and wants the error from each.
func (r *rig) wantDead(want error, key cache.Key) {
	r.Helper()
	r.wantError("Touch", r.touch(key), want)
	r.wantError("End", r.node().End(r.ctx, key), want)
	for _, role := range cache.Roles {
		r.wantAppend(want, key, role, "", cand("c"))
		r.wantAppend(want, key, role, "token", sdp("s"))
		r.refuseTake(want, key, role, cache.SDP)
		r.refuseTake(want, key, role, cache.Candidate)
		r.refuseRead(want, key, role, 0)
		r.refuseExchange(want, key, role, "", 0, cand("c"))
	}
	r.refuseExchange(want, key, cache.Answer, "token", 0, sdp("s"))
}
