package cachetest

import (
	"signal-server/cache"
	"signal-server/custerrors"
)

// reads makes the fault in what Read returns.
func (b *broken) reads(change func(dst, out []byte, after, next cache.Cursor, err error) ([]byte, cache.Cursor, error)) {
	b.read = func(dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form) ([]byte, cache.Cursor, error) {
		out, next, err := b.model.Read(ctx, dst, key, to, after, limit, form)
		return change(dst, out, after, next, err)
	}
}

// untake makes Take hand out what it has taken again, if again says so.
func (b *broken) untake(again func() bool) {
	b.take = func(dst []byte, t cache.Take) ([]byte, error) {
		var was sessionLog
		b.in(t.Key, func(s *session) { was = *s.logs[t.To.Other()] })
		out, err := b.model.Take(ctx, dst, t)
		if again() {
			b.in(t.Key, func(s *session) { l := s.logs[t.To.Other()]; l.sdpTaken, l.taken = was.sdpTaken, was.taken })
		}
		return out, err
	}
}

var exchangeFaults = []fault{
	{
		name: "an exchange only appends",
		breaks: func(b *broken) {
			b.swap = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				w.Opens = false
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{"exchange/a handshake", "exchange/opens, and else appends", "exchange/ttl asked for and ttl given"},
	},
	{
		name: "an exchange is a write and then a read",
		breaks: func(b *broken) {
			b.swap = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				after := w.After
				w.After = 0
				if _, _, err := b.model.write(nil, w); err != nil && err != custerrors.SdpNoValues {
					return dst, after, err
				}
				yield()
				return b.model.Read(ctx, dst, w.Key, w.From, after, w.Limit, w.Form)
			}
		},
		foundBy: []string{
			"exchange/its cursor is looked at first", "linear/calls on one session", "model/any sequence of calls has the model's answers",
		},
	},
	{
		name: "a refused exchange reads all the same",
		breaks: func(b *broken) {
			b.swap = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				out, next, err := b.model.write(dst, w)
				if err == custerrors.SdpAlreadyExist || err == custerrors.QueueIsFull {
					out, next, _ = b.model.Read(ctx, dst, w.Key, w.From, w.After, w.Limit, w.Form)
				}
				return out, next, err
			}
		},
		foundBy: []string{"exchange/refused, it writes and reads nothing"},
	},
	{
		name: "a repeated exchange reads nothing",
		breaks: func(b *broken) {
			b.swap = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				repeated := false
				b.in(w.Key, func(s *session) { repeated = s.has(w.From, w.Token) })
				if repeated {
					return dst, w.After, custerrors.CandidateNoValues
				}
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{"exchange/repeated, it reads again"},
	},
	{
		name: "an exchange of no messages says nothing",
		breaks: func(b *broken) {
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				out, _, err := b.model.write(dst, w)
				return out, w.After, err
			}
			b.open = b.append
		},
		foundBy: []string{"exchange/of no messages, it says where it wrote"},
	},
	{
		name: "an exchange does not ring",
		breaks: func(b *broken) {
			b.deaf, b.ring = true, func(_ string, key cache.Key, to cache.Role) { b.board.Ring(key, to, cache.News{}) }
		},
		foundBy: []string{"exchange/rings as a write does"},
	},
}

