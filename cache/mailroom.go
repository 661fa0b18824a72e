package cache

import (
	"context"
	"errors"
	"sync"
	"time"

	"signal-server/custerrors"
)

// Mailroom reads from a store and waits where there is nothing yet. Long polls and event streams are faces of it.
//
// It looks; if there is nothing it hangs a bell, and looks again; then it sleeps until bell, time or the end of the
// mailroom, and looks once more. What is written after the second look rings the bell, what was written before it is
// found by it, so no news is missed; a needless ring costs a look.
//
// It is safe for concurrent use.
type Mailroom struct {
	// set at construction
	store Store

	bells sync.Pool // of Bell, silent ones: a wait needs one for its whole length

	// closed by Close
	closing   chan struct{}
	closeOnce sync.Once
}

// NewMailroom returns a Mailroom over the store, which the caller still owns.
func NewMailroom(store Store) *Mailroom {
	return &Mailroom{
		store:   store,
		bells:   sync.Pool{New: func() any { return NewBell() }},
		closing: make(chan struct{}),
	}
}

// Close ends all waits, those under way and those to come, with custerrors.ServerIsShuttingDown. It does not wait for them.
func (m *Mailroom) Close() { m.closeOnce.Do(func() { close(m.closing) }) }

// Closing returns a channel that is closed by Close.
func (m *Mailroom) Closing() <-chan struct{} { return m.closing }

// Wait says how long a call may wait for news. The zero Wait does not wait.
type Wait struct {
	// For is how long, at the most.
	For time.Duration
	// Unopened lets every role wait for a session that is not open yet, not the answerer only.
	Unopened bool
	// Since is what the caller knows of the session from a call just before, which found nothing: Read spares the first look then,
	// and a store elsewhere two trips. The zero Lease is of a caller who knows nothing.
	Since Lease
	// Present reports whether the one who waits is still there; nil means always. It is asked after each sleep, before
	// anything is taken: what is taken for somebody who has left is lost.
	Present func() bool
}

// ErrGone says that the one who waited has left: nobody reads the answer.
var ErrGone = errors.New("the waiting client has left")

// Take is Store.Take, and waits while there is nothing to take. The answerer may also wait for a session that is not open
// yet; everybody else is told at once. A wait keeps the session alive and ends at once when the session does: it never takes
// from a later one of the same key. in is zero, or a cursor of the session that is meant; what comes back is one of the
// session that was looked at, as far as a wait got to know it, to go on waiting by.
func (m *Mailroom) Take(ctx context.Context, dst []byte, key Key, to Role, kind Kind, limit int, form *Form, in Cursor, w Wait,
) ([]byte, Cursor, error) {
	out, err := m.store.Take(ctx, dst, key, to, kind, limit, form, in.Epoch())
	if w.For <= 0 || !w.Covers(err, to) {
		return out, in, err
	}
	epoch, err := m.wait(ctx, key, to, in.Epoch(), w, func(epoch uint64) error {
		out, err = m.store.Take(ctx, dst, key, to, kind, limit, form, epoch)
		return err
	})
	return out, NewCursor(epoch, 0), err
}

// Read is Store.Read, and waits as Take does while there is nothing to read.
func (m *Mailroom) Read(ctx context.Context, dst []byte, key Key, to Role, after Cursor, limit int, form *Form, w Wait,
) ([]byte, Cursor, error) {
	out, next := dst, after
	var err error
	if w.For <= 0 || w.Since.Epoch == 0 {
		out, next, err = m.store.Read(ctx, dst, key, to, after, limit, form)
		if w.For <= 0 || !w.Covers(err, to) {
			return out, next, err
		}
	}
	_, err = m.wait(ctx, key, to, next.Epoch(), w, func(epoch uint64) error {
		if next == 0 && epoch != 0 {
			next = NewCursor(epoch, 0)
		}
		out, next, err = m.store.Read(ctx, dst, key, to, next, limit, form)
		return err
	})
	return out, next, err
}

// Covers reports whether what role to was refused with this error may come by itself, so that waiting makes sense.
func (w *Wait) Covers(err error, to Role) bool {
	switch err { // stores return these as they are, not wrapped
	case custerrors.SdpNoValues, custerrors.CandidateNoValues:
		return true
	case custerrors.KeyNotFound:
		return to == Answer || w.Unopened // the offerer opens the session, so it has nobody to wait for
	default:
		return false
	}
}

// wait calls look until it returns something that waiting does not change, or until the wait is over, and returns what
// look returned last. It has look see only the session of that epoch, or if it is zero, the first one that it finds, and
// returns which one that was.
func (m *Mailroom) wait(ctx context.Context, key Key, to Role, epoch uint64, w Wait, look func(epoch uint64) error,
) (uint64, error) {
	bell, _ := m.bells.Get().(Bell)
	if err := m.store.Hang(ctx, key, to, bell); err != nil {
		return epoch, err
	}
	defer func() {
		m.store.Unhang(key, to, bell)
		select { // it goes back silent
		case <-bell:
		default:
		}
		m.bells.Put(bell)
	}()

	began := time.Now()
	over := began.Add(w.For)
	lease, end := w.Since, began.Add(w.Since.Left) // of the session, once it is known
	timer := time.NewTimer(w.For)
	defer timer.Stop()
	for {
		err := look(epoch)
		left := time.Until(over)
		if left <= 0 || !w.Covers(err, to) {
			return epoch, err
		}
		if err == custerrors.KeyNotFound {
			if epoch != 0 { // it has ended, and the store has forgotten it already
				return epoch, custerrors.KeyIsExpired
			}
		} else {
			if lease.Epoch == 0 { // a look renews, but does not say for how long
				lease, err = m.store.Touch(ctx, key)
				end = time.Now().Add(lease.Left)
				switch {
				case err == custerrors.KeyIsExpired, err == custerrors.KeyNotFound: // it has just ended: the next look says how
				case err != nil:
					return epoch, err
				case epoch == 0:
					epoch = lease.Epoch
				case epoch != lease.Epoch:
					return epoch, custerrors.KeyIsExpired
				}
			}
			// Half a TTL keeps it alive; a little after its last moment, to find it ended.
			left = min(left, max(lease.TTL/2, time.Millisecond), max(time.Until(end), 0)+time.Millisecond)
		}
		timer.Reset(left)
		select {
		case <-bell:
		case <-timer.C:
		case <-m.closing:
			return epoch, custerrors.ServerIsShuttingDown
		case <-ctx.Done():
			select { // a server that shuts down ends both, and this is what it wants to say
			case <-m.closing:
				return epoch, custerrors.ServerIsShuttingDown
			default:
				return epoch, ctx.Err()
			}
		}
		if w.Present != nil && !w.Present() {
			return epoch, ErrGone
		}
	}
}
