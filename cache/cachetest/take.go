package cachetest

import (
	"signal-server/cache"
	"signal-server/custerrors"
)

// takeChecks are about handing out each payload once.
var takeChecks = []check{
	{name: "take/sdp once", run: takeSDP},
	{name: "take/candidates in order, at most the limit", run: takeCandidates},
	{name: "take/what comes later", run: takeLater},
	{name: "take/candidates do not wait for their sdp", run: takeBeforeSDP},
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

func takeLater(r *rig) {
	r.open("k", sdp("o"))
	for round := range 4 { // what is taken entirely, and what is taken in part, goes on with what comes next
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
