package cachetest

import (
	"bytes"
	"runtime"
	"slices"
	"strings"

	"signal-server/cache"
	"signal-server/custerrors"
)

// frames returns what is in the batch.
func frames(b *cache.Batch) (frames []cache.Frame) {
	for f, rest, ok := cache.NextFrame(b.Frames()); ok; f, rest, ok = cache.NextFrame(rest) {
		frames = append(frames, f)
	}
	return frames
}

// each returns the batch with its frames changed.
func each(b *cache.Batch, change func(*cache.Frame)) *cache.Batch {
	changed := frames(b)
	for i := range changed {
		change(&changed[i])
	}
	return batch(changed...)
}

// writes makes the fault in every write that reads nothing.
func (b *broken) writes(change func(*cache.Batch) *cache.Batch) {
	b.appends(func(w *cache.Write) { w.Batch = change(w.Batch) })
	b.open = b.append
}

// appends makes the fault in what a write that appends asks for.
func (b *broken) appends(change func(*cache.Write)) {
	b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
		change(&w)
		return b.model.write(dst, w)
	}
}

// looks makes the fault before each call that looks at a session.
func (b *broken) looks(fault func(key cache.Key)) {
	b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
		fault(w.Key)
		return b.model.write(dst, w)
	}
	b.take = func(dst []byte, t cache.Take) ([]byte, error) {
		fault(t.Key)
		return b.model.Take(ctx, dst, t)
	}
	b.read = func(dst []byte, key cache.Key, to cache.Role, after cache.Cursor, limit int, form *cache.Form) ([]byte, cache.Cursor, error) {
		fault(key)
		return b.model.Read(ctx, dst, key, to, after, limit, form)
	}
	b.touch = func(key cache.Key) (cache.Lease, error) {
		fault(key)
		return b.model.Touch(ctx, key)
	}
}

// faults are the ways in which a store may be wrong.
var faults = slices.Concat(
	openFaults, writeFaults, exchangeFaults, readFaults, epochFaults, bellFaults, newsFaults, timeFaults, raceFaults, statsFaults, payerFaults,
	tokenFaults,
)

type fault struct {
	name    string
	breaks  func(*broken)
	evicts  bool // the cramped store has the fault
	foundBy []string
}

