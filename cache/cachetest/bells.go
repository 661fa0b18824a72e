package cachetest

import (
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// bellChecks are about rings. A needless ring is always allowed, so the checks want silence only after Unhang.
var bellChecks = []check{
	{name: "bell/rings when the other role writes", run: bellWrites},
	{name: "bell/rings both roles when a session opens", run: bellOpens},
	{name: "bell/rings both roles at End", run: bellEnds},
	{name: "bell/all that hang, until unhung", run: bellAll},
	{name: "bell/rung when the news can be read", run: bellAfterNews},
	{name: "bell/what it says is so", run: bellTells},
}

// hang puts a new bell up at the store.
func (r *rig) hang(store cache.Store, key cache.Key, to cache.Role) cache.Chime {
	r.Helper()
	bell := cache.NewChime()
	if err := store.Hang(r.ctx, key, to, bell); err != nil {
		r.Fatalf("Hang: got %v, want no error", err)
	}
	return bell
}

// wantRung wants a ring, by now in virtual time and soon in real time, and takes it.
func (r *rig) wantRung(what string, bell cache.Chime) {
	r.Helper()
	if _, rung := r.heard(bell); !rung {
		r.Errorf("%s: got no ring, want one", what)
	}
}

// heard takes a ring, if there is one by now in virtual time or soon in real time.
func (r *rig) heard(bell cache.Chime) (n cache.News, rung bool) {
	if r.h.Virtual {
		r.settle()
		select {
		case n = <-bell:
			return n, true
		default:
			return n, false
		}
	}
	select {
	case n = <-bell:
		return n, true
	case <-time.After(slack):
		return n, false
	}
}

func (r *rig) wantSilent(what string, bell cache.Chime) {
	r.Helper()
	select {
	case <-bell:
		r.Errorf("%s: got a ring, want silence", what)
	default:
	}
}

// wantStaySilent gives bells a while to be rung.
func (r *rig) wantStaySilent(what string, bells ...cache.Chime) {
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
			for _, from := range cache.Roles {
				offer, answer := r.hang(store, "k", cache.Offer), r.hang(store, "k", cache.Answer)
				r.openAs(from, "k", sdp("o"))
				r.wantRung("Write that opens, for answer", answer)
				r.wantRung("Write that opens, for offer", offer)
				store.Unhang("k", cache.Offer, offer)
				store.Unhang("k", cache.Answer, answer)
				r.end("k")
			}
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
	var bells []cache.Chime
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
		store.Unhang("k", cache.Answer, down) // it does not hang any more, which is no error
		r.append("k", cache.Offer, cand("2"))
		for _, bell := range bells {
			r.wantRung("Append", bell)
		}
		r.wantStaySilent("Append after Unhang", down)
	}
	never := cache.NewChime()
	store.Unhang("k", cache.Answer, never)
	store.Unhang("never", cache.Offer, never)
	r.end("k")
	r.wantStaySilent("End", never)
}

// bellAfterNews wants the news to be there when the bell rings: a store that rings first sends the reader back to sleep for good. A
// ring without news is a needless one; the next ring may come with the news.
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

// bellTells wants each ring to say nothing, or to say all that has become readable and where that begins.
func bellTells(r *rig) {
	for _, writes := range [][][]cache.Frame{
		{{sdp("a"), cand("1"), cand("2")}, {cand("3")}, cands("4", "5")},
		{{cand("1"), sdp("a")}, {cand("2")}},                             // a batch in another order
		{{cand("1")}, {cand("2")}, {sdp("a")}, {cand("3")}, {cand("4")}}, // candidates that are held back
	} {
		r.open("k", sdp("o"))
		epoch := r.epoch("k")
		after := cache.NewCursor(epoch, 0)
		for _, store := range r.nodes {
			for _, from := range cache.Roles {
				tellsOpen(r, store, from)
			}
		}
		bell := r.hang(r.last(), "k", cache.Offer)
		for _, write := range writes {
			r.append("k", cache.Answer, write...)
			wantTrue(r, "Append", "k", cache.Offer, bell, after)
			if _, next, err := r.read("k", cache.Offer, after, r.limits.Candidates+1); err == nil {
				after = next
			}
		}
		r.last().Unhang("k", cache.Offer, bell)
		r.end("k")
	}
}

// tellsOpen opens a session as role from, and wants what the rings then say to be true.
func tellsOpen(r *rig, store cache.Store, from cache.Role) {
	r.Helper()
	offer, answer := r.hang(store, "opened", cache.Offer), r.hang(store, "opened", cache.Answer)
	defer store.Unhang("opened", cache.Offer, offer)
	defer store.Unhang("opened", cache.Answer, answer)
	r.openAs(from, "opened", sdp("o"), cand("1"))
	wantTrue(r, "Write that opens, for answer", "opened", cache.Answer, answer, 0)
	wantTrue(r, "Write that opens, for offer", "opened", cache.Offer, offer, 0)
	r.end("opened")
}

// wantTrue wants a ring that says nothing, or what role to can read after the cursor. Rings may come late: what one says of another session
// of the key, ended meanwhile, or only that this one has opened, is passed over.
func wantTrue(r *rig, what string, key cache.Key, to cache.Role, bell cache.Chime, after cache.Cursor) {
	r.Helper()
	epoch := r.epoch(key)
	want, _, err := r.read(key, to, after, r.limits.Candidates+1)
	for {
		n, rung := r.heard(bell)
		if !rung {
			r.Errorf("%s: got no ring that says nothing, or %q (%s) of session %x, want one", what, want, said(err), epoch)
			return
		}
		if n.At == 0 {
			return
		}
		if n.At.Epoch() != epoch || len(n.Frames) == 0 && want != "" {
			continue
		}
		var got []cache.Frame
		for f, rest, ok := cache.NextFrame(n.Frames); ok; f, rest, ok = cache.NextFrame(rest) {
			got = append(got, f)
		}
		if text(got...) != want || n.At.Position() != after.Position() {
			r.Errorf("%s: got news %q at %x, want %q (%s) behind %d", what, text(got...), n.At, want, said(err), after.Position())
		}
		return
	}
}
