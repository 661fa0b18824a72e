package cache

import (
	"context"
	"strings"
	"time"

	"signal-server/custerrors"
)

// Wait is one wait for news of one session, as one role. It takes one call of a Mailroom, or several if the caller goes on elsewhere
// or has more than one answer to give. The caller sets the fields, and calls End after the last call. The zero Wait does not wait,
// and needs no End. It is not safe for concurrent use. It may be copied, if only the copy is used and ended from then on, but no more once
// a Sleeper sleeps on it.
type Wait struct {
	// For is how long the wait is, at the most, from the first call on. It must not change between calls.
	For time.Duration
	// Stay is how long one call may take, where that is shorter than the wait. Zero: as long as the wait. Less than zero: the call
	// does not sleep.
	Stay time.Duration
	// Unopened lets the caller wait for a session that is not open yet. Without it the answer to that is KeyNotFound, at once.
	Unopened bool
	// Anew lets the caller, which names no session, wait for the next one of a key whose session has ended. Without it the answer to that is
	// KeyIsExpired, at once.
	Anew bool
	// Present reports whether the client is still there; nil means always. The mailroom asks before each look that takes, the first
	// one too: what is taken for a client that has left is lost. It does not ask where nothing is taken.
	Present func() bool

	// What the mailroom keeps from one call to the next.
	mail    *Mailroom // whose bell it is
	bell    waitBell  // hangs at the store: a Chime, or a *sleep once a Sleeper sleeps on it; nil: not yet
	place   *taker    // among those that take the same; nil: none yet, or the wait does not take
	key     Key       // where it hangs: a copy
	to      Role
	over    time.Time
	lease   Lease     // of the session, once it is known
	end     time.Time // of the session, by the lease
	nothing error     // why the latest look found nothing; nil: the next call looks
	said    error     // the same, and the next look does not change it until it is over
	looked  time.Time // when that look was, which has renewed the session
	news    News      // what the bell has said and nobody has read yet
	pending bool
}

// Pending reports whether the latest call returned because its stay was over, and not the wait.
func (w *Wait) Pending() bool { return w.pending }

// Said returns why the latest look found nothing, which waiting might have changed: what there is to say of a wait whose client has left.
// It is nil if there was no such look.
func (w *Wait) Said() error { return w.said }

// End takes the bell down. Of several waits that take the same, the one that began before this one is the next to take. End may be called
// twice.
func (w *Wait) End() {
	if w.bell == nil {
		return
	}
	var next Bell
	if w.place != nil {
		next = w.mail.takers.leave(w.place)
		w.place = nil
	}
	w.mail.store.Unhang(w.key, w.to, w.bell)
	w.mail.putBack(w.bell)
	w.bell = nil
	if next != nil {
		next.Wake(false) // not here: a line of them would be one call within the other
	}
}

// waitBell is the bell of a wait.
type waitBell interface {
	Bell
	// hear takes the ring that nobody has heard, if there is one.
	hear() (n News, rung bool)
}

// covers reports whether waiting may change this error: whether what it says is missing may still come.
func (w *Wait) covers(err error) bool {
	switch err { // stores return these as they are, not wrapped
	case custerrors.SdpNoValues, custerrors.CandidateNoValues:
		return true
	case custerrors.KeyNotFound:
		return w.Unopened
	case custerrors.KeyIsExpired:
		return w.Anew && w.lease.Epoch == 0
	default:
		return false
	}
}

// unopened reports whether the latest look found no session that lives.
func (w *Wait) unopened() bool {
	return w.nothing == custerrors.KeyNotFound || w.nothing == custerrors.KeyIsExpired
}

// gone reports whether the waiting client has left.
func (w *Wait) gone() bool { return w.Present != nil && !w.Present() }

// begin begins a call, and returns until when the call may stay.
func (w *Wait) begin() (stay time.Time) {
	now := time.Now()
	if w.over.IsZero() {
		w.over = now.Add(w.For)
	}
	w.pending = false
	if w.Stay == 0 {
		return w.over
	}
	return now.Add(max(w.Stay, 0))
}

// note notes what a look has said, and returns it.
func (w *Wait) note(said error) error {
	w.nothing = nil
	if w.covers(said) {
		w.nothing, w.said, w.looked = said, said, time.Now()
	}
	return said
}

// know notes the session's lease, which is as of now.
func (w *Wait) know(l Lease) {
	w.lease, w.looked = l, time.Now()
	w.end = w.looked.Add(l.Left)
}

// Until returns when a wait that is Pending looks next, even if no bell has rung: then its session would end, or the wait is over.
func (w *Wait) Until() time.Time {
	if w.unopened() {
		return w.over
	}
	// A look after half a TTL keeps the session alive. A look a little after its last moment finds it ended.
	look := w.looked.Add(max(w.lease.TTL/2, time.Millisecond))
	end := w.end
	if end.Before(w.looked) { // by the store's own clock the session lives a little longer
		end = w.looked
	}
	if end = end.Add(time.Millisecond); end.Before(look) {
		look = end
	}
	if w.over.Before(look) {
		return w.over
	}
	return look
}

// hang hangs the bell of the wait, if it does not hang yet.
func (m *Mailroom) hang(ctx context.Context, key Key, to Role, w *Wait) error {
	if w.bell != nil {
		return nil
	}
	chime, _ := m.chimes.Get().(Chime)
	key = Key(strings.Clone(string(key)))
	if err := m.store.Hang(ctx, key, to, chime); err != nil {
		m.putBack(chime)
		return err
	}
	w.mail, w.bell, w.key, w.to = m, chime, key, to
	w.nothing = nil // what was found before the bell hung does not count
	return nil
}

// putBack puts a bell that does not hang any more, if it is a chime, into the pool, which holds silent ones.
func (m *Mailroom) putBack(bell Bell) {
	if chime, is := bell.(Chime); is {
		chime.hear()
		m.chimes.Put(chime)
	}
}
