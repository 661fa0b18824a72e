package cachetest

import (
	"fmt"

	"signal-server/cache"
	"signal-server/custerrors"
)

// receiptChecks are about what a token is bound to, and about takes that are repeated.
var receiptChecks = []check{
	{name: "token/of a write is bound to route and body", run: tokenBound},
	{name: "token/of another request, nothing is written", limits: fewCandidates, run: tokenReused},
	{name: "token/take repeated gets the same", run: tokenTake},
	{name: "token/of a take that got nothing is free", run: tokenOfNothing},
	{name: "token/of a take is bound to its route", run: tokenOfTake},
	{name: "token/of a take is of one role and one session", run: tokenOfTaker},
	{name: "token/of every take is remembered", run: tokenOfManyTakes},
	{name: "token/of a take that waits", run: tokenOfWait},
	{name: "parallel/takers with one token get the same", run: tokenTogether},
}

// asked makes a Write of what a client asked for, with a token.
func (r *rig) asked(token cache.Token, route, body string, w cache.Write) error {
	r.Helper()
	w.Token, w.Route, w.Body = token, route, []byte(body)
	return r.write(r.node(), w)
}

// takeBy takes at most limit payloads with a token.
func (r *rig) takeBy(token cache.Token, route string, key cache.Key, to cache.Role, kind cache.Kind, limit int) (string, error) {
	r.Helper()
	out, err := r.node().Take(r.ctx, dst(), cache.Take{Key: key, To: to, Kind: kind, Limit: limit, Form: &plain, Token: token, Route: route})
	return r.appended("Take", out, err), err
}

func (r *rig) wantTakeBy(token cache.Token, route string, key cache.Key, to cache.Role, kind cache.Kind, limit int, want ...cache.Frame) {
	r.Helper()
	got, err := r.takeBy(token, route, key, to, kind, limit)
	if err != nil || got != text(want...) {
		r.Errorf("Take by %v with token %q: got %.200q (%s), want %.200q", to, token, got, said(err), text(want...))
	}
}

func (r *rig) refuseTakeBy(want error, token cache.Token, route string, key cache.Key, to cache.Role, kind cache.Kind) {
	r.Helper()
	_, err := r.takeBy(token, route, key, to, kind, 1)
	r.wantError(fmt.Sprintf("Take by %v with token %q", to, token), err, want)
}

func tokenBound(r *rig) {
	open := cache.Write{Key: "k", From: cache.Offer, Opens: true, Batch: batch(sdp("o"))}
	add := cache.Write{Key: "k", From: cache.Offer, Batch: batch(cand("1"))}
	for range 2 {
		r.wantError("Open", r.asked("open", "POST /a", "body", open), nil)
		r.wantError("Append", r.asked("add", "POST /b", "", add), nil)
	}
	reused := func(token cache.Token, route, body string, w cache.Write) {
		r.Helper()
		r.wantError(fmt.Sprintf("Write with token %q for %q of %q", token, route, body), r.asked(token, route, body, w),
			custerrors.IdempotencyKeyIsReused)
	}
	for _, w := range []cache.Write{open, add} {
		reused("open", "POST /b", "body", w)
		reused("open", "POST /a", "Body", w)
		reused("open", "POST /a", "", w)
		reused("open", "POST /a", "bod", w)
		reused("open", "POST /ab", "ody", w) // route and body are two
		reused("add", "POST /a", "body", w)
		reused("add", "POST /b", "x", w)
	}
	r.wantAll("k", cache.Answer, sdp("o"), cand("1"))
	answer := cache.Write{Key: "k", From: cache.Answer, Batch: batch(cand("2"))}
	r.wantError("Append by the other role", r.asked("open", "POST /c", "other", answer), nil)
	r.wantError("Append by the other role", r.asked("open", "POST /c", "other", answer), nil)
	r.end("k")
	r.wantError("Open anew", r.asked("add", "POST /a", "anew", open), nil)
	r.wantAll("k", cache.Answer, sdp("o"))
}

