package cachetest

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// lostWakeupChecks let a waiter fall asleep at the very moment of the news, many times. In virtual time a lost ring shows beyond doubt:
// time stands still while any goroutine can run, and moves only when all of them sleep.
var lostWakeupChecks = []check{
	{name: "wakeup/there and back", limits: manyCandidates, run: wakeupPingPong},
	{name: "wakeup/many readers behind one writer", limits: manyCandidates, run: wakeupReaders},
	{name: "wakeup/waiting for Open", run: wakeupOpen},
	{name: "wakeup/waiting for End", run: wakeupEnd},
}

func manyCandidates(l *cache.Limits) { l.Candidates = 5000 }

// wantAwake checks that a wait ended by a ring, not by the look that the mailroom takes after half a TTL.
func wantAwake(r *rig, what string, start time.Time) bool {
	r.Helper()
	got := time.Since(start)
	if r.h.Virtual && got == 0 || !r.h.Virtual && got < slack {
		return true
	}
	r.Errorf("%s: got woken after %v, want at once", what, got)
	return false
}

func wakeupPingPong(r *rig) {
	const rounds = 1000
	r.open("k", sdp("o"))
	ctx, cancel := context.WithCancel(r.ctx)
	side := func(store cache.Store, self cache.Role) {
		defer cancel() // so that the other one does not wait for a role that gives up
		m := r.mailroomOver(store)
		for i := range rounds {
			f := cand(fmt.Sprintf("%d", i))
			if self == cache.Offer {
				r.wantError("Append", r.write(store, cache.Write{Key: "k", From: self, Batch: batch(f)}), nil)
			}
			start := time.Now()
			w := cache.Wait{For: long}
			out, _, err := m.Take(ctx, cache.Take{Key: "k", To: self, Kind: cache.Candidate, Limit: 1, Form: &plain}, &w)
			w.End()
			if err != nil && ctx.Err() != nil && i < rounds-1 {
				return
			}
			if got := r.appended("Take", out, err); got != text(f) {
				r.Errorf("round %d, %v: got %q (%s), want %q", i, self, got, said(err), text(f))
				return
			}
			if !wantAwake(r, fmt.Sprintf("round %d, %v", i, self), start) {
				return
			}
			if self == cache.Answer {
				r.wantError("Append", r.write(store, cache.Write{Key: "k", From: self, Batch: batch(f)}), nil)
			}
		}
		if self == cache.Answer {
			<-ctx.Done() // the offerer takes the last one
		}
	}
	r.background(func() { side(r.last(), cache.Answer) })
	side(r.first(), cache.Offer)
}

// wakeupReaders lets the writer wait until every reader has read, and write again while they fall asleep.
func wakeupReaders(r *rig) {
	const news, readers = 1000, 3
	r.open("k", sdp("0"))
	ctx, cancel := context.WithCancel(r.ctx)
	given := make(chan struct{}) // a message, to one of the readers
	reader := func() {
		defer cancel() // so that nobody waits for a reader that gives up
		m, after := r.mailroom(), cache.Cursor(0)
		for after.Position() <= news {
			start := time.Now()
			w := cache.Wait{For: long}
			out, next, err := m.Read(ctx, "k", cache.Answer, after, 1, &w)
			w.End()
			want := cand(fmt.Sprintf("%d", after.Position()))
			if after == 0 {
				want.Kind = cache.SDP
			}
			if got := r.appended("Read", out, err); got != text(want) {
				r.Errorf("Read after %d: got %q (%s), want %q", after.Position(), got, said(err), text(want))
				return
			}
			if !wantAwake(r, fmt.Sprintf("Read after %d", after.Position()), start) {
				return
			}
			after = next
			select {
			case given <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		<-ctx.Done()
	}
	for range readers {
		r.background(reader)
	}
	for i := range news + 1 {
		if i > 0 {
			r.append("k", cache.Offer, cand(fmt.Sprintf("%d", i)))
		}
		for range readers {
			select {
			case <-given:
			case <-ctx.Done():
				return
			}
		}
		jitter(r, i)
	}
	cancel()
}

// jitter lets other goroutines run for a while that differs from one i to the next, and now and then until they sleep.
func jitter(r *rig, i int) {
	if r.h.Virtual && i%4 == 0 || i%32 == 0 {
		r.settle()
		return
	}
	for range i % 16 {
		runtime.Gosched()
	}
}

// rounds of waiting for something that happens once in a session.
const rounds = 300

func wakeupOpen(r *rig) {
	m := r.mailroom()
	for i := range rounds {
		key := cache.Key(fmt.Sprintf("k%d", i))
		read := m.awaitRead(key, cache.Answer, 0, cache.Wait{For: long, Unopened: true})
		take := m.awaitTake(key, cache.Answer, cache.SDP, cache.Wait{For: long, Unopened: true})
		jitter(r, i)
		start := time.Now()
		r.open(key, sdp("o"))
		for name, letters := range map[string]<-chan letter{"Read": read, "Take": take} {
			if got := <-letters; got.err != nil || got.text != text(sdp("o")) {
				r.Errorf("%s: got %q (%s), want %q", name, got.text, said(got.err), text(sdp("o")))
			}
		}
		if !wantAwake(r, "Open", start) {
			return
		}
		r.end(key)
	}
}

func wakeupEnd(r *rig) {
	m := r.mailroom()
	for i := range rounds {
		r.open("k", sdp("o"))
		read := m.awaitRead("k", cache.Offer, 0, cache.Wait{For: long})
		take := m.awaitTake("k", cache.Answer, cache.Candidate, cache.Wait{For: long})
		jitter(r, i)
		start := time.Now()
		r.end("k")
		for name, letters := range map[string]<-chan letter{"Read": read, "Take": take} {
			// A waiter that begins only now finds the session ended, too.
			if got := <-letters; got.err != custerrors.KeyIsExpired || got.text != "" {
				r.Errorf("%s: got %q (%s), want %s", name, got.text, said(got.err), custerrors.KeyIsExpired)
			}
		}
		if !wantAwake(r, "End", start) {
			return
		}
	}
}