var openFaults = []fault{
	{
		name: "everything once was",
		breaks: func(b *broken) {
			b.touch = func(key cache.Key) (cache.Lease, error) {
				lease, err := b.model.Touch(ctx, key)
				if err == custerrors.KeyNotFound {
					err = custerrors.KeyIsExpired
				}
				return lease, err
			}
		},
		foundBy: []string{"open/nothing before it", "key/hostile ones never mix", "time/an end is remembered for so long"},
	},
	{
		name: "opens over a live session",
		breaks: func(b *broken) {
			b.open = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				_ = b.model.End(ctx, w.Key)
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{
			"open/not twice", "open/a full batch does not disturb a live session", "token/open repeated", "parallel/one Write that opens wins",
		},
	},
	{
		name: "the offer's sdp opens, asked to or not",
		breaks: func(b *broken) {
			b.appends(func(w *cache.Write) { w.Opens = w.From == cache.Offer && w.Batch.HasSDP() })
		},
		foundBy: []string{"open/by either role, and only by a write that says so", "model/any sequence of calls has the model's answers"},
	},
	{
		name: "the answerer only appends",
		breaks: func(b *broken) {
			b.open = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				w.Opens = w.From == cache.Offer
				return b.model.write(dst, w)
			}
			b.swap = b.open
		},
		foundBy: []string{
			"open/by either role, and only by a write that says so", "linear/calls on one session",
			"model/any sequence of calls has the model's answers",
		},
	},
	{
		name:   "takes one candidate more",
		breaks: func(b *broken) { b.limits.Candidates++ },
		foundBy: []string{
			"open/candidates at the limit and over it", "append/candidates at the limit and over it", "append/the longest log",
			"parallel/the limit is exact",
		},
	},
	{
		name:    "takes one candidate less",
		breaks:  func(b *broken) { b.limits.Candidates-- },
		foundBy: []string{"open/candidates at the limit and over it", "append/candidates at the limit and over it"},
	},
	{
		name:    "takes one byte more",
		breaks:  func(b *broken) { b.limits.SessionBytes++ },
		foundBy: []string{"open/bytes at the limit and over it", "append/bytes at the limit and over it"},
	},
	{
		name:    "takes one byte less",
		breaks:  func(b *broken) { b.limits.SessionBytes-- },
		foundBy: []string{"open/bytes at the limit and over it", "append/bytes at the limit and over it"},
	},
	{
		name: "one epoch for all",
		breaks: func(b *broken) {
			b.open = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				dst, next, err := b.model.write(dst, w)
				b.in(w.Key, func(s *session) { s.epoch = 42 })
				return dst, next, err
			}
		},
		foundBy: []string{
			"open/the key can be used again", "open/each session has its epoch", "time/what expired can be opened again",
			"model/any sequence of calls has the model's answers",
		},
	},
	{
		name:    "does not end",
		breaks:  func(b *broken) { b.end = func(key cache.Key) error { _, err := b.model.Touch(ctx, key); return err } },
		foundBy: []string{"end/for both roles", "linear/calls on one session"},
	},
	{
		name: "is answered by a candidate",
		breaks: func(b *broken) {
			b.touch = func(key cache.Key) (cache.Lease, error) {
				lease, err := b.model.Touch(ctx, key)
				b.in(key, func(s *session) { lease.Answered = len(s.logs[cache.Answer].candidates) > 0 })
				return lease, err
			}
		},
		foundBy: []string{"touch/says whether it is answered", "model/any sequence of calls has the model's answers"},
	},
	{
		name: "a refused Open forgets the end",
		breaks: func(b *broken) {
			b.open = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				dst, next, err := b.model.write(dst, w)
				if err != nil && err != custerrors.SdpAlreadyExist {
					b.mu.Lock()
					delete(b.ended, w.Key)
					b.mu.Unlock()
				}
				return dst, next, err
			}
		},
		foundBy: []string{"end/a refused open changes nothing"},
	},
	{
		name:    "is never ready",
		breaks:  func(b *broken) { b.ready = custerrors.CacheOverrunMaxCost },
		foundBy: []string{"ready/a store with room is"},
	},
	{
		name:    "evicts the living",
		breaks:  func(*broken) {},
		evicts:  true,
		foundBy: []string{"full/no new session, live ones untouched, memory comes back"},
	},
}

