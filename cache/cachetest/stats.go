package cachetest

import (
	"slices"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
	"signal-server/test/synctime"
)

// statsChecks are about what a store tells of itself. They do not look at a number that the store says is Unknown.
var statsChecks = []check{
	{name: "stats/what happens to a session is counted once", run: statsHappenings},
	{name: "stats/what is refused is not counted", limits: fewCandidates, run: statsRefusals},
	{name: "stats/an exchange counts as what it does", run: statsExchange},
	{name: "stats/what expires is counted", place: virtual, run: statsExpiry},
	{name: "stats/memory is given back", run: statsMemory},
}

// stats returns the sum of what the nodes tell.
func stats(r *rig) (sum cache.Stats) {
	for i, store := range r.nodes {
		if slices.Contains(r.nodes[:i], store) {
			continue
		}
		s := store.Stats()
		for _, n := range [...]struct {
			sum *int64
			of  int64
		}{
			{&sum.Opened, s.Opened},
			{&sum.Answered, s.Answered},
			{&sum.Completed, s.Completed},
			{&sum.Ended, s.Ended},
			{&sum.Expired, s.Expired},
			{&sum.Live, s.Live},
			{&sum.Held, s.Held},
			{&sum.Budget, s.Budget},
			{&sum.Trips, s.Trips},
			{&sum.Failed, s.Failed},
		} {
			if n.of == cache.Unknown || *n.sum == cache.Unknown {
				*n.sum = cache.Unknown
			} else {
				*n.sum += n.of
			}
		}
		sum.Answering.Known = s.Answering.Known
		sum.Answering.Sum += s.Answering.Sum
		for i, n := range s.Answering.Counts {
			sum.Answering.Counts[i] += n
		}
	}
	return sum
}

// wantStats compares the counts of what happens to sessions, and how many live.
func wantStats(r *rig, when string, want cache.Stats) {
	r.Helper()
	got := stats(r)
	for _, n := range [...]struct {
		name      string
		got, want int64
	}{
		{"Opened", got.Opened, want.Opened},
		{"Answered", got.Answered, want.Answered},
		{"Completed", got.Completed, want.Completed},
		{"Ended", got.Ended, want.Ended},
		{"Expired", got.Expired, want.Expired},
		{"Live", got.Live, want.Live},
		{"Failed", got.Failed, 0},
	} {
		if n.got != n.want && n.got != cache.Unknown {
			r.Errorf("Stats, %s: got %s %d, want %d", when, n.name, n.got, n.want)
		}
	}
	if got.Answering.Known && got.Answering.Count() != uint64(want.Answered) {
		r.Errorf("Stats, %s: got %d times of answers, want %d", when, got.Answering.Count(), want.Answered)
	}
}

func statsHappenings(r *rig) {
	wantStats(r, "of a store that nobody has used", cache.Stats{})
	r.open("k", sdp("o"), cand("1"))
	r.open("other", sdp("p"))
	wantStats(r, "two opened", cache.Stats{Opened: 2, Live: 2})
	r.append("k", cache.Answer, cand("2"))
	r.append("k", cache.Offer, cand("3"))
	wantStats(r, "candidates written", cache.Stats{Opened: 2, Live: 2})
	r.wantAll("k", cache.Answer, sdp("o"), cand("1"), cand("3"))
	r.append("k", cache.Answer, sdp("a"))
	wantStats(r, "one answered", cache.Stats{Opened: 2, Answered: 1, Live: 2})
	r.wantTake("k", cache.Offer, cache.Candidate, 9, cand("2"))
	wantStats(r, "a candidate taken", cache.Stats{Opened: 2, Answered: 1, Live: 2})
	r.wantTake("k", cache.Offer, cache.SDP, 1, sdp("a"))
	wantStats(r, "one completed", cache.Stats{Opened: 2, Answered: 1, Completed: 1, Live: 2})
	r.refuseTake(custerrors.SdpNoValues, "k", cache.Offer, cache.SDP)
	r.end("k")
	wantStats(r, "one ended", cache.Stats{Opened: 2, Answered: 1, Completed: 1, Ended: 1, Live: 1})
	r.open("k", sdp("o"))
	wantStats(r, "opened again", cache.Stats{Opened: 3, Answered: 1, Completed: 1, Ended: 1, Live: 2})
	r.openAs(cache.Answer, "l", sdp("a"))
	wantStats(r, "opened by the answerer", cache.Stats{Opened: 4, Answered: 2, Completed: 1, Ended: 1, Live: 3})
}

