package cachetest

import (
	"context"
	"sync"
	"time"

	"signal-server/cache"
)

// sleeperChecks are all checks about waits once more, with waits that a cache.Sleeper sleeps on: what holds for a goroutine that sleeps holds
// for them. And what is theirs alone.
func sleeperChecks() []check {
	all := []check{
		{name: "sleeper/a ring before it sleeps", run: sleepRung},
		{name: "sleeper/knows which of its waits has rung", run: sleepOnMany},
		{name: "sleeper/is not woken twice, nor after the end", run: sleepOnce},
	}
	for _, checks := range [][]check{mailroomChecks, takerChecks, lostWakeupChecks} {
		for _, c := range checks {
			run := c.run
			if c.ofContext { // each call of a Sleeper has one of its own
				continue
			}
			c.name = "sleeper/" + c.name
			c.run = func(r *rig) {
				r.asleep = true
				run(r)
			}
			all = append(all, c)
		}
	}
	return all
}

// dozer is a cache.Sleeper that a goroutine goes on for, when it was woken.
type dozer struct {
	wakes chan struct{} // gets something at a Wake

	mu sync.Mutex
	// guarded by mu
	awake bool
	rang  []*cache.Wait // since it fell asleep
	woken int           // how often Rang has asked for Wake
}

// newDozer returns one that is awake.
func newDozer() *dozer { return &dozer{wakes: make(chan struct{}, 1), awake: true} }

// Rang implements cache.Sleeper.
func (d *dozer) Rang(w *cache.Wait) (asleep bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rang = append(d.rang, w)
	if d.awake {
		return false
	}
	d.awake = true
	d.woken++
	return true
}

// Wake implements cache.Sleeper.
func (d *dozer) Wake(bool) {
	select {
	case d.wakes <- struct{}{}:
	default: // it has been woken by something else
	}
}

// fallAsleep falls asleep, or returns what has rung since it woke.
func (d *dozer) fallAsleep() (rang []*cache.Wait) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rang, d.rang = d.rang, nil
	d.awake = len(rang) > 0
	return rang
}

// times returns how often it was woken by a ring.
func (d *dozer) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.woken
}

// doze makes calls of a wait until one is not Pending, and sleeps between two of them.
func (m *mailroom) doze(ctx context.Context, w *cache.Wait, call func() error) error {
	d, sleeps := newDozer(), false
	for w.Stay = -1; ; {
		if err := call(); !w.Pending() {
			return err
		}
		if !sleeps {
			if err := m.Sleep(ctx, w, d); err != nil {
				return err
			}
			sleeps = true
		}
		if len(d.fallAsleep()) > 0 {
			continue
		}
		timer := time.NewTimer(time.Until(w.Until()))
		select {
		case <-d.wakes:
		case <-timer.C:
		case <-m.Closing():
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// Take is cache.Mailroom's.
func (m *mailroom) Take(ctx context.Context, t cache.Take, w *cache.Wait) (out []byte, next cache.Cursor, err error) {
	if !m.r.asleep || w.For <= 0 {
		return m.Mailroom.Take(ctx, dst(), t, w)
	}
	err = m.doze(ctx, w, func() error {
		out, next, err = m.Mailroom.Take(ctx, dst(), t, w)
		t.In = next.Epoch()
		return err
	})
	return out, next, err
}

// Read is cache.Mailroom's.
func (m *mailroom) Read(ctx context.Context, key cache.Key, to cache.Role, after cache.Cursor, limit int, w *cache.Wait,
) (out []byte, next cache.Cursor, err error) {
	next = after
	if !m.r.asleep || w.For <= 0 {
		return m.Mailroom.Read(ctx, dst(), key, to, after, limit, &plain, w)
	}
	err = m.doze(ctx, w, func() error {
		out, next, err = m.Mailroom.Read(ctx, dst(), key, to, next, limit, &plain, w)
		return err
	})
	return out, next, err
}

// await returns what has rung, as soon as something has.
func (d *dozer) await(r *rig) []*cache.Wait {
	r.Helper()
	for {
		if rang := d.fallAsleep(); len(rang) > 0 {
			return rang
		}
		select {
		case <-d.wakes:
		case <-time.After(slack):
			r.Fatalf("got no ring in %v, want one", slack)
		}
	}
}

// pending returns a wait for what the offerer can read, which has found nothing.
func (m *mailroom) pending(key cache.Key) *cache.Wait {
	m.r.Helper()
	w := &cache.Wait{For: long, Stay: -1}
	if _, _, err := m.Mailroom.Read(m.r.ctx, nil, key, cache.Offer, 0, 1, &plain, w); !w.Pending() {
		m.r.Fatalf("Read of nothing, with a stay of no length: got %s, want the wait to be pending", said(err))
	}
	return w
}

// sleepRung writes between the look that finds nothing and Sleep.
func sleepRung(r *rig) {
	m, d := r.mailroom(), newDozer()
	r.open("k", sdp("o"))
	w := m.pending("k")
	defer w.End()
	r.append("k", cache.Answer, sdp("a"))
	r.settle()
	r.wantError("Sleep", m.Sleep(r.ctx, w, d), nil)
	if rang := d.await(r); rang[0] != w {
		r.Errorf("a message before Sleep: got rung %v, want the wait", rang)
	}
	out, _, err := m.Mailroom.Read(r.ctx, dst(), "k", cache.Offer, 0, 1, &plain, w)
	if got := r.appended("Read", out, err); got != text(sdp("a")) {
		r.Errorf("Read: got %q (%s), want the answer", got, said(err))
	}
}

// sleepOnMany has one Sleeper on the waits of two sessions.
func sleepOnMany(r *rig) {
	m, d := r.mailroom(), newDozer()
	keys := []cache.Key{"k", "l"}
	waits := make([]*cache.Wait, len(keys))
	for i, key := range keys {
		r.open(key, sdp("o"))
		waits[i] = m.pending(key)
		defer waits[i].End()
		r.wantError("Sleep", m.Sleep(r.ctx, waits[i], d), nil)
	}
	for i, key := range keys {
		r.settle()
		d.fallAsleep() // needless rings may have come
		d.fallAsleep()
		r.append(key, cache.Answer, sdp("a"))
		if rang := d.await(r); rang[0] != waits[i] {
			r.Errorf("a message in session %q: got rung %v, want the wait for it", key, rang)
		}
	}
}

// sleepOnce rings a Sleeper that is awake, and one whose wait has ended.
func sleepOnce(r *rig) {
	m, d := r.mailroom(), newDozer()
	r.open("k", sdp("o"))
	w := m.pending("k")
	r.wantError("Sleep", m.Sleep(r.ctx, w, d), nil)
	r.settle()
	d.fallAsleep()
	d.fallAsleep()
	woken := d.times()
	for _, f := range []cache.Frame{sdp("a"), cand("1"), cand("2")} { // from the second one on it is awake
		r.append("k", cache.Answer, f)
		r.settle()
	}
	if got := d.times() - woken; got != 1 {
		r.Errorf("three messages: got woken %d times, want once", got)
	}
	w.End()
	d.fallAsleep()
	d.fallAsleep()
	r.append("k", cache.Answer, cand("3"))
	r.settle()
	if rang := d.fallAsleep(); len(rang) > 0 {
		r.Errorf("a message after End: got a ring, want none")
	}
}