// tokenReused wants a token of another request to be named before what the session has no room for, and behind what is wrong with the
// cursor. The refused write is not done in part, and leaves its token to the first one.
func tokenReused(r *rig) {
	open := cache.Write{Key: "k", From: cache.Offer, Opens: true, Batch: batch(sdp("o"))}
	r.wantError("Open", r.asked("t", "POST /a", "1", open), nil)
	end := r.wantRead("k", cache.Answer, 0, 9, sdp("o"))
	many := cache.Write{Key: "k", From: cache.Offer, Batch: batch(numbered(maxCandidates + 1)...)}
	other := cache.Write{Key: "k", From: cache.Offer, Batch: batch(sdp("p"), cand("1"))}
	for _, w := range []cache.Write{open, many, other} {
		r.wantError("Write", r.asked("t", "POST /a", "2", w), custerrors.IdempotencyKeyIsReused)
		w.After = cache.NewCursor(end.Epoch()^1, 0)
		r.wantError("Write with a cursor of another session", r.asked("t", "POST /a", "2", w), custerrors.KeyIsExpired)
		w.After = end + 9
		r.wantError("Write with a cursor beyond the end", r.asked("t", "POST /a", "2", w), custerrors.CursorIsInvalid)
	}
	_, next, err := r.node().Write(r.ctx, dst(), cache.Write{
		Key: "k", From: cache.Offer, Token: "t", Route: "POST /a", Body: []byte("2"), Batch: batch(cand("1")), Limit: 1, Form: &plain,
	})
	if err != custerrors.IdempotencyKeyIsReused || next != 0 {
		r.Errorf("Exchange with the token of another request: got cursor %x (%s), want the same, 0, and %s", next, said(err),
			said(custerrors.IdempotencyKeyIsReused))
	}
	r.wantError("Open repeated", r.asked("t", "POST /a", "1", open), nil)
	r.wantAll("k", cache.Answer, sdp("o"))
}

func tokenTake(r *rig) {
	r.open("k", with(sdp("o"), numbered(5)...)...)
	c := numbered(5)
	r.wantTakeBy("sdp", "/sdp", "k", cache.Answer, cache.SDP, 1, sdp("o"))
	r.wantTakeBy("one", "/one", "k", cache.Answer, cache.Candidate, 1, c[0])
	r.wantTakeBy("two", "/all", "k", cache.Answer, cache.Candidate, 2, c[1:3]...)
	r.append("k", cache.Offer, cand("later"))
	for range 2 {
		r.wantTakeBy("two", "/all", "k", cache.Answer, cache.Candidate, 2, c[1:3]...)
		r.wantTakeBy("two", "/all", "k", cache.Answer, cache.Candidate, 9, c[1:3]...) // the first one's limit counts
		r.wantTakeBy("sdp", "/sdp", "k", cache.Answer, cache.SDP, 1, sdp("o"))
		r.wantTakeBy("one", "/one", "k", cache.Answer, cache.Candidate, 1, c[0])
	}
	r.wantTakeBy("sdp", "/sdp", "k", cache.Answer, cache.SDP, 0) // there is something to take again, and this is only a look
	r.wantTakeBy("new", "/one", "k", cache.Answer, cache.Candidate, 0)
	r.wantTakeBy("new", "/one", "k", cache.Answer, cache.Candidate, 1, c[3])
	r.refuseTake(custerrors.SdpNoValues, "k", cache.Answer, cache.SDP) // for others it is taken
	r.refuseTakeBy(custerrors.SdpNoValues, "other", "/sdp", "k", cache.Answer, cache.SDP)
	r.wantTakeBy("rest", "/all", "k", cache.Answer, cache.Candidate, 9, append(c[4:5:5], cand("later"))...)
	r.wantTakeBy("rest", "/all", "k", cache.Answer, cache.Candidate, 9, append(c[4:5:5], cand("later"))...)
	r.refuseTake(custerrors.CandidateNoValues, "k", cache.Answer, cache.Candidate)

	r.append("k", cache.Answer, cand("before its sdp"))
	for range 2 {
		r.wantTakeBy("one", "/one", "k", cache.Offer, cache.Candidate, 1, cand("before its sdp"))
		r.refuseTakeBy(custerrors.SdpNoValues, "sdp", "/sdp", "k", cache.Offer, cache.SDP)
	}
	r.append("k", cache.Answer, sdp("a"))
	r.wantTakeBy("one", "/one", "k", cache.Offer, cache.Candidate, 1, cand("before its sdp"))
	got, err := r.node().Take(r.ctx, dst(), cache.Take{
		Key: "k", To: cache.Offer, Kind: cache.Candidate, Limit: 1, Form: &plain, In: r.epoch("k") ^ 1, Token: "one", Route: "/one",
	})
	if err != custerrors.KeyIsExpired {
		r.Errorf("Take repeated, of another session: got %q (%s), want %s", got, said(err), custerrors.KeyIsExpired)
	}
}

