package memory

import (
	"signal-server/cache"
	"signal-server/custerrors"
)

// takeLocked takes what the session's role t.To has not taken yet, or appends again what the token has got before.
func (s *stripe) takeLocked(dst []byte, r *record, t *cache.Take, st stamp) ([]byte, error) {
	l := r.log(t.To.Other())
	was, err := s.receiptLocked(r.log(t.To), st)
	switch {
	case err != nil:
		return dst, err
	case was.token != 0 && was.behind == 0:
		return dst, custerrors.IdempotencyKeyIsReused
	case was.token != 0 && t.Limit == 0:
		return dst, nil
	case was.token != 0:
		return s.messagesLocked(dst, l, int(was.first), int(was.behind), t.Form), nil
	}

	got := receipt{stamp: st, first: 0, behind: 1}
	if t.Kind == cache.Candidate {
		left := int(l.count - l.taken)
		got.first = 1 + l.taken
		got.behind = got.first + uint16(min(left, t.Limit))
		if left == 0 {
			return dst, custerrors.CandidateNoValues
		}
	} else if l.sdp.first == 0 || l.sdpTaken {
		return dst, custerrors.SdpNoValues
	}
	if t.Limit == 0 {
		return dst, nil
	}
	if err := s.growLocked(r, st.bytes()); err != nil {
		return dst, err
	}
	if t.Kind == cache.Candidate {
		dst = s.takeCandidatesLocked(dst, l, int(got.behind-got.first), t.Form)
	} else {
		l.sdpTaken = true
		s.counts.give(r, l)
		dst = s.messagesLocked(dst, l, 0, 1, t.Form)
	}
	if st.token != 0 {
		s.keepLocked(r, t.To, got)
		s.storedLocked(r, receiptBytes)
	}
	return dst, nil
}

// takeCandidatesLocked takes the next n candidates, which are there.
func (s *stripe) takeCandidatesLocked(dst []byte, l *log, n int, form *cache.Form) []byte {
	for i := range n {
		dst = form.Begin(dst, cache.Candidate, i == 0)
		dst, l.untaken = s.messageLocked(dst, l.untaken)
		dst = form.End(dst)
	}
	l.taken += uint16(n)
	return dst
}

// messagesLocked appends the log's messages from place first to before place behind, which are there.
func (s *stripe) messagesLocked(dst []byte, l *log, first, behind int, form *cache.Form) []byte {
	n := first
	if n == 0 {
		dst = form.Begin(dst, cache.SDP, true)
		dst, _ = s.messageLocked(dst, l.sdp.first)
		dst = form.End(dst)
		n++
	}
	if n == behind {
		return dst
	}
	p := l.trickle.first
	for skip := n - 1; skip > 0; p = entry(s.ring.get(p)).next() {
		if !entry(s.ring.get(p)).is(flagContinues) {
			skip--
		}
	}
	for ; n < behind; n++ {
		dst = form.Begin(dst, cache.Candidate, n == first)
		dst, p = s.messageLocked(dst, p)
		dst = form.End(dst)
	}
	return dst
}
