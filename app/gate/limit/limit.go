// Package limit says how much one client may ask for: connections, requests, new sessions, wrong keys, waits at once. It knows addresses and
// rates, not what a request is.
//
//	peer, X-Forwarded-For ──Proxies──▶ client ──Limiter──▶ how long to wait before asking again; 0: go on
//	                                              │
//	                          a hash under a private seed picks a shard
//	                                              ▼
//	                         shard: known clients │ blocked clients
//	                                least recently used go first, each among their own
//
// A client is an IPv4 address, or a /64 of IPv6, which is the least that one customer has (RFC 6177). A number of clients bounds the
// memory, which is allocated at the start. Where keys are guessed, the /48 that a client of IPv6 is in counts as well, and all clients
// together: guess.go says how.
//
// When more addresses come than are remembered, the Limiter forgets the client that it has not heard from for longest. That client
// begins anew with full buckets. An attacker gains nothing by this: to be forgotten takes requests from as many other addresses as
// are remembered, and these could have asked for the same. Blocks are kept apart. They outlast any number of addresses: a block is
// forgotten early only when as many others are blocked after it as there is room for, an eighth of Clients or more.
package limit

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// Config says how clients are told apart and how much each may have. The zero Config limits nothing.
type Config struct {
	// TrustedProxies is what ParseProxies reads.
	TrustedProxies []string `name:"trusted-proxies" placeholder:"CIDR" help:"Whose X-Forwarded-For counts: networks, loopback, private, unix."`

	// Connections counts before anything is read, and before TLS.
	Connections Rate `name:"rate-connections" default:"off" help:"Connections, such as 20/s."`

	Requests Rate `name:"rate-requests" default:"off" help:"Requests, such as 50/s."`
	Opens    Rate `name:"rate-opens" default:"off" help:"New sessions, such as 60/m."`

	// WrongKeys is how many different keys without a session a client may ask for; guess.go says what else counts. A client that asks for
	// more is refused, whatever it asks for, until its next wrong key is due. A client that goes on all the same is blocked: for Block the
	// first time, and twice as long each further time, up to an hour, or Block if that is longer. A block is forgiven an hour after its end.
	// As many sessions that nobody has answered may it open; then it is refused further ones.
	WrongKeys Rate          `name:"rate-wrong-keys" default:"off" help:"Unknown keys it may try, such as 20/m."`
	Block     time.Duration `name:"block-for" default:"1m" help:"Block of who tries on; doubles up to 1h."`

	Waits int `name:"max-client-waits" default:"0" help:"Waits and streams at once; 0: any number."`

	// Clients is how many are remembered; 0 means DefaultClients.
	Clients int `kong:"-"`
}

// Validate calls wrong for each mistake: with a pointer to the field, and with what is wrong in words that follow the field's name.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if _, err := ParseProxies(c.TrustedProxies); err != nil {
		wrong(&c.TrustedProxies, "%v", err)
	}
	if c.Waits < 0 {
		wrong(&c.Waits, "is %d, must be 0 or more", c.Waits)
	}
	if c.Block <= 0 && c.WrongKeys.Events != 0 {
		wrong(&c.Block, "is %v, must be more than 0", c.Block)
	}
}

// Limits reports whether the config limits anything.
func (c *Config) Limits() bool {
	return c.Connections.meter().on() || c.Requests.meter().on() || c.Opens.meter().on() || c.WrongKeys.meter().on() || c.Waits > 0
}

// DefaultClients is how many clients are remembered unless the Config says otherwise. They take 12.3 MiB, 196 bytes each.
const DefaultClients = 1 << 16

// Limiter counts what clients do. Its methods may be called concurrently. None allocates. None waits except for a shard's lock, and
// whoever holds that only counts. A client is an address as Proxies.Client returns it.
type Limiter struct {
	// set at construction
	connections, requests, opens, wrongKeys meter

	waits   int32
	block   time.Duration
	base    time.Time    // time is counted from here
	seed    maphash.Seed // private: no client can aim at a shard, or at another client's place in it
	shards  []shard      // a power of two
	guesses guesses

	// atomic
	refused [reasons]atomic.Int64
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
	Brake
	reasons
)

// String returns the reason's name, as in metrics.
func (r Reason) String() string {
	return [...]string{"requests", "opens", "wrong_keys", "blocked", "waits", "brake"}[r]
}

// Reasons lists all of them.
func Reasons() []Reason { return []Reason{Requests, Opens, WrongKeys, Blocked, Waits, Brake} }

// New returns a Limiter, or nil if the config limits nothing.
func New(config Config) *Limiter {
	if !config.Limits() {
		return nil
	}
	l := &Limiter{
		connections: config.Connections.meter(),
		requests:    config.Requests.meter(),
		opens:       config.Opens.meter(),
		wrongKeys:   config.WrongKeys.meter(),
		waits:       int32(min(max(config.Waits, 0), 1<<30)),
		block:       config.Block,
		base:        time.Now(),
		seed:        maphash.MakeSeed(),
	}
	clients := config.Clients
	if clients <= 0 {
		clients = DefaultClients
	}
	l.shards = newShards(clients, l.hash)
	if l.wrongKeys.on() {
		l.guesses.init(l.wrongKeys)
	}
	return l
}