var readFaults = []fault{
	{
		name:    "a take takes nothing",
		breaks:  func(b *broken) { b.untake(func() bool { return true }) },
		foundBy: []string{"take/sdp once", "take/candidates in order, at most the limit", "wait/of two takers one has the payload"},
	},
	{
		name:   "now and then a take takes nothing",
		breaks: func(b *broken) { b.untake(func() bool { return b.nowAndThen(3) }) },
		foundBy: []string{
			"parallel/8 takers, 4 posters, each payload once", "parallel/the sdp goes to one taker", "linear/calls on one session",
			"model/any sequence of calls has the model's answers",
		},
	},
	{
		name: "a take has no limit",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				t.Limit = cache.MaxLog
				return b.model.Take(ctx, dst, t)
			}
		},
		foundBy: []string{
			"take/candidates in order, at most the limit", "take/what comes later", "take/of none says whether there is something",
			"wait/a client that has left takes nothing",
		},
	},
	{
		name: "a take waits for the sdp",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				if _, _, err := b.model.Read(ctx, nil, t.Key, t.To, 0, 1, t.Form); err != nil {
					return dst, err
				}
				return b.model.Take(ctx, dst, t)
			}
		},
		foundBy: []string{"take/candidates do not wait for their sdp"},
	},
	{
		name: "what is taken is gone, and leaves room",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				out, err := b.model.Take(ctx, dst, t)
				b.in(t.Key, func(s *session) { l := s.logs[t.To.Other()]; l.candidates, l.taken = l.candidates[l.taken:], 0 })
				return out, err
			}
		},
		foundBy: []string{"append/what is taken still counts", "read/does not take and is not taken from"},
	},
	{
		name: "a failed take leaves something in dst",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				out, err := b.model.Take(ctx, dst, t)
				if err != nil {
					out = append(out, t.Form.SDP...)
				}
				return out, err
			}
		},
		foundBy: []string{
			"take/sdp once", "wait/Close ends it at once", "wait/its context ends it at once",
			"wait/End ends it at once", "wait/who is not first sees the session end",
		},
	},
	{
		name: "a read has one message more than its limit",
		breaks: func(b *broken) {
			b.read = func(dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form) ([]byte, cache.Cursor, error) {
				return b.model.Read(ctx, dst, key, to, after, limit+1, form)
			}
		},
		foundBy: []string{"read/from each cursor, each limit, again and again"},
	},
	{
		name: "candidates do not wait for their sdp",
		breaks: func(b *broken) {
			b.read = func(dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form) ([]byte, cache.Cursor, error) {
				out, next, err := b.model.Read(ctx, dst, key, to, after, limit, form)
				if err == custerrors.SdpNoValues {
					b.in(key, func(s *session) {
						for _, c := range s.logs[to.Other()].candidates {
							out, err = append(append(append(out, form.Candidate...), c...), form.After...), nil
						}
					})
				}
				return out, next, err
			}
		},
		foundBy: []string{"read/candidates wait for their sdp"},
	},
	{
		name: "nothing new begins at the beginning again",
		breaks: func(b *broken) {
			b.reads(func(_, out []byte, _, next cache.Cursor, err error) ([]byte, cache.Cursor, error) {
				if err != nil {
					next = 0
				}
				return out, next, err
			})
		},
		foundBy: []string{"read/a cursor that found nothing goes on", "wait/is over when it is"},
	},
	{
		name: "nothing is behind the end",
		breaks: func(b *broken) {
			b.reads(func(_, out []byte, _, next cache.Cursor, err error) ([]byte, cache.Cursor, error) {
				if err == custerrors.CursorIsInvalid {
					err = custerrors.CandidateNoValues
				}
				return out, next, err
			})
		},
		foundBy: []string{"read/a cursor behind the end", "wait/what is there comes at once"},
	},
	{
		name: "any epoch will do",
		breaks: func(b *broken) {
			b.read = func(dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form) ([]byte, cache.Cursor, error) {
				b.in(key, func(s *session) { after = cache.NewCursor(s.epoch, after.Position()) })
				return b.model.Read(ctx, dst, key, to, after, limit, form)
			}
		},
		foundBy: []string{"read/a cursor of another session", "open/the key can be used again", "wait/what is there comes at once"},
	},
	{
		name: "each log has an epoch of its own",
		breaks: func(b *broken) {
			b.read = func(dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form) ([]byte, cache.Cursor, error) {
				own := cache.NewCursor(uint64(to), 0)
				if after != 0 {
					after ^= own
				}
				out, next, err := b.model.Read(ctx, dst, key, to, after, limit, form)
				return out, next ^ own, err
			}
		},
		foundBy: []string{"read/a cursor serves the other log, too"},
	},
	{
		name: "a separator at the end",
		breaks: func(b *broken) {
			b.read = func(dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form) ([]byte, cache.Cursor, error) {
				out, next, err := b.model.Read(ctx, dst, key, to, after, limit, form)
				if err == nil {
					out = append(out, form.Separator...)
				}
				return out, next, err
			}
		},
		foundBy: []string{"form/all fields, all combinations"},
	},
	{
		name: "writes over dst when that is long enough",
		breaks: func(b *broken) {
			b.reads(func(dst, out []byte, _, next cache.Cursor, err error) ([]byte, cache.Cursor, error) {
				if err == nil && cap(dst) > 1000 {
					copy(out, out[len(dst):])
				}
				return out, next, err
			})
		},
		foundBy: []string{"dst/grows and is not kept"},
	},
	{
		name: "a key that nobody knows has no values",
		breaks: func(b *broken) {
			b.reads(func(_, out []byte, _, next cache.Cursor, err error) ([]byte, cache.Cursor, error) {
				if err == custerrors.KeyNotFound {
					err = custerrors.SdpNoValues
				}
				return out, next, err
			})
			b.touch = func(key cache.Key) (cache.Lease, error) {
				lease, err := b.model.Touch(ctx, key)
				if err == custerrors.KeyNotFound {
					return cache.Lease{TTL: b.limits.TTL, Left: b.limits.Lifetime}, nil
				}
				return lease, err
			}
		},
		foundBy: []string{"open/nothing before it", "wait/not before the session is open, if not asked to"},
	},
}

var epochFaults = []fault{
	{
		name: "a take minds no epoch",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				t.In = 0
				return b.model.Take(ctx, dst, t)
			}
		},
		foundBy: []string{
			"take/of the session that is meant, and of no other", "wait/goes on in the session it was for",
			"model/any sequence of calls has the model's answers",
		},
	},
	{
		name: "all sessions of a key are one",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				t.In = 0
				return b.model.Take(ctx, dst, t)
			}
			b.read = func(dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form) ([]byte, cache.Cursor, error) {
				b.in(key, func(s *session) { after = cache.NewCursor(s.epoch, after.Position()) })
				return b.model.Read(ctx, dst, key, to, after, limit, form)
			}
			b.touch = func(key cache.Key) (cache.Lease, error) {
				lease, err := b.model.Touch(ctx, key)
				lease.Epoch = 42
				return lease, err
			}
		},
		foundBy: []string{"touch/names the session", "wait/is for the session it began with", "wait/goes on in the session it was for"},
	},
}
