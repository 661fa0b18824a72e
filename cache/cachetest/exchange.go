package cachetest

import (
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
	"signal-server/test/synctime"
)

// exchangeChecks are about an exchange: a Write that also reads, in one step.
var exchangeChecks = []check{
	{name: "exchange/a handshake", run: exchangeHandshake},
	{name: "exchange/opens, and else appends", limits: fewCandidates, run: exchangeWrites},
	{name: "exchange/refused, it writes and reads nothing", limits: fewCandidates, run: exchangeRefused},
	{name: "exchange/its cursor is looked at first", run: exchangeCursor},
	{name: "exchange/repeated, it reads again", run: exchangeRepeated},
	{name: "exchange/of no messages, it says where it wrote", run: exchangeOfNone},
	{name: "exchange/rings as a write does", run: exchangeRings},
	{name: "exchange/ttl asked for and ttl given", place: virtual, run: exchangeTTL},
}

// exchange writes and reads in one call. It opens a session with the offer's sdp, as servers do.
func (r *rig) exchange(key cache.Key, from cache.Role, token cache.Token, after cache.Cursor, limit int,
	frames ...cache.Frame,
) (string, cache.Cursor, error) {
	r.Helper()
	b := batch(frames...)
	out, next, err := r.node().Write(r.ctx, dst(), cache.Write{
		Key: key, From: from, Opens: from == cache.Offer && b.HasSDP(), Token: token, Batch: b, After: after, Limit: limit, Form: &plain,
	})
	return r.appended("Exchange", out, err), next, err
}

// wantExchange writes the frames, and wants these messages to read.
func (r *rig) wantExchange(want []cache.Frame, key cache.Key, from cache.Role, token cache.Token, after cache.Cursor,
	frames ...cache.Frame,
) cache.Cursor {
	r.Helper()
	got, next, err := r.exchange(key, from, token, after, len(want)+1, frames...)
	if err != nil || got != text(want...) {
		r.Errorf("Exchange by %v: got %.200q (%s), want %.200q", from, got, said(err), text(want...))
	}
	if got, want := next.Position(), after.Position()+len(want); got != want || next.Epoch() == 0 {
		r.Errorf("Exchange by %v: got cursor %x, want one behind %d messages", from, next, want)
	}
	return next
}

// refuseExchange wants an error. After SdpNoValues and CandidateNoValues the frames are written all the same.
func (r *rig) refuseExchange(want error, key cache.Key, from cache.Role, token cache.Token, after cache.Cursor,
	frames ...cache.Frame,
) cache.Cursor {
	r.Helper()
	_, next, err := r.exchange(key, from, token, after, 9, frames...)
	r.wantError("Exchange by "+from.String(), err, want)
	return next
}

func exchangeHandshake(r *rig) {
	offer, answer := with(sdp("o"), cands("1", "2")...), with(sdp("a"), cands("3", "4")...)
	start := r.refuseExchange(custerrors.SdpNoValues, "k", cache.Offer, "", 0, offer...)
	if start.Position() != 0 {
		r.Errorf("Exchange with nothing to read: got a cursor behind %d messages, want 0", start.Position())
	}
	end := r.wantExchange(offer, "k", cache.Answer, "", 0, answer...)
	next := r.wantExchange(answer, "k", cache.Offer, "", start, cand("5"))
	end = r.wantExchange(cands("5"), "k", cache.Answer, "", end, cand("6"))
	next = r.wantExchange(cands("6"), "k", cache.Offer, "", next, cand("7"))
	if same := r.refuseExchange(custerrors.CandidateNoValues, "k", cache.Offer, "", next, cand("8")); same != next {
		r.Errorf("Exchange with nothing new to read: got cursor %x, want the same, %x", same, next)
	}
	r.wantExchange(cands("7", "8"), "k", cache.Answer, "", end, cand("9"))
	r.wantAll("k", cache.Answer, append(offer, cands("5", "7", "8")...)...)
	r.wantAll("k", cache.Offer, append(answer, cands("6", "9")...)...)

	got, next, err := r.exchange("k", cache.Offer, "", 0, 2, cand("10")) // the limit is the read's
	if err != nil || got != text(answer[:2]...) || next.Position() != 2 {
		r.Errorf("Exchange for 2 messages: got %q (%s) and a cursor behind %d, want %q", got, said(err), next.Position(),
			text(answer[:2]...))
	}
}

