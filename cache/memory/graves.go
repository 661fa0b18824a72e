package memory

import (
	"time"

	"signal-server/cache"
)

const (
	graveBytes = 16
	// gravesShare is the part of the memory that remembers ended sessions. With 1 GiB it remembers 131,072 of them, so that at
	// 1,000 ends a second about one in a thousand is forgotten before its time.
	gravesShare = 512
	bucketSize  = 8
	minBuckets  = 16 // in each stripe: 64 KiB in all
)

// graves remembers which sessions have ended within cache.Grace, in fixed memory: a hash table of buckets in which the newest
// displaces the oldest.
type graves []bucket

type bucket [bucketSize]grave

type grave struct {
	lo uint64        // the lower half of the id, 0 in an empty one
	at time.Duration // when it ended
}

func newGraves(memory int) graves {
	return make(graves, max(minBuckets, memory/gravesShare/graveBytes/bucketSize))
}

// bucket picks by other bits of the id than those that picked the stripe.
func (g graves) bucket(k id) *bucket { return &g[(k.hi>>32)%uint64(len(g))] }

func (g graves) bury(k id, at time.Duration) {
	b := g.bucket(k)
	oldest := &b[0]
	for i := range b {
		if b[i].lo == k.lo {
			oldest = &b[i]
			break
		}
		if oldest.lo != 0 && (b[i].lo == 0 || b[i].at < oldest.at) {
			oldest = &b[i]
		}
	}
	*oldest = grave{lo: k.lo, at: at}
}

func (g graves) holds(k id, now time.Duration) bool {
	for _, grave := range g.bucket(k) {
		if grave.lo == k.lo && k.lo != 0 && now-grave.at < cache.Grace {
			return true
		}
	}
	return false
}
