package redis

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"signal-server/cache"
)

// What a payer is charged, beside frames. Measured with Redis 7 on amd64, names of keys and what the allocator wastes included: a session of
// a byte takes 377 bytes, a write of 100 bytes 160 more, a token of 32 bytes 100.
const (
	sessionCost = 512
	writeCost   = 128
	tokenCost   = 64 // beside its length
)

// accounts are what the payers of sessions pay for all that came through this node, in what Redis is likely to need, and with as much set aside as
// cache.SetAside says: so that an answer is not refused because its offerer's client has more sessions than it may. What goes through other
// nodes they count: whoever writes first to a session through this node pays for what comes through it, which is who opens it wherever
// there is one node.
//
// This node learns of the end of a session only where that comes through it. It counts any other session until its lifetime is over: to
// count a session that is kept alive elsewhere no more would let one client have many shares, and to count one that has ended takes nothing
// from it but a share that is not used up. nil are accounts in which nobody is bounded. They are safe for concurrent use.
type accounts struct {
	// set at construction
	ledger   *cache.Ledger
	lifetime time.Duration
	full     int       // bytes of a session, at the most
	start    time.Time // the origin of this clock

	mu sync.Mutex
	// guarded by mu
	places  map[accountID]uint32 // in all
	all     []account            // a list from oldest to newest, by next and before; all[0] is both its ends
	settled uint32               // the newest that has settled, and all before it; 0: none
	free    uint32               // the first that is in use no more, linked by next; 0: none
}

// accountID is a part of a session's name: 96 bits of the hash of its key.
type accountID [16]byte

type account struct {
	id           accountID
	payer        cache.Payer
	epoch        uint64
	bytes, aside int64         // what was written, what is set aside
	opened       time.Duration // on the accounts' clock
	next, before uint32
}

// cost is what the account's payer is charged.
func (c *account) cost() int64 { return max(c.bytes, c.aside) }

// maxAccounts bounds the memory of accounts, to 30 MB. With more sessions than that in a lifetime, the oldest are forgotten.
const maxAccounts = 1 << 18

// newAccounts returns accounts for a store with these limits over servers with so much memory; 0: it is not known.
func newAccounts(limits cache.Limits, memory int64) *accounts {
	share := limits.ClientMemory.Of(memory)
	if share == 0 {
		return nil
	}
	const message = writeCost + tokenCost + maxToken + frameCost
	full := sessionCost + limits.SessionBytes + len(cache.Roles)*(1+limits.Candidates)*message
	return &accounts{
		ledger: cache.NewLedger(max(share, cache.FullSessions*int64(full))), lifetime: limits.Lifetime, full: full, start: time.Now(),
		places: make(map[accountID]uint32), all: make([]account, 1),
	}
}

const (
	maxToken  = 64 // bytes of a cache.Token, at the most
	frameCost = 9  // bytes of a frame beside its payload
)

// bill is what a write is charged before it is known whether it succeeds.
type bill struct {
	id    accountID
	payer cache.Payer
	bytes int64
	epoch uint64 // of the account that was charged; 0: none, the payer was, for a new one
}

// charge charges the write, and reports whether its payer has the share. Then the caller calls settle or cancel.
//
// hot: every write.
func (a *accounts) charge(r *request, w *cache.Write) (b bill, ok bool) {
	if a == nil {
		return bill{}, true
	}
	b = bill{id: idOf(r), payer: w.Payer, bytes: int64(writeCost + len(w.Batch.Frames()))}
	if w.Token != "" {
		b.bytes += int64(tokenCost + len(w.Token))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.passLocked(time.Since(a.start))
	if at, known := a.places[b.id]; known && !w.Opens {
		c := &a.all[at]
		b.payer, b.epoch = c.payer, c.epoch
		b.bytes = min(b.bytes, max(int64(a.full)-c.bytes, 0)) // a repeated write is charged, but no session takes more than a full one
		return b, a.growLocked(c, b.bytes)
	}
	b.bytes += sessionCost
	return b, a.ledger.Take(b.payer, a.first(&b))
}

// first is what the first write through this node is charged.
func (a *accounts) first(b *bill) int64 { return int64(cache.SetAside(int(b.bytes), a.full)) }

// growLocked adds n bytes, if the account's payer has them.
func (a *accounts) growLocked(c *account, n int64) bool {
	before := c.cost()
	c.bytes += n
	if !a.ledger.Take(c.payer, c.cost()-before) {
		c.bytes -= n
		return false
	}
	return true
}

// cancel takes back what a write was charged that did not succeed.
func (a *accounts) cancel(b *bill) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if b.epoch == 0 {
		a.ledger.Give(b.payer, a.first(b))
		return
	}
	if at, known := a.places[b.id]; known && a.all[at].epoch == b.epoch {
		c := &a.all[at]
		before := c.cost()
		c.bytes -= b.bytes
		a.ledger.Give(c.payer, before-c.cost())
	}
}

