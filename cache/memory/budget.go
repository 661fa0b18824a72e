package memory

import (
	"math"
	"sync/atomic"

	"signal-server/cache"
	"signal-server/custerrors"
)

const (
	// This part of the memory holds sessions. The rest is for what lies between the living: the dead that are not cleaned away
	// yet (deadShare), and the ends of chunks where the next entry did not fit (maxFragment of chunkBytes).
	sessionShare, ofMemory = 3, 4

	// New sessions may use this part of the budget. The rest is for sessions that outgrow what was set aside for them.
	openShare, ofBudget = 7, 8
)

// fullEntries returns the most bytes that the entries of one session can take.
func fullEntries(l *cache.Limits) int {
	messages := len(cache.Roles) * (1 + l.Candidates)
	receipts := 2 * messages // of who writes each of them, and of who takes it
	return l.SessionBytes + (messages+l.SessionBytes/maxFragment)*(headerBytes+queueBytes) + receipts*receiptBytes
}

// clientShare returns how many bytes the sessions of one payer may take of the budget; 0: any number.
func clientShare(c *Config) int64 {
	share := c.ClientMemory.Of(c.Memory)
	if share == 0 {
		return 0
	}
	return max(share/ofMemory*sessionShare, cache.FullSessions*(int64(fullEntries(&c.Limits))+recordCost))
}

// budget counts the bytes that sessions hold or have set aside. It is exact, one for the whole store, and safe for
// concurrent use.
type budget struct {
	// set at construction, in bytes
	open, total int64
	// atomic
	used atomic.Int64
}

func newBudget(memory int64) budget {
	total := memory / ofMemory * sessionShare
	return budget{open: total / ofBudget * openShare, total: total}
}

// take adds n bytes if the sum stays within mark (open or total), and reports whether it did.
func (b *budget) take(n, mark int64) bool {
	for {
		used := b.used.Load()
		if used+n > mark {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

func (b *budget) give(n int64) { b.used.Add(-n) }

// leastAside is what is set aside for a session that opens with little.
var leastAside = int64(cache.SetAside(0, math.MaxInt))

// full reports whether a session that opens with little would be refused.
func (b *budget) full() bool { return b.used.Load()+leastAside+recordCost > b.open }

// chargeLocked takes n bytes more for a session of the payer, if its share has them and the budget's sum stays within mark. The error is
// custerrors.TooManyRequests or CacheOverrunMaxCost.
func (s *stripe) chargeLocked(p cache.Payer, n, mark int64) error {
	if !s.ledger.Take(p, n) {
		return custerrors.TooManyRequests
	}
	if !s.budget.take(n, mark) {
		s.ledger.Give(p, n)
		return custerrors.CacheOverrunMaxCost
	}
	return nil
}

// refundLocked gives n bytes of a session of the payer back.
func (s *stripe) refundLocked(p cache.Payer, n int64) {
	s.ledger.Give(p, n)
	s.budget.give(n)
}

// settleLocked gives back what is set aside for the session and remains no longer. It is called once, cache.SetAsideFor after the opening.
func (s *stripe) settleLocked(r *record) {
	r.settled = true
	before := r.cost()
	r.reserved = uint32(cache.Settled(int(r.reserved), int(r.stored)))
	if back := before - r.cost(); back > 0 {
		s.refundLocked(r.payer, back)
	}
}
