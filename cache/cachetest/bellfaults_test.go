package cachetest

import (
	"bytes"
	"sync"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// hears rings the bells only where ring says so.
func (b *broken) hears(ring func(what string, to cache.Role) bool) {
	b.deaf = true
	b.ring = func(what string, key cache.Key, to cache.Role) {
		if ring(what, to) {
			b.board.Ring(key, to, cache.News{})
		}
	}
}

var bellFaults = []fault{
	{
		name:   "does not ring for writes",
		breaks: func(b *broken) { b.hears(func(what string, _ cache.Role) bool { return what != "append" }) },
		foundBy: []string{
			"bell/rings when the other role writes", "bell/rung when the news can be read", "wait/news ends it", "key/hostile ones never mix",
			"wait/of both roles, before the session is open", "wait/of those that take the last to begin is first",
			"wait/behind one that takes no more the next one takes", "sleeper/a ring before it sleeps",
			"sleeper/knows which of its waits has rung",
		},
	},
	{
		name:   "does not ring at Open",
		breaks: func(b *broken) { b.hears(func(what string, _ cache.Role) bool { return what != "open" }) },
		foundBy: []string{
			"bell/rings both roles when a session opens", "wait/before the session is open, if asked to", "arguments/are not kept",
			"wait/for the key's next session, if asked to",
		},
	},
	{
		name: "does not ring for the offerer at Open",
		breaks: func(b *broken) {
			b.hears(func(what string, to cache.Role) bool { return what != "open" || to == cache.Answer })
		},
		foundBy: []string{"bell/rings both roles when a session opens"},
	},
	{
		name: "does not ring for the answerer at End",
		breaks: func(b *broken) {
			b.hears(func(what string, to cache.Role) bool { return what != "end" || to == cache.Offer })
		},
		foundBy: []string{"bell/rings both roles at End", "wait/End ends it at once"},
	},
	{
		name:   "now and then a ring is lost",
		breaks: func(b *broken) { b.hears(func(string, cache.Role) bool { return !b.nowAndThen(51) }) },
		foundBy: []string{
			"wakeup/there and back", "wakeup/waiting for Open", "wakeup/waiting for End", "wakeup/many readers behind one writer",
		},
	},
	{
		name: "rings before it writes",
		breaks: func(b *broken) {
			b.deaf, b.ring = true, func(string, cache.Key, cache.Role) {}
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				b.board.Ring(w.Key, w.From.Other(), cache.News{})
				yield()
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{"bell/rung when the news can be read", "wakeup/there and back"},
	},
	{
		name:    "Unhang leaves the bell",
		breaks:  func(b *broken) { b.unhang = func(cache.Key, cache.Role, cache.Bell) {} },
		foundBy: []string{"bell/all that hang, until unhung", "arguments/are not kept", "sleeper/is not woken twice, nor after the end"},
	},
}

// says changes what rings say, where that is more than "look again".
func (b *broken) says(change func(cache.News) cache.News) {
	b.tells = func(n cache.News) cache.News {
		if len(n.Frames) == 0 {
			return n
		}
		return change(n)
	}
}

var newsFaults = []fault{
	{
		name:    "a ring says where its news end, not where they begin",
		breaks:  func(b *broken) { b.says(func(n cache.News) cache.News { n.At++; return n }) },
		foundBy: []string{"bell/what it says is so"},
	},
	{
		name: "a ring tells of another session",
		breaks: func(b *broken) {
			b.says(func(n cache.News) cache.News { n.At ^= 1 << 16; return n })
		},
		foundBy: []string{"bell/what it says is so"},
	},
	{
		name: "a ring with news tells only that there is a session",
		breaks: func(b *broken) {
			b.says(func(n cache.News) cache.News { n.Frames = nil; return n })
		},
		foundBy: []string{"bell/what it says is so"},
	},
	{
		name: "a ring tells half of its news",
		breaks: func(b *broken) {
			b.says(func(n cache.News) cache.News {
				if _, rest, _ := cache.NextFrame(n.Frames); len(rest) > 0 {
					n.At, n.Frames = n.At+1, rest
				}
				return n
			})
		},
		foundBy: []string{"bell/what it says is so"},
	},
	{
		name: "a ring tells of candidates that are held back",
		breaks: func(b *broken) {
			b.tells = func(n cache.News) cache.News { return n }
			b.deaf, b.ring = true, func(string, cache.Key, cache.Role) {}
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				dst, next, err := b.model.write(dst, w)
				b.in(w.Key, func(s *session) {
					b.board.Ring(w.Key, w.From.Other(), cache.News{At: cache.NewCursor(s.epoch, 0), Frames: bytes.Clone(w.Batch.Frames())})
				})
				return dst, next, err
			}
		},
		foundBy: []string{"bell/what it says is so", "wait/news ends it"},
	},
}

var timeFaults = []fault{
	{
		name: "a ttl is what was asked for",
		breaks: func(b *broken) {
			b.open = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				dst, next, err := b.model.write(dst, w)
				if w.TTL > 0 {
					b.in(w.Key, func(s *session) { s.ttl = min(w.TTL, 24*time.Hour) })
				}
				return dst, next, err
			}
		},
		foundBy: []string{"time/ttl asked for and ttl given"},
	},
	{
		name: "the least ttl is given, even where it is more than the most",
		breaks: func(b *broken) {
			b.open = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				dst, next, err := b.model.write(dst, w)
				b.in(w.Key, func(s *session) { s.ttl = max(s.ttl, cache.MinTTL) })
				return dst, next, err
			}
		},
		foundBy: []string{"time/ttl where the most is less than the least"},
	},
	{
		name: "a refusal does not renew",
		breaks: func(b *broken) {
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				var was time.Time
				b.in(w.Key, func(s *session) { was = s.renewed })
				dst, next, err := b.model.write(dst, w)
				if err != nil {
					b.in(w.Key, func(s *session) { s.renewed = was })
				}
				return dst, next, err
			}
		},
		foundBy: []string{"time/every valid request renews"},
	},
	{
		name: "only writes renew",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				var was time.Time
				b.in(t.Key, func(s *session) { was = s.renewed })
				out, err := b.model.Take(ctx, dst, t)
				b.in(t.Key, func(s *session) { s.renewed = was })
				return out, err
			}
			b.touch = func(key cache.Key) (lease cache.Lease, err error) {
				var was time.Time
				b.in(key, func(s *session) { was = s.renewed })
				lease, err = b.model.Touch(ctx, key)
				b.in(key, func(s *session) { s.renewed = was })
				return lease, err
			}
		},
		foundBy: []string{"wait/keeps the session alive", "time/every valid request renews"},
	},
	{
		name: "life begins anew with each request",
		breaks: func(b *broken) {
			b.looks(func(key cache.Key) {
				if _, err := b.model.Touch(ctx, key); err == nil {
					b.in(key, func(s *session) { s.opened = time.Now() })
				}
			})
		},
		foundBy: []string{
			"time/lifetime is absolute", "time/lifetime shorter than ttl", "time/a lease says how long", "wait/the lifetime ends it at once",
		},
	},
	{
		name: "who asks for an ended session prolongs its memory",
		breaks: func(b *broken) {
			b.looks(func(key cache.Key) {
				if _, err := b.model.Touch(ctx, key); err == custerrors.KeyIsExpired {
					b.mu.Lock()
					b.ended[key] = time.Now()
					b.mu.Unlock()
				}
			})
		},
		foundBy: []string{"time/an end is remembered for so long"},
	},
	{
		name: "the first end counts",
		breaks: func(b *broken) {
			first := make(map[cache.Key]time.Time)
			b.looks(func(key cache.Key) {
				_, err := b.model.Touch(ctx, key)
				b.mu.Lock()
				defer b.mu.Unlock()
				if at, ok := first[key]; ok && err == custerrors.KeyIsExpired {
					b.ended[key] = at
				} else if err == custerrors.KeyIsExpired {
					first[key] = b.ended[key]
				}
			})
			b.end = func(key cache.Key) error {
				err := b.model.End(ctx, key)
				b.mu.Lock()
				defer b.mu.Unlock()
				if _, ok := first[key]; !ok && err == nil {
					first[key] = b.ended[key]
				}
				return err
			}
		},
		foundBy: []string{"time/the latest end counts"},
	},
}