func exchangeWrites(r *rig) {
	r.refuseExchange(custerrors.KeyNotFound, "k", cache.Answer, "", 0, sdp("a"))
	r.refuseExchange(custerrors.KeyNotFound, "k", cache.Offer, "", 0, cand("1"))
	r.wantError("Touch", r.touch("k"), custerrors.KeyNotFound)
	r.refuseExchange(custerrors.QueueIsFull, "k", cache.Offer, "", 0, with(sdp("o"), numbered(maxCandidates+1)...)...)
	r.wantError("Touch", r.touch("k"), custerrors.KeyNotFound)

	r.refuseExchange(custerrors.SdpNoValues, "k", cache.Offer, "", 0, sdp("o"))
	r.refuseExchange(custerrors.SdpNoValues, "k", cache.Offer, "", 0, cand("1"))
	r.wantExchange(with(sdp("o"), cand("1")), "k", cache.Answer, "", 0, cand("2"))
	r.refuseExchange(custerrors.SdpNoValues, "k", cache.Offer, "", 0, cand("3")) // candidates are held back here, too
	r.wantExchange(with(sdp("o"), cands("1", "3")...), "k", cache.Answer, "", 0, sdp("a"))
	r.wantAll("k", cache.Offer, sdp("a"), cand("2"))
	r.end("k")

	r.refuseExchange(custerrors.KeyIsExpired, "k", cache.Answer, "", 0, sdp("b"))
	r.refuseExchange(custerrors.SdpNoValues, "k", cache.Offer, "", 0, sdp("p"))
	r.wantAll("k", cache.Answer, sdp("p"))
}

func exchangeRefused(r *rig) {
	r.open("k", sdp("o"), cand("1"))
	r.append("k", cache.Answer, sdp("a"))
	refused := func(want error, from cache.Role, frames ...cache.Frame) {
		r.Helper()
		r.refuseExchange(want, "k", from, "token", 0, frames...)
		r.wantAll("k", cache.Answer, sdp("o"), cand("1"))
		r.wantAll("k", cache.Offer, sdp("a"))
	}
	refused(custerrors.SdpAlreadyExist, cache.Offer, sdp("p"), cand("2"))
	refused(custerrors.SdpAlreadyExist, cache.Answer, sdp("b"), cand("2"))
	refused(custerrors.QueueIsFull, cache.Offer, numbered(maxCandidates)...)
	refused(custerrors.QueueIsFull, cache.Answer, numbered(maxCandidates+1)...)
	refused(custerrors.BodyIsTooLong, cache.Answer, cand("2"), sized(r.limits.SessionBytes))
	r.wantExchange(with(sdp("a")), "k", cache.Offer, "token", 0, cand("2")) // refused writes leave the token free
	r.wantAll("k", cache.Answer, sdp("o"), cand("1"), cand("2"))
}

func exchangeCursor(r *rig) {
	r.open("k", sdp("o"), cand("1"))
	r.append("k", cache.Answer, sdp("a"))
	end := r.wantRead("k", cache.Offer, 0, 9, sdp("a"))
	foreign := cache.NewCursor(end.Epoch()^1, 1)
	for _, role := range cache.Roles {
		r.refuseExchange(custerrors.KeyIsExpired, "k", role, "token", foreign, cand("x"))
		r.refuseExchange(custerrors.KeyIsExpired, "k", role, "token", foreign, sdp("x")) // and not SdpAlreadyExist
		r.refuseExchange(custerrors.CursorIsInvalid, "k", role, "token", end+2, cand("x"))
		r.refuseExchange(custerrors.CursorIsInvalid, "k", role, "token", end+2, sdp("x"))
	}
	r.wantAll("k", cache.Answer, sdp("o"), cand("1"))
	r.wantAll("k", cache.Offer, sdp("a"))
	r.refuseExchange(custerrors.CandidateNoValues, "k", cache.Offer, "token", end, cand("2")) // the token is free

	r.end("k")
	r.refuseExchange(custerrors.KeyIsExpired, "k", cache.Offer, "", end, sdp("p")) // it would open a session, with the cursor of another
	r.wantError("Touch", r.touch("k"), custerrors.KeyIsExpired)
	r.open("k", sdp("p"))
	r.refuseExchange(custerrors.KeyIsExpired, "k", cache.Answer, "", end, sdp("b"))
	r.refuseRead(custerrors.SdpNoValues, "k", cache.Offer, 0)
}

func exchangeRepeated(r *rig) {
	r.refuseExchange(custerrors.SdpNoValues, "k", cache.Offer, "open", 0, sdp("o"), cand("1"))
	r.refuseExchange(custerrors.SdpNoValues, "k", cache.Offer, "open", 0, sdp("o"), cand("1"))
	for range 2 {
		r.wantExchange(with(sdp("o"), cand("1")), "k", cache.Answer, "answer", 0, sdp("a"), cand("2"))
	}
	for range 2 { // what came in between comes with the repetition
		r.wantExchange(with(sdp("a"), cand("2")), "k", cache.Offer, "open", 0, sdp("o"), cand("1"))
	}
	r.wantOpen(nil, "k", "open", sdp("o")) // it is the same token by whichever call
	r.wantAppend(nil, "k", cache.Answer, "answer", cand("2"))
	r.wantAll("k", cache.Answer, sdp("o"), cand("1"))
	r.wantAll("k", cache.Offer, sdp("a"), cand("2"))
}

