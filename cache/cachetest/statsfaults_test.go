package cachetest

import "signal-server/cache"

var statsFaults = []fault{
	{
		name:    "counts what is opened as answered",
		breaks:  func(b *broken) { b.stats = func(s *cache.Stats) { s.Answered = s.Opened } },
		foundBy: []string{"stats/what happens to a session is counted once", "stats/an exchange counts as what it does"},
	},
	{
		name: "counts refused opens",
		breaks: func(b *broken) {
			refused := int64(0)
			b.open = func(dst []byte, w cache.Write) ([]byte, cache.Cursor, error) {
				dst, next, err := b.model.write(dst, w)
				if err != nil {
					refused++
				}
				return dst, next, err
			}
			b.stats = func(s *cache.Stats) { s.Opened += refused }
		},
		foundBy: []string{"stats/what is refused is not counted"},
	},
	{
		name:    "completed when it is answered",
		breaks:  func(b *broken) { b.stats = func(s *cache.Stats) { s.Completed = s.Answered } },
		foundBy: []string{"stats/what happens to a session is counted once", "stats/an exchange counts as what it does"},
	},
	{
		name: "an expiry counts as an end",
		breaks: func(b *broken) {
			b.stats = func(s *cache.Stats) { s.Ended, s.Expired = s.Ended+s.Expired, 0 }
		},
		foundBy: []string{"stats/what expires is counted"},
	},
	{
		name:    "live ones are those opened",
		breaks:  func(b *broken) { b.stats = func(s *cache.Stats) { s.Live = s.Opened } },
		foundBy: []string{"stats/what happens to a session is counted once", "stats/what expires is counted"},
	},
	{
		name: "times of answers from the last request",
		breaks: func(b *broken) {
			b.stats = func(s *cache.Stats) { s.Answering.Sum /= 2 }
		},
		foundBy: []string{"stats/what expires is counted"},
	},
	{
		name: "what ended is held",
		breaks: func(b *broken) {
			most := int64(0)
			b.stats = func(s *cache.Stats) { most = max(most, s.Held); s.Held = most }
		},
		foundBy: []string{"stats/memory is given back"},
	},
}