func tokenOfNothing(r *rig) {
	r.open("k", sdp("o"))
	r.refuseTakeBy(custerrors.CandidateNoValues, "t", "/one", "k", cache.Answer, cache.Candidate)
	r.wantTakeBy("t", "/sdp", "k", cache.Answer, cache.SDP, 1, sdp("o"))
	r.refuseTakeBy(custerrors.CandidateNoValues, "c", "/one", "k", cache.Answer, cache.Candidate)
	r.append("k", cache.Offer, cands("1", "2")...)
	for range 2 {
		r.wantTakeBy("c", "/one", "k", cache.Answer, cache.Candidate, 1, cand("1"))
	}
	r.refuseTakeBy(custerrors.SdpNoValues, "w", "/sdp", "k", cache.Answer, cache.SDP)
	r.wantError("Append", r.asked("w", "POST /a", "", cache.Write{Key: "k", From: cache.Answer, Batch: batch(sdp("a"))}), nil)
	r.refuseTakeBy(custerrors.KeyNotFound, "t", "/sdp", "l", cache.Answer, cache.SDP)
}

func tokenOfTake(r *rig) {
	r.open("k", with(sdp("o"), numbered(3)...)...)
	r.wantTakeBy("t", "/one", "k", cache.Answer, cache.Candidate, 1, numbered(1)...)
	add := cache.Write{Key: "k", From: cache.Answer, Batch: batch(cand("a"))}
	r.wantError("Append", r.asked("w", "/one", "", add), nil)
	for range 2 {
		r.refuseTakeBy(custerrors.IdempotencyKeyIsReused, "t", "/all", "k", cache.Answer, cache.Candidate)
		r.refuseTakeBy(custerrors.IdempotencyKeyIsReused, "t", "/sdp", "k", cache.Answer, cache.SDP)
		r.refuseTakeBy(custerrors.IdempotencyKeyIsReused, "w", "/sdp", "k", cache.Answer, cache.SDP)
		r.refuseTakeBy(custerrors.IdempotencyKeyIsReused, "w", "/one", "k", cache.Answer, cache.Candidate) // it was a write
		for _, route := range []string{"/one", "/write"} {
			r.wantError("Append with the token of a take", r.asked("t", route, "", add), custerrors.IdempotencyKeyIsReused)
		}
	}
	r.wantAll("k", cache.Answer, with(sdp("o"), numbered(3)...)...)
	r.wantTake("k", cache.Answer, cache.SDP, 1, sdp("o"))
	r.wantTake("k", cache.Answer, cache.Candidate, 9, numbered(3)[1:]...)
	r.wantTake("k", cache.Offer, cache.Candidate, 9, cand("a"))
}

