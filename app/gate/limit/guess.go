package limit

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync/atomic"
	"time"

	"signal-server/cache"
)

// Guessing. Whatever tells a client that a key which it does not know has a session, or has none, is a guess. It is counted three
// times over, so that more addresses do not buy more guesses without end:
//
//	a guess ──▶ the client (IPv4 address, /64 of IPv6)   --rate-wrong-keys   used up: refused, then blocked
//	        ├─▶ its site (/48 of IPv6)                   perSite times       used up: its clients may go on, but not try further keys
//	        └─▶ the server                               perServer times     used up: the brake, see below
//
// A site is what an organization is given (RFC 6177), and has 65,536 clients for the price of one.
//
// The brake is for guessers with many addresses of any kind. Before the store is asked, a new address that guesses looks like a new address that
// knows its key; and to answer the guess late or by 429 would tell as much as KeyNotFound does, because a right key is answered at
// once. So everybody's first key passes, and not the second: while the brake is on, one wrong key costs a client all that it has but one, and
// until that has come back the client may not try further keys. A guesser has one guess for each address and Rate.Per, instead of
// Rate.Events. Those who ask for right keys, and those who wait for one that is not open yet, notice nothing. Where many people share an
// address, the one's early key would stop the other's right one: so an address has credit for each right key that it was served with, and the
// brake lets a wrong one pass for it.
//
// To open a session is a guess, too: that it opens tells that the key had none. But it is nearly always meant, so these guesses are counted
// apart, by client and site, what a client opens too much is refused alone, and an opener to whom the other peer's answer was handed gets its
// guess back. (A guesser may answer itself, at three requests a guess: --rate-opens bounds that.)
//
// What a client knows is no guess: a key that it was served with (known), and one of its last wrong keys (state.wrong). A wrong
// key that then turns out right is given back: the client is an answerer that came before its offerer.

const (
	// perSite is how many clients of one /48 may use up what they have. A household often has a /56, 256 of which are in it, and few
	// guess wrong.
	perSite = 16
	// perServer is how many clients of the server may. With 20/m it lets 85 wrong keys a second pass, those of answerers that come early left
	// out.
	perServer = 256
)

// guesses is what of guessing is not kept with single clients.
type guesses struct {
	// set at construction
	site, server meter
	seed         maphash.Seed // private: no client can find two keys that are taken for one

	// atomic
	all      atomic.Int64    // the server's bucket
	doubtful atomic.Int64    // until then, or so, a site or the server has used up what it has; 0: none has
	known    []atomic.Uint32 // pairs; one forgets the one before it in its slot
}

func (g *guesses) init(wrongKeys meter) {
	g.site, g.server = wrongKeys.times(perSite), wrongKeys.times(perServer)
	g.seed = maphash.MakeSeed()
	g.known = make([]atomic.Uint32, knownSlots)
}

// WrongKey counts a key without a session that the client has asked for. A key that is among the client's last 16 counts no second
// time: an answerer that comes before its offerer asks for one key over and over, and does not guess. The Limiter does not keep the
// key, but 30 bits of its hash under a private seed.
//
// Call it before a request waits for that key. Otherwise many guesses could wait side by side before the first one counts. Requests
// that were let in side by side gain nothing either, since each wrong key counts: the client pays all of them back before its next
// request, and is blocked if they are more than twice the rate's events.
func (l *Limiter) WrongKey(client netip.Addr, key cache.Key) {
	if !l.wrongKeys.on() {
		return
	}
	w := l.whom(client, key)
	if w.knows() != 0 {
		w.slot.Store(0) // that session is forgotten, and the next one of the key is news
	}
	l.count(&w, 1, costsOne)
}

// OthersKey counts, as so many guesses, a key of which the client was told that a session lives or has lived. If the client knows the key, that is
// no news: it counts nothing.
func (l *Limiter) OthersKey(client netip.Addr, key cache.Key, guesses int) {
	if !l.wrongKeys.on() {
		return
	}
	if w := l.whom(client, key); w.knows() == 0 {
		l.count(&w, guesses, costsEver)
	}
}

