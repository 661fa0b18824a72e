package cachetest

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// payerChecks are about what one payer's sessions may take. They ask one node: each node of an engine counts what came through it.
var payerChecks = []check{
	{name: "payer/four full sessions, however small the share", limits: smallShare, run: payerFullSessions},
	{name: "payer/up to the share and not one session more", limits: smallShare, run: payerShare},
	{name: "payer/a share is its own", limits: smallShare, run: payerOwn},
	{name: "payer/an end gives back as much as its session took", limits: smallShare, run: payerEnd},
	{name: "payer/what is written later counts", limits: smallShare, run: payerGrowth},
	{name: "payer/who opens pays for both", limits: smallShare, run: payerOpens},
	{name: "payer/a repeated open is paid once", limits: smallShare, run: payerRepeats},
	{name: "payer/what has expired counts no more", limits: func(l *cache.Limits) { briefLife(l); smallShare(l) }, run: payerExpiry},
	{name: "payer/what is set aside is given back where little is written", place: virtual, limits: smallShare, run: payerSettles},
	{name: "payer/without a share nobody is bounded", run: payerUnbounded},
	{name: "parallel/a payer's share is exact", place: outside, limits: smallShare, run: payerParallel},
}

// smallShare leaves a payer what it may have in any case.
func smallShare(l *cache.Limits) {
	l.Candidates, l.SessionBytes, l.ClientMemory = 16, 64<<10, cache.Share{Bytes: 1}
}

var (
	alice = cache.Payer{10: 0xff, 0xff, 192, 0, 2, 1}
	bob   = cache.Payer{10: 0xff, 0xff, 192, 0, 2, 2}
	carol = cache.Payer{0x20, 0x01, 0x0d, 0xb8}
)

// pay opens a session for the payer.
func (r *rig) pay(p cache.Payer, key cache.Key, frames ...cache.Frame) error {
	r.Helper()
	return r.write(r.first(), cache.Write{Key: key, From: cache.Offer, Opens: true, Payer: p, Batch: batch(frames...)})
}

// payAll opens small sessions for the payer until its share is used up, and returns their keys.
func (r *rig) payAll(p cache.Payer, name string) (keys []cache.Key) {
	r.Helper()
	return r.payFor(p, name, sdp("o"))
}

// payFor is payAll of sessions with this sdp.
func (r *rig) payFor(p cache.Payer, name string, f cache.Frame) (keys []cache.Key) {
	r.Helper()
	for i := range most {
		key := cache.Key(fmt.Sprintf("%s %d", name, i))
		switch err := r.pay(p, key, f); err {
		case nil:
			keys = append(keys, key)
		case custerrors.TooManyRequests:
			r.wantError("Touch of a session that was not paid for", r.touch(key), custerrors.KeyNotFound, custerrors.KeyIsExpired)
			return keys
		default:
			r.Fatalf("Open number %d of a payer: got %v, want %s in the end", i+1, err, custerrors.TooManyRequests)
		}
	}
	r.Fatalf("got %d sessions of a payer, want %s", most, custerrors.TooManyRequests)
	return nil
}

func (r *rig) wantPaid(what string, want error, p cache.Payer, key cache.Key, frames ...cache.Frame) {
	r.Helper()
	r.wantError(what, r.pay(p, key, frames...), want)
}

// endAll ends the sessions where they were opened.
func (r *rig) endAll(keys ...cache.Key) {
	r.Helper()
	for _, key := range keys {
		r.wantError("End", r.first().End(r.ctx, key), nil)
	}
}

