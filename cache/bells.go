package cache

import (
	"hash/maphash"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Bell hangs on a board, a store's, and is rung when there is news. A ring says "look again", or what a look would show.
type Bell interface {
	// Ring notes the news. It is called under locks, so that no bell is rung once it was taken down: it does not block, calls no store,
	// and hangs no bell. Calls may overlap. If it reports true, whoever rings calls Wake once, when it holds no lock any more.
	Ring(n News) (asleep bool)
	// Wake goes on with whatever sleeps on the bell, which stays up meanwhile. It does not block. alone says that nothing else was woken, so
	// that a little work may be done right here: what the caller does next waits for it.
	Wake(alone bool)
}

// Chime is a Bell that one goroutine listens to. It has capacity 1, so that a ring is remembered. It is never closed.
type Chime chan News

// NewChime returns a chime that has not been rung.
func NewChime() Chime { return make(Chime, 1) }

// Ring wakes the listener, now or when it next listens. When a second ring comes before the listener has heard the first, both become
// "look again". While the second ring replaces the first, the chime is empty for a moment: a goroutine that polls it, instead of
// sleeping on it, may find nothing then, and finds the ring the next time. Rings that overlap are heard, but what one says may be lost:
// then there is a ring that says less. It returns false: nobody has to be woken.
func (c Chime) Ring(n News) (asleep bool) {
	select {
	case c <- n:
		return false
	default:
	}
	c.hear()
	select {
	case c <- News{}:
	default:
	}
	return false
}

// Wake implements Bell. It is not called.
func (c Chime) Wake(bool) {}

// hear takes the ring that nobody has heard, if there is one.
func (c Chime) hear() (n News, rung bool) {
	select {
	case n = <-c:
		return n, true
	default:
		return n, false
	}
}

// Bells is a board of bells by key and the role that can read what is new: what a store needs for Hang and Unhang. It is
// safe for concurrent use. NewBells makes one.
type Bells struct {
	// set at construction
	seed maphash.Seed

	// atomic
	hung atomic.Int64 // how many bells hang in all: while it is zero, Ring looks no further

	shards [64]bellShard // by the key's hash: a power of two, and more than cores
}

type bellShard struct {
	mu sync.Mutex
	// guarded by mu
	rows map[bellHook]*bellRow // pointers, because assigning to an entry would replace the entry's key by the caller's
	_    [40]byte              // to a cache line of 64 bytes
}

// bellRow is what hangs at one hook.
type bellRow struct {
	bells []Bell
	one   [1]Bell // mostly all of them
}

type bellHook struct {
	key  Key
	role Role
}

// NewBells returns an empty board.
func NewBells() *Bells {
	b := &Bells{seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].rows = make(map[bellHook]*bellRow)
	}
	return b
}

func (b *Bells) shard(key Key) *bellShard {
	return &b.shards[maphash.String(b.seed, string(key))%uint64(len(b.shards))]
}

// Hang puts the bell up at the key for news that role to can read. It reports whether it is the first one there. It keeps a
// copy of the key.
func (b *Bells) Hang(key Key, to Role, bell Bell) (first bool) {
	s := b.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	b.hung.Add(1) // before Hang returns: from then on the caller relies on being rung
	row := s.rows[bellHook{key, to}]
	if first = row == nil; first {
		row = new(bellRow)
		row.bells = row.one[:0]
		s.rows[bellHook{Key(strings.Clone(string(key))), to}] = row
	}
	row.bells = append(row.bells, bell)
	return first
}

// Unhang takes the bell down. It reports whether none is left there. A bell that does not hang is no error.
func (b *Bells) Unhang(key Key, to Role, bell Bell) (last bool) {
	s := b.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.rows[bellHook{key, to}]
	if row == nil {
		return false
	}
	i := slices.Index(row.bells, bell)
	if i < 0 {
		return false
	}
	b.hung.Add(-1)
	row.bells = slices.Delete(row.bells, i, i+1)
	if len(row.bells) > 0 {
		return false
	}
	delete(s.rows, bellHook{key, to})
	return true
}

// Ring rings every bell that hangs at the key for role to, and wakes what sleeps on them. It is called without locks.
//
// hot: called after every write.
func (b *Bells) Ring(key Key, to Role, n News) {
	if b.hung.Load() == 0 {
		return
	}
	var some [4]Bell
	asleep, listened := some[:0], false
	s := b.shard(key)
	s.mu.Lock()
	if row := s.rows[bellHook{key, to}]; row != nil {
		for _, bell := range row.bells {
			if bell.Ring(n) {
				asleep = append(asleep, bell)
			} else {
				listened = true
			}
		}
	}
	s.mu.Unlock()
	for _, bell := range asleep {
		bell.Wake(len(asleep) == 1)
	}
	if listened {
		runtime.Gosched() // the listener runs before the writer goes on: a hand-off takes 60 µs instead of 75
	}
}
