package cachetest

import (
	"signal-server/cache"
	"signal-server/custerrors"
)

// takeChecks are about handing out each payload once.
var takeChecks = []check{
	{name: "take/sdp once", run: takeSDP},
	{name: "take/candidates in order, at most the limit", run: takeCandidates},
	{name: "take/of none says whether there is something", run: takeNone},
	{name: "take/what comes later", run: takeLater},
	{name: "take/candidates do not wait for their sdp", run: takeBeforeSDP},
	{name: "take/of the session that is meant, and of no other", run: takeOfSession},
	{name: "touch/names the session", run: touchEpoch},
}

func takeSDP(r *rig) {
	r.open("k", sdp("o"), cand("1"))
	r.wantTake("k", cache.Answer, cache.SDP, 5, sdp("o"))
	for range 2 {
		r.refuseTake(custerrors.SdpNoValues, "k", cache.Answer, cache.SDP)
	}
	r.wantTake("k", cache.Answer, cache.Candidate, 5, cand("1")) // each kind by itself

	r.refuseTake(custerrors.SdpNoValues, "k", cache.Offer, cache.SDP)
	r.append("k", cache.Answer, sdp("a"))
	r.wantTake("k", cache.Offer, cache.SDP, 1, sdp("a"))
	r.refuseTake(custerrors.SdpNoValues, "k", cache.Offer, cache.SDP)
}

func takeCandidates(r *rig) {
	r.open("k", with(sdp("o"), numbered(10)...)...)
	c := numbered(10)
	r.wantTake("k", cache.Answer, cache.Candidate, 1, c[0])
	r.wantTake("k", cache.Answer, cache.Candidate, 3, c[1:4]...)
	r.wantTake("k", cache.Answer, cache.Candidate, 1, c[4])
	r.wantTake("k", cache.Answer, cache.Candidate, 5, c[5:]...) // as many as are left
	r.refuseTake(custerrors.CandidateNoValues, "k", cache.Answer, cache.Candidate)
	r.refuseTake(custerrors.CandidateNoValues, "k", cache.Offer, cache.Candidate)
	r.wantTake("k", cache.Answer, cache.SDP, 1, sdp("o"))
}

// takeNone asks for at most no message, again and again. Nothing is taken by that, and nobody is given anything.
func takeNone(r *rig) {
	r.refuseTakeNone(custerrors.KeyNotFound, "k")
	r.open("k", sdp("o"))
	r.append("k", cache.Answer, sdp("a"), cand("1"))
	for range 3 {
		r.wantTake("k", cache.Offer, cache.SDP, 0)
		r.wantTake("k", cache.Offer, cache.Candidate, 0)
	}
	wantStats(r, "asked for", cache.Stats{Opened: 1, Answered: 1, Live: 1})
	r.wantTake("k", cache.Offer, cache.SDP, 1, sdp("a"))
	r.wantTake("k", cache.Offer, cache.Candidate, 1, cand("1"))
	r.refuseTakeNone(custerrors.SdpNoValues, "k")
	r.end("k")
	r.refuseTakeNone(custerrors.KeyIsExpired, "k")
}

// refuseTakeNone wants a Take of at most no sdp by the offerer to fail.
func (r *rig) refuseTakeNone(want error, key cache.Key) {
	r.Helper()
	out, err := r.node().Take(r.ctx, dst(), cache.Take{Key: key, To: cache.Offer, Kind: cache.SDP, Form: &plain})
	r.appended("Take of none", out, err)
	r.wantError("Take of none", err, want)
}

func takeLater(r *rig) {
	r.open("k", sdp("o"))
	for round := range 4 { // a log that was taken entirely goes on with what comes next, and so does one that was taken in part
		r.append("k", cache.Offer, cands("1", "2")...)
		r.append("k", cache.Offer, cand("3"))
		r.wantTake("k", cache.Answer, cache.Candidate, 2, cands("1", "2")...)
		if round%2 == 0 {
			r.wantTake("k", cache.Answer, cache.Candidate, 100, cand("3"))
			r.refuseTake(custerrors.CandidateNoValues, "k", cache.Answer, cache.Candidate)
			continue
		}
		r.append("k", cache.Offer, cand("4"))
		r.wantTake("k", cache.Answer, cache.Candidate, 100, cands("3", "4")...)
	}
}

func takeBeforeSDP(r *rig) {
	r.open("k", sdp("o"))
	r.append("k", cache.Answer, cands("1", "2")...)
	r.wantTake("k", cache.Offer, cache.Candidate, 1, cand("1"))
	r.append("k", cache.Answer, sdp("a"))
	r.wantTake("k", cache.Offer, cache.Candidate, 5, cand("2"))
	r.wantTake("k", cache.Offer, cache.SDP, 1, sdp("a"))
	r.wantAll("k", cache.Offer, sdp("a"), cand("1"), cand("2"))
}

// epoch returns what the lease says, or ends the test.
func (r *rig) epoch(key cache.Key) uint64 {
	r.Helper()
	lease, err := r.node().Touch(r.ctx, key)
	if err != nil {
		r.Fatalf("Touch %q: got %v, want no error", key, err)
	}
	return lease.Epoch
}

func (r *rig) takeIn(in uint64, key cache.Key, to cache.Role, kind cache.Kind) (string, error) {
	r.Helper()
	out, err := r.node().Take(r.ctx, dst(), cache.Take{Key: key, To: to, Kind: kind, Limit: 9, Form: &plain, In: in})
	return r.appended("Take", out, err), err
}

func takeOfSession(r *rig) {
	r.open("k", sdp("o"), cand("1"))
	old := r.epoch("k")
	refuse := func(in uint64, to cache.Role) {
		r.Helper()
		for _, kind := range []cache.Kind{cache.SDP, cache.Candidate} {
			_, err := r.takeIn(in, "k", to, kind)
			r.wantError("Take of another session", err, custerrors.KeyIsExpired)
		}
	}
	want := func(in uint64, kind cache.Kind, want cache.Frame) {
		r.Helper()
		if got, err := r.takeIn(in, "k", cache.Answer, kind); err != nil || got != text(want) {
			r.Errorf("Take of the session: got %q (%s), want %q", got, said(err), text(want))
		}
	}
	refuse(old^1, cache.Answer)
	refuse(old^1<<47, cache.Answer)
	refuse(old^1, cache.Offer) // where there is nothing to take, too
	want(old, cache.SDP, sdp("o"))
	_, err := r.takeIn(old, "k", cache.Answer, cache.SDP)
	r.wantError("Take again", err, custerrors.SdpNoValues)
	r.end("k")
	refuse(old, cache.Answer)

	r.open("k", sdp("p"), cand("2"))
	refuse(old, cache.Answer)
	refuse(old, cache.Offer)
	want(0, cache.SDP, sdp("p"))
	want(r.epoch("k"), cache.Candidate, cand("2"))
	_, err = r.takeIn(old, "never", cache.Answer, cache.SDP) // only the epoch tells that there was one
	r.wantError("Take of no session", err, custerrors.KeyNotFound, custerrors.KeyIsExpired)
}

func touchEpoch(r *rig) {
	var before uint64
	for range 3 {
		r.open("k", sdp("o"))
		next := r.wantRead("k", cache.Answer, 0, 1, sdp("o"))
		for range 2 {
			if got := r.epoch("k"); got != next.Epoch() {
				r.Errorf("Touch: got epoch %x, want %x, as a cursor has", got, next.Epoch())
			}
		}
		if next.Epoch() == before {
			r.Errorf("Touch: got epoch %x, the one of the session before, want another", before)
		}
		before = next.Epoch()
		r.end("k")
	}
}
