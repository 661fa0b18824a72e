package cachetest

import (
	"fmt"
	"time"
	"unsafe"

	"signal-server/cache"
	"signal-server/custerrors"
)

// request is a buffer such as a server reuses for the next request: what points into it changes after the call. This file
// is the only one with unsafe. The rule: what hold returned is not used after overwrite.
type request []byte

// hold returns a string that shares the buffer's memory.
func (b *request) hold(s string) string {
	*b = append((*b)[:0], s...)
	return unsafe.String(unsafe.SliceData(*b), len(s))
}

func (b request) overwrite() {
	for i := range b {
		b[i] = '#'
	}
}

// argumentsNotKept passes every argument in memory that the next request writes over.
func argumentsNotKept(r *rig) {
	var keyBuffer, tokenBuffer, formBuffer request
	form := func() *cache.Form {
		s := formBuffer.hold("s(c() ")
		return &cache.Form{SDP: s[0:2], Candidate: s[2:4], After: s[4:5], Separator: s[5:6]}
	}
	// call makes one call with a key that lives no longer than the call.
	call := func(what string, want error, f func(key cache.Key) error) {
		r.Helper()
		r.wantError(what, f(cache.Key(keyBuffer.hold("some key"))), want)
		keyBuffer.overwrite()
		tokenBuffer.overwrite()
		formBuffer.overwrite()
	}
	write := func(w cache.Write, frames ...cache.Frame) error {
		w.Batch = batch(frames...)
		_, _, err := r.node().Write(r.ctx, nil, w)
		request(w.Batch.Frames()).overwrite()
		return err
	}

	// Two bells at one hook: the second finds an entry there, whose key must stay the store's own.
	store, bells := r.last(), []cache.Chime{cache.NewChime(), cache.NewChime(), cache.NewChime()}
	for _, bell := range bells {
		call("Hang", nil, func(key cache.Key) error { return store.Hang(r.ctx, key, cache.Answer, bell) })
	}
	call("Unhang", nil, func(key cache.Key) error { store.Unhang(key, cache.Answer, bells[2]); return nil })

	for i := range 3 { // with the same token: the store must know it again
		call("Open", nil, func(key cache.Key) error {
			token := cache.Token(tokenBuffer.hold("some token"))
			return write(cache.Write{Key: key, From: cache.Offer, Opens: true, TTL: time.Minute, Token: token}, sdp(fmt.Sprintf("o%d", i)))
		})
	}
	r.wantRung("Open", bells[0])
	r.wantRung("Open", bells[1])
	for i := range 3 {
		call("Append", nil, func(key cache.Key) error {
			token := cache.Token(tokenBuffer.hold("other token"))
			return write(cache.Write{Key: key, From: cache.Offer, Token: token}, cand(fmt.Sprintf("%d", i)))
		})
	}
	r.wantRung("Append", bells[0])
	r.wantRung("Append", bells[1])

	call("Read", nil, func(key cache.Key) error {
		out, _, err := r.node().Read(r.ctx, dst(), key, cache.Answer, 0, 9, form())
		if got := r.appended("Read", out, err); got != text(sdp("o0"), cand("0")) {
			r.Errorf("Read: got %q (%s), want %q", got, said(err), text(sdp("o0"), cand("0")))
		}
		return err
	})
	call("Write that reads", custerrors.SdpNoValues, func(key cache.Key) error {
		token := cache.Token(tokenBuffer.hold("other token"))
		return write(cache.Write{Key: key, From: cache.Offer, Token: token, Limit: 9, Form: form()}, cand("x"))
	})
	call("Touch", nil, func(key cache.Key) error { _, err := r.node().Touch(r.ctx, key); return err })
	call("Take", nil, func(key cache.Key) error {
		_, err := r.node().Take(r.ctx, nil, cache.Take{Key: key, To: cache.Answer, Kind: cache.SDP, Limit: 1, Form: form()})
		return err
	})
	r.wantTake("some key", cache.Answer, cache.Candidate, 9, cand("0"))
	call("End", nil, func(key cache.Key) error { return r.node().End(r.ctx, key) })
	r.wantRung("End", bells[0])
	r.wantRung("End", bells[1])
	r.wantDead(custerrors.KeyIsExpired, "some key")

	for _, bell := range bells { // the third does not hang any more, which is no error
		call("Unhang", nil, func(key cache.Key) error { store.Unhang(key, cache.Answer, bell); return nil })
	}
	r.open("some key", sdp("p"))
	r.wantStaySilent("Open after Unhang", bells...)
	r.wantError("Touch ########", r.touch("########"), custerrors.KeyNotFound)
}
