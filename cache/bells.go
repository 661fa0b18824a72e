package cache

import (
	"hash/maphash"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Bell is what a waiting goroutine sleeps on. It has capacity 1, so that a ring is remembered and never blocks. It is never closed.
// A ring says "look again", or what a look would show.
type Bell chan News

// NewBell returns a bell that has not been rung.
func NewBell() Bell { return make(Bell, 1) }

// Ring wakes the sleeper, now or when it next goes to sleep. It never blocks. When a second ring comes before the sleeper has heard
// the first, both become "look again". Calls of Ring on one bell must not overlap. While the second ring replaces the first, the
// bell is empty for a moment: a goroutine that polls the bell, instead of sleeping on it, may find nothing then, and finds the ring
// the next time.
func (b Bell) Ring(n News) {
	select {
	case b <- n:
		return
	default:
	}
	b.silence()
	select {
	case b <- News{}:
	default:
	}
}

// silence forgets a ring that nobody has heard.
func (b Bell) silence() {
	select {
	case <-b:
	default:
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
	bells map[bellHook]*[]Bell // pointers, because assigning to an entry would replace the entry's key by the caller's
	_     [40]byte             // to a cache line of 64 bytes
}

type bellHook struct {
	key  Key
	role Role
}

// NewBells returns an empty board.
func NewBells() *Bells {
	b := &Bells{seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].bells = make(map[bellHook]*[]Bell)
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
	hung := s.bells[bellHook{key, to}]
	if first = hung == nil; first {
		hung = new([]Bell)
		s.bells[bellHook{Key(strings.Clone(string(key))), to}] = hung
	}
	*hung = append(*hung, bell)
	return first
}

// Unhang takes the bell down. It reports whether none is left there. A bell that does not hang is no error.
func (b *Bells) Unhang(key Key, to Role, bell Bell) (last bool) {
	s := b.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	hung := s.bells[bellHook{key, to}]
	if hung == nil {
		return false
	}
	i := slices.Index(*hung, bell)
	if i < 0 {
		return false
	}
	b.hung.Add(-1)
	*hung = slices.Delete(*hung, i, i+1)
	if len(*hung) > 0 {
		return false
	}
	delete(s.bells, bellHook{key, to})
	return true
}

// Ring rings every bell that hangs at the key for role to.
//
// hot: called after every write.
func (b *Bells) Ring(key Key, to Role, n News) {
	if b.hung.Load() == 0 {
		return
	}
	s := b.shard(key)
	s.mu.Lock()
	hung := s.bells[bellHook{key, to}]
	if hung != nil {
		for _, bell := range *hung {
			bell.Ring(n) // never blocks, so it may be called under the lock
		}
	}
	s.mu.Unlock()
	if hung != nil {
		runtime.Gosched() // the sleeper runs before the writer goes on: a hand-off takes 60 µs instead of 75
	}
}