// payerFullSessions fills four sessions with as many bytes and candidates as a session may have, by both roles, and each write alone.
func payerFullSessions(r *rig) {
	each := r.limits.SessionBytes / (2 * (r.limits.Candidates + 1))
	payload := strings.Repeat("x", each)
	for i := range cache.FullSessions {
		key := cache.Key(fmt.Sprintf("k%d", i))
		r.wantPaid("Open", nil, alice, key, sdp(payload))
		write := func(from cache.Role, token string, f cache.Frame) {
			r.wantError("Write to a session that is paid for", r.write(r.first(), cache.Write{
				Key: key, From: from, Token: cache.Token(token), Payer: bob, Batch: batch(f),
			}), nil)
		}
		write(cache.Answer, strings.Repeat("s", 64), sdp(payload))
		for n := range r.limits.Candidates {
			for _, role := range cache.Roles {
				write(role, fmt.Sprintf("%064d", n), cand(payload))
			}
		}
	}
	for i := range cache.FullSessions {
		key := cache.Key(fmt.Sprintf("k%d", i))
		for _, role := range cache.Roles {
			r.wantTake(key, role, cache.SDP, 1, sdp(payload))
		}
	}
}

func payerShare(r *rig) {
	keys := r.payAll(alice, "alice")
	if len(keys) < cache.FullSessions {
		r.Errorf("got %d small sessions of one payer, want %d or more", len(keys), cache.FullSessions)
	}
	r.wantPaid("a payer that has had its share", custerrors.TooManyRequests, alice, "more", sdp("o"))
	r.wantDead(custerrors.KeyNotFound, "more")
	r.wantPaid("an open of a live session", custerrors.SdpAlreadyExist, bob, keys[0], sdp("o"))
	for _, key := range keys { // live sessions are not touched
		r.wantTake(key, cache.Answer, cache.SDP, 1, sdp("o"))
	}
	if got := r.first().Stats().Overdrawn; got < 2 {
		r.Errorf("Stats: got %d overdrawn, want those that were refused", got)
	}
}

func payerOwn(r *rig) {
	n := len(r.payAll(alice, "alice"))
	for i, p := range []cache.Payer{bob, carol} {
		if got := len(r.payAll(p, fmt.Sprint(i))); got != n {
			r.Errorf("sessions of another payer: got %d, want as many as of the first, %d", got, n)
		}
	}
	for i := range 2 * n {
		r.wantPaid("what nobody in particular pays for", nil, cache.Payer{}, cache.Key(fmt.Sprintf("nobody %d", i)), sdp("o"))
	}
}

func payerEnd(r *rig) {
	first := r.payAll(alice, "first")
	for i := range 3 {
		r.endAll(first[i])
		r.wantPaid("in the place of one that has ended", nil, alice, cache.Key(fmt.Sprintf("new %d", i)), sdp("o"))
		r.wantPaid("and one more", custerrors.TooManyRequests, alice, "more", sdp("o"))
	}
	r.endAll(first[3:]...)
	r.endAll("new 0", "new 1", "new 2")
	for range 3 { // whole sessions, however much was written and taken
		r.wantPaid("Open", nil, alice, "k", sdp(strings.Repeat("x", 30_000)))
		r.wantError("Write", r.write(r.first(), cache.Write{Key: "k", From: cache.Answer, Payer: bob, Batch: batch(sdp("a"), cand("1"))}), nil)
		r.wantTake("k", cache.Answer, cache.SDP, 1, sdp(strings.Repeat("x", 30_000)))
		r.endAll("k")
	}
	if again := r.payAll(alice, "again"); len(again) != len(first) {
		r.Errorf("after all have ended: got %d sessions, want %d as at first", len(again), len(first))
	}
}