// settle keeps what a write was charged that succeeded in the session of that epoch. A repeated write that opens is free; one that appends is
// charged again, up to what a full session takes, because only the server knows that it was repeated.
func (a *accounts) settle(b *bill, epoch uint64) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	at, known := a.places[b.id]
	switch {
	case known && a.all[at].epoch == epoch: // as it was charged; or opened before this write, which was repeated or came second
		if b.epoch == 0 {
			a.ledger.Give(b.payer, a.first(b))
		}
	case b.epoch != 0: // the session that was charged has ended meanwhile; what one write takes in the next one is not worth a second try
		if known {
			a.closeLocked(at)
		}
	default:
		if known {
			a.closeLocked(at)
		}
		if b.payer != (cache.Payer{}) {
			a.openLocked(b, epoch)
		}
	}
}

// end gives back what the request's session was charged: it has ended.
func (a *accounts) end(r *request) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if at, known := a.places[idOf(r)]; known {
		a.closeLocked(at)
	}
}

// overdrawn returns how many writes were refused.
func (a *accounts) overdrawn() int64 {
	if a == nil {
		return 0
	}
	return a.ledger.Refused()
}

// openLocked adds the newest account.
func (a *accounts) openLocked(b *bill, epoch uint64) {
	if len(a.places) == maxAccounts {
		a.closeLocked(a.all[0].next)
	}
	at := a.free
	if at == 0 {
		at = uint32(len(a.all))
		a.all = append(a.all, account{})
	}
	a.free = a.all[at].next
	last := a.all[0].before
	a.all[at] = account{
		id: b.id, payer: b.payer, epoch: epoch, bytes: b.bytes, aside: a.first(b), opened: time.Since(a.start), before: last,
	}
	a.all[last].next, a.all[0].before = at, at
	a.places[b.id] = at
}

// closeLocked gives back what the account was charged, and forgets it.
func (a *accounts) closeLocked(at uint32) {
	c := &a.all[at]
	a.ledger.Give(c.payer, c.cost())
	a.all[c.before].next, a.all[c.next].before = c.next, c.before
	if a.settled == at {
		a.settled = c.before
	}
	delete(a.places, c.id)
	*c = account{next: a.free}
	a.free = at
}

// passLocked does what time has brought by now: it closes accounts whose sessions have ended, and gives back what is set aside for others no
// longer. All sessions have one lifetime, so the oldest end first.
func (a *accounts) passLocked(now time.Duration) {
	for at := a.all[0].next; at != 0 && a.all[at].opened+a.lifetime <= now; at = a.all[0].next {
		a.closeLocked(at)
	}
	for at := a.all[a.settled].next; at != 0 && a.all[at].opened+cache.SetAsideFor <= now; at = a.all[at].next {
		c := &a.all[at]
		before := c.cost()
		c.aside = int64(cache.Settled(int(c.aside), int(c.bytes)))
		a.ledger.Give(c.payer, before-c.cost())
		a.settled = at
	}
	if len(a.places) == 0 && len(a.all) > 1024 { // a map and a list keep what they have grown to
		a.places, a.all, a.settled, a.free = make(map[accountID]uint32), make([]account, 1), 0, 0
	}
}

// idOf returns what accounts know the request's session by.
func idOf(r *request) (id accountID) {
	copy(id[:], r.session[len(r.session)-len("}")-idSize:])
	return id
}

// memory returns how many bytes the servers have for sessions, all together: their maxmemory or, where that is not set, what their machines
// have. It is 0 if one of them does not tell.
func (s *Store) memory(ctx context.Context) (total int64) {
	for _, node := range s.routes.masters() {
		n := memoryOf(ctx, node)
		if n == 0 {
			return 0
		}
		total += n
	}
	return total
}

func memoryOf(ctx context.Context, node rueidis.Client) int64 {
	if node == nil {
		return 0
	}
	info, err := node.Do(ctx, node.B().Info().Section("memory").Build()).ToString()
	if err != nil {
		return 0
	}
	for _, name := range []string{"maxmemory", "total_system_memory"} {
		if n, err := strconv.ParseInt(field(info, name), 10, 64); err == nil && n > 0 {
			return n
		}
	}
	return 0
}
