package cache

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

// Bell is what a waiting goroutine sleeps on. It has capacity 1, so that a ring is remembered and never blocks, and is never
// closed. A ring says "look again", no more.
type Bell chan struct{}

// NewBell returns a bell that has not been rung.
func NewBell() Bell { return make(Bell, 1) }

// Ring wakes the sleeper, now or when it next goes to sleep. It never blocks.
func (b Bell) Ring() {
	select {
	case b <- struct{}{}:
	default: // it has been rung already
	}
}

// Bells is a board of bells by key and the role that can read what is new: what a store needs for Hang and Unhang. It is
// safe for concurrent use. NewBells makes one.
type Bells struct {
	// set at construction
	seed maphash.Seed

	// atomic
	hung atomic.Int64 // all bells: a write to a server where nobody waits looks no further

	shards [64]bellShard // by the key's hash: a power of two, and more than cores
}

type bellShard struct {
	mu sync.Mutex
	// guarded by mu
	bells map[bellHook][]Bell
	_     [40]byte // to a cache line of 64 bytes
}

type bellHook struct {
	key  Key
	role Role
}

// NewBells returns an empty board.
func NewBells() *Bells {
	b := &Bells{seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].bells = make(map[bellHook][]Bell)
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
	b.hung.Add(1) // before the caller looks again, after which no ring may be missed
	hook := bellHook{key, to}
	hung := s.bells[hook]
	if len(hung) == 0 {
		hook.key = Key(strings.Clone(string(key)))
	}
	s.bells[hook] = append(hung, bell)
	return len(hung) == 0
}

// Unhang takes the bell down. It reports whether none is left there. A bell that does not hang is no error.
func (b *Bells) Unhang(key Key, to Role, bell Bell) (last bool) {
	s := b.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	hook := bellHook{key, to}
	hung := s.bells[hook]
	for i := range hung {
		if hung[i] != bell {
			continue
		}
		b.hung.Add(-1)
		hung[i] = hung[len(hung)-1]
		hung[len(hung)-1] = nil
		hung = hung[:len(hung)-1]
		if len(hung) == 0 {
			delete(s.bells, hook)
			return true
		}
		s.bells[hook] = hung
		return false
	}
	return false
}

// Ring rings every bell that hangs at the key for role to.
//
// hot: called after every write.
func (b *Bells) Ring(key Key, to Role) {
	if b.hung.Load() == 0 {
		return
	}
	s := b.shard(key)
	s.mu.Lock()
	for _, bell := range s.bells[bellHook{key, to}] {
		bell.Ring() // never blocks, so that it may be done under the lock
	}
	s.mu.Unlock()
}
