package app

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elastic/go-freelru"

	"signal-server/cache"
)

// outcome is how a client's attempt to connect ended: it failed, or two candidates were found that work, of which its own was of
// this type (RFC 8445, Section 5.1.1.1 and following; RTCIceCandidateType).
type outcome uint8

// The outcomes.
const (
	attemptFailed outcome = iota
	viaHost
	viaSrflx
	viaPrflx
	viaRelay
	outcomeCount
)

// result and candidateType return the names that clients report the outcome by.
func (o outcome) result() string {
	if o == attemptFailed {
		return "failed"
	}
	return "connected"
}

func (o outcome) candidateType() string {
	return [...]string{"", "host", "srflx", "prflx", "relay"}[o]
}

// outcomeOf returns the outcome of these names. A connection has a candidate type, a failure has none.
func outcomeOf(result, candidateType string) (outcome, bool) {
	for o := range outcomeCount {
		if result == o.result() && candidateType == o.candidateType() {
			return o, true
		}
	}
	return 0, false
}

// outcomeBounds are how the times of outcomes are told apart. Peers of one network connect in 100 ms, of two continents with a
// relay in seconds; ICE gives up after 15 to 40.
var outcomeBounds = [...]time.Duration{
	50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 60 * time.Second,
}

// tally is what was reported of one outcome by one role. It is atomic, each number by itself.
type tally struct {
	counts [len(outcomeBounds) + 1]atomic.Uint64 // by time: up to each bound, and above the last
	ms     atomic.Uint64                         // the sum of all times
}

func (t *tally) add(took time.Duration) {
	i := 0
	for i < len(outcomeBounds) && took > outcomeBounds[i] {
		i++
	}
	t.counts[i].Add(1)
	t.ms.Add(uint64(took.Milliseconds()))
}

// outcomes counts how the attempts of clients to connect ended. Its methods may be called concurrently; none waits for anything
// slow, and none allocates but read.
type outcomes struct {
	// set at construction
	base time.Time // time is counted from here
	seed maphash.Seed

	// atomic
	tallies [len(cache.Roles)][outcomeCount]tally

	mu sync.Mutex
	// guarded by mu
	reported *freelru.LRU[uint64, time.Duration] // when; forgets the least recently used
}

// rememberedReports is how many reports are told from their repetitions: those of 27 s at 300 a second. 430 kB, set aside at
// the start.
const rememberedReports = 1 << 13

func newOutcomes() *outcomes {
	o := &outcomes{base: time.Now(), seed: maphash.MakeSeed()}
	// The error is for a size of zero. The keys are hashes, under a private seed.
	o.reported, _ = freelru.New[uint64, time.Duration](rememberedReports, func(id uint64) uint32 { return uint32(id) })
	return o
}

// add counts an outcome: once for a role of a session, so that who reports does not make the figures alone. Epoch zero is of a
// session that has ended, and nobody knows which one of its key; one more of that kind is counted when cache.Grace is over.
func (o *outcomes) add(key cache.Key, role cache.Role, epoch uint64, out outcome, took time.Duration) {
	if o.first(key, role, epoch) {
		o.tallies[role-cache.Offer][out].add(took)
	}
}

func (o *outcomes) first(key cache.Key, role cache.Role, epoch uint64) bool {
	id, now := o.id(key, role, epoch), time.Since(o.base)
	o.mu.Lock()
	defer o.mu.Unlock()
	if at, ok := o.reported.Get(id); ok && (epoch != 0 || now-at < cache.Grace) {
		return false
	}
	o.reported.Add(id, now)
	return true
}

// id is the hash of who reports.
func (o *outcomes) id(key cache.Key, role cache.Role, epoch uint64) uint64 {
	var h maphash.Hash
	h.SetSeed(o.seed)
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], epoch<<8|uint64(role)) // an epoch has 48 bits
	h.Write(b[:])
	h.WriteString(string(key))
	return h.Sum64()
}

// Outcome is what was reported of one kind of end by one role, since the start.
type Outcome struct {
	Role          cache.Role
	Result        string // connected or failed
	CandidateType string // of the reporter's own candidate: host, srflx, prflx, relay; "" where it failed

	Count   uint64
	Seconds float64            // that they took together
	Within  map[float64]uint64 // how many of them took no longer than so many seconds
}

// Outcomes returns what clients have reported, of every kind, in an order that does not change. Reports that come meanwhile may
// be in one number and not in another.
func (s *Server) Outcomes() []Outcome { return s.outcomes.read() }

func (o *outcomes) read() (all []Outcome) {
	for _, role := range cache.Roles {
		for out := range outcomeCount {
			t := &o.tallies[role-cache.Offer][out]
			one := Outcome{
				Role: role, Result: out.result(), CandidateType: out.candidateType(),
				Seconds: float64(t.ms.Load()) / 1000, Within: make(map[float64]uint64, len(outcomeBounds)),
			}
			for i, bound := range outcomeBounds {
				one.Count += t.counts[i].Load()
				one.Within[bound.Seconds()] = one.Count
			}
			one.Count += t.counts[len(outcomeBounds)].Load()
			all = append(all, one)
		}
	}
	return all
}
