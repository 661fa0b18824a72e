package cachetest

import (
	"signal-server/cache"
	"signal-server/custerrors"
)

// binds changes each Write before it is made.
func (b *broken) binds(change func(w *cache.Write)) {
	b.appends(change)
	b.open, b.swap = b.append, b.append
}

// tokenFaults are about what a token is bound to, and about takes that are repeated.
var tokenFaults = []fault{
	{
		name:    "a write's token is bound to nothing",
		breaks:  func(b *broken) { b.binds(func(w *cache.Write) { w.Route, w.Body = "", nil }) },
		foundBy: []string{"token/of a write is bound to route and body", "token/of another request, nothing is written"},
	},
	{
		name:    "a write's token is bound to the route only",
		breaks:  func(b *broken) { b.binds(func(w *cache.Write) { w.Body = nil }) },
		foundBy: []string{"token/of a write is bound to route and body", "model/any sequence of calls has the model's answers"},
	},
	{
		name:    "a write's token is bound to route and body without a border",
		breaks:  func(b *broken) { b.binds(func(w *cache.Write) { w.Route, w.Body = w.Route+string(w.Body), nil }) },
		foundBy: []string{"token/of a write is bound to route and body"},
	},
	{
		name: "ignores the tokens of takes",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				t.Token = ""
				return b.model.Take(ctx, dst, t)
			}
		},
		foundBy: []string{
			"token/take repeated gets the same", "token/of a take that got nothing is free", "token/of every take is remembered",
			"token/of a take that waits", "parallel/takers with one token get the same", "model/any sequence of calls has the model's answers",
			"linear/calls on one session", "token/of a take is of one role and one session",
		},
	},
	{
		name: "a take's token is bound to nothing",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				t.Route = ""
				return b.model.Take(ctx, dst, t)
			}
		},
		foundBy: []string{"token/of a take is bound to its route"},
	},
	{
		name: "remembers the token of a take that got nothing",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				out, err := b.model.Take(ctx, dst, t)
				if t.Token != "" && err != nil {
					b.in(t.Key, func(s *session) { s.use(t.To, t.Token, use{route: t.Route, took: t.Kind}) })
				}
				return out, err
			}
		},
		foundBy: []string{"token/of a take that got nothing is free"},
	},
	{
		name: "a take's token serves both roles",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				other := false
				b.in(t.Key, func(s *session) { other = s.has(t.To.Other(), t.Token) })
				if other {
					return dst, custerrors.IdempotencyKeyIsReused
				}
				return b.model.Take(ctx, dst, t)
			}
		},
		foundBy: []string{"token/of a take is of one role and one session"},
	},
	{
		name: "remembers a hundred tokens",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				b.in(t.Key, func(s *session) {
					for old := range s.used {
						if len(s.used) > 100 && old.by == t.To {
							delete(s.used, old)
						}
					}
				})
				return b.model.Take(ctx, dst, t)
			}
		},
		foundBy: []string{"token/of every take is remembered"},
	},
	{
		name: "looks for a take's token first, and takes later",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				known := false
				b.in(t.Key, func(s *session) { known = s.has(t.To, t.Token) })
				yield()
				if !known {
					b.in(t.Key, func(s *session) { delete(s.used, stamp{t.To, t.Token}) })
				}
				return b.model.Take(ctx, dst, t)
			}
		},
		foundBy: []string{"parallel/takers with one token get the same"},
	},
}
