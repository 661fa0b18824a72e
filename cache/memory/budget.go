package memory

import "sync/atomic"

const (
	// This part of the memory holds sessions. The rest is for what lies between the living: the dead that are not cleaned away
	// yet (deadShare), and the ends of chunks where the next entry did not fit (maxFragment of chunkBytes).
	sessionShare, ofMemory = 3, 4

	// New sessions may use this part of the budget. The rest is for sessions that outgrow what was set aside for them.
	openShare, ofBudget = 7, 8

	// Set aside for a session at its opening: twice its first write, because an answer is about as large as its offer,
	// and this much for trickled candidates.
	trickleReserve = 4 << 10

	// Set aside at the least: a small offer may get an answer of usual size.
	minReserve = 10 << 10
)

// reserve returns what is set aside for a session whose first write takes n bytes.
func reserve(n int) int { return max(2*n+trickleReserve, minReserve) }

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

// full reports whether a session that opens with an sdp of usual size, 2 KiB, would be refused.
func (b *budget) full() bool { return b.used.Load()+int64(reserve(2<<10))+recordCost > b.open }
