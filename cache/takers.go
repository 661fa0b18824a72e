package cache

import "sync"

// takers are the waits that take, by what they take. The one that began last takes first. The others look on: they take nothing as long as it
// waits, and the next one is rung when it ends.
//
//	last ──▶ taker ──older──▶ taker ──older──▶ taker
type takers struct {
	mu sync.Mutex
	// guarded by mu
	last map[taking]*taker // the one that began last
}

// taking is what is taken. Its key is the wait's own copy.
type taking struct {
	key  Key
	to   Role
	kind Kind
}

// taker is one wait that takes. It is guarded by takers.mu.
type taker struct {
	what         taking
	bell         Bell
	older, newer *taker
}

// join adds a wait, which has begun last. Its bell may be rung until it leaves.
func (t *takers) join(what taking, bell Bell) *taker {
	k := &taker{what: what, bell: bell}
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.older = t.last[what]; k.older != nil {
		k.older.newer = k
	}
	t.last[what] = k
	return k
}

// first reports whether the wait is the one that takes.
func (t *takers) first(k *taker) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return k.newer == nil
}

// rehang puts another bell in the place of a wait's. A ring of the old one comes before it, or never.
func (t *takers) rehang(k *taker, bell Bell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k.bell = bell
}

// leave takes a wait out. If that was the one that took, the next one is rung: there may be something left, or come meanwhile. It returns the
// bell that the caller has to Wake; nil: none. The ring may overlap with another one of that bell, which loses none here: a wait that takes
// looks again whatever a ring says.
func (t *takers) leave(k *taker) (asleep Bell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.older != nil {
		k.older.newer = k.newer
	}
	switch {
	case k.newer != nil:
		k.newer.older = k.older
	case k.older != nil:
		t.last[k.what] = k.older
		if k.older.bell.Ring(News{}) {
			return k.older.bell
		}
	default:
		delete(t.last, k.what)
	}
	return nil
}
