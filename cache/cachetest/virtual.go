package cachetest

import (
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
	"signal-server/test/synctime"
)

// virtualTimeChecks are about time to the millisecond. That needs a bubble.
var virtualTimeChecks = []check{
	{name: "time/ttl asked for and ttl given", place: virtual, run: timeTTL},
	{name: "time/ttl where the most is less than the least", place: virtual, limits: briefTTL, run: timeBriefTTL},
	{name: "time/every valid request renews", place: virtual, limits: fewCandidates, run: timeRenewal},
	{name: "time/lifetime is absolute", place: virtual, run: timeLifetime},
	{name: "time/lifetime shorter than ttl", place: virtual, limits: shortLife, run: timeShortLife},
	{name: "time/an end is remembered for so long", place: virtual, limits: shortLife, run: timeGrace},
	{name: "time/the latest end counts", place: virtual, run: timeLatestEnd},
	{name: "time/what expired can be opened again", place: virtual, limits: fewCandidates, run: timeReopen},
	{name: "time/a lease says how long", place: virtual, run: timeLease},
}

const ms = time.Millisecond

func shortLife(l *cache.Limits) { l.Lifetime = 10 * time.Second }

// wantAlive renews the session, too.
func (r *rig) wantAlive(key cache.Key) {
	r.Helper()
	r.wantError("Touch", r.touch(key), nil)
}

func timeTTL(r *rig) {
	longest := r.limits.TTL
	for _, c := range []struct{ asked, given time.Duration }{
		{1, cache.MinTTL},
		{ms, cache.MinTTL},
		{cache.MinTTL - ms, cache.MinTTL},
		{cache.MinTTL, cache.MinTTL},
		{cache.MinTTL + ms, cache.MinTTL + ms},
		{longest - ms, longest - ms},
		{longest, longest},
		{longest + ms, longest},
		{1000 * time.Hour, longest},
		{0, longest},
		{-1, longest},
		{-time.Hour, longest},
		{1<<63 - 1, longest},
	} {
		r.wantTTL(c.asked, c.given)
	}
}

// wantTTL wants a session that is opened with one wish to have the other TTL.
func (r *rig) wantTTL(asked, given time.Duration) {
	r.Helper()
	r.openFor("before", asked, sdp("o"))
	r.openFor("at", asked, sdp("o"))
	synctime.Pass(given - ms)
	r.wantAlive("before")
	synctime.Pass(ms)
	r.wantDead(custerrors.KeyIsExpired, "at")
	r.wantAlive("before") // renewed
	r.end("before")
}

func briefTTL(l *cache.Limits) { l.TTL = cache.MinTTL / 4 }

func timeBriefTTL(r *rig) {
	for _, asked := range []time.Duration{0, ms, r.limits.TTL - ms, r.limits.TTL, cache.MinTTL, time.Hour} {
		r.wantTTL(asked, r.limits.TTL)
	}
}

