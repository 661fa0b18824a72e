package memory

import (
	"fmt"

	"github.com/allegro/bigcache/v3/queue"
)

// chunkBytes is the size of one BytesQueue. A single queue would double when it is full, and hold up to twice what it needs; chunks
// come and go one by one. With this size, 32 stripes with two chunks each take 4 MiB.
const chunkBytes = 64 << 10

// ring is a queue of entries, oldest first: a chain of bigcache's BytesQueues, each of fixed size. Entries are read in
// place by their position. Its zero value is empty. It is not safe for concurrent use.
type ring struct {
	chunks []*queue.BytesQueue // oldest first; entries are pushed to the last, popped from the first
	first  uint32              // the number of chunks[0]; numbers count up, and wrap around
	spare  *queue.BytesQueue   // the chunk that became empty last, or nil
}

// position is where an entry lies: the chunk's number in the upper 32 bits, the index in it in the lower. BytesQueue never
// uses index 0, so the zero position means none.
type position uint64

// push copies the entry, at most maxEntry bytes, to the new end.
func (r *ring) push(entry []byte) position {
	for {
		if n := len(r.chunks); n > 0 {
			if i, err := r.chunks[n-1].Push(entry); err == nil {
				return position(r.first+uint32(n-1))<<32 | position(i)
			}
			if r.chunks[n-1].Len() == 0 {
				panic(fmt.Sprintf("BUG: an entry of %d bytes is more than a chunk holds", len(entry)))
			}
		}
		chunk := r.spare
		r.spare = nil
		if chunk == nil {
			chunk = queue.NewBytesQueue(chunkBytes, chunkBytes, false)
		}
		r.chunks = append(r.chunks, chunk)
	}
}

// get returns the entry at p, which lies in the ring: valid until the next push or pop.
func (r *ring) get(p position) []byte {
	entry, err := r.chunks[uint32(p>>32)-r.first].Get(int(uint32(p)))
	if err != nil {
		panic(fmt.Sprintf("BUG: position %x of the ring: %v", p, err))
	}
	return entry
}

// oldest returns the entry at the old end: valid until the next push or pop. It is nil when the ring is empty.
func (r *ring) oldest() []byte {
	if len(r.chunks) == 0 || r.chunks[0].Len() == 0 {
		return nil
	}
	entry, err := r.chunks[0].Peek()
	if err != nil {
		panic(fmt.Sprintf("BUG: oldest entry of the ring: %v", err))
	}
	return entry
}

// pop drops the oldest entry. A chunk that becomes empty becomes the spare one, unless it is the only one.
func (r *ring) pop() {
	chunk := r.chunks[0]
	if _, err := chunk.Pop(); err != nil {
		panic(fmt.Sprintf("BUG: pop of the ring: %v", err))
	}
	if chunk.Len() > 0 {
		return
	}
	chunk.Reset() // so that pushes begin at its start again
	if len(r.chunks) == 1 {
		return
	}
	r.spare = chunk
	copy(r.chunks, r.chunks[1:])
	r.chunks[len(r.chunks)-1] = nil
	r.chunks = r.chunks[:len(r.chunks)-1]
	r.first++
}

// shrink gives back memory that an empty ring does not need.
func (r *ring) shrink() {
	r.spare = nil
	if cap(r.chunks) > 64 {
		r.chunks = append([]*queue.BytesQueue(nil), r.chunks...)
	}
}
