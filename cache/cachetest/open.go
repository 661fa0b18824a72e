package cachetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// openChecks are about the beginning and the end of a session.
var openChecks = []check{
	{name: "open/both roles see the session", run: openBothRoles},
	{name: "open/nothing before it", run: openNothingBefore},
	{name: "open/by either role, and only by a write that says so", run: openByRoles},
	{name: "open/not twice", run: openNotTwice},
	{name: "open/candidates at the limit and over it", limits: fewCandidates, run: openCandidateLimit},
	{name: "open/bytes at the limit and over it", limits: fewBytes, run: openByteLimit},
	{name: "open/a full batch does not disturb a live session", limits: fewCandidates, run: openFullOnLive},
	{name: "open/the key can be used again", limits: fewCandidates, run: openAgain},
	{name: "open/each session has its epoch", run: openEpochs},
	{name: "touch/says whether it is answered", run: touchAnswered},
	{name: "end/for both roles", run: endBothRoles},
	{name: "end/a refused open changes nothing", limits: fewCandidates, run: endRefusedOpen},
	{name: "ready/a store with room is", run: readyWithRoom},
	{name: "context/when it has ended a call returns, done or not done", run: contextEnded},
}

// The limits of checks that go up to them.
const (
	maxCandidates = 5
	maxBytes      = 100
)

func fewCandidates(l *cache.Limits) { l.Candidates = maxCandidates }
func fewBytes(l *cache.Limits)      { l.SessionBytes = maxBytes }

// numbered returns n candidates that differ.
func numbered(n int) []cache.Frame {
	frames := make([]cache.Frame, n)
	for i := range frames {
		frames[i] = cand(fmt.Sprintf("%d", i))
	}
	return frames
}

// sized is a candidate of n bytes in wire form. Before escaping it has one, or so it says: what counts is the former.
func sized(n int) cache.Frame {
	return cache.Frame{Kind: cache.Candidate, Size: 1, Wire: []byte(strings.Repeat("x", n))}
}

func openBothRoles(r *rig) {
	written := with(sdp("offer"), cands("1", "2")...)
	r.open("k", written...)
	r.wantAll("k", cache.Answer, written...)
	r.refuseRead(custerrors.SdpNoValues, "k", cache.Offer, 0)
	r.refuseTake(custerrors.SdpNoValues, "k", cache.Offer, cache.SDP)
	r.refuseTake(custerrors.CandidateNoValues, "k", cache.Offer, cache.Candidate)
}

func openNothingBefore(r *rig) {
	r.wantDead(custerrors.KeyNotFound, "k")
	r.open("other", sdp("o"))
	r.wantDead(custerrors.KeyNotFound, "k")
}

func openByRoles(r *rig) {
	for _, from := range cache.Roles {
		key, other := cache.Key("opened by "+from.String()), from.Other()
		w := cache.Write{Key: key, From: from, Token: "token", Batch: batch(sdp("first"), cand("1"))}
		r.wantError("Write of an sdp by "+from.String(), r.write(r.node(), w), custerrors.KeyNotFound)
		r.wantError("Touch", r.touch(key), custerrors.KeyNotFound)

		opens := w
		opens.Opens = true
		for range 2 { // the second time it is repeated
			r.wantError("Write that opens, by "+from.String(), r.write(r.node(), opens), nil)
			r.wantAll(key, other, sdp("first"), cand("1"))
		}
		r.wantError("Write that opened, repeated as one that does not", r.write(r.node(), w), nil)
		another := cache.Write{Key: key, From: other, Opens: true, Token: "token", Batch: batch(sdp("second"))}
		r.wantError("Write that opens, by the other role", r.write(r.node(), another), custerrors.SdpAlreadyExist)
		another.Token, another.Limit, another.Form = "", 9, &plain
		_, _, err := r.node().Write(r.ctx, dst(), another)
		r.wantError("Write that opens and reads, by the other role", err, custerrors.SdpAlreadyExist)
		r.refuseRead(custerrors.SdpNoValues, key, from, 0)

		r.append(key, other, sdp("second"))
		r.wantAll(key, from, sdp("second"))
		r.wantAll(key, other, sdp("first"), cand("1"))
		r.end(key)
		r.wantError("Write of an sdp after the end", r.write(r.node(), w), custerrors.KeyIsExpired)
		opens.Limit, opens.Form = 9, &plain
		out, next, err := r.node().Write(r.ctx, dst(), opens)
		r.wantError("Write that opens and reads", err, custerrors.SdpNoValues)
		if got := r.appended("Write", out, err); got != "" || next != cache.NewCursor(r.epoch(key), 0) {
			r.Errorf("Write that opens and reads: got %q and cursor %x, want nothing and the beginning of session %x", got, next, r.epoch(key))
		}
		r.wantAll(key, other, sdp("first"), cand("1"))
	}
}