var writeFaults = []fault{
	{
		name: "loses the last of several candidates",
		breaks: func(b *broken) {
			b.writes(func(in *cache.Batch) *cache.Batch {
				if in.Candidates() < 2 {
					return in
				}
				all := frames(in)
				return batch(all[:len(all)-1]...)
			})
		},
		foundBy: []string{
			"open/both roles see the session", "context/when it has ended a call returns, done or not done",
			"append/sdp before candidates, candidates in order",
			"parallel/8 takers, 4 posters, each payload once", "model/any sequence of calls has the model's answers",
			"linear/calls on one session",
		},
	},
	{
		name: "doubles a candidate",
		breaks: func(b *broken) {
			b.appends(func(w *cache.Write) {
				all := frames(w.Batch)
				w.Batch = batch(slices.Concat(all, cands(string(all[len(all)-1].Wire)))...)
			})
		},
		foundBy: []string{"parallel/many sessions, nothing lost, doubled or mixed", "append/sdp before candidates, candidates in order"},
	},
	{
		name:    "writes all to one log",
		breaks:  func(b *broken) { b.appends(func(w *cache.Write) { w.From = cache.Answer }) },
		foundBy: []string{"append/each role its own log"},
	},
	{
		name: "a second sdp replaces the first",
		breaks: func(b *broken) {
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				if w.Batch.HasSDP() {
					b.in(w.Key, func(s *session) { s.logs[w.From].sdp = nil })
				}
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{"append/sdp once", "append/errors have an order"},
	},
	{
		name: "adds what there is room for",
		breaks: func(b *broken) {
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				dst, next, err := b.model.write(dst, w)
				if err == custerrors.QueueIsFull {
					for _, f := range frames(w.Batch) {
						_, _, _ = b.model.write(nil, cache.Write{Key: w.Key, From: w.From, Batch: batch(f)})
					}
				}
				return dst, next, err
			}
		},
		foundBy: []string{"append/candidates at the limit and over it", "token/of a refused write is free", "linear/calls on one session"},
	},
	{
		name: "counts bytes before escaping",
		breaks: func(b *broken) {
			b.sizeOf = func(in *cache.Batch) (n int) {
				for _, f := range frames(in) {
					n += f.Size
				}
				return n
			}
		},
		foundBy: []string{"append/bytes count as stored"},
	},
	{
		name: "trims payloads",
		breaks: func(b *broken) {
			b.writes(func(in *cache.Batch) *cache.Batch {
				return each(in, func(f *cache.Frame) { f.Wire = bytes.TrimSpace(f.Wire) })
			})
		},
		foundBy: []string{"payload/comes back byte for byte"},
	},
	{
		name: "cuts payloads at 64 KiB",
		breaks: func(b *broken) {
			b.writes(func(in *cache.Batch) *cache.Batch {
				return each(in, func(f *cache.Frame) { f.Wire = f.Wire[:min(len(f.Wire), 1<<16-1)] })
			})
		},
		foundBy: []string{"payload/as long as they come"},
	},
	{
		name: "names the other limit first",
		breaks: func(b *broken) {
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				if w.Batch.Size() > b.limits.SessionBytes {
					return refused(dst, w, custerrors.BodyIsTooLong)
				}
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{"append/errors have an order", "token/append repeated"},
	},
	{
		name:   "ignores tokens",
		breaks: func(b *broken) { b.appends(func(w *cache.Write) { w.Token = "" }) },
		foundBy: []string{
			"token/append repeated", "token/open repeated", "token/all are remembered and none mistaken",
			"parallel/a write repeated at once is applied once",
		},
	},
	{
		name: "a token serves both roles",
		breaks: func(b *broken) {
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				applied := false
				b.in(w.Key, func(s *session) { applied = s.has(w.From.Other(), w.Token) })
				if applied {
					return refused(dst, w, nil)
				}
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{"token/of one role"},
	},
	{
		name: "remembers the token of a refused write",
		breaks: func(b *broken) {
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				dst, next, err := b.model.write(dst, w)
				if w.Token != "" {
					b.in(w.Key, func(s *session) { s.used[stamp{w.From, w.Token}] = use{} })
				}
				return dst, next, err
			}
		},
		foundBy: []string{"token/of a refused write is free", "model/any sequence of calls has the model's answers"},
	},
	{
		name:    "takes tokens that begin alike for the same",
		breaks:  func(b *broken) { b.appends(func(w *cache.Write) { w.Token = w.Token[:min(len(w.Token), 63)] }) },
		foundBy: []string{"token/all are remembered and none mistaken"},
	},
	{
		name: "takes keys for strings of C",
		breaks: func(b *broken) {
			c := func(key cache.Key) cache.Key {
				before, _, _ := strings.Cut(string(key), "\x00")
				return cache.Key(before)
			}
			b.appends(func(w *cache.Write) { w.Key = c(w.Key) })
			b.open = b.append
			b.touch = func(key cache.Key) (cache.Lease, error) { return b.model.Touch(ctx, c(key)) }
		},
		foundBy: []string{"key/hostile ones never mix", "model/any sequence of calls has the model's answers"},
	},
	{
		name: "keeps the caller's key",
		breaks: func(b *broken) {
			b.open = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				dst, next, err := b.model.write(dst, w)
				b.in(w.Key, func(s *session) { delete(b.sessions, w.Key); b.sessions[w.Key] = s })
				return dst, next, err
			}
		},
		foundBy: []string{"arguments/are not kept"},
	},
}

// nowAndThen is true once in n times.
func (b *broken) nowAndThen(n int64) bool { return b.times.Add(1)%n == 0 }

// yield lets another goroutine run in between. A few hundred tries make that likely enough.
func yield() {
	for range 3 {
		runtime.Gosched()
	}
}