// requests are all calls that renew a session, each with its answer. The session has an sdp and 4 candidates, of which 2 are taken,
// and no answer. end is the cursor behind all of its messages.
var requests = []struct {
	name string
	call func(r *rig, k cache.Key, end cache.Cursor)
}{
	{"Touch", func(r *rig, k cache.Key, _ cache.Cursor) { r.wantAlive(k) }},
	{"Read", func(r *rig, k cache.Key, _ cache.Cursor) { r.wantRead(k, cache.Answer, 0, 1, sdp("o")) }},
	{"Read, no sdp", func(r *rig, k cache.Key, _ cache.Cursor) {
		r.refuseRead(custerrors.SdpNoValues, k, cache.Offer, 0)
	}},
	{"Read, no candidate", func(r *rig, k cache.Key, end cache.Cursor) {
		r.refuseRead(custerrors.CandidateNoValues, k, cache.Answer, end)
	}},
	{"Read, behind the end", func(r *rig, k cache.Key, end cache.Cursor) {
		r.refuseRead(custerrors.CursorIsInvalid, k, cache.Answer, end+1)
	}},
	{"Read, foreign cursor", func(r *rig, k cache.Key, end cache.Cursor) {
		r.refuseRead(custerrors.KeyIsExpired, k, cache.Answer, cache.NewCursor(end.Epoch()^1, 1))
	}},
	{"Take sdp", func(r *rig, k cache.Key, _ cache.Cursor) { r.wantTake(k, cache.Answer, cache.SDP, 1, sdp("o")) }},
	{"Take, no sdp", func(r *rig, k cache.Key, _ cache.Cursor) {
		r.refuseTake(custerrors.SdpNoValues, k, cache.Offer, cache.SDP)
	}},
	{"Take candidates", func(r *rig, k cache.Key, _ cache.Cursor) {
		r.wantTake(k, cache.Answer, cache.Candidate, 1, cand("2"))
	}},
	{"Take, no candidate", func(r *rig, k cache.Key, _ cache.Cursor) {
		r.refuseTake(custerrors.CandidateNoValues, k, cache.Offer, cache.Candidate)
	}},
	{"Take, of another session", func(r *rig, k cache.Key, end cache.Cursor) {
		_, err := r.takeIn(end.Epoch()^1, k, cache.Answer, cache.SDP)
		r.wantError("Take", err, custerrors.KeyIsExpired)
	}},
	{"Append", func(r *rig, k cache.Key, _ cache.Cursor) { r.append(k, cache.Answer, cand("x")) }},
	{"Append repeated", func(r *rig, k cache.Key, _ cache.Cursor) {
		r.wantAppend(nil, k, cache.Offer, "token", cand("3"))
	}},
	{"Append, sdp again", func(r *rig, k cache.Key, _ cache.Cursor) {
		r.wantAppend(custerrors.SdpAlreadyExist, k, cache.Offer, "", sdp("p"))
	}},
	{"Append, full", func(r *rig, k cache.Key, _ cache.Cursor) {
		r.wantAppend(custerrors.QueueIsFull, k, cache.Offer, "", numbered(maxCandidates)...)
	}},
	{"Append, too long", func(r *rig, k cache.Key, _ cache.Cursor) {
		r.wantAppend(custerrors.BodyIsTooLong, k, cache.Answer, "", sized(r.limits.SessionBytes))
	}},
	{"Exchange", func(r *rig, k cache.Key, _ cache.Cursor) {
		r.refuseExchange(custerrors.SdpNoValues, k, cache.Offer, "token", 0, cand("3"))
	}},
	{"Open, exists", func(r *rig, k cache.Key, _ cache.Cursor) {
		r.wantOpen(custerrors.SdpAlreadyExist, k, "", sdp("p"))
	}},
	{"Open repeated", func(r *rig, k cache.Key, _ cache.Cursor) { r.wantOpen(nil, k, "token", sdp("o")) }},
}

func timeRenewal(r *rig) {
	const ttl = 10 * time.Second
	log := with(sdp("o"), cands("0", "1", "2", "3")...)
	for _, request := range requests {
		key := cache.Key(request.name)
		r.openFor(key, ttl, log[:4]...)
		r.wantAppend(nil, key, cache.Offer, "token", log[4])
		r.wantTake(key, cache.Answer, cache.Candidate, 2, log[1:3]...)
		end := r.wantRead(key, cache.Answer, 0, 9, log...)

		synctime.Pass(ttl - ms)
		request.call(r, key, end)
		synctime.Pass(ttl - ms)
		if err := r.touch(key); err != nil {
			r.Errorf("%s, and %v later: got %v, want the session alive", request.name, ttl-ms, err)
			continue
		}
		synctime.Pass(ttl)
		r.wantDead(custerrors.KeyIsExpired, key)
	}
}

func timeLifetime(r *rig) {
	const step = 7 * time.Second
	start := time.Now()
	r.wantOpen(nil, "k", "token", sdp("o"))
	for time.Since(start)+step < r.limits.Lifetime {
		synctime.Pass(step)
		r.wantAlive("k")
		r.wantOpen(nil, "k", "token", sdp("o")) // a repetition does not begin anew
	}
	synctime.Pass(r.limits.Lifetime - time.Since(start) - ms)
	r.wantAlive("k")
	r.append("k", cache.Answer, sdp("a"))
	synctime.Pass(ms)
	r.wantDead(custerrors.KeyIsExpired, "k")
}

