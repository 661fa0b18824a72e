// Package limit says how much one client may ask for: requests, new sessions, wrong keys, waits at once. It knows addresses and
// rates, not what a request is.
//
//	address ──Proxies──▶ client ──▶ Limiter ──▶ how long to wait before asking again
//
// A client is an IPv4 address, or a /64 of IPv6, which is what one customer has (RFC 6177). Memory is bounded by a number of
// clients: who was not heard of for longest is forgotten first, and begins anew. Clients that are blocked are kept apart, so that
// no crowd of other addresses makes a block forgotten, but only as many others that are blocked later.
package limit

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"signal-server/cache"
)

// Rate is so many events in a time: a client may have all of them at once, and gets them back evenly. The zero Rate is no limit.
type Rate struct {
	Events int
	Per    time.Duration
}

func (r Rate) on() bool { return r.Events > 0 }

// limiter returns a full bucket, or nil where there is no limit.
func (r Rate) limiter() *rate.Limiter {
	if !r.on() {
		return nil
	}
	return rate.NewLimiter(rate.Limit(float64(r.Events)/r.Per.Seconds()), r.Events)
}

// Config says how much each client may have. The zero Config limits nothing.
type Config struct {
	Requests Rate // of any kind
	Opens    Rate // sessions opened

	// WrongKeys is how many different keys that no session has a client may ask for. Who asks for more is refused until the next
	// one is due, and who goes on asking all the same is blocked for Block, and twice as long each further time, up to an hour.
	WrongKeys Rate
	Block     time.Duration

	Waits int // at once; 0: any number

	// Clients is how many are remembered; 0 means DefaultClients.
	Clients int
}

// DefaultClients is how many clients are remembered unless the configuration says otherwise. One takes about 500 bytes.
const DefaultClients = 1 << 16

const (
	maxBlock = time.Hour
	// patience is how many requests a client that has used up its wrong keys may go on to make before it is blocked: those that
	// are under way already, and the retries of a client that means well.
	patience = 20
	// rememberedKeys is how many wrong keys of a client are known to be the same when it asks again: an answerer that comes before
	// its offerer asks for one key over and over, and does not guess.
	rememberedKeys = 8
	stripes        = 16
)

// Limiter counts what clients do. Its methods may be called concurrently; none blocks, and none allocates for a known client.
type Limiter struct {
	// set at construction
	config  Config
	seed    maphash.Seed // private, so that no client can aim at a stripe or at a remembered key
	stripes [stripes]stripe

	// atomic
	refused [reasons]atomic.Int64
}

// stripe holds the clients of one part of all addresses.
type stripe struct {
	mu sync.Mutex
	// guarded by mu
	clients *simplelru.LRU[netip.Addr, *client]
	blocked *simplelru.LRU[netip.Addr, block]
}

// client is what is known of one.
type client struct {
	requests, opens, wrongKeys *rate.Limiter // nil: no limit; safe for concurrent use

	waits atomic.Int64

	mu sync.Mutex
	// guarded by mu
	keys     [rememberedKeys]uint64 // the last wrong ones
	next     int                    // where the next goes
	strikes  int                    // requests since wrong keys were used up
	slowed   bool
	nextFrom time.Time // when the next wrong key is due, while slowed
}

// block is a client that is refused everything.
type block struct {
	until time.Time
	times int // that it has been blocked
}

// Reason is why a client was refused.
type Reason int

// The reasons.
const (
	Requests Reason = iota
	Opens
	WrongKeys
	Blocked
	Waits
	reasons
)

// String returns the reason's name, as in metrics.
func (r Reason) String() string {
	return [...]string{"requests", "opens", "wrong_keys", "blocked", "waits"}[r]
}

// Reasons lists all of them.
func Reasons() []Reason { return []Reason{Requests, Opens, WrongKeys, Blocked, Waits} }

// New returns a Limiter, or nil if the config limits nothing.
func New(config Config) *Limiter {
	if config.Clients == 0 {
		config.Clients = DefaultClients
	}
	if config == (Config{Clients: config.Clients, Block: config.Block}) {
		return nil
	}
	l := &Limiter{config: config, seed: maphash.MakeSeed()}
	for i := range l.stripes {
		// The error is for a size below one.
		l.stripes[i].clients, _ = simplelru.NewLRU[netip.Addr, *client](max(1, config.Clients/stripes), nil)
		l.stripes[i].blocked, _ = simplelru.NewLRU[netip.Addr, block](max(1, config.Clients/stripes/4), nil)
	}
	return l
}

// Refused returns how many requests were refused for that reason.
func (l *Limiter) Refused(r Reason) int64 { return l.refused[r].Load() }

// Known returns how many clients are remembered, and how many of them are blocked or have been.
func (l *Limiter) Known() (clients, blocked int) {
	for i := range l.stripes {
		s := &l.stripes[i]
		s.mu.Lock()
		clients += s.clients.Len()
		blocked += s.blocked.Len()
		s.mu.Unlock()
	}
	return clients, blocked
}

