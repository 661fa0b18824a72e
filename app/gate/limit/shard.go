package limit

import (
	"math/bits"
	"sync"
	"time"

	"github.com/elastic/go-freelru"
)

// shard holds the clients of one part of all addresses.
type shard struct {
	mu sync.Mutex

	// guarded by mu
	clients *freelru.LRU[id, uint32] // where in states; forgets the least recently used
	blocked *freelru.LRU[id, block]
	states  []state
	vacated uint32 // the place in states of the client that was forgotten last
	births  uint64
}

// state is what is known of a client. It has no pointers, so the garbage collector does not look at it.
type state struct {
	connections, requests, opens, wrongKeys bucket
	unanswered                              bucket // of sessions that it has opened

	birth   uint64 // tells the client from another one that had this place before, and from itself before it was forgotten
	waits   int32
	strikes int16                   // requests since the client used up its wrong keys
	credit  uint8                   // right keys that it was served with, less the wrong ones that the brake has let pass for them
	wrong   [rememberedKeys]guessed // the client's last wrong keys, the last one first
}

const rememberedKeys = 16

// block says that a client is refused everything until then. It is kept beyond its end, until it is forgiven, because the next block is
// twice as long.
type block struct {
	until  time.Duration
	length time.Duration
}

const (
	maxShards = 64
	// minShard is the least number of clients of a shard. Addresses do not spread evenly over shards: where 64 shards have room for 64
	// clients each, the fullest one begins to forget when three quarters of all clients are there.
	minShard = 64
)

// newShards returns shards for that many clients together, rounded up to a multiple of the number of shards.
func newShards(clients int, hash func(id) uint64) []shard {
	n := 1 << max(0, min(bits.Len(uint(clients/minShard))-1, bits.Len(maxShards)-1))
	size := uint32((clients + n - 1) / n)
	upper := func(id id) uint32 { return uint32(hash(id) >> 32) }
	shards := make([]shard, n)
	for i := range shards {
		s := &shards[i]
		// The errors are for a size of zero.
		s.clients, _ = freelru.New[id, uint32](size, upper)
		s.blocked, _ = freelru.New[id, block](max(size/8, min(size, 8)), upper)
		s.states = make([]state, size)
		s.clients.SetOnEvict(func(_ id, at uint32) { s.vacated = at })
	}
	return shards
}

// knownLocked returns what is known of the client, or nil. The state may be used until the lock is released.
func (s *shard) knownLocked(id id) *state {
	at, ok := s.clients.Get(id)
	if !ok {
		return nil
	}
	return &s.states[at]
}

// meetLocked returns what is known of the client, which becomes known if it was not.
func (s *shard) meetLocked(id id) *state {
	if st := s.knownLocked(id); st != nil {
		return st
	}
	at := uint32(s.clients.Len())
	if int(at) == len(s.states) {
		s.clients.RemoveOldest()
		at = s.vacated
	}
	s.clients.Add(id, at)
	s.births++
	s.states[at] = state{birth: s.births}
	return &s.states[at]
}

// blockedLocked returns for how long the client is blocked; 0: it is not.
func (s *shard) blockedLocked(id id, now time.Duration) time.Duration {
	if s.blocked.Len() == 0 { // nearly always
		return 0
	}
	b, ok := s.blocked.Get(id)
	if !ok {
		return 0
	}
	return max(b.until-now, 0)
}

const (
	maxBlock = time.Hour
	forgive  = time.Hour // after the end of a block the next one is as short as the first again
)

// blockLocked blocks the client: for first, or longer if it has been blocked lately. Its debt stays.
func (s *shard) blockLocked(id id, st *state, now, first time.Duration) {
	length := max(first, 1)
	if b, ok := s.blocked.Get(id); ok && now < b.until+forgive {
		length = max(length, min(2*b.length, maxBlock))
	}
	st.strikes = 0
	s.blocked.Add(id, block{until: now + length, length: length})
}

func (s *shard) countBlockedLocked(now time.Duration) (n int) {
	if s.blocked.Len() == 0 {
		return 0
	}
	for _, id := range s.blocked.Keys() {
		if b, ok := s.blocked.Peek(id); ok && b.until > now {
			n++
		}
	}
	return n
}

// patience is how many requests a client may still make once it has used up its wrong keys, before it is blocked. It covers requests
// that were under way already, and the retries of a client that means well.
const patience = 20

// slowedLocked returns the time until a client that has used up its wrong keys may ask again, or 0 if it has some left. It counts the
// request, and blocks a client that goes on asking.
func (l *Limiter) slowedLocked(s *shard, id id, st *state, now time.Duration) time.Duration {
	if !l.wrongKeys.on() {
		return 0
	}
	after := l.wrongKeys.due(st.wrongKeys, now)
	if after <= 0 {
		st.strikes = 0
		return 0
	}
	if st.strikes++; st.strikes > patience {
		s.blockLocked(id, st, now, l.block)
	}
	return after
}