// raceFaults look first and act later. Each call is right if no other one comes in between.
var raceFaults = []fault{
	{
		name: "takes what another taker has just seen, too",
		breaks: func(b *broken) {
			b.take = func(dst []byte, t cache.Take) ([]byte, error) {
				var was sessionLog
				b.in(t.Key, func(s *session) { was = *s.logs[t.To.Other()] })
				yield()
				b.in(t.Key, func(s *session) { l := s.logs[t.To.Other()]; l.sdpTaken, l.taken = was.sdpTaken, was.taken })
				return b.model.Take(ctx, dst, t)
			}
		},
		foundBy: []string{"parallel/8 takers, 4 posters, each payload once", "parallel/the sdp goes to one taker", "linear/calls on one session"},
	},
	{
		name: "opens what another has just opened, too",
		breaks: func(b *broken) {
			b.open = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				if _, err := b.model.Touch(ctx, w.Key); err == nil {
					return b.model.write(dst, w)
				}
				yield()
				b.mu.Lock()
				delete(b.sessions, w.Key)
				b.mu.Unlock()
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{"parallel/one Write that opens wins"},
	},
	{
		name: "counts before it adds",
		breaks: func(b *broken) {
			var mu sync.Mutex // of the limit
			limit := b.limits.Candidates
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				has, applied := 0, false
				b.in(w.Key, func(s *session) { has, applied = len(s.logs[w.From].candidates), s.has(w.From, w.Token) })
				if applied {
					return refused(dst, w, nil)
				}
				yield()
				if has+w.Batch.Candidates() > limit {
					return refused(dst, w, custerrors.QueueIsFull)
				}
				mu.Lock()
				defer mu.Unlock()
				b.limits.Candidates = cache.MaxLog
				b.in(w.Key, func(s *session) { delete(s.used, stamp{w.From, w.Token}) })
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{"parallel/the limit is exact", "parallel/a write repeated at once is applied once"},
	},
}