func openNotTwice(r *rig) {
	r.open("k", sdp("first"), cand("1"))
	r.wantOpen(custerrors.SdpAlreadyExist, "k", "", sdp("first"), cand("1"))
	r.wantOpen(custerrors.SdpAlreadyExist, "k", "", sdp("second"))
	r.wantOpen(custerrors.SdpAlreadyExist, "k", "token", sdp("third"))
	r.wantAll("k", cache.Answer, sdp("first"), cand("1"))

	r.wantTake("k", cache.Answer, cache.SDP, 1, sdp("first"))
	r.wantOpen(custerrors.SdpAlreadyExist, "k", "", sdp("fourth")) // taken is put all the same
}

func touchAnswered(r *rig) {
	want := func(when string, want bool) {
		r.Helper()
		lease, err := r.node().Touch(r.ctx, "k")
		if err != nil || lease.Answered != want {
			r.Errorf("Touch %s: got %+v (%s), want it answered: %v", when, lease, said(err), want)
		}
	}
	r.open("k", sdp("o"), cand("1"))
	want("of a session just open", false)
	r.append("k", cache.Answer, cand("2"))
	want("after a candidate of the answerer", false)
	r.wantTake("k", cache.Answer, cache.SDP, 1, sdp("o"))
	want("after the offer is taken", false)
	r.append("k", cache.Answer, sdp("a"))
	want("after the answer", true)
	r.wantTake("k", cache.Offer, cache.SDP, 1, sdp("a"))
	want("after the answer is taken", true)
	r.end("k")
	r.open("k", sdp("o"))
	want("of another session of the key", false)
}

func openCandidateLimit(r *rig) {
	r.wantOpen(custerrors.QueueIsFull, "k", "", with(sdp("o"), numbered(maxCandidates+1)...)...)
	r.wantDead(custerrors.KeyNotFound, "k")
	full := with(sdp("o"), numbered(maxCandidates)...)
	r.wantOpen(nil, "k", "", full...)
	r.wantAll("k", cache.Answer, full...)
}

func openByteLimit(r *rig) {
	r.wantOpen(custerrors.BodyIsTooLong, "k", "", sdp("12345"), sized(maxBytes-4))
	r.wantDead(custerrors.KeyNotFound, "k")
	r.wantOpen(nil, "k", "", sdp("12345"), sized(maxBytes-5))
	r.wantAll("k", cache.Answer, sdp("12345"), sized(maxBytes-5))
}

func openFullOnLive(r *rig) {
	r.open("k", sdp("o"))
	r.wantOpen(custerrors.SdpAlreadyExist, "k", "", with(sdp("p"), numbered(maxCandidates+1)...)...)
	r.wantAll("k", cache.Answer, sdp("o"))
	r.append("k", cache.Offer, numbered(maxCandidates)...)
}