// payerGrowth opens as many small sessions as it may, and lets them grow.
func payerGrowth(r *rig) {
	keys, held := r.payAll(alice, "alice"), 0
	grown := cand(strings.Repeat("x", 4000))
	for _, key := range keys {
		for _, role := range cache.Roles {
			for range 5 {
				switch err := r.write(r.first(), cache.Write{Key: key, From: role, Payer: bob, Batch: batch(grown)}); err {
				case nil:
					held += len(grown.Wire)
				case custerrors.TooManyRequests:
				default:
					r.Errorf("Append beyond the share: got %s, want %s", said(err), custerrors.TooManyRequests)
				}
			}
		}
	}
	if most := (cache.FullSessions + 1) * r.limits.SessionBytes; held > most {
		r.Errorf("got %d bytes of one payer, want %d at most", held, most)
	}
	r.endAll(keys...)
	if again := r.payAll(alice, "again"); len(again) != len(keys) {
		r.Errorf("after all have ended: got %d sessions, want %d as at first", len(again), len(keys))
	}
}

func payerOpens(r *rig) {
	r.payAll(bob, "bob")
	r.wantPaid("Open", nil, alice, "k", sdp("o"))
	for _, w := range []cache.Write{
		{Key: "k", From: cache.Answer, Payer: bob, Batch: batch(sdp("a"), cand("1"))},
		{Key: "k", From: cache.Offer, Payer: bob, Batch: batch(cand("2"))},
	} {
		r.wantError("a write by one that has had its share to a session of another", r.write(r.first(), w), nil)
	}
	r.wantAll("k", cache.Offer, sdp("a"), cand("1"))
}

func payerRepeats(r *rig) {
	n := len(r.payAll(bob, "bob"))
	w := cache.Write{Key: "k", From: cache.Offer, Opens: true, Token: "token", Payer: alice, Batch: batch(sdp("o"))}
	for range 2 * n {
		r.wantError("an open that is repeated", r.write(r.first(), w), nil)
	}
	if got := len(r.payAll(alice, "alice")); got < n-2 || got > n { // the token may take a few bytes
		r.Errorf("sessions beside one that was repeated: got %d, want about %d", got, n-1)
	}
	r.wantError("an open that is repeated, without room for another", r.write(r.first(), w), nil)
	w.Key = "another"
	r.wantError("an open with that token of another key", r.write(r.first(), w), custerrors.TooManyRequests)
}

// payerExpiry lets sessions expire that nobody asks for. A store that is not told counts them until their lifetime is over.
func payerExpiry(r *rig) {
	large := sdp(strings.Repeat("x", 20_000)) // so that few fill the share, and do so before the first has expired
	n := len(r.payFor(alice, "alice", large))
	for start := time.Now(); ; {
		r.pass(brief)
		again := r.payFor(alice, "again", large)
		if len(again) == n {
			return
		}
		r.endAll(again...)
		if age := time.Since(start); age > r.limits.Lifetime+slack {
			r.Fatalf("%v after all were opened: got %d sessions, want %d", age, len(again), n)
		}
	}
}

func payerSettles(r *rig) {
	n := len(r.payAll(alice, "alice"))
	r.pass(3 * time.Second) // two, and what a store may take to notice
	if more := len(r.payAll(alice, "later")); more < n/2 {
		r.Errorf("sessions beside %d of three bytes, when what was set aside for these is given back: got %d, want %d at least", n, more, n/2)
	}
}

func payerUnbounded(r *rig) {
	for i := range 500 { // more than any share of the checks above
		r.wantPaid("Open", nil, alice, cache.Key(fmt.Sprint(i)), sdp("o"))
	}
}

// payerParallel opens and ends from many sides at once.
func payerParallel(r *rig) {
	before := r.payAll(alice, "before")
	r.endAll(before...)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				key := cache.Key(fmt.Sprintf("%d %d", i, j%7))
				if r.pay(alice, key, sdp("o")) == nil {
					r.first().Write(r.ctx, nil, cache.Write{Key: key, From: cache.Answer, Payer: bob, Batch: batch(cand(strings.Repeat("x", 4000)))})
					r.first().End(r.ctx, key)
				}
			}
		})
	}
	all.Wait()
	if after := r.payAll(alice, "after"); len(after) != len(before) {
		r.Errorf("after many at once: got %d sessions, want %d as before", len(after), len(before))
	}
}
