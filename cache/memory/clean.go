package memory

import (
	"time"

	"signal-server/cache"
)

// endLocked ends the session: what it held is dead from now on, to be cleaned away. at is when it ended.
func (s *stripe) endLocked(r *record, at time.Duration) {
	s.ended.bury(r.id, at)
	s.refundLocked(r.payer, r.cost())
	s.live -= int(r.stored)
	s.dead += int(r.stored)
	delete(s.index, r.id)
	s.records.give(r)
}

// expireLocked ends a session whose time is over.
func (s *stripe) expireLocked(r *record) {
	s.counts.expired++
	s.endLocked(r, r.deadline)
}

// cleanLocked takes space back at the old end of the ring, at most steps entries: it drops the dead, and pushes the living that stand in
// the way again at the new end. It reports whether nothing is left to do.
func (s *stripe) cleanLocked(steps int) (done bool) {
	for ; s.dead > s.live/deadShare+deadAtRest || s.live == 0 && s.dead > 0; steps-- {
		if steps == 0 {
			return false
		}
		e := entry(s.ring.oldest())
		r := s.records.at(e.slot())
		if r.generation != e.generation() {
			s.dead -= e.bytes()
			s.ring.pop()
			continue
		}
		s.moveLocked(r, e)
	}
	return true
}

// moveLocked moves the oldest entry, e, which is alive and of this record, to the new end of the ring.
func (s *stripe) moveLocked(r *record, e entry) {
	l := r.log(e.role())
	in := e.list(l)
	var before position
	old := in.first
	for {
		found := entry(s.ring.get(old))
		if found.same(e) {
			break
		}
		before, old = old, found.next()
	}

	s.scratch = append(s.scratch[:0], e...)
	s.ring.pop()
	p := s.ring.push(s.scratch)

	if before == 0 {
		in.first = p
	} else {
		entry(s.ring.get(before)).setNext(p)
	}
	if in.last == old {
		in.last = p
	}
	if l.untaken == old {
		l.untaken = p
	}
}

// sweep ends what has expired by now, settles what is set aside for the others, and cleans. It lets other callers in between. lifetime is that of
// all sessions.
func (s *stripe) sweep(now, lifetime time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, page := range s.records.pages {
		for i := range page {
			switch r := &page[i]; {
			case r.epoch == 0:
			case now >= r.deadline:
				s.expireLocked(r)
			case !r.settled && now >= r.end-lifetime+cache.SetAsideFor:
				s.settleLocked(r)
			}
		}
	}
	for !s.cleanLocked(cleanPerSweep) {
		s.mu.Unlock()
		s.mu.Lock()
	}
	if s.records.used == 0 && len(s.records.pages) > 1 { // nothing lives, so the ring is empty: no entry names a slot
		s.records = records{}
		s.index = make(map[id]uint32)
		s.ring.shrink()
	}
}