func (l *Limiter) refuse(r Reason, after time.Duration) time.Duration {
	l.refused[r].Add(1)
	return max(after, time.Millisecond)
}

func (l *Limiter) stripe(addr netip.Addr) *stripe {
	return &l.stripes[maphash.Comparable(l.seed, addr)%stripes]
}

// find returns what is known of the client, and for how long it is blocked.
func (l *Limiter) find(addr netip.Addr, now time.Time) (*client, time.Duration) {
	s := l.stripe(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocked.Len() > 0 {
		if b, ok := s.blocked.Peek(addr); ok && now.Before(b.until) {
			return nil, b.until.Sub(now)
		}
	}
	c, ok := s.clients.Get(addr)
	if !ok {
		c = &client{
			requests: l.config.Requests.limiter(), opens: l.config.Opens.limiter(), wrongKeys: l.config.WrongKeys.limiter(),
		}
		s.clients.Add(addr, c)
	}
	return c, 0
}

// Request counts a request of the client. It returns 0 if it may be served, and otherwise how long the client is to wait before it
// asks again.
//
// hot: every request of a server that has limits.
func (l *Limiter) Request(addr netip.Addr) time.Duration {
	now := time.Now()
	c, blocked := l.find(addr, now)
	if c == nil {
		return l.refuse(Blocked, blocked)
	}
	if c.requests != nil && !c.requests.AllowN(now, 1) {
		return l.refuse(Requests, due(c.requests, now))
	}
	if c.wrongKeys == nil {
		return 0
	}
	c.mu.Lock()
	if !c.slowed || !now.Before(c.nextFrom) {
		c.slowed = false
		c.mu.Unlock()
		return 0
	}
	c.strikes++
	strikes, wait := c.strikes, c.nextFrom.Sub(now)
	c.mu.Unlock()
	if strikes > patience {
		return l.refuse(Blocked, l.block(addr, c, now))
	}
	return l.refuse(WrongKeys, wait)
}

// due returns how long it takes until the bucket has one again.
func due(bucket *rate.Limiter, now time.Time) time.Duration {
	return time.Duration((1 - bucket.TokensAt(now)) / float64(bucket.Limit()) * float64(time.Second))
}

// block blocks the client, and returns for how long.
func (l *Limiter) block(addr netip.Addr, c *client, now time.Time) time.Duration {
	c.mu.Lock()
	c.strikes, c.slowed = 0, false
	c.mu.Unlock()
	s := l.stripe(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	b, _ := s.blocked.Peek(addr)
	length := min(l.config.Block<<min(b.times, 12), maxBlock)
	s.blocked.Add(addr, block{until: now.Add(length), times: b.times + 1})
	return length
}

// Open counts a session that the client is about to open. It returns what Request does.
func (l *Limiter) Open(addr netip.Addr) time.Duration {
	now := time.Now()
	c, blocked := l.find(addr, now)
	switch {
	case c == nil:
		return l.refuse(Blocked, blocked)
	case c.opens != nil && !c.opens.AllowN(now, 1):
		return l.refuse(Opens, due(c.opens, now))
	default:
		return 0
	}
}

// WrongKey counts a key that no session has and the client has asked for. The same one again counts once, as long as it is among
// the client's last few.
func (l *Limiter) WrongKey(addr netip.Addr, key cache.Key) {
	if !l.config.WrongKeys.on() {
		return
	}
	now := time.Now()
	c, _ := l.find(addr, now)
	if c == nil {
		return
	}
	hash := maphash.String(l.seed, string(key))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.keys {
		if known == hash {
			return
		}
	}
	c.keys[c.next] = hash
	c.next = (c.next + 1) % rememberedKeys
	if !c.wrongKeys.AllowN(now, 1) || c.wrongKeys.TokensAt(now) < 1 {
		c.slowed, c.strikes = true, 0
		c.nextFrom = now.Add(due(c.wrongKeys, now))
	}
}

// Held is a wait that counts; Release ends it. The zero Held is of a client without a limit.
type Held struct{ client *client }

// Wait counts a wait that begins. It reports whether the client may have one more; Release must follow then, once.
func (l *Limiter) Wait(addr netip.Addr) (Held, bool) {
	if l.config.Waits == 0 {
		return Held{}, true
	}
	c, _ := l.find(addr, time.Now())
	if c == nil || c.waits.Add(1) > int64(l.config.Waits) {
		if c != nil {
			c.waits.Add(-1)
		}
		l.refuse(Waits, 0)
		return Held{}, false
	}
	return Held{c}, true
}

// Release ends the wait. It does no harm when the client has been forgotten meanwhile.
func (h Held) Release() {
	if h.client != nil {
		h.client.waits.Add(-1)
	}
}
