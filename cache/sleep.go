package cache

import (
	"context"
	"sync"
)

// Sleeper sleeps on waits, as many as it likes, without a goroutine: a request that is parked, a stream, a socket. It is told which of them
// has rung, and goes on with it by the call that it has made before, with a Stay of less than zero.
type Sleeper interface {
	// Rang notes that the wait has something to look at. It is called as Bell.Ring is: under locks. If it reports true, Wake follows.
	Rang(w *Wait) (asleep bool)
	// Wake is Bell.Wake.
	Wake(alone bool)
}

// sleep is the bell of a wait that a Sleeper sleeps on.
type sleep struct {
	wait    *Wait
	sleeper Sleeper

	mu sync.Mutex
	// guarded by mu
	news News
	rung bool
}

// Ring implements Bell.
func (s *sleep) Ring(n News) (asleep bool) {
	s.note(n)
	return s.sleeper.Rang(s.wait)
}

// note keeps a ring until it is heard. Two of them become "look again".
func (s *sleep) note(n News) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rung {
		n = News{}
	}
	s.news, s.rung = n, true
}

// Wake implements Bell.
func (s *sleep) Wake(alone bool) { s.sleeper.Wake(alone) }

// hear takes the ring that nobody has heard, if there is one.
func (s *sleep) hear() (n News, rung bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, rung = s.news, s.rung
	s.news, s.rung = News{}, false
	return n, rung
}

// Sleep hands a wait whose latest call has left it Pending to a Sleeper, which is told of each ring from then on; of one that came since that
// call, too, maybe before Sleep returns. It goes on with the wait, by a call with a Stay of less than zero, when it was told of a ring, at Until,
// which is another moment after each call, and when the mailroom closes, which nobody tells it. The error is the store's: then the wait
// has to be ended. Sleep is called once, unless it fails.
func (m *Mailroom) Sleep(ctx context.Context, w *Wait, s Sleeper) error {
	bell := &sleep{wait: w, sleeper: s}
	if err := m.store.Hang(ctx, w.key, w.to, bell); err != nil { // before the other one is taken down, so that none is missed
		return err
	}
	if w.place != nil {
		m.takers.rehang(w.place, bell)
	}
	m.store.Unhang(w.key, w.to, w.bell)
	if n, rung := w.bell.hear(); rung {
		bell.note(n)
		s.Rang(w) // it is awake, since it calls
	}
	m.putBack(w.bell)
	w.bell = bell
	return nil
}