func exchangeOfNone(r *rig) {
	none := func(key cache.Key, from cache.Role, token cache.Token, after cache.Cursor, frames ...cache.Frame) cache.Cursor {
		r.Helper()
		got, next, err := r.exchange(key, from, token, after, 0, frames...)
		if err != nil || got != "" || next.Epoch() == 0 || next.Position() != after.Position() {
			r.Errorf("Exchange of no messages by %v: got %.200q (%s) and cursor %x, want nothing and one where %x is", from, got, said(err),
				next, after)
		}
		return next
	}
	start := none("k", cache.Offer, "open", 0, sdp("o"), cand("1"))
	if got := none("k", cache.Offer, "open", 0, sdp("o"), cand("1")); got != start {
		r.Errorf("Exchange repeated: got cursor %x, want the same, %x", got, start)
	}
	none("k", cache.Answer, "", 0, cand("2"))
	none("k", cache.Answer, "", start, sdp("a"))
	end := r.wantExchange(with(sdp("a"), cand("2")), "k", cache.Offer, "", start, cand("3"))
	if got := none("k", cache.Offer, "", end, cand("4")); got != end {
		r.Errorf("Exchange of no messages, of which there are none: got cursor %x, want the same, %x", got, end)
	}
	lease, err := r.node().Touch(r.ctx, "k")
	if got, want := start.Epoch(), lease.Epoch; err != nil || got != want {
		r.Errorf("Exchange of no messages: got epoch %x, want the session's, %x (%s)", got, want, said(err))
	}
	r.wantAll("k", cache.Answer, sdp("o"), cand("1"), cand("3"), cand("4"))
	r.wantAll("k", cache.Offer, sdp("a"), cand("2"))

	refused := func(want error, from cache.Role, after cache.Cursor, frames ...cache.Frame) {
		r.Helper()
		_, _, err := r.exchange("k", from, "", after, 0, frames...)
		r.wantError("Exchange of no messages by "+from.String(), err, want)
	}
	refused(custerrors.SdpAlreadyExist, cache.Offer, 0, sdp("p"))
	refused(custerrors.SdpAlreadyExist, cache.Answer, start, sdp("b"))
	refused(custerrors.CursorIsInvalid, cache.Offer, end+1, cand("5"))
	r.end("k")
	refused(custerrors.KeyIsExpired, cache.Offer, start, cand("5"))
	r.open("k", sdp("p"))
	refused(custerrors.KeyIsExpired, cache.Offer, start, cand("5")) // another session of the key lives
	r.wantAll("k", cache.Answer, sdp("p"))
}

func exchangeRings(r *rig) {
	for _, store := range r.nodes {
		offer, answer := r.hang(store, "k", cache.Offer), r.hang(store, "k", cache.Answer)
		r.refuseExchange(custerrors.SdpNoValues, "k", cache.Offer, "", 0, sdp("o"))
		r.wantRung("Exchange that opens, for answer", answer)
		r.wantRung("Exchange that opens, for offer", offer)
		r.refuseExchange(custerrors.SdpNoValues, "k", cache.Offer, "", 0, cand("1"))
		r.wantRung("Exchange by offer", answer)
		r.wantExchange(with(sdp("o"), cand("1")), "k", cache.Answer, "", 0, sdp("a"))
		r.wantRung("Exchange by answer", offer)
		store.Unhang("k", cache.Offer, offer)
		store.Unhang("k", cache.Answer, answer)
		r.end("k")
	}
}

func exchangeTTL(r *rig) {
	const ttl = 2 * time.Second
	for _, c := range []struct{ asked, given time.Duration }{{ttl, ttl}, {0, r.limits.TTL}, {-1, r.limits.TTL}, {time.Hour, r.limits.TTL}} {
		_, _, err := r.node().Write(r.ctx, nil, cache.Write{
			Key: "k", From: cache.Offer, Opens: true, TTL: c.asked, Batch: batch(sdp("o")), Limit: 1, Form: &plain,
		})
		r.wantError("Exchange", err, custerrors.SdpNoValues)
		synctime.Pass(c.given - ms)
		r.refuseExchange(custerrors.SdpNoValues, "k", cache.Offer, "", 0, cand("1")) // renews
		synctime.Pass(c.given - ms)
		r.refuseExchange(custerrors.SdpAlreadyExist, "k", cache.Offer, "", 0, sdp("p")) // refusals do, too
		synctime.Pass(c.given - ms)
		r.refuseExchange(custerrors.KeyIsExpired, "k", cache.Offer, "", 1<<16+1, cand("1")) // and those of the cursor
		synctime.Pass(c.given - ms)
		r.wantAlive("k")
		synctime.Pass(c.given)
		r.wantDead(custerrors.KeyIsExpired, "k")
	}
}
