package redis

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"signal-server/cache"
	"signal-server/custerrors"
)

// counts are what a node tells of itself, see cache.Stats: what it has asked the servers for, and not what they hold. They are atomic.
type counts struct {
	opened, answered, completed, ended atomic.Int64

	trips, failed atomic.Int64
	took          cache.Durations
}

// timedShare is one in how many trips is timed: two looks at the clock are 1 % of what a trip costs a node.
const timedShare = 16

// do runs the script on the server, and returns the answer: text, texts, an epoch, or an error of the contract. It waits no longer
// than the timeout, whatever state the server is in.
//
// hot: every call comes here.
func (s *Store) do(sc *script, r request) (rueidis.RedisMessage, error) {
	var began time.Time
	if rand.Uint32N(timedShare) == 0 { // #nosec G404 -- a sample
		began = time.Now()
	}
	answer, err := s.ask(sc, r)
	s.counts.trips.Add(1)
	if !began.IsZero() {
		s.counts.took.Observe(time.Since(began))
	}
	if _, refused := err.(custerrors.Error); err != nil && !refused { // a refusal is an answer, and bare
		s.counts.failed.Add(1)
	}
	return answer, err
}

// wrote counts what a write that succeeded has done to its session. A write that is repeated with its token counts again, because
// only the server knows that it was repeated.
func (c *counts) wrote(w *cache.Write) {
	if w.Opens {
		c.opened.Add(1)
	}
	if w.From == cache.Answer && w.Batch.HasSDP() {
		c.answered.Add(1)
	}
}

// gave counts an sdp that was given to role to. The offerer gets its sdp last, so that this completes the session.
func (c *counts) gave(to cache.Role) {
	if to == cache.Offer {
		c.completed.Add(1)
	}
}

// Stats implements cache.Store. Expired, Live, Held and Budget are not known here: the servers themselves tell what they hold. How long
// answers took is not known either, because the node that puts the answer seldom knows when the session was opened.
func (s *Store) Stats() cache.Stats {
	c := &s.counts
	return cache.Stats{
		Opened: c.opened.Load(), Answered: c.answered.Load(), Completed: c.completed.Load(), Ended: c.ended.Load(),
		Expired: cache.Unknown, Live: cache.Unknown, Held: cache.Unknown, Budget: cache.Unknown,
		Overdrawn: s.accounts.overdrawn(),
		Trips:     c.trips.Load(), Failed: c.failed.Load(), Tripping: c.took.Distribution(),
	}
}
