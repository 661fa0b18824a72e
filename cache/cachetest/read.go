package cachetest

import (
	"signal-server/cache"
	"signal-server/custerrors"
)

// readChecks are about reading by cursor, which loses nothing.
var readChecks = []check{
	{name: "read/from each cursor, each limit, again and again", run: readEachCursor},
	{name: "read/does not take and is not taken from", run: readIndependent},
	{name: "read/candidates wait for their sdp", run: readHeldBack},
	{name: "read/a cursor that found nothing goes on", run: readGoesOn},
	{name: "read/a cursor behind the end", run: readBehindEnd},
	{name: "read/a cursor of another session", run: readForeign},
	{name: "read/a cursor serves the other log, too", run: readOtherLog},
}

func readEachCursor(r *rig) {
	log := with(sdp("o"), numbered(5)...)
	r.open("k", log...)
	cursors := []cache.Cursor{0}
	for i := range log {
		cursors = append(cursors, r.wantRead("k", cache.Answer, cursors[i], 1, log[i]))
	}
	for range 2 {
		for at, after := range cursors[:len(log)] {
			for limit := 1; limit <= len(log)+1; limit++ {
				end := min(at+limit, len(log))
				if next := r.wantRead("k", cache.Answer, after, limit, log[at:end]...); next != cursors[end] {
					r.Errorf("Read: got cursor %x behind %d messages, at first it was %x", next, end, cursors[end])
				}
			}
		}
		if next := r.refuseRead(custerrors.CandidateNoValues, "k", cache.Answer, cursors[len(log)]); next != cursors[len(log)] {
			r.Errorf("Read of nothing: got cursor %x, want the same, %x", next, cursors[len(log)])
		}
	}
	begin := cache.NewCursor(cursors[1].Epoch(), 0) // the beginning of this session
	r.wantRead("k", cache.Answer, begin, 2, log[:2]...)
}

func readIndependent(r *rig) {
	log := with(sdp("o"), cands("1", "2", "3")...)
	r.open("k", log...)
	middle := r.wantRead("k", cache.Answer, 0, 2, log[:2]...)
	r.wantTake("k", cache.Answer, cache.SDP, 1, log[0])
	r.wantTake("k", cache.Answer, cache.Candidate, 2, log[1:3]...)
	r.wantAll("k", cache.Answer, log...)
	r.wantRead("k", cache.Answer, middle, 10, log[2:]...)
	r.wantTake("k", cache.Answer, cache.Candidate, 2, log[3])
	r.wantAll("k", cache.Answer, log...)
	r.append("k", cache.Offer, cand("4"))
	r.wantRead("k", cache.Answer, middle, 10, with(log[2], log[3], cand("4"))...)
	r.wantTake("k", cache.Answer, cache.Candidate, 2, cand("4"))
}

func readHeldBack(r *rig) {
	r.open("k", sdp("o"))
	start := r.refuseRead(custerrors.SdpNoValues, "k", cache.Offer, 0)
	r.append("k", cache.Answer, cands("1", "2")...)
	r.refuseRead(custerrors.SdpNoValues, "k", cache.Offer, 0)
	r.refuseRead(custerrors.SdpNoValues, "k", cache.Offer, start)
	r.append("k", cache.Answer, sdp("a"), cand("3"))
	first := r.wantRead("k", cache.Offer, start, 1, sdp("a"))
	r.wantRead("k", cache.Offer, first, 9, cands("1", "2", "3")...)
}

func readGoesOn(r *rig) {
	r.open("k", sdp("o"))
	next := r.refuseRead(custerrors.SdpNoValues, "k", cache.Offer, 0)
	if next.Position() != 0 {
		r.Errorf("Read of nothing: got a cursor behind %d messages, want 0", next.Position())
	}
	for range 2 { // by the cursor of an answer without messages, and by the cursor that this returns
		next = r.refuseRead(custerrors.SdpNoValues, "k", cache.Offer, next)
	}
	r.append("k", cache.Answer, sdp("a"))
	next = r.wantRead("k", cache.Offer, next, 9, sdp("a"))
	for range 3 {
		next = r.refuseRead(custerrors.CandidateNoValues, "k", cache.Offer, next)
	}
	r.append("k", cache.Answer, cands("1", "2")...)
	r.wantRead("k", cache.Offer, next, 9, cands("1", "2")...)
}

func readBehindEnd(r *rig) {
	r.open("k", sdp("o"), cand("1"))
	end := r.wantRead("k", cache.Answer, 0, 9, sdp("o"), cand("1"))
	for _, beyond := range []int{3, 4, cache.MaxLog} {
		r.refuseRead(custerrors.CursorIsInvalid, "k", cache.Answer, cache.NewCursor(end.Epoch(), beyond))
	}
	for _, beyond := range []int{1, 2, cache.MaxLog} { // the other log holds nothing
		r.refuseRead(custerrors.CursorIsInvalid, "k", cache.Offer, cache.NewCursor(end.Epoch(), beyond))
	}
	r.append("k", cache.Offer, cand("2"))
	r.refuseRead(custerrors.CandidateNoValues, "k", cache.Answer, cache.NewCursor(end.Epoch(), 3))
	r.refuseRead(custerrors.CursorIsInvalid, "k", cache.Answer, cache.NewCursor(end.Epoch(), 4))
}

func readForeign(r *rig) {
	r.open("k", sdp("o"), cand("1"))
	r.open("l", sdp("p"), cand("2"))
	k := r.wantRead("k", cache.Answer, 0, 1, sdp("o"))
	r.refuseRead(custerrors.KeyIsExpired, "l", cache.Answer, k)
	r.refuseRead(custerrors.KeyIsExpired, "k", cache.Answer, cache.NewCursor(k.Epoch()^1, 1))
	r.refuseRead(custerrors.KeyIsExpired, "k", cache.Answer, cache.NewCursor(k.Epoch()^1<<47, 1))
	r.refuseRead(custerrors.KeyIsExpired, "k", cache.Answer, cache.NewCursor(k.Epoch()^1, cache.MaxLog))
	r.refuseRead(custerrors.KeyIsExpired, "k", cache.Offer, cache.NewCursor(k.Epoch()^1, 0))

	r.end("k")
	r.refuseRead(custerrors.KeyIsExpired, "k", cache.Answer, k)
	r.refuseRead(custerrors.KeyNotFound, "never", cache.Answer, 0)
}

// readOtherLog reads one log by a cursor of the other: a cursor belongs to a session, not to a log of it.
func readOtherLog(r *rig) {
	r.open("k", sdp("o"), cand("1"))
	r.append("k", cache.Answer, sdp("a"), cand("2"))
	one := r.wantRead("k", cache.Answer, 0, 1, sdp("o"))
	if other := r.wantRead("k", cache.Offer, 0, 1, sdp("a")); other != one {
		r.Errorf("Read of both logs behind one message: got cursors %x and %x, want the same", one, other)
	}
	r.wantRead("k", cache.Offer, one, 9, cand("2"))
}
