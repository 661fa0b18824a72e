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
	// Present reports whether the one who waits is still there; nil means always. It is asked after each sleep, before
	// anything is taken: what is taken for somebody who has left is lost.
	Present func() bool
}

// ErrGone says that the one who waited has left: nobody reads the answer.
var ErrGone = errors.New("the waiting client has left")

// Take is Store.Take, and waits while there is nothing to take. The answerer may also wait for a session that is not open
// yet; everybody else is told at once. A wait keeps the session alive and ends at once when the session does.
func (m *Mailroom) Take(ctx context.Context, dst []byte, key Key, to Role, kind Kind, limit int, form *Form, w Wait,
) ([]byte, error) {
	out, err := m.store.Take(ctx, dst, key, to, kind, limit, form)
	if w.For <= 0 || !w.Covers(err, to) {
		return out, err
	}
	err = m.wait(ctx, key, to, w, func() error {
		out, err = m.store.Take(ctx, dst, key, to, kind, limit, form)
		return err
	})
	return out, err
}

// Read is Store.Read, and waits as Take does while there is nothing to read.
func (m *Mailroom) Read(ctx context.Context, dst []byte, key Key, to Role, after Cursor, limit int, form *Form, w Wait,
) ([]byte, Cursor, error) {
	out, next, err := m.store.Read(ctx, dst, key, to, after, limit, form)
	if w.For <= 0 || !w.Covers(err, to) {
		return out, next, err
	}
	err = m.wait(ctx, key, to, w, func() error {
		out, next, err = m.store.Read(ctx, dst, key, to, after, limit, form)
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
// look returned last.
func (m *Mailroom) wait(ctx context.Context, key Key, to Role, w Wait, look func() error) error {
	bell, _ := m.bells.Get().(Bell)
	if err := m.store.Hang(ctx, key, to, bell); err != nil {
		return err
	}
	defer func() {
		m.store.Unhang(key, to, bell)
		select { // it goes back silent
		case <-bell:
		default:
		}
		m.bells.Put(bell)
	}()

	over := time.Now().Add(w.For)
	timer := time.NewTimer(w.For)
	defer timer.Stop()
	for wasOpen := false; ; {
		err := look()
		left := time.Until(over)
		if left <= 0 || !w.Covers(err, to) {
			return err
		}
		if err == custerrors.KeyNotFound {
			if wasOpen { // it has ended, and the store has forgotten it already
				return custerrors.KeyIsExpired
			}
		} else {
			wasOpen = true
			lease, err := m.store.Touch(ctx, key)
			switch err {
			case nil:
			case custerrors.KeyIsExpired, custerrors.KeyNotFound:
				continue // it has just ended: the next look says how
			default:
				return err
			}
			// Half a TTL keeps it alive; a little after its last moment, to find it ended.
			left = min(left, max(lease.TTL/2, time.Millisecond), lease.Left+time.Millisecond)
		}
		timer.Reset(left)
		select {
		case <-bell:
		case <-timer.C:
		case <-m.closing:
			return custerrors.ServerIsShuttingDown
		case <-ctx.Done():
			select { // a server that shuts down ends both, and this is what it wants to say
			case <-m.closing:
				return custerrors.ServerIsShuttingDown
			default:
				return ctx.Err()
			}
		}
		if w.Present != nil && !w.Present() {
			return ErrGone
		}
	}
}
