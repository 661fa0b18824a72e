package cache

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"signal-server/custerrors"
)

// Mailroom reads from a store, and waits where there is nothing yet. Long polls and event streams are built on it.
//
// It looks. If there is nothing, it hangs a bell and looks again. Then it sleeps until the bell rings, the time is up or the mailroom
// closes, and looks once more. So no news is missed: the second look finds what was written before it, and what is written after it
// rings the bell. A needless ring costs a look. Over a store that Tells, the mailroom leaves out the first look, and the look
// after a ring that says what is new.
//
// A wait that lasts needs no goroutine: see Sleep.
//
// Of several waits on one mailroom that take the same, the one that began last takes first. A page that comes back after its network was
// lost waits twice, and its first wait has nobody any more whom it could answer, which no system call tells.
//
// It is safe for concurrent use.
type Mailroom struct {
	// set at construction
	store  Store
	limits Limits
	tells  bool

	chimes sync.Pool // silent ones: a wait needs one as long as a goroutine sleeps on it

	takers takers // under their own lock

	// closed by Close
	closing   chan struct{}
	closeOnce sync.Once
}

// NewMailroom returns a Mailroom over the store, which the caller still owns and which has these limits.
func NewMailroom(store Store, limits Limits) *Mailroom {
	return &Mailroom{
		store:   store,
		limits:  limits,
		tells:   store.Tells(),
		chimes:  sync.Pool{New: func() any { return NewChime() }},
		takers:  takers{last: make(map[taking]*taker)},
		closing: make(chan struct{}),
	}
}

// Close ends all waits, those under way and those to come, with custerrors.ServerIsShuttingDown. It does not wait for them.
func (m *Mailroom) Close() { m.closeOnce.Do(func() { close(m.closing) }) }

// Closing returns a channel that is closed by Close.
func (m *Mailroom) Closing() <-chan struct{} { return m.closing }

// ErrGone says that the client has left: nobody reads the answer, and nothing was taken for it.
var ErrGone = errors.New("the client has left")

// Take is Store.Take for a client that is still there, and waits while there is nothing to take. It waits for a session that is not open yet
// only with w.Unopened. A wait keeps the session alive and ends at once when the session does: it never takes from a later one of the same
// key. Take returns a cursor of the session that it looked at, so that the next call goes on with that one. The cursor is zero as long as the
// session is not known.
func (m *Mailroom) Take(ctx context.Context, dst []byte, t Take, w *Wait) ([]byte, Cursor, error) {
	if w.For <= 0 {
		out, err := m.take(ctx, dst, &t, w)
		return out, NewCursor(t.In, 0), err
	}
	out := dst
	epoch, err := m.wait(ctx, t.Key, t.To, t.Kind, t.In, w, func(epoch uint64) (err error) {
		w.news = News{} // only the store can hand out what each taker gets once
		t.In = epoch
		out, err = m.take(ctx, dst, &t, w)
		return w.note(err)
	})
	return out, NewCursor(epoch, 0), err
}

// take is one look that takes: if no wait that began later takes first, and the client is still there. To ask for the client is a system call,
// so where looks cost less it is asked for only if there is something to take.
//
// hot: an empty poll and a take come here.
func (m *Mailroom) take(ctx context.Context, dst []byte, t *Take, w *Wait) ([]byte, error) {
	first := w.place == nil || m.takers.first(w.place)
	if !first || w.Present != nil && !m.tells {
		look := *t
		look.Limit = 0
		if _, err := m.store.Take(ctx, dst, look); err != nil || !first {
			return dst, cmp.Or(err, t.Kind.nothing())
		}
	}
	if w.gone() {
		return dst, ErrGone
	}
	return m.store.Take(ctx, dst, *t)
}

// Read is Store.Read, but waits as Take does while there is nothing to read.
func (m *Mailroom) Read(ctx context.Context, dst []byte, key Key, to Role, after Cursor, limit int, form *Form, w *Wait,
) ([]byte, Cursor, error) {
	if w.For <= 0 {
		return m.store.Read(ctx, dst, key, to, after, limit, form)
	}
	out, cursor := dst, after
	_, err := m.wait(ctx, key, to, 0, after.Epoch(), w, func(epoch uint64) (err error) {
		if cursor == 0 && epoch != 0 {
			cursor = NewCursor(epoch, 0)
		}
		if w.nothing != nil && w.nothing != custerrors.KeyIsExpired { // what comes late of a session that has ended is not the next one's
			switch w.news.standing(cursor) {
			case next:
				if w.news.At.Position() == 0 {
					m.store.Gave(to)
				}
				out, w.news = w.news.read(dst, limit, form)
				cursor = w.news.At
				w.nothing = custerrors.CandidateNoValues // nothing is behind these news, until the bell says more
				return nil
			case known:
				w.news = News{}
				return w.nothing
			}
		}
		w.news = News{}
		out, cursor, err = m.store.Read(ctx, dst, key, to, cursor, limit, form)
		return w.note(err)
	})
	return out, cursor, err
}

