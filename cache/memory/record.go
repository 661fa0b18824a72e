package memory

import (
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// record is one live session. It holds no pointer.
type record struct {
	id         id
	payer      cache.Payer
	epoch      uint64        // for cursors; 0 while the slot is free
	deadline   time.Duration // the session has ended at this time, if nothing renews it
	end        time.Duration // and at this one at the latest
	ttl        time.Duration
	slot       uint32
	generation uint32 // counts the sessions of this slot: entries with another generation are dead
	nextFree   uint32 // slot+1 of the next free record, while this one is free
	size       uint32 // bytes of payload in wire form
	stored     uint32 // bytes in the ring
	reserved   uint32 // bytes set aside in the budget; what is stored beyond them was added to the budget
	settled    bool   // it was looked at how much of that stays
	logs       [len(cache.Roles)]log
}

// log is what one role has written, and what its tokens have done: lists of entries.
type log struct {
	sdp      list
	trickle  list     // the candidates
	receipts list     // of the role's tokens
	untaken  position // the first entry of the oldest candidate that is not taken, or 0
	count    uint16   // candidates
	taken    uint16   // of them
	sdpTaken bool
	sdpGiven bool // taken or read
}

type list struct{ first, last position }

// recordCost is what a session takes beside the ring: its record, and its place in the index. Measured with Go 1.26 on amd64:
// 260 bytes with 100,000 sessions. The index grows by doubling, so another number of sessions may take more each.
const recordCost = 320

func (r *record) log(role cache.Role) *log { return &r.logs[role-cache.Offer] }

func (l *log) list(kind cache.Kind) *list {
	if kind == cache.SDP {
		return &l.sdp
	}
	return &l.trickle
}

// readable returns how many messages can be read: the candidates are held back until their sdp is there.
func (l *log) readable() int {
	if l.sdp.first == 0 {
		return 0
	}
	return 1 + int(l.count)
}

// accepts returns nil if role to can read on from the cursor, and otherwise why it cannot.
func (r *record) accepts(after cache.Cursor, to cache.Role) error {
	switch {
	case after != 0 && after.Epoch() != r.epoch:
		return custerrors.KeyIsExpired
	case after.Position() > r.log(to.Other()).readable():
		return custerrors.CursorIsInvalid
	default:
		return nil
	}
}

// cost is what the session takes from the budget.
func (r *record) cost() int64 { return int64(max(r.stored, r.reserved)) + recordCost }

func (r *record) renew(now time.Duration) { r.deadline = min(now+r.ttl, r.end) }

const pageRecords = 64

// records is a slab of records in pages, addressed by slot. Its zero value is empty.
type records struct {
	pages []*[pageRecords]record
	free  uint32 // slot+1 of the first free record, or 0
	used  int
}

func (rs *records) at(slot uint32) *record { return &rs.pages[slot/pageRecords][slot%pageRecords] }

// take returns a record that is zero but for its slot and a new generation.
func (rs *records) take() *record {
	if rs.free == 0 {
		rs.grow()
	}
	r := rs.at(rs.free - 1)
	rs.free = r.nextFree
	rs.used++
	*r = record{slot: r.slot, generation: r.generation + 1}
	return r
}

func (rs *records) grow() {
	page := new([pageRecords]record)
	base := uint32(len(rs.pages) * pageRecords)
	for i := range page {
		page[i].slot = base + uint32(i)
		page[i].nextFree = base + uint32(i) + 2
	}
	page[pageRecords-1].nextFree = rs.free
	rs.free = base + 1
	rs.pages = append(rs.pages, page)
}

// give makes the record free. Its entries are dead from now on.
func (rs *records) give(r *record) {
	r.epoch = 0
	r.generation++
	r.nextFree = rs.free
	rs.free = r.slot + 1
	rs.used--
}