func tokenOfTaker(r *rig) {
	r.open("k", sdp("o"), cand("1"))
	r.append("k", cache.Answer, sdp("a"), cand("2"))
	for range 2 {
		r.wantTakeBy("t", "/sdp", "k", cache.Answer, cache.SDP, 1, sdp("o"))
		r.wantTakeBy("t", "/one", "k", cache.Offer, cache.Candidate, 1, cand("2"))
	}
	r.end("k")
	r.refuseTakeBy(custerrors.KeyIsExpired, "t", "/sdp", "k", cache.Answer, cache.SDP)
	r.open("k", sdp("p"), cand("3"))
	r.wantTakeBy("t", "/one", "k", cache.Answer, cache.Candidate, 1, cand("3"))
	r.wantTake("k", cache.Answer, cache.SDP, 1, sdp("p"))
}

// tokenOfManyTakes takes as much as a session can hold, each with a token of its own. Writes have tokens, too.
func tokenOfManyTakes(r *rig) {
	n := r.limits.Candidates
	r.open("k", sdp("o"))
	token := func(what string, i int) cache.Token { return cache.Token(fmt.Sprintf("%s-%d", what, i)) }
	for i := range n {
		r.wantAppend(nil, "k", cache.Offer, token("write", i), cand(fmt.Sprint(i)))
		r.wantTakeBy(token("take", i), "/one", "k", cache.Answer, cache.Candidate, 1, cand(fmt.Sprint(i)))
	}
	r.wantTakeBy("sdp", "/sdp", "k", cache.Answer, cache.SDP, 1, sdp("o"))
	for i := range n {
		r.wantTakeBy(token("take", i), "/one", "k", cache.Answer, cache.Candidate, 1, cand(fmt.Sprint(i)))
		r.wantAppend(nil, "k", cache.Offer, token("write", i), cand(fmt.Sprint(i)))
	}
	r.wantTakeBy("sdp", "/sdp", "k", cache.Answer, cache.SDP, 1, sdp("o"))
	r.wantAll("k", cache.Answer, with(sdp("o"), numbered(n)...)...)
}

// tokenOfWait repeats a take whose first one still waits, as a client does that has given up on its connection.
func tokenOfWait(r *rig) {
	m := r.mailroom()
	r.open("k", sdp("o"))
	ask := func() <-chan letter {
		letters := make(chan letter, 1)
		r.background(func() {
			w := cache.Wait{For: long}
			defer w.End()
			t := cache.Take{Key: "k", To: cache.Offer, Kind: cache.SDP, Limit: 1, Form: &plain, Token: "t", Route: "/sdp"}
			out, next, err := m.Take(r.ctx, t, &w)
			letters <- letter{text: r.appended("Take", out, err), next: next, err: err}
		})
		return letters
	}
	first, second := ask(), ask()
	r.settle()
	r.append("k", cache.Answer, sdp("a"))
	for _, letters := range []<-chan letter{first, second, ask()} {
		if got := <-letters; got.err != nil || got.text != text(sdp("a")) {
			r.Errorf("Take with a wait and a token: got %q (%s), want %q", got.text, said(got.err), text(sdp("a")))
		}
	}
}

// tokenTogether lets four clients take with one token each, on two connections at once: both get the same, and nobody else does.
func tokenTogether(r *rig) {
	const clients, rounds = 4, 30
	for round := range rounds {
		key := cache.Key(fmt.Sprintf("k%d", round))
		r.open(key, with(sdp("o"), numbered(clients)...)...)
		var got [2][clients]string
		together(2*clients, func(i int) {
			token := cache.Token(fmt.Sprintf("t%d", i/2))
			var err error
			if got[i%2][i/2], err = r.takeBy(token, "/one", key, cache.Answer, cache.Candidate, 1); err != nil {
				r.Errorf("Take with token %q: got %s, want a candidate", token, said(err))
			}
		})
		seen := make(map[string]bool)
		for _, text := range got[0] {
			seen[text] = true
		}
		if got[0] != got[1] || len(seen) != clients {
			r.Errorf("Takes with 4 tokens, each twice: got %q, want each token its own payload", got)
		}
	}
}
