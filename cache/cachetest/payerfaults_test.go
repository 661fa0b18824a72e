package cachetest

import (
	"signal-server/cache"
)

// pays makes the fault in who pays for what a write does.
func (b *broken) pays(change func(*cache.Write)) {
	b.appends(change)
	b.open = b.append
}

var payerFaults = []fault{
	{
		name:   "nobody pays",
		breaks: func(b *broken) { b.pays(func(w *cache.Write) { w.Payer = cache.Payer{} }) },
		foundBy: []string{
			"payer/up to the share and not one session more", "payer/a share is its own", "payer/what is written later counts",
		},
	},
	{
		name: "one share for all",
		breaks: func(b *broken) {
			b.pays(func(w *cache.Write) {
				if w.Payer != (cache.Payer{}) {
					w.Payer = alice
				}
			})
		},
		foundBy: []string{"payer/a share is its own", "payer/who opens pays for both"},
	},
	{
		name: "tells payers apart by their first half",
		breaks: func(b *broken) {
			b.pays(func(w *cache.Write) { clear(w.Payer[8:]) })
		},
		foundBy: []string{"payer/up to the share and not one session more"},
	},
	{
		name: "who has no payer has one",
		breaks: func(b *broken) {
			b.pays(func(w *cache.Write) {
				if w.Payer == (cache.Payer{}) {
					w.Payer[0] = 1
				}
			})
		},
		foundBy: []string{"payer/a share is its own"},
	},
	{
		name: "who writes pays for all of it",
		breaks: func(b *broken) {
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				if w.Payer != (cache.Payer{}) {
					b.in(w.Key, func(s *session) { s.payer = w.Payer })
				}
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{"payer/who opens pays for both"},
	},
	{
		name: "three full sessions",
		breaks: func(b *broken) {
			b.costOf = func(s *session) int { return s.cost() * 4 / 3 }
		},
		foundBy: []string{"payer/four full sessions, however small the share"},
	},
	{
		name: "what is written later is free",
		breaks: func(b *broken) {
			b.costOf = func(*session) int { return modelEach + modelAside }
			size := b.sizeOf
			b.append = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				b.sizeOf = func(*cache.Batch) int { return 0 }
				defer func() { b.sizeOf = size }()
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{"payer/what is written later counts"},
	},
	{
		name: "an end gives nothing back",
		breaks: func(b *broken) {
			ended := 0
			b.end = func(key cache.Key) error {
				b.in(key, func(*session) { ended++ })
				return b.model.End(ctx, key)
			}
			b.costOf = func(s *session) int {
				if s.size == 0 { // the session that opens
					return s.cost() + ended*(modelEach+modelAside)
				}
				return s.cost()
			}
		},
		foundBy: []string{"payer/an end gives back as much as its session took", "parallel/a payer's share is exact"},
	},
	{
		name: "what has expired counts on",
		breaks: func(b *broken) {
			b.costOf = func(s *session) int {
				cost := s.cost()
				for key := range b.sessions {
					if live, _ := b.peekLocked(key); !live && s.size == 0 { // the session that opens counts them, too
						cost += modelEach + modelAside
					}
				}
				return cost
			}
		},
		foundBy: []string{"payer/what has expired counts no more"},
	},
	{
		name: "a repeated open is paid again",
		breaks: func(b *broken) {
			b.open = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				b.in(w.Key, func(s *session) { s.size += modelEach + modelAside })
				return b.model.write(dst, w)
			}
		},
		foundBy: []string{"payer/a repeated open is paid once"},
	},
	{
		name: "what is set aside is so for ever",
		breaks: func(b *broken) {
			b.costOf = func(s *session) int { return modelEach + max(s.size, modelAside) }
		},
		foundBy: []string{"payer/what is set aside is given back where little is written"},
	},
	{
		name: "there is always a share",
		breaks: func(b *broken) {
			if b.limits.ClientMemory == (cache.Share{}) {
				b.limits.ClientMemory.Bytes = 1
			}
		},
		foundBy: []string{"payer/without a share nobody is bounded"},
	},
}