// count counts guesses, and keeps their key at this cost.
func (l *Limiter) count(w *whom, n int, cost guessed) {
	now := time.Since(l.base)
	if !l.countOwn(w, n, cost, now) {
		return
	}
	l.guesses.add(n, now)
	doubtful := l.guesses.server.due(bucket(l.guesses.all.Load()), now)
	if site, ok := siteOf(w.id); ok {
		doubtful = max(doubtful, l.countSite(site, n, now))
	}
	if doubtful > 0 {
		l.guesses.doubt(now + doubtful)
	}
}

// countOwn counts guesses of the client itself. It reports whether they count.
func (l *Limiter) countOwn(w *whom, n int, cost guessed, now time.Duration) bool {
	s := l.shard(w.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blockedLocked(w.id, now) > 0 {
		return false // the request was let in before the block, and one block is enough
	}
	st := s.meetLocked(w.id)
	if st.recallLocked(w.key) {
		return false
	}
	l.wrongKeys.takeMany(&st.wrongKeys, n, now)
	switch braked := l.braked(now); {
	case braked && st.credit > 0:
		st.credit--
	case braked && l.wrongKeys.leaveOne(&st.wrongKeys, now) && cost == costsOne:
		cost = costsAll
	}
	st.wrong[0] = w.key | cost
	if l.wrongKeys.debt(st.wrongKeys, now) > 2*l.wrongKeys.window {
		s.blockLocked(w.id, st, now, l.block)
	}
	return true
}

// countSite counts guesses of a site. It returns the time until the site has another one.
func (l *Limiter) countSite(site id, n int, now time.Duration) time.Duration {
	s := l.shard(site)
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.meetLocked(site)
	l.guesses.site.takeOfMany(&st.wrongKeys, n, now)
	return l.guesses.site.due(st.wrongKeys, now)
}

// Try counts a session of a key that the client is about to open, as a guess, unless the client knows the key. It returns what Request does,
// and whether the session counts.
func (l *Limiter) Try(client netip.Addr, key cache.Key) (after time.Duration, counts bool) {
	if !l.wrongKeys.on() {
		return 0, false
	}
	w := l.whom(client, key)
	if w.knows() != 0 {
		return 0, false
	}
	now := time.Since(l.base)
	after = l.try(w.id, l.wrongKeys, now)
	if site, ok := siteOf(w.id); ok && after <= 0 {
		if after = l.try(site, l.guesses.site, now); after > 0 {
			l.giveBack(w.id, func(st *state) { l.wrongKeys.takeMany(&st.unanswered, -1, now) }) // it opens nothing
		}
	}
	return l.refuse(WrongKeys, after), true
}

// try counts a session of a client, or of a site.
func (l *Limiter) try(id id, rate meter, now time.Duration) time.Duration {
	s := l.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.meetLocked(id)
	after := rate.due(st.unanswered, now)
	if after <= 0 {
		rate.take(&st.unanswered, now)
	}
	return after
}

// Untry gives back what Try has counted, because the client was told nothing.
func (l *Limiter) Untry(client netip.Addr, key cache.Key) {
	w := l.whom(client, key)
	l.giveBackTry(&w)
}

// Opened notes that the client has opened a session that counts.
func (l *Limiter) Opened(client netip.Addr, key cache.Key) {
	w := l.whom(client, key)
	w.learn(opened)
	l.giveBackWrong(&w)
}

// RightKey notes that the client was served with a session of the key. If the key was among its last wrong ones, the
// client had only come too early, and gets back what that has cost.
//
// hot: every request that is served by a server which limits wrong keys. All but the first of a client and a key take two hashes and a look.
func (l *Limiter) RightKey(client netip.Addr, key cache.Key) {
	if !l.wrongKeys.on() {
		return
	}
	if w := l.whom(client, key); w.knows() == 0 {
		w.learn(served)
		l.giveBackWrong(&w)
		l.trust(w.id)
	}
}

// trust gives a client credit for a key that it was served with.
func (l *Limiter) trust(id id) {
	s := l.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.meetLocked(id); st.credit < math.MaxUint8 {
		st.credit++
	}
}

// Met notes that the client was handed what the other peer of a session has written. If it opened the session, that was no guess.
//
// hot: every request that brings something from a server which limits wrong keys.
func (l *Limiter) Met(client netip.Addr, key cache.Key) {
	if !l.wrongKeys.on() {
		return
	}
	w := l.whom(client, key)
	if w.slot.CompareAndSwap(uint32(w.pair|opened), uint32(w.pair|served)) {
		l.giveBackTry(&w)
		l.trust(w.id)
	}
}

// giveBackTry gives back a session that was counted.
func (l *Limiter) giveBackTry(w *whom) {
	now := time.Since(l.base)
	l.giveBack(w.id, func(st *state) { l.wrongKeys.takeMany(&st.unanswered, -1, now) })
	if site, ok := siteOf(w.id); ok {
		l.giveBack(site, func(st *state) { l.guesses.site.takeMany(&st.unanswered, -1, now) })
	}
}

// giveBack has f give back something to a client or a site, if that is remembered.
func (l *Limiter) giveBack(id id, f func(*state)) {
	s := l.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.knownLocked(id); st != nil {
		f(st)
	}
}

// giveBackWrong gives back what the key has cost as a wrong one.
func (l *Limiter) giveBackWrong(w *whom) {
	now, events := time.Since(l.base), 0
	l.giveBack(w.id, func(st *state) {
		switch st.forgetLocked(w.key) {
		case costsOne:
			events = 1
		case costsAll:
			events = int(l.wrongKeys.window/l.wrongKeys.interval) - 1
		}
		l.wrongKeys.takeMany(&st.wrongKeys, -events, now)
	})
	if events == 0 {
		return
	}
	l.guesses.add(-1, now)
	if site, ok := siteOf(w.id); ok {
		l.giveBack(site, func(st *state) { l.guesses.site.takeMany(&st.wrongKeys, -1, now) })
	}
}

// Doubts returns 0 if the client may try the key, as far as its site and the server have guesses left, and otherwise the time until it may ask
// again. A client that shows that it knows the key, as the gate sees it, need not be asked about.
//
// hot: every request of a server that limits wrong keys. As long as nobody guesses much it is one look.
func (l *Limiter) Doubts(client netip.Addr, key cache.Key) time.Duration {
	until := l.guesses.doubtful.Load()
	if until == 0 {
		return 0
	}
	now := time.Since(l.base)
	if now >= time.Duration(until) {
		l.guesses.doubtful.CompareAndSwap(until, 0)
		return 0
	}
	w := l.whom(client, key)
	if w.knows() != 0 {
		return 0
	}
	return l.refuse(l.doubt(&w, now))
}

func (l *Limiter) doubt(w *whom, now time.Duration) (Reason, time.Duration) {
	ofSite := time.Duration(0)
	if site, ok := siteOf(w.id); ok {
		s := l.shard(site)
		s.mu.Lock()
		if st := s.knownLocked(site); st != nil {
			ofSite = l.guesses.site.due(st.wrongKeys, now)
		}
		s.mu.Unlock()
	}
	s := l.shard(w.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.knownLocked(w.id)
	switch {
	case st != nil && st.guessedLocked(w.key) >= 0: // it waits for that key
		return 0, 0
	case ofSite > 0:
		return WrongKeys, ofSite
	case st != nil && st.credit == 0 && l.braked(now):
		return Brake, l.wrongKeys.debt(st.wrongKeys, now)
	default:
		return 0, 0
	}
}

// braked reports whether the server has no guess left.
func (l *Limiter) braked(now time.Duration) bool {
	return l.guesses.server.due(bucket(l.guesses.all.Load()), now) > 0
}

// add counts guesses of the server; less than zero: gives them back.
func (g *guesses) add(n int, now time.Duration) {
	for {
		old := g.all.Load()
		b := bucket(old)
		g.server.takeOfMany(&b, n, now)
		if g.all.CompareAndSwap(old, int64(b)) {
			return
		}
	}
}

// doubt notes that a site or the server has used up what it has, until then.
func (g *guesses) doubt(until time.Duration) {
	for {
		old := g.doubtful.Load()
		if int64(until) <= old || g.doubtful.CompareAndSwap(old, int64(until)) {
			return
		}
	}
}

// siteOf returns the /48 that a client of IPv6 is in. It is told from all clients by its last byte.
func siteOf(client id) (site id, ok bool) {
	if [8]byte(client[8:]) != [8]byte{} { // IPv4, or no address
		return site, false
	}
	copy(site[:6], client[:])
	site[15] = 48
	return site, true
}