func openAgain(r *rig) {
	var old [2]cache.Cursor
	r.wantOpen(nil, "k", "token", with(sdp("old"), numbered(maxCandidates)...)...)
	r.append("k", cache.Answer, with(sdp("old answer"), numbered(maxCandidates)...)...)
	r.wantTake("k", cache.Answer, cache.SDP, 1, sdp("old"))
	for i, role := range cache.Roles {
		_, next, err := r.read("k", role, 0, 2)
		r.wantError("Read", err, nil)
		old[i] = next
	}
	r.end("k")

	r.wantOpen(nil, "k", "token", sdp("new")) // the token went with the session
	r.refuseRead(custerrors.SdpNoValues, "k", cache.Offer, 0)
	for i, role := range cache.Roles {
		r.refuseRead(custerrors.KeyIsExpired, "k", role, old[i])
		r.refuseRead(custerrors.KeyIsExpired, "k", role, cache.NewCursor(old[i].Epoch(), 0))
		r.refuseRead(custerrors.KeyIsExpired, "k", role, cache.NewCursor(old[i].Epoch(), 100))
	}
	r.wantTake("k", cache.Answer, cache.SDP, 1, sdp("new"))
	r.refuseTake(custerrors.CandidateNoValues, "k", cache.Answer, cache.Candidate)
	for _, role := range cache.Roles { // the counts begin anew, too
		r.append("k", role, numbered(maxCandidates)...)
	}
	r.append("k", cache.Answer, sdp("new answer"))
	r.wantAll("k", cache.Offer, with(sdp("new answer"), numbered(maxCandidates)...)...)
	r.wantAll("k", cache.Answer, with(sdp("new"), numbered(maxCandidates)...)...)
}

func openEpochs(r *rig) {
	const sessions = 50
	seen := make(map[uint64]bool)
	for range sessions {
		r.open("k", sdp("o"))
		first := r.wantRead("k", cache.Answer, 0, 1, sdp("o"))
		if again := r.wantRead("k", cache.Answer, 0, 1, sdp("o")); again != first {
			r.Errorf("Read twice: got cursors %x and %x, want the same", first, again)
		}
		seen[first.Epoch()] = true
		r.end("k")
	}
	if len(seen) != sessions {
		r.Errorf("%d sessions of one key: got %d epochs, want one each", sessions, len(seen))
	}
}

func endBothRoles(r *rig) {
	for _, key := range []cache.Key{"fresh", "used", "taken"} {
		r.open(key, sdp("o"), cand("1"))
	}
	r.append("used", cache.Answer, sdp("a"), cand("2"))
	r.wantTake("taken", cache.Answer, cache.SDP, 1, sdp("o"))
	for _, key := range []cache.Key{"fresh", "used", "taken"} {
		r.end(key)
		r.wantDead(custerrors.KeyIsExpired, key)
	}
}

func endRefusedOpen(r *rig) {
	r.open("k", sdp("o"))
	r.end("k")
	r.wantOpen(custerrors.QueueIsFull, "k", "token", with(sdp("o"), numbered(maxCandidates+1)...)...)
	r.wantDead(custerrors.KeyIsExpired, "k")
	r.wantOpen(nil, "k", "token", sdp("p")) // a refused write is no write: its token is free
	r.wantAll("k", cache.Answer, sdp("p"))
}

// contextEnded makes calls whose caller has gone. Such a call only has to return, and to have done all that it was asked for or nothing. A
// store may still do it.
func contextEnded(r *rig) {
	offer, answer := with(sdp("o"), cands("1", "2")...), with(sdp("a"), cands("3", "4")...)
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	start := time.Now()
	_, _, openErr := r.node().Write(ctx, nil, cache.Write{Key: "k", From: cache.Offer, Opens: true, Token: "open", Batch: batch(offer...)})
	if openErr != nil {
		r.wantOpen(nil, "k", "open", offer...) // the token makes it safe to try again
	}
	r.wantAll("k", cache.Answer, offer...)
	_, _, err := r.node().Write(ctx, nil, cache.Write{Key: "k", From: cache.Answer, Token: "answer", Batch: batch(answer...)})
	if err != nil {
		r.wantAppend(nil, "k", cache.Answer, "answer", answer...)
	}
	r.wantAll("k", cache.Offer, answer...)
	out, _, err := r.node().Read(ctx, dst(), "k", cache.Answer, 0, 9, &plain)
	if got := r.appended("Read", out, err); err == nil && got != text(offer...) {
		r.Errorf("Read: got %q, want all of it", got)
	}
	_, _ = r.node().Touch(ctx, "k")
	_ = r.node().Ready(ctx)
	_ = r.node().End(ctx, "k")
	if took := time.Since(start); took > slack {
		r.Errorf("calls with a context that has ended: got answers after %v, want them soon", took)
	}
}

func readyWithRoom(r *rig) {
	r.wantError("Ready", r.node().Ready(r.ctx), nil)
	r.open("k", sdp("o"))
	r.wantError("Ready", r.node().Ready(r.ctx), nil)
}
