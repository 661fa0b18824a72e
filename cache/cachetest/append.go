package cachetest

import (
	"fmt"
	"strings"

	"signal-server/cache"
	"signal-server/custerrors"
)

// appendChecks are about writing to a session that lives.
var appendChecks = []check{
	{name: "append/sdp before candidates, candidates in order", run: appendOrder},
	{name: "append/each role its own log", run: appendOwnLog},
	{name: "append/sdp once", run: appendSDPOnce},
	{name: "append/candidates at the limit and over it", limits: fewCandidates, run: appendCandidateLimit},
	{name: "append/bytes at the limit and over it", limits: fewBytes, run: appendByteLimit},
	{name: "append/bytes count as stored", limits: fewBytes, run: appendWireNotSize},
	{name: "append/what is taken still counts", limits: fewCandidates, run: appendTakenCounts},
	{name: "append/errors have an order", limits: func(l *cache.Limits) { fewCandidates(l); fewBytes(l) }, run: appendPrecedence},
	{name: "append/the longest log", limits: longestLog, run: appendLongest},
}

// tokenChecks are about writes that are repeated.
var tokenChecks = []check{
	{name: "token/open repeated", run: tokenOpen},
	{name: "token/append repeated", limits: fewCandidates, run: tokenAppend},
	{name: "token/of one role", run: tokenOfRole},
	{name: "token/of a refused write is free", limits: fewCandidates, run: tokenRefused},
	{name: "token/all are remembered and none mistaken", run: tokenMany},
}

func appendOrder(r *rig) {
	r.open("k", cand("1"), sdp("o"), cand("2")) // the batch's order of kinds does not matter
	r.append("k", cache.Offer, cand("3"))
	r.append("k", cache.Offer, cands("4", "5")...)
	r.wantAll("k", cache.Answer, with(sdp("o"), cands("1", "2", "3", "4", "5")...)...)

	r.append("k", cache.Answer, cands("1", "2")...)
	r.append("k", cache.Answer, cand("3"), sdp("a"))
	r.append("k", cache.Answer, cand("4"))
	r.wantAll("k", cache.Offer, with(sdp("a"), cands("1", "2", "3", "4")...)...)
}

func appendOwnLog(r *rig) {
	r.open("k", sdp("o"), cand("1"))
	r.append("k", cache.Answer, sdp("a"), cand("2"))
	r.append("k", cache.Offer, cand("3"))
	r.wantAll("k", cache.Answer, sdp("o"), cand("1"), cand("3"))
	r.wantAll("k", cache.Offer, sdp("a"), cand("2"))
	r.wantTake("k", cache.Offer, cache.SDP, 1, sdp("a"))
	r.wantTake("k", cache.Answer, cache.Candidate, 9, cand("1"), cand("3"))
	r.wantTake("k", cache.Offer, cache.Candidate, 9, cand("2"))
	r.wantTake("k", cache.Answer, cache.SDP, 1, sdp("o"))
}

func appendSDPOnce(r *rig) {
	r.open("k", sdp("o"))
	r.wantAppend(custerrors.SdpAlreadyExist, "k", cache.Offer, "", sdp("p"))
	r.wantAppend(custerrors.SdpAlreadyExist, "k", cache.Offer, "token", cand("1"), sdp("p"), cand("2"))
	r.wantAll("k", cache.Answer, sdp("o"))

	r.append("k", cache.Answer, sdp("a"))
	r.wantAppend(custerrors.SdpAlreadyExist, "k", cache.Answer, "", sdp("b"), cand("1"))
	r.wantTake("k", cache.Offer, cache.SDP, 1, sdp("a"))
	r.wantAppend(custerrors.SdpAlreadyExist, "k", cache.Answer, "", sdp("b"), cand("1")) // taken is put all the same
	r.refuseTake(custerrors.SdpNoValues, "k", cache.Offer, cache.SDP)
	r.refuseTake(custerrors.CandidateNoValues, "k", cache.Offer, cache.Candidate)
	r.wantAll("k", cache.Offer, sdp("a"))
}

func appendCandidateLimit(r *rig) {
	r.open("k", sdp("o"), cand("0"))
	for _, role := range cache.Roles { // each may have as many
		r.append("k", role, numbered(maxCandidates - 2)[1:]...)
	}
	r.wantAppend(custerrors.QueueIsFull, "k", cache.Offer, "", cands("x", "y", "z")...)
	r.wantAppend(custerrors.QueueIsFull, "k", cache.Answer, "", with(sdp("a"), cands("x", "y", "z", "w")...)...)
	r.append("k", cache.Offer, cands("3", "4")...) // the refused ones took no room
	r.append("k", cache.Answer, with(sdp("a"), cands("3", "4", "5")...)...)
	for _, role := range cache.Roles {
		r.wantAppend(custerrors.QueueIsFull, "k", role, "", cand("x"))
	}
	r.wantAll("k", cache.Answer, with(sdp("o"), numbered(maxCandidates)...)...)
	r.wantAll("k", cache.Offer, with(sdp("a"), numbered(maxCandidates + 1)[1:]...)...)
}