func statsRefusals(r *rig) {
	r.wantDead(custerrors.KeyNotFound, "k")
	r.wantOpen(custerrors.QueueIsFull, "k", "", with(sdp("o"), numbered(maxCandidates+1)...)...)
	wantStats(r, "refused on no session", cache.Stats{})
	r.open("k", sdp("o"))
	r.append("k", cache.Answer, sdp("a"))
	want := cache.Stats{Opened: 1, Answered: 1, Live: 1}
	r.wantOpen(custerrors.SdpAlreadyExist, "k", "", sdp("p"))
	r.wantAppend(custerrors.SdpAlreadyExist, "k", cache.Answer, "", sdp("b"))
	r.refuseRead(custerrors.CursorIsInvalid, "k", cache.Offer, cache.NewCursor(r.epoch("k"), 100))
	wantStats(r, "refused on a live one", want)
	r.end("k")
	r.wantDead(custerrors.KeyIsExpired, "k")
	want.Ended, want.Live = 1, 0
	wantStats(r, "refused on one that has ended", want)
}

func statsExchange(r *rig) {
	r.refuseExchange(custerrors.SdpNoValues, "k", cache.Offer, "", 0, sdp("o"))
	wantStats(r, "opened", cache.Stats{Opened: 1, Live: 1})
	out, _, err := r.node().Write(r.ctx, dst(), cache.Write{Key: "k", From: cache.Answer, Batch: batch(sdp("a")), Limit: 9, Form: &plain})
	if got := r.appended("Exchange", out, err); err != nil || got != text(sdp("o")) {
		r.Errorf("Exchange by answer: got %q (%s), want %q", got, said(err), text(sdp("o")))
	}
	wantStats(r, "answered", cache.Stats{Opened: 1, Answered: 1, Live: 1})
	out, next, err := r.node().Write(r.ctx, dst(), cache.Write{Key: "k", From: cache.Offer, Batch: batch(cand("1")), Limit: 9, Form: &plain})
	if got := r.appended("Exchange", out, err); err != nil || got != text(sdp("a")) {
		r.Errorf("Exchange by offer: got %q (%s), want %q", got, said(err), text(sdp("a")))
	}
	want := cache.Stats{Opened: 1, Answered: 1, Completed: 1, Live: 1}
	wantStats(r, "completed", want)
	r.append("k", cache.Answer, cand("2"))
	r.wantRead("k", cache.Offer, next, 9, cand("2"))
	wantStats(r, "read on", want)
}

func statsExpiry(r *rig) {
	r.openFor("ttl", time.Second, sdp("o"))
	r.open("answered", sdp("o"))
	synctime.Pass(900 * ms)
	r.append("answered", cache.Answer, sdp("a"))
	if got := stats(r).Answering; got.Known && got.Sum != 900*ms {
		r.Errorf("Stats: got answers after %v in all, want %v", got.Sum, 900*ms)
	}
	synctime.Pass(time.Second)
	r.wantError("Touch", r.touch("ttl"), custerrors.KeyIsExpired)
	want := cache.Stats{Opened: 2, Answered: 1, Expired: 1, Live: 1}
	wantStats(r, "one expired", want)
	r.openFor("ttl", time.Second, sdp("o"))
	want.Opened, want.Live = 3, 2
	wantStats(r, "opened again", want)
	synctime.Pass(r.limits.Lifetime)
	r.wantError("Touch", r.touch("ttl"), custerrors.KeyNotFound)
	r.wantError("Touch", r.touch("answered"), custerrors.KeyNotFound)
	want.Expired, want.Live = 3, 0
	wantStats(r, "all expired", want)
}

func statsMemory(r *rig) {
	before := stats(r)
	if before.Budget != cache.Unknown && before.Budget <= 0 {
		r.Errorf("Stats: got a budget of %d, want some bytes", before.Budget)
	}
	r.open("k", sdp("o"))
	r.open("l", sdp("o"))
	if got := stats(r); got.Held != cache.Unknown && got.Held <= before.Held {
		r.Errorf("Stats, two opened: got %d bytes held, want more than the %d before", got.Held, before.Held)
	}
	r.end("k")
	r.end("l")
	if got := stats(r); got.Held != before.Held || got.Budget != before.Budget {
		r.Errorf("Stats, both ended: got %d of %d bytes held, want %d of %d as before", got.Held, got.Budget, before.Held, before.Budget)
	}
}