func timeShortLife(r *rig) {
	r.open("k", sdp("o"))
	synctime.Pass(r.limits.Lifetime - ms)
	r.wantAlive("k")
	synctime.Pass(ms)
	r.wantDead(custerrors.KeyIsExpired, "k")
}

// timeGrace ends sessions in each of the three ways. It looks at one of each all the time, and at another one only afterwards: looks
// make no difference.
func timeGrace(r *rig) {
	ways := []struct {
		name string
		end  func(keys ...cache.Key)
	}{
		{"End", func(keys ...cache.Key) {
			for _, key := range keys {
				r.open(key, sdp("o"))
			}
			synctime.Pass(time.Second)
			for _, key := range keys {
				r.end(key)
			}
		}},
		{"TTL", func(keys ...cache.Key) {
			for _, key := range keys {
				r.openFor(key, 3*time.Second, sdp("o"))
			}
			synctime.Pass(3 * time.Second)
		}},
		{"lifetime", func(keys ...cache.Key) {
			for _, key := range keys {
				r.open(key, sdp("o"))
			}
			synctime.Pass(r.limits.Lifetime)
		}},
	}
	for _, way := range ways {
		looked, late, never := cache.Key(way.name), cache.Key(way.name+"1"), cache.Key(way.name+"2")
		way.end(looked, late, never)
		const step = cache.Grace / 10
		for range 9 {
			synctime.Pass(step)
			r.wantDead(custerrors.KeyIsExpired, looked)
		}
		synctime.Pass(step - ms)
		r.wantDead(custerrors.KeyIsExpired, looked)
		r.wantDead(custerrors.KeyIsExpired, late)
		synctime.Pass(2 * ms)
		r.wantDead(custerrors.KeyNotFound, looked)
		r.wantDead(custerrors.KeyNotFound, late)
		r.wantDead(custerrors.KeyNotFound, never)
	}
}

func timeLatestEnd(r *rig) {
	r.open("k", sdp("o"))
	r.end("k")
	synctime.Pass(cache.Grace - time.Second)
	r.openFor("k", 10*time.Second, sdp("p"))
	synctime.Pass(10 * time.Second) // past the first end's time; the second ends by TTL
	r.wantDead(custerrors.KeyIsExpired, "k")
	synctime.Pass(cache.Grace - ms)
	r.wantDead(custerrors.KeyIsExpired, "k")
	synctime.Pass(2 * ms)
	r.wantDead(custerrors.KeyNotFound, "k")

	r.open("k", sdp("q"))
	r.wantAll("k", cache.Answer, sdp("q"))
}

// timeReopen opens a session again after its end, which no call has noticed.
func timeReopen(r *rig) {
	for _, pause := range []time.Duration{0, cache.Grace - ms, cache.Grace + ms} {
		r.wantOpen(nil, "k", "token", with(sdp("old"), numbered(maxCandidates)...)...)
		_, old, err := r.read("k", cache.Answer, 0, 3)
		r.wantError("Read", err, nil)
		synctime.Pass(r.limits.TTL + pause)
		r.wantOpen(nil, "k", "token", sdp("new"))
		r.refuseRead(custerrors.KeyIsExpired, "k", cache.Answer, old)
		r.append("k", cache.Offer, numbered(maxCandidates)...)
		r.wantAll("k", cache.Answer, with(sdp("new"), numbered(maxCandidates)...)...)
		r.wantTake("k", cache.Answer, cache.SDP, 1, sdp("new"))
		r.end("k")
	}
}

func timeLease(r *rig) {
	const ttl = 4 * time.Second
	start := time.Now()
	r.openFor("k", ttl, sdp("o"))
	r.openFor("longest", 0, sdp("o"))
	want := func(key cache.Key, ttl time.Duration) {
		r.Helper()
		got, err := r.node().Touch(r.ctx, key)
		left := r.limits.Lifetime - time.Since(start)
		if err != nil || got.Left != left || got.TTL != ttl && got.TTL != min(ttl, left) {
			r.Errorf("Touch %s: got %+v (%s), want %v and %v", key, got, said(err), ttl, left)
		}
	}
	for time.Since(start) < r.limits.Lifetime {
		want("k", ttl)
		want("longest", r.limits.TTL)
		synctime.Pass(3 * time.Second)
	}
	r.wantDead(custerrors.KeyIsExpired, "k")
}