func appendByteLimit(r *rig) {
	r.open("k", sdp("12345"), sized(20))
	r.append("k", cache.Answer, sized(30))
	r.wantAppend(custerrors.BodyIsTooLong, "k", cache.Offer, "", sized(10), sized(maxBytes-64))
	r.wantAppend(custerrors.BodyIsTooLong, "k", cache.Answer, "", sdp("1"), sized(maxBytes-55)) // both roles count
	r.append("k", cache.Answer, sdp("12345"), sized(maxBytes-60))
	for _, role := range cache.Roles {
		r.wantAppend(custerrors.BodyIsTooLong, "k", role, "", cand("1"))
	}
	r.wantAll("k", cache.Answer, sdp("12345"), sized(20))
	r.wantAll("k", cache.Offer, sdp("12345"), sized(30), sized(maxBytes-60))
}

// controls are hostile payloads: what is one byte before escaping, and up to six in wire form.
var controls = []string{`\u0000`, `\u001f`, `\u007f`, `\n`, `\"`, `\\`, `\ud800`}

// appendWireNotSize fills sessions with payloads that say they are short, up to the limit and over it: by the write that opens, and by others.
func appendWireNotSize(r *rig) {
	for i, wire := range controls {
		key := cache.Key(fmt.Sprintf("k%d", i))
		escaped := func(kind cache.Kind, n int) cache.Frame {
			return cache.Frame{Kind: kind, Size: n, Wire: []byte(strings.Repeat(wire, n))}
		}
		fits := maxBytes / len(wire)
		r.wantOpen(custerrors.BodyIsTooLong, key, "", escaped(cache.SDP, fits+1))
		r.wantOpen(custerrors.BodyIsTooLong, key, "", escaped(cache.SDP, 1), escaped(cache.Candidate, fits))
		r.wantDead(custerrors.KeyNotFound, key)
		r.wantOpen(nil, key, "", escaped(cache.SDP, 1))
		want := []cache.Frame{escaped(cache.SDP, 1)}
		for range fits - 2 {
			r.append(key, cache.Answer, escaped(cache.Candidate, 1))
		}
		r.wantAppend(custerrors.BodyIsTooLong, key, cache.Offer, "", escaped(cache.Candidate, 2))
		r.append(key, cache.Offer, escaped(cache.Candidate, 1))
		for _, role := range cache.Roles {
			r.wantAppend(custerrors.BodyIsTooLong, key, role, "", escaped(cache.Candidate, 1))
		}
		r.wantAll(key, cache.Answer, append(want, escaped(cache.Candidate, 1))...)
	}
}

func appendTakenCounts(r *rig) {
	r.open("k", with(sdp("o"), numbered(maxCandidates)...)...)
	r.wantTake("k", cache.Answer, cache.Candidate, maxCandidates, numbered(maxCandidates)...)
	r.wantAppend(custerrors.QueueIsFull, "k", cache.Offer, "", cand("x"))
}

// appendPrecedence makes each write break as many limits as it can: the first in order must be named.
func appendPrecedence(r *rig) {
	r.open("k", sdp("o"))
	r.append("k", cache.Answer, sized(1))
	tooMany := append(numbered(maxCandidates), sized(maxBytes))
	r.wantAppend(custerrors.SdpAlreadyExist, "k", cache.Offer, "", with(sdp("p"), with(sized(1), tooMany...)...)...)
	r.wantAppend(custerrors.SdpAlreadyExist, "k", cache.Offer, "", sdp("p"), sized(maxBytes))
	r.wantAppend(custerrors.QueueIsFull, "k", cache.Offer, "", tooMany...)
	r.wantAppend(custerrors.QueueIsFull, "k", cache.Answer, "", with(sdp("a"), tooMany...)...)
	r.wantAppend(custerrors.BodyIsTooLong, "k", cache.Offer, "", sized(maxBytes))
	r.wantAll("k", cache.Answer, sdp("o"))
	r.wantTake("k", cache.Offer, cache.Candidate, 9, sized(1))
}

func longestLog(l *cache.Limits) {
	l.Candidates = cache.MaxLog - 1
	l.SessionBytes = 1 << 20
}

