package cachetest

import (
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// bellChecks are about being told of news. A needless ring is always allowed, so that silence is wanted only after Unhang.
var bellChecks = []check{
	{name: "bell/rings when the other role writes", run: bellWrites},
	{name: "bell/rings both roles when a session opens", run: bellOpens},
	{name: "bell/rings both roles at End", run: bellEnds},
	{name: "bell/all that hang, until unhung", run: bellAll},
	{name: "bell/rung when the news can be read", run: bellAfterNews},
}

// hang puts a new bell up at the store.
func (r *rig) hang(store cache.Store, key cache.Key, to cache.Role) cache.Bell {
	r.Helper()
	bell := cache.NewBell()
	if err := store.Hang(r.ctx, key, to, bell); err != nil {
		r.Fatalf("Hang: got %v, want no error", err)
	}
	return bell
}

// wantRung wants a ring, by now in virtual time and soon in real time, and takes it.
func (r *rig) wantRung(what string, bell cache.Bell) {
	r.Helper()
	if r.h.Virtual {
		r.settle()
		select {
		case <-bell:
		default:
			r.Errorf("%s: got no ring, want one", what)
		}
		return
	}
	select {
	case <-bell:
	case <-time.After(slack):
		r.Errorf("%s: got no ring, want one", what)
	}
}

func (r *rig) wantSilent(what string, bell cache.Bell) {
	r.Helper()
	select {
	case <-bell:
		r.Errorf("%s: got a ring, want silence", what)
	default:
	}
}

// wantStaySilent gives bells a while to be rung.
func (r *rig) wantStaySilent(what string, bells ...cache.Bell) {
	r.Helper()
	r.settle()
	for _, bell := range bells {
		r.wantSilent(what, bell)
	}
}

func bellWrites(r *rig) {
	r.open("k", sdp("o"))
	for _, to := range cache.Roles {
		for _, store := range r.nodes {
			bell := r.hang(store, "k", to)
			for range 3 { // one ring is not the last
				r.append("k", to.Other(), cand("1"))
				r.wantRung("Append by "+to.Other().String(), bell)
			}
			store.Unhang("k", to, bell)
		}
	}
	bell := r.hang(r.last(), "k", cache.Offer)
	r.append("k", cache.Answer, sdp("a"))
	r.wantRung("Append of the sdp", bell)
	r.last().Unhang("k", cache.Offer, bell)
}

func bellOpens(r *rig) {
	for range 2 { // where no session has been, and where one has ended
		for _, store := range r.nodes {
			offer, answer := r.hang(store, "k", cache.Offer), r.hang(store, "k", cache.Answer)
			r.open("k", sdp("o"))
			r.wantRung("Open, for answer", answer)
			r.wantRung("Open, for offer", offer)
			store.Unhang("k", cache.Offer, offer)
			store.Unhang("k", cache.Answer, answer)
			r.end("k")
		}
	}
}

func bellEnds(r *rig) {
	for _, store := range r.nodes {
		r.open("k", sdp("o"))
		offer, answer := r.hang(store, "k", cache.Offer), r.hang(store, "k", cache.Answer)
		r.end("k")
		r.wantRung("End, for answer", answer)
		r.wantRung("End, for offer", offer)
		store.Unhang("k", cache.Offer, offer)
		store.Unhang("k", cache.Answer, answer)
	}
}

func bellAll(r *rig) {
	r.open("k", sdp("o"))
	store := r.last()
	var bells []cache.Bell
	for range 4 {
		bells = append(bells, r.hang(store, "k", cache.Answer))
	}
	for len(bells) > 0 {
		r.append("k", cache.Offer, cand("1"))
		for _, bell := range bells {
			r.wantRung("Append", bell)
		}
		down := bells[len(bells)/2]
		bells = append(bells[:len(bells)/2:len(bells)/2], bells[len(bells)/2+1:]...)
		store.Unhang("k", cache.Answer, down)
		store.Unhang("k", cache.Answer, down) // which hangs no more: no error
		r.append("k", cache.Offer, cand("2"))
		for _, bell := range bells {
			r.wantRung("Append", bell)
		}
		r.wantStaySilent("Append after Unhang", down)
	}
	never := cache.NewBell()
	store.Unhang("k", cache.Answer, never)
	store.Unhang("never", cache.Offer, never)
	r.end("k")
	r.wantStaySilent("End", never)
}

// bellAfterNews wants what the bell tells of to be there when it rings: a store that rings first sends the reader back to
// sleep for good. A ring without news is a needless one; the next one may have it.
func bellAfterNews(r *rig) {
	r.open("k", sdp("o"))
	bell := r.hang(r.last(), "k", cache.Answer)
	defer r.last().Unhang("k", cache.Answer, bell)
	for range r.limits.Candidates {
		r.background(func() { r.append("k", cache.Offer, cand("1")) })
		for err := error(custerrors.CandidateNoValues); err == custerrors.CandidateNoValues; {
			select {
			case <-bell:
				_, err = r.take("k", cache.Answer, cache.Candidate, 1)
				if err != custerrors.CandidateNoValues {
					r.wantError("Take after the ring", err, nil)
				}
			case <-time.After(slack):
				r.Errorf("Append: got no ring with news, want one")
				return
			}
		}
	}
}