// Write is Store.Write for a caller that goes on to wait, with the same wait, for what it does not find. Over a store that Tells it hangs
// the bell before it writes. It does not sleep.
func (m *Mailroom) Write(ctx context.Context, dst []byte, w Write, wait *Wait) ([]byte, Cursor, error) {
	if m.tells && wait.For > 0 {
		if err := m.hang(ctx, w.Key, w.From, wait); err != nil {
			return dst, w.After, err
		}
	}
	out, cursor, err := m.store.Write(ctx, dst, w)
	if wait.For > 0 && (err == custerrors.SdpNoValues || err == custerrors.CandidateNoValues) {
		wait.note(err)
		if w.Opens { // this write has opened the session, just now or when it came the first time
			wait.know(Lease{Epoch: cursor.Epoch(), TTL: m.limits.SessionTTL(w.TTL), Left: m.limits.Lifetime})
		}
	}
	return out, cursor, err
}

// wait calls look until look returns something that waiting does not change, or until the wait or the stay is over. It returns what the
// last look returned. All looks are at one session: that of the epoch, or the first one that a look finds if epoch is zero. wait returns
// the epoch of that session. takes is the kind that look takes; none: it reads. A look that takes asks for the client by itself.
func (m *Mailroom) wait(ctx context.Context, key Key, to Role, takes Kind, epoch uint64, w *Wait, look func(epoch uint64) error,
) (uint64, error) {
	stay := w.begin()
	if epoch == 0 {
		epoch = w.lease.Epoch
	}
	if w.bell == nil {
		again := !m.tells && w.nothing == nil
		if again {
			if err := look(epoch); !w.covers(err) {
				return epoch, err
			}
		}
		if err := m.hang(ctx, key, to, w); err != nil {
			return epoch, err
		}
		if takes != 0 {
			w.place = m.takers.join(taking{w.key, to, takes}, w.bell)
		}
	}
	for {
		if w.nothing == nil || w.news.At != 0 {
			if err := look(epoch); !w.covers(err) {
				return epoch, err
			}
		}
		var err error
		if epoch, err = m.identify(ctx, key, epoch, w); err != nil {
			return epoch, err
		}
		if w.nothing == nil {
			continue
		}
		if !time.Now().Before(w.over) {
			return epoch, w.nothing
		}
		if err := m.sleep(ctx, w, stay); err != nil || w.pending {
			return epoch, cmp.Or(err, w.nothing)
		}
	}
}

// identify finds out which session a look has seen, how long that lives, and whether it is the one that is meant.
func (m *Mailroom) identify(ctx context.Context, key Key, epoch uint64, w *Wait) (uint64, error) {
	if w.unopened() {
		if epoch != 0 { // it has ended, and the store has forgotten it already
			return epoch, custerrors.KeyIsExpired
		}
		return 0, nil
	}
	if w.lease.Epoch == 0 { // a look renews the session, but does not say for how long
		lease, err := m.store.Touch(ctx, key)
		if err == custerrors.KeyIsExpired || err == custerrors.KeyNotFound { // it has just ended: the next look says how
			w.nothing = nil
			return epoch, nil
		}
		if err != nil {
			return epoch, err
		}
		w.know(lease)
	}
	if epoch != 0 && epoch != w.lease.Epoch {
		return epoch, custerrors.KeyIsExpired
	}
	return w.lease.Epoch, nil
}

// sleep sleeps until the bell rings, until it is time to look again, or until the stay is over. In the first two cases w looks next, unless
// the ring said what there is to see; in the last w is pending.
func (m *Mailroom) sleep(ctx context.Context, w *Wait, stay time.Time) error {
	until, staying := w.Until(), false
	if stay.Before(until) {
		until, staying = stay, true
	}
	if news, rung := w.bell.hear(); rung { // before all else, because the stay may have no length
		w.listen(news)
		return nil
	}
	if w.Stay < 0 {
		if err := m.over(ctx); err != nil {
			return err
		}
		w.stayed(staying)
		return nil
	}
	chime, _ := w.bell.(Chime) // no Sleeper's: one never stays
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case news := <-chime:
		w.listen(news)
	case <-timer.C:
		w.stayed(staying)
	case <-m.closing:
		return custerrors.ServerIsShuttingDown
	case <-ctx.Done():
		return m.over(ctx)
	}
	return nil
}

// over returns why no wait goes on, or nil. A server that shuts down ends contexts too; its clients are told that it shuts down.
func (m *Mailroom) over(ctx context.Context) error {
	select {
	case <-m.closing:
		return custerrors.ServerIsShuttingDown
	default:
		return ctx.Err()
	}
}

// stayed notes that a sleep is over whose end was that of the stay, or the time to look again.
func (w *Wait) stayed(staying bool) {
	w.pending = staying
	if !staying {
		w.nothing = nil
	}
}

// listen notes what the bell has said. The next look is for what it has not.
func (w *Wait) listen(n News) {
	if w.news = n; n.At == 0 {
		w.nothing = nil
	}
}
