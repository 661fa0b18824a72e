package call

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"

	"github.com/elastic/go-freelru"

	"signal-server/app/watch/metrics"
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

// outcomes counts how the attempts of clients to connect ended. Its methods may be called concurrently; none waits for anything
// slow, and none allocates.
type outcomes struct {
	// set at construction
	seed maphash.Seed

	// atomic
	took [len(cache.Roles)][outcomeCount]cache.Durations

	mu sync.Mutex
	// guarded by mu
	reported *freelru.LRU[uint64, time.Duration] // when; forgets the least recently used
}

// rememberedReports is how many reports are told from their repetitions: those of 27 s at 300 a second. 430 kB, set aside at
// the start.
const rememberedReports = 1 << 13

func newOutcomes() *outcomes {
	o := &outcomes{seed: maphash.MakeSeed()}
	// The error is for a size of zero. The keys are hashes, under a private seed.
	o.reported, _ = freelru.New[uint64, time.Duration](rememberedReports, func(id uint64) uint32 { return uint32(id) })
	return o
}

// add counts an outcome: once for a role of a session, so that one client that reports much does not make the figures alone. Epoch zero is of a
// session that has ended, and nobody knows which one of its key; one more of that kind is counted when cache.Grace is over. now is on the
// server's clock.
func (o *outcomes) add(now time.Duration, key cache.Key, role cache.Role, epoch uint64, out outcome, took time.Duration) {
	if o.first(now, key, role, epoch) {
		o.took[role-cache.Offer][out].Observe(took)
	}
}

func (o *outcomes) first(now time.Duration, key cache.Key, role cache.Role, epoch uint64) bool {
	id := o.id(key, role, epoch)
	o.mu.Lock()
	defer o.mu.Unlock()
	if at, ok := o.reported.Get(id); ok && (epoch != 0 || now-at < cache.Grace) {
		return false
	}
	o.reported.Add(id, now)
	return true
}

// id is the hash of key, role and epoch.
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

	Took cache.Distribution // how long they took, and how many they are
}

// Outcomes returns what clients have reported, of every kind, in an order that does not change. Reports that come meanwhile may
// be in one number and not in another.
func (w *Wire) Outcomes() (all []Outcome) {
	for _, role := range cache.Roles {
		for out := range outcomeCount {
			all = append(all, Outcome{role, out.result(), out.candidateType(), w.outcomes.took[role-cache.Offer][out].Distribution()})
		}
	}
	return all
}

var outcomeSeconds = &metrics.Metric{
	Name: "signal_outcome_seconds", Kind: metrics.Histogram, Labels: []string{"role", "result", "candidate_type"},
	From: 30 * time.Millisecond, To: 5 * time.Minute,
	Help: "How long clients took to connect or to fail, as they report it: each role of a session once. candidate_type is that of the " +
		"reporter's own candidate (host, srflx, prflx, relay), and empty where it failed.",
}

// Metrics implements metrics.Source.
func (w *Wire) Metrics() []*metrics.Metric { return []*metrics.Metric{outcomeSeconds} }

// Report implements metrics.Source.
func (w *Wire) Report(to metrics.Sink) {
	for _, o := range w.Outcomes() {
		to.Durations(outcomeSeconds, o.Took, o.Role.String(), o.Result, o.CandidateType)
	}
}
