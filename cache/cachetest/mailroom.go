package cachetest

import (
	"context"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// mailroomChecks are about waiting over the store. Waiting relies on Hang, Touch and the order of looks.
var mailroomChecks = []check{
	{name: "wait/before the session is open, if asked to", run: waitBeforeOpen},
	{name: "wait/not before the session is open, if not asked to", run: waitNotUnopened},
	{name: "wait/of both roles, before the session is open", run: waitUnopened},
	{name: "wait/what is there comes at once", run: waitForNothing},
	{name: "wait/is over when it is", run: waitOver},
	{name: "wait/news ends it", run: waitNews},
	{name: "wait/keeps the session alive", run: waitKeepsAlive},
	{name: "wait/End ends it at once", run: waitEnd},
	{name: "wait/the lifetime ends it at once", limits: func(l *cache.Limits) { l.Lifetime = 3 * time.Second }, run: waitLifetime},
	{name: "wait/Close ends it at once", run: waitClose},
	{name: "wait/its context ends it at once", run: waitContext, ofContext: true},
	{name: "wait/a client that has left takes nothing", run: waitGone},
	{name: "wait/of two takers one has the payload", run: waitTwoTakers},
	{name: "wait/is for the session it began with", run: waitLaterSession},
	{name: "wait/goes on in the session it was for", run: waitGoesOn},
}

// long is a wait that no check sees the end of. short is one that every check can wait for.
const (
	long  = 20 * time.Second
	short = 500 * ms
)

// letter is what came of a wait.
type letter struct {
	text string
	next cache.Cursor
	err  error
	took time.Duration
}

// mailroom is a cache.Mailroom whose waits go on in the background.
type mailroom struct {
	*cache.Mailroom
	r *rig
}

// mailroom is over another node than most writes.
func (r *rig) mailroom() *mailroom { return r.mailroomOver(r.last()) }

func (r *rig) mailroomOver(store cache.Store) *mailroom {
	return &mailroom{cache.NewMailroom(store, r.limits), r}
}

func (m *mailroom) awaitTake(key cache.Key, to cache.Role, kind cache.Kind, w cache.Wait) <-chan letter {
	return m.awaitTakeIn(key, to, kind, 0, w)
}

func (m *mailroom) awaitTakeIn(key cache.Key, to cache.Role, kind cache.Kind, in cache.Cursor, w cache.Wait,
) <-chan letter {
	letters := make(chan letter, 1)
	m.r.background(func() {
		start := time.Now()
		defer w.End()
		out, next, err := m.Take(m.r.ctx, cache.Take{Key: key, To: to, Kind: kind, Limit: 10, Form: &plain, In: in.Epoch()}, &w)
		letters <- letter{text: m.r.appended("Take", out, err), next: next, err: err, took: time.Since(start)}
	})
	return letters
}

func (m *mailroom) awaitRead(key cache.Key, to cache.Role, after cache.Cursor, w cache.Wait) <-chan letter {
	letters := make(chan letter, 1)
	m.r.background(func() {
		start := time.Now()
		defer w.End()
		out, next, err := m.Read(m.r.ctx, key, to, after, 10, &w)
		letters <- letter{text: m.r.appended("Read", out, err), next: next, err: err, took: time.Since(start)}
	})
	return letters
}

// waiters starts one wait of each kind on an open session that has no answer.
func (m *mailroom) waiters(key cache.Key) map[string]<-chan letter {
	w := cache.Wait{For: long}
	next := m.r.wantRead(key, cache.Answer, 0, 1, sdp("o"))
	return map[string]<-chan letter{
		"Read by offer":            m.awaitRead(key, cache.Offer, 0, w),
		"Read by answer":           m.awaitRead(key, cache.Answer, next, w),
		"Take sdp by offer":        m.awaitTake(key, cache.Offer, cache.SDP, w),
		"Take candidate by offer":  m.awaitTake(key, cache.Offer, cache.Candidate, w),
		"Take candidate by answer": m.awaitTake(key, cache.Answer, cache.Candidate, w),
	}
}

// wantLetter waits for the end of a wait and wants it to have taken so long.
func (r *rig) wantLetter(what string, letters <-chan letter, took time.Duration, err error, frames ...cache.Frame) cache.Cursor {
	r.Helper()
	got := <-letters
	if got.err != err || got.text != text(frames...) {
		r.Errorf("%s: got %.200q (%s), want %.200q (%s)", what, got.text, said(got.err), text(frames...), said(err))
	}
	r.wantTook(what, time.Now().Add(-got.took), took)
	return got.next
}

func waitBeforeOpen(r *rig) {
	m, w := r.mailroom(), cache.Wait{For: long, Unopened: true}
	for _, to := range cache.Roles {
		key := cache.Key("read by " + to.String())
		read := m.awaitRead(key, to, 0, w)
		taken := m.awaitTake(key, to, cache.SDP, w)
		candidate := m.awaitTake(key, to, cache.Candidate, w)
		r.settle()
		r.openAs(to.Other(), key, sdp("o"))
		r.wantLetter("Read before Open", read, 0, nil, sdp("o"))
		r.wantLetter("Take of sdp before Open", taken, 0, nil, sdp("o"))
		r.settle()
		r.append(key, to.Other(), cand("1"))
		r.wantLetter("Take of candidate before Open", candidate, 0, nil, cand("1"))
	}
}

func waitNotUnopened(r *rig) {
	m := r.mailroom()
	wants := func(w cache.Wait, want error) {
		r.Helper()
		for _, to := range cache.Roles {
			r.wantLetter("Read by "+to.String(), m.awaitRead("k", to, 0, w), 0, want)
			r.wantLetter("Take by "+to.String(), m.awaitTake("k", to, cache.SDP, w), 0, want)
		}
	}
	wants(cache.Wait{For: long}, custerrors.KeyNotFound)
	r.open("k", sdp("o"))
	r.end("k")
	for _, unopened := range []bool{false, true} { // nobody waits for one that has ended
		wants(cache.Wait{For: long, Unopened: unopened}, custerrors.KeyIsExpired)
	}
}

func waitUnopened(r *rig) {
	m, w := r.mailroom(), cache.Wait{For: long, Unopened: true}
	read := m.awaitRead("k", cache.Offer, 0, w)
	take := m.awaitTake("k", cache.Offer, cache.SDP, w)
	other := m.awaitRead("k", cache.Answer, 0, w)
	r.settle()
	r.open("k", sdp("o"))
	r.wantLetter("Read by answer", other, 0, nil, sdp("o"))
	r.settle()
	r.append("k", cache.Answer, sdp("a"))
	r.wantLetter("Read by offer", read, 0, nil, sdp("a"))
	r.wantLetter("Take by offer", take, 0, nil, sdp("a"))
	r.end("k")
	r.wantLetter("Read of what has ended", m.awaitRead("k", cache.Offer, 0, w), 0, custerrors.KeyIsExpired)
}

func waitForNothing(r *rig) {
	m := r.mailroom()
	r.open("k", sdp("o"), cand("1"))
	gone := func() bool { return false }
	for _, w := range []cache.Wait{{}, {For: -1}, {For: long}, {For: long, Present: gone}, {Present: gone}} {
		next := r.wantLetter("Read", m.awaitRead("k", cache.Answer, 0, w), 0, nil, sdp("o"), cand("1"))
		if w.Present != nil {
			r.wantLetter("Take, gone", m.awaitTake("k", cache.Answer, cache.SDP, w), 0, cache.ErrGone)
		}
		if w.For <= 0 && w.Present == nil {
			r.wantLetter("Read of nothing", m.awaitRead("k", cache.Answer, next, w), 0, custerrors.CandidateNoValues)
			r.wantLetter("Take of nothing", m.awaitTake("k", cache.Offer, cache.SDP, w), 0, custerrors.SdpNoValues)
			r.wantLetter("Take of no session", m.awaitTake("l", cache.Answer, cache.SDP, w), 0, custerrors.KeyNotFound)
		}
		r.wantLetter("Read behind the end", m.awaitRead("k", cache.Answer, next+1, w), 0, custerrors.CursorIsInvalid)
		r.wantLetter("Read of another session", m.awaitRead("k", cache.Answer, cache.NewCursor(next.Epoch()^1, 1), w), 0,
			custerrors.KeyIsExpired)
	}
	r.wantLetter("Take", m.awaitTake("k", cache.Answer, cache.SDP, cache.Wait{For: long}), 0, nil, sdp("o"))
}

func waitOver(r *rig) {
	m, w := r.mailroom(), cache.Wait{For: short}
	r.open("k", sdp("o"))
	next := r.wantRead("k", cache.Answer, 0, 1, sdp("o"))
	reads := m.awaitRead("k", cache.Offer, 0, w)
	trickle := m.awaitRead("k", cache.Answer, next, w)
	takes := m.awaitTake("k", cache.Offer, cache.SDP, w)
	candidates := m.awaitTake("k", cache.Offer, cache.Candidate, w)
	never := m.awaitTake("never", cache.Answer, cache.Candidate, cache.Wait{For: short, Unopened: true})
	r.wantLetter("Read of the sdp", reads, short, custerrors.SdpNoValues)
	if same := r.wantLetter("Read of candidates", trickle, short, custerrors.CandidateNoValues); same != next {
		r.Errorf("Read of candidates: got cursor %x, want the same, %x", same, next)
	}
	r.wantLetter("Take of the sdp", takes, short, custerrors.SdpNoValues)
	r.wantLetter("Take of candidates", candidates, short, custerrors.CandidateNoValues)
	r.wantLetter("Take of what nobody opened", never, short, custerrors.KeyNotFound)
}

func waitNews(r *rig) {
	m, w := r.mailroom(), cache.Wait{For: long}
	r.open("k", sdp("o"))
	read := m.awaitRead("k", cache.Offer, 0, w)
	take := m.awaitTake("k", cache.Offer, cache.SDP, w)
	r.settle()
	r.append("k", cache.Answer, cand("1")) // it is held back: the bell rings, and the waiters sleep again
	r.append("k", cache.Offer, cand("x"))  // it is not for them
	r.settle()
	r.append("k", cache.Answer, sdp("a"))
	next := r.wantLetter("Read", read, 0, nil, sdp("a"), cand("1"))
	r.wantLetter("Take", take, 0, nil, sdp("a"))

	read = m.awaitRead("k", cache.Offer, next, w)
	r.settle()
	r.append("k", cache.Answer, cands("2", "3")...)
	r.wantLetter("Read", read, 0, nil, cands("2", "3")...)
}

func waitKeepsAlive(r *rig) {
	const ttl, wait = time.Second, 3 * time.Second
	m, w := r.mailroom(), cache.Wait{For: wait}
	r.openFor("read", ttl, sdp("o"))
	r.openFor("take", ttl, sdp("o"))
	read := m.awaitRead("read", cache.Offer, 0, w)
	take := m.awaitTake("take", cache.Answer, cache.Candidate, w)
	r.wantLetter("Read", read, wait, custerrors.SdpNoValues)
	r.wantLetter("Take", take, wait, custerrors.CandidateNoValues)
	r.wantError("Touch after the wait", r.touch("read"), nil)
	r.wantError("Touch after the wait", r.touch("take"), nil)
}

func waitEnd(r *rig) {
	r.open("k", sdp("o"))
	waits := r.mailroom().waiters("k")
	r.settle()
	r.end("k")
	for name, letters := range waits {
		r.wantLetter(name, letters, 0, custerrors.KeyIsExpired)
	}
}

// waitLifetime allows two milliseconds more: the mailroom looks a little after the last moment.
func waitLifetime(r *rig) {
	r.openFor("k", time.Second, sdp("o"))
	for name, letters := range r.mailroom().waiters("k") {
		got := <-letters
		if got.err != custerrors.KeyIsExpired || got.text != "" {
			r.Errorf("%s: got %q (%s), want %s", name, got.text, said(got.err), custerrors.KeyIsExpired)
		}
		late := got.took - r.limits.Lifetime
		if late < -20*ms || late > slack || r.h.Virtual && (late < 0 || late > 2*ms) {
			r.Errorf("%s: got the end after %v, want %v and no more than a little", name, got.took, r.limits.Lifetime)
		}
	}
}

func waitClose(r *rig) {
	m := r.mailroom()
	r.open("k", sdp("o"))
	waits := m.waiters("k")
	waits["Read of nobody's"] = m.awaitRead("never", cache.Answer, 0, cache.Wait{For: long, Unopened: true})
	r.settle()
	m.Close()
	m.Close()
	for name, letters := range waits {
		r.wantLetter(name, letters, 0, custerrors.ServerIsShuttingDown)
	}
	for name, letters := range m.waiters("k") {
		r.wantLetter(name+" after Close", letters, 0, custerrors.ServerIsShuttingDown)
	}
	r.append("k", cache.Answer, sdp("a")) // the store is still open, and hands out what is there
	r.wantLetter("Read after Close", m.awaitRead("k", cache.Offer, 0, cache.Wait{For: long}), 0, nil, sdp("a"))
}

func waitContext(r *rig) {
	m := r.mailroom()
	r.open("k", sdp("o"))
	ctx, cancel := context.WithCancel(r.ctx)
	letters := make(chan letter, 1)
	r.background(func() {
		start := time.Now()
		w := cache.Wait{For: long}
		defer w.End()
		out, _, err := m.Take(ctx, cache.Take{Key: "k", To: cache.Offer, Kind: cache.SDP, Limit: 1, Form: &plain}, &w)
		letters <- letter{text: r.appended("Take", out, err), err: err, took: time.Since(start)}
	})
	r.settle()
	cancel()
	r.wantLetter("Take", letters, 0, context.Canceled)
	r.append("k", cache.Answer, sdp("a"))
	r.wantTake("k", cache.Offer, cache.SDP, 1, sdp("a"))
}

func waitGone(r *rig) {
	m := r.mailroom()
	gone := cache.Wait{For: long, Unopened: true, Present: func() bool { return false }}
	r.open("k", sdp("o"))
	sdps := m.awaitTake("k", cache.Offer, cache.SDP, gone)
	candidates := m.awaitTake("k", cache.Offer, cache.Candidate, gone)
	unopened := m.awaitTake("l", cache.Answer, cache.SDP, gone)
	r.settle()
	r.append("k", cache.Answer, sdp("a"), cand("1"))
	r.open("l", sdp("p"))
	r.wantLetter("Take of sdp, gone", sdps, 0, cache.ErrGone)
	r.wantLetter("Take of candidate, gone", candidates, 0, cache.ErrGone)
	r.wantLetter("Take before Open, gone", unopened, 0, cache.ErrGone)

	here := cache.Wait{For: long, Present: func() bool { return true }}
	r.wantLetter("Take of sdp, next", m.awaitTake("k", cache.Offer, cache.SDP, here), 0, nil, sdp("a"))
	r.wantLetter("Take of candidate, next", m.awaitTake("k", cache.Offer, cache.Candidate, here), 0, nil, cand("1"))
	r.wantTake("l", cache.Answer, cache.SDP, 1, sdp("p"))
}

func waitTwoTakers(r *rig) {
	m := r.mailroom()
	r.open("k", sdp("o"))
	waits := make([]<-chan letter, 2)
	for i := range waits {
		waits[i] = m.awaitTake("k", cache.Offer, cache.SDP, cache.Wait{For: short})
	}
	r.settle()
	r.append("k", cache.Answer, sdp("a"))
	one, other := <-waits[0], <-waits[1]
	if one.err != nil {
		one, other = other, one
	}
	if one.err != nil || one.text != text(sdp("a")) || other.err != custerrors.SdpNoValues {
		r.Errorf("two Takes of one sdp: got %q (%s) and %q (%s), want it once", one.text, said(one.err), other.text, said(other.err))
	}
}

// waitLaterSession opens another session of the key before the waiters wake up.
func waitLaterSession(r *rig) {
	m := r.mailroom()
	for range 20 {
		r.open("k", sdp("o"))
		waits := m.waiters("k")
		r.settle()
		r.end("k")
		r.open("k", sdp("p"), cand("1"))
		r.append("k", cache.Answer, sdp("b"), cand("2"))
		for name, letters := range waits {
			r.wantLetter(name, letters, 0, custerrors.KeyIsExpired)
		}
		r.wantTake("k", cache.Offer, cache.SDP, 1, sdp("b"))
		r.wantTake("k", cache.Offer, cache.Candidate, 9, cand("2"))
		r.wantTake("k", cache.Answer, cache.Candidate, 9, cand("1"))
		r.end("k")
	}
}

func waitGoesOn(r *rig) {
	m := r.mailroom()
	take := func(in cache.Cursor, w time.Duration) <-chan letter {
		return m.awaitTakeIn("k", cache.Answer, cache.Candidate, in, cache.Wait{For: w, Unopened: true})
	}
	in := r.wantLetter("Take before Open", take(0, short), short, custerrors.KeyNotFound)
	if in != 0 {
		r.Errorf("Take before Open: got cursor %x, want the zero one", in)
	}
	r.open("k", sdp("o"))
	in = r.wantLetter("Take", take(in, short), short, custerrors.CandidateNoValues)
	if got, want := in.Epoch(), r.epoch("k"); got != want {
		r.Errorf("Take that waited: got a cursor of epoch %x, want the session's, %x", got, want)
	}
	in = r.wantLetter("Take, going on", take(in, short), short, custerrors.CandidateNoValues)
	letters := take(in, long)
	r.settle()
	r.append("k", cache.Offer, cand("1"))
	in = r.wantLetter("Take, going on", letters, 0, nil, cand("1"))

	r.end("k")
	r.open("k", sdp("p"), cand("2"))
	r.wantLetter("Take, going on in what has ended", take(in, long), 0, custerrors.KeyIsExpired)
	r.wantLetter("Take anew", take(0, long), 0, nil, cand("2"))
}
