package cachetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// takerChecks are about whose a payload is of several that wait, and about clients that leave while they wait.
var takerChecks = []check{
	{name: "wait/of those that take the last to begin is first", run: waitNewest},
	{name: "wait/behind one that takes no more the next one takes", run: waitNext},
	{name: "wait/who is not first sees the session end", run: waitLast},
	{name: "wait/for the key's next session, if asked to", run: waitAnew},
}

// stack starts waits for what the offerer takes, one after the other, and returns them, the last one first.
func (m *mailroom) stack(n int, kind cache.Kind, w func(i int) cache.Wait) []<-chan letter {
	var waits []<-chan letter
	for i := range n {
		waits = append(waits, m.awaitTake("k", cache.Offer, kind, w(i)))
		m.r.settle()
	}
	slices.Reverse(waits)
	return waits
}

// waitNewest lets several wait, each of which takes all that is there: the last one to begin gets the first payload, and the one before it
// what comes then. It does so many times, because the wrong one may be slow by chance.
func waitNewest(r *rig) {
	m := r.mailroom()
	r.open("k", sdp("o"))
	for round := range 20 {
		waits := m.stack(3, cache.Candidate, func(int) cache.Wait { return cache.Wait{For: long} })
		for i, letters := range waits {
			news := cand(fmt.Sprintf("%d", 3*round+i))
			r.append("k", cache.Answer, news)
			r.wantLetter(fmt.Sprintf("round %d, wait %d from the last", round, i), letters, 0, nil, news)
		}
	}
}

// waitNext lets the last ones to begin leave, or give up: the one before them takes.
func waitNext(r *rig) {
	m := r.mailroom()
	r.open("k", sdp("o"))
	var gone atomic.Bool
	waits := m.stack(3, cache.SDP, func(i int) cache.Wait {
		switch i {
		case 2:
			return cache.Wait{For: long, Present: func() bool { return !gone.Load() }}
		case 1:
			return cache.Wait{For: short}
		default:
			return cache.Wait{For: long}
		}
	})
	r.wantError("one that is not first, whose time is up", (<-waits[1]).err, custerrors.SdpNoValues)
	gone.Store(true)
	written := time.Now()
	r.append("k", cache.Answer, sdp("a"))
	r.wantError("the last one, whose client has left", (<-waits[0]).err, cache.ErrGone)
	if got := <-waits[2]; got.err != nil || got.text != text(sdp("a")) {
		r.Errorf("the first one: got %q (%s), want %q", got.text, said(got.err), text(sdp("a")))
	}
	r.wantTook("the first one", written, 0)
}

func waitLast(r *rig) {
	m := r.mailroom()
	r.open("k", sdp("o"))
	waits := m.stack(2, cache.SDP, func(int) cache.Wait { return cache.Wait{For: long} })
	r.end("k")
	r.open("k", sdp("p"))
	r.append("k", cache.Answer, sdp("b"))
	for i, letters := range waits {
		r.wantLetter(fmt.Sprintf("wait %d from the last", i), letters, 0, custerrors.KeyIsExpired)
	}
	r.wantTake("k", cache.Offer, cache.SDP, 1, sdp("b"))
}

// waitAnew waits where a session has ended. What comes late of that one is not the next one's.
func waitAnew(r *rig) {
	m, w := r.mailroom(), cache.Wait{For: long, Unopened: true, Anew: true}
	for range 20 {
		r.open("k", sdp("o"))
		r.append("k", cache.Offer, cand("1"))
		r.end("k")
		read := m.awaitRead("k", cache.Answer, 0, w)
		take := m.awaitTake("k", cache.Answer, cache.SDP, w)
		r.settle()
		r.open("k", sdp("p"))
		next := r.wantLetter("Read", read, 0, nil, sdp("p"))
		r.wantLetter("Take", take, 0, nil, sdp("p"))
		trickle := m.awaitRead("k", cache.Answer, next, w)
		r.settle()
		r.end("k")
		r.wantLetter("Read behind a cursor", trickle, 0, custerrors.KeyIsExpired)
	}
	w.For = short
	r.wantLetter("Read for which nobody opens", m.awaitRead("k", cache.Answer, 0, w), short, custerrors.KeyIsExpired)
}