// appendLongest fills a log with as many messages as a Cursor can count.
func appendLongest(r *rig) {
	const step = (cache.MaxLog - 1) / 14 // without remainder
	all := with(sdp("o"), numbered(cache.MaxLog-1)...)
	r.open("k", all[0])
	for i := 1; i < len(all); i += step {
		r.append("k", cache.Offer, all[i:i+step]...)
	}
	r.wantAppend(custerrors.QueueIsFull, "k", cache.Offer, "", cand("x"))

	last := r.wantRead("k", cache.Answer, 0, cache.MaxLog, all...)
	r.refuseRead(custerrors.CandidateNoValues, "k", cache.Answer, last)
	near := cache.NewCursor(last.Epoch(), cache.MaxLog-2)
	r.wantRead("k", cache.Answer, near, 10, all[cache.MaxLog-2:]...)
	r.wantTake("k", cache.Answer, cache.Candidate, cache.MaxLog, all[1:]...)
	r.refuseTake(custerrors.CandidateNoValues, "k", cache.Answer, cache.Candidate)
}

func tokenOpen(r *rig) {
	r.wantOpen(nil, "k", "token", sdp("o"), cand("1"))
	r.wantOpen(nil, "k", "token", sdp("o"), cand("1"))
	r.wantOpen(nil, "k", "token", sdp("other")) // the token says that it is the same, not the payload
	r.wantOpen(custerrors.SdpAlreadyExist, "k", "Token", sdp("o"))
	r.wantOpen(custerrors.SdpAlreadyExist, "k", "", sdp("o"))
	r.wantAppend(nil, "k", cache.Offer, "token", cand("2")) // that role has written with it
	r.wantAll("k", cache.Answer, sdp("o"), cand("1"))

	r.wantAppend(nil, "k", cache.Offer, "later", cand("2"))
	r.wantOpen(nil, "k", "later", sdp("p")) // and any of its writes counts
	r.wantAppend(nil, "k", cache.Answer, "answer", sdp("a"))
	r.wantOpen(custerrors.SdpAlreadyExist, "k", "answer", sdp("o")) // but not the other role's
	r.wantAll("k", cache.Answer, sdp("o"), cand("1"), cand("2"))
}

func tokenAppend(r *rig) {
	r.open("k", sdp("o"))
	for range 3 {
		r.wantAppend(nil, "k", cache.Answer, "with sdp", sdp("a"), cand("1"))
		r.wantAppend(nil, "k", cache.Answer, "candidate", cand("2"))
	}
	r.wantAll("k", cache.Offer, sdp("a"), cand("1"), cand("2"))
	r.wantTake("k", cache.Offer, cache.SDP, 1, sdp("a"))
	r.wantTake("k", cache.Offer, cache.Candidate, 9, cand("1"), cand("2"))

	// A write that has been applied returns nil, whatever errors it would have, and what has been taken does not come back.
	r.append("k", cache.Answer, numbered(maxCandidates-2)...)
	r.wantAppend(nil, "k", cache.Answer, "with sdp", sdp("a"), cand("1"))
	r.wantAppend(nil, "k", cache.Answer, "candidate", append(numbered(maxCandidates+1), sized(r.limits.SessionBytes+1))...)
	r.wantTake("k", cache.Offer, cache.Candidate, 9, numbered(maxCandidates-2)...)
	r.refuseTake(custerrors.SdpNoValues, "k", cache.Offer, cache.SDP)
}

func tokenOfRole(r *rig) {
	r.wantOpen(nil, "k", "token", sdp("o"))
	r.wantAppend(nil, "k", cache.Answer, "token", sdp("a"), cand("1"))
	r.wantAppend(nil, "k", cache.Answer, "token", cand("2"))
	r.wantAppend(nil, "k", cache.Offer, "token", cand("3"))
	r.wantAll("k", cache.Answer, sdp("o"))
	r.wantAll("k", cache.Offer, sdp("a"), cand("1"))

	r.wantOpen(nil, "l", "token", sdp("p")) // in another session it is new
	r.wantAll("l", cache.Answer, sdp("p"))
}

func tokenRefused(r *rig) {
	r.open("k", with(sdp("o"), numbered(maxCandidates-1)...)...)
	r.wantAppend(custerrors.QueueIsFull, "k", cache.Offer, "token", cands("x", "y")...)
	r.wantAppend(nil, "k", cache.Offer, "token", cand("z"))
	r.wantAll("k", cache.Answer, with(sdp("o"), append(numbered(maxCandidates-1), cand("z"))...)...)
}

func tokenMany(r *rig) {
	tokens := []cache.Token{"a", "A", "aa", "{a}", "a:a", "~", "!", cache.Token(strings.Repeat("a", 64)), cache.Token(strings.Repeat("a", 63))}
	for i := len(tokens); i < r.limits.Candidates; i++ {
		tokens = append(tokens, cache.Token(fmt.Sprintf("token-%d", i)))
	}
	r.open("k", sdp("o"))
	var want []cache.Frame
	for i, token := range tokens {
		f := cand(fmt.Sprintf("%d", i))
		r.wantAppend(nil, "k", cache.Offer, token, f)
		want = append(want, f)
	}
	for _, token := range tokens {
		r.wantAppend(nil, "k", cache.Offer, token, cand("x"))
	}
	r.wantAll("k", cache.Answer, with(sdp("o"), want...)...)
}