// Connect counts a connection that the client makes. It returns 0 if the connection may be served, and otherwise the time until the
// client may make the next one. Whoever turns it away counts that: it is no request that is refused. Who is blocked may connect, and is told
// when it asks.
func (l *Limiter) Connect(client netip.Addr) time.Duration {
	if !l.connections.on() {
		return 0
	}
	id, now := idOf(client), time.Since(l.base)
	s := l.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.meetLocked(id)
	if after := l.connections.due(st.connections, now); after > 0 {
		return after
	}
	l.connections.take(&st.connections, now)
	return 0
}

// Request counts a request of the client. It returns 0 if the request may be served, and otherwise the time until the client may ask
// again.
//
// hot: every request of a server that has limits.
func (l *Limiter) Request(client netip.Addr) time.Duration {
	id, now := idOf(client), time.Since(l.base)
	s := l.shard(id)
	s.mu.Lock()
	reason, after := l.requestLocked(s, id, now)
	s.mu.Unlock()
	return l.refuse(reason, after)
}

func (l *Limiter) requestLocked(s *shard, id id, now time.Duration) (Reason, time.Duration) {
	if after := s.blockedLocked(id, now); after > 0 {
		return Blocked, after
	}
	var st *state
	switch {
	case l.requests.on():
		st = s.meetLocked(id)
	case l.wrongKeys.on():
		st = s.knownLocked(id) // a client that has done nothing wrong need not be known
	}
	if st == nil {
		return 0, 0
	}
	if after := l.slowedLocked(s, id, st, now); after > 0 {
		if until := s.blockedLocked(id, now); until > 0 {
			return Blocked, until
		}
		return WrongKeys, after
	}
	if !l.requests.on() {
		return 0, 0
	}
	if after := l.requests.due(st.requests, now); after > 0 {
		return Requests, after
	}
	l.requests.take(&st.requests, now)
	return 0, 0
}

// Open counts a session that the client is about to open. It returns what Request does.
func (l *Limiter) Open(client netip.Addr) time.Duration {
	id, now := idOf(client), time.Since(l.base)
	s := l.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if after := s.blockedLocked(id, now); after > 0 {
		return l.refuse(Blocked, after)
	}
	if !l.opens.on() {
		return 0
	}
	st := s.meetLocked(id)
	if after := l.opens.due(st.opens, now); after > 0 {
		return l.refuse(Opens, after)
	}
	l.opens.take(&st.opens, now)
	return 0
}

// Held is a wait that counts until Release. The zero Held counts for nobody.
type Held struct {
	limiter *Limiter
	id      id
	birth   uint64
}

// Wait counts a wait that begins. It reports whether the client may have one more. If so the caller calls Release, once. The count
// is exact as long as the client is remembered; a client that was forgotten starts at none.
func (l *Limiter) Wait(client netip.Addr) (Held, bool) {
	if l.waits == 0 {
		return Held{}, true
	}
	id := idOf(client)
	s := l.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.meetLocked(id)
	if st.waits >= l.waits {
		l.refused[Waits].Add(1)
		return Held{}, false
	}
	st.waits++
	return Held{l, id, st.birth}, true
}

// Release ends the wait. It does nothing if the client has been forgotten meanwhile, even if it has come back.
func (h Held) Release() {
	if h.limiter == nil {
		return
	}
	s := h.limiter.shard(h.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.knownLocked(h.id); st != nil && st.birth == h.birth && st.waits > 0 {
		st.waits--
	}
}

// Refused returns how many requests were refused for that reason.
func (l *Limiter) Refused(r Reason) int64 { return l.refused[r].Load() }

// Known returns how many clients are remembered, sites among them, and how many are blocked now. It is for metrics: it looks at all blocks, one shard
// at a time, which takes some 10 µs for each thousand.
func (l *Limiter) Known() (clients, blocked int) {
	now := time.Since(l.base)
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		clients += s.clients.Len()
		blocked += s.countBlockedLocked(now)
		s.mu.Unlock()
	}
	return clients, blocked
}

// refuse counts a refusal, if it is one.
func (l *Limiter) refuse(r Reason, after time.Duration) time.Duration {
	if after <= 0 {
		return 0
	}
	l.refused[r].Add(1)
	return after
}

// id is a client: the first 64 bits of an IPv6 address, or an IPv4 address mapped into IPv6. The two kinds never collide: a mapped
// address has all its bits after the first 64.
type id [16]byte

// idOf takes IPv6 by /64, whether or not Proxies.Client has done so.
func idOf(client netip.Addr) id {
	if !client.IsValid() {
		return id{15: 1} // all that have no address are one client
	}
	id := id(client.As16())
	if client.Is6() && !client.Is4In6() {
		clear(id[8:])
	}
	return id
}

// Name returns the text that a client is told apart by: an IPv6 address counts by its /64.
func Name(client netip.Addr) string {
	id := idOf(client)
	return netip.AddrFrom16(id).Unmap().String()
}

func (l *Limiter) hash(id id) uint64 { return maphash.Bytes(l.seed, id[:]) }

// shard picks the client's shard by the lower half of the hash. The shard's tables use the upper half.
func (l *Limiter) shard(id id) *shard {
	return &l.shards[l.hash(id)&uint64(len(l.shards)-1)]
}
