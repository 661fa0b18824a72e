package memory

import (
	"sync"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

const (
	// Cleaning begins when the dead hold more than half a chunk plus an eighth of what the living hold. That leaves enough time for most
	// old entries to die by themselves, and is little enough for memory to follow what is alive.
	deadShare  = 8
	deadAtRest = chunkBytes / 2

	// cleanPerCall bounds the entries that one request drops or moves: a few microseconds. The sweep does the rest, cleanPerSweep at a
	// time, so that requests come in between.
	cleanPerCall  = 64
	cleanPerSweep = 1024
)

// stripe is a part of the store with a lock of its own. Methods named …Locked are called with mu held.
type stripe struct {
	// set by init
	budget  *budget
	ledger  *cache.Ledger
	full    int              // bytes of the entries of one session, at the most
	answers *cache.Durations // of the whole store

	mu sync.Mutex
	// guarded by mu
	index   map[id]uint32 // session → slot of its record
	records records
	ring    ring
	live    int // bytes of entries in the ring whose session lives
	dead    int // and of those whose session has ended
	ended   graves
	counts  counts
	scratch []byte // an entry on its way into the ring
	_       [64]byte
}

func (s *stripe) init(of *Store, memory int) {
	s.budget = &of.budget
	s.ledger = of.ledger
	s.full = fullEntries(&of.limits)
	s.answers = &of.answers
	s.index = make(map[id]uint32)
	s.ended = newGraves(memory)
	s.scratch = make([]byte, 0, maxEntry)
}

// findLocked returns the record of the live session, or nil. It ends a session that has expired.
func (s *stripe) findLocked(k id, now time.Duration) *record {
	slot, ok := s.index[k]
	if !ok {
		return nil
	}
	r := s.records.at(slot)
	if now >= r.deadline {
		s.expireLocked(r)
		s.cleanLocked(cleanPerCall)
		return nil
	}
	return r
}

// visitLocked returns the record of the live session, renewed, or why there is none.
func (s *stripe) visitLocked(k id, now time.Duration) (*record, error) {
	if r := s.findLocked(k, now); r != nil {
		r.renew(now)
		return r, nil
	}
	if s.ended.holds(k, now) {
		return nil, custerrors.KeyIsExpired
	}
	return nil, custerrors.KeyNotFound
}

// putLocked does all that the write asks for except the reading, and returns the session's record.
func (s *stripe) putLocked(k id, now time.Duration, st stamp, w *cache.Write, limits *cache.Limits) (*record, error) {
	if w.After != 0 {
		r, err := s.visitLocked(k, now)
		if err == nil {
			err = r.accepts(w.After, w.From)
		}
		if err != nil {
			return nil, err
		}
	}
	if w.Opens {
		return s.openLocked(k, now, st, w, limits)
	}
	return s.appendLocked(k, now, st, w, limits)
}

func (s *stripe) openLocked(k id, now time.Duration, st stamp, w *cache.Write, limits *cache.Limits) (*record, error) {
	if r := s.findLocked(k, now); r != nil {
		r.renew(now)
		applied, err := s.appliedLocked(r.log(w.From), st)
		if err == nil && !applied {
			err = custerrors.SdpAlreadyExist
		}
		if err != nil {
			return nil, err
		}
		return r, nil
	}
	b := w.Batch
	if b.Candidates() > limits.Candidates {
		return nil, custerrors.QueueIsFull
	}
	if b.Size() > limits.SessionBytes {
		return nil, custerrors.BodyIsTooLong
	}
	first := entryBytes(b) + st.bytes()
	reserved := cache.SetAside(first, s.full)
	if err := s.chargeLocked(w.Payer, int64(reserved)+recordCost, s.budget.open); err != nil {
		return nil, err
	}
	r := s.records.take()
	r.id = k
	r.payer = w.Payer
	r.epoch = cache.NewEpoch()
	r.ttl = limits.SessionTTL(w.TTL)
	r.end = now + limits.Lifetime
	r.reserved = uint32(reserved)
	r.renew(now)
	s.index[k] = r.slot
	s.counts.opened++
	s.writeLocked(r, w.From, st, b, first)
	s.answeredLocked(r, now, w, limits)
	return r, nil
}

func (s *stripe) appendLocked(k id, now time.Duration, st stamp, w *cache.Write, limits *cache.Limits) (*record, error) {
	r, err := s.visitLocked(k, now)
	if err != nil {
		return nil, err
	}
	l, b := r.log(w.From), w.Batch
	if applied, err := s.appliedLocked(l, st); err != nil {
		return nil, err
	} else if applied {
		return r, nil
	}
	if b.HasSDP() && l.sdp.first != 0 {
		return nil, custerrors.SdpAlreadyExist
	}
	if int(l.count)+b.Candidates() > limits.Candidates {
		return nil, custerrors.QueueIsFull
	}
	if int(r.size)+b.Size() > limits.SessionBytes {
		return nil, custerrors.BodyIsTooLong
	}
	more := entryBytes(b) + st.bytes()
	if err := s.growLocked(r, more); err != nil {
		return nil, err
	}
	s.writeLocked(r, w.From, st, b, more)
	s.answeredLocked(r, now, w, limits)
	return r, nil
}

// answeredLocked counts the session as answered if the write has put the answer's sdp.
func (s *stripe) answeredLocked(r *record, now time.Duration, w *cache.Write, limits *cache.Limits) {
	if w.From == cache.Answer && w.Batch.HasSDP() {
		s.counts.answered++
		s.answers.Observe(now - (r.end - limits.Lifetime)) // since it was opened
	}
}

// growLocked charges what n more bytes need beyond what is there for the session already.
func (s *stripe) growLocked(r *record, n int) error {
	grow := int(r.stored) + n - int(max(r.stored, r.reserved))
	if grow <= 0 {
		return nil
	}
	return s.chargeLocked(r.payer, int64(grow), s.budget.total)
}

// writeLocked stores the batch, and a receipt if there is a token. Together they take n bytes.
func (s *stripe) writeLocked(r *record, from cache.Role, st stamp, b *cache.Batch, n int) {
	l := r.log(from)
	for f, rest, ok := cache.NextFrame(b.Frames()); ok; f, rest, ok = cache.NextFrame(rest) {
		flags := roleFlag(from)
		if f.Kind == cache.SDP {
			flags |= flagSDP
		}
		first := s.linkLocked(r, l.list(f.Kind), flags, f.Wire)
		if f.Kind == cache.Candidate {
			l.count++
			if l.untaken == 0 {
				l.untaken = first
			}
		}
	}
	s.keepLocked(r, from, receipt{stamp: st})
	r.size += uint32(b.Size())
	s.storedLocked(r, n)
}

// storedLocked counts n bytes that were stored.
func (s *stripe) storedLocked(r *record, n int) {
	r.stored += uint32(n)
	s.live += n
	s.cleanLocked(cleanPerCall)
}

// linkLocked pushes one message as one or more entries at the end of the list and returns the position of the first.
func (s *stripe) linkLocked(r *record, to *list, flags byte, wire []byte) (first position) {
	for {
		fragment := wire[:min(len(wire), maxFragment)]
		wire = wire[len(fragment):]
		f := flags
		if len(wire) > 0 {
			f |= flagContinues
		}
		s.scratch = appendEntry(s.scratch[:0], r.slot, r.generation, f, fragment)
		p := s.ring.push(s.scratch)
		if to.last == 0 {
			to.first = p
		} else {
			entry(s.ring.get(to.last)).setNext(p)
		}
		to.last = p
		if first == 0 {
			first = p
		}
		if len(wire) == 0 {
			return first
		}
	}
}

// messageLocked appends the payload of the message that begins at p to dst, and returns the position of the next one.
func (s *stripe) messageLocked(dst []byte, p position) ([]byte, position) {
	for {
		e := entry(s.ring.get(p))
		dst = append(dst, e.payload()...)
		p = e.next()
		if !e.is(flagContinues) {
			return dst, p
		}
	}
}

// readLocked appends at most limit messages that the session's role to can read behind the cursor.
func (s *stripe) readLocked(dst []byte, r *record, to cache.Role, after cache.Cursor, limit int, form *cache.Form,
) ([]byte, cache.Cursor, error) {
	if err := r.accepts(after, to); err != nil {
		return dst, after, err
	}
	l := r.log(to.Other())
	begin, total := after.Position(), l.readable()
	switch {
	case limit == 0:
		return dst, cache.NewCursor(r.epoch, begin), nil
	case total == 0:
		return dst, cache.NewCursor(r.epoch, 0), custerrors.SdpNoValues
	case begin == total:
		return dst, after, custerrors.CandidateNoValues
	}
	if begin == 0 {
		s.counts.give(r, l)
	}
	end := begin + min(limit, total-begin)
	return s.messagesLocked(dst, l, begin, end, form), cache.NewCursor(r.epoch, end), nil
}
