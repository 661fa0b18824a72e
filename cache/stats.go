package cache

import (
	"sync/atomic"
	"time"
)

// Unknown stands in Stats for a number that the store cannot tell.
const Unknown = -1

// Stats are what a store tells of itself, for operators and not for decisions. A count begins when the store is made and never goes
// down. It counts what was asked of this store: where several stores share their sessions, each counts its own calls, and the sum is
// the whole. Any number may be Unknown, and is then Unknown for ever.
type Stats struct {
	// Opened counts sessions that were opened. Answered counts those whose answerer put its sdp. Completed counts those in which each
	// role was given the other's sdp, by Take, Read or Write. A store of many processes counts a session as completed when the
	// offerer is given the answer, and may count again what a client repeats.
	Opened, Answered, Completed int64
	// Ended counts sessions ended by End, Expired those whose TTL or lifetime was over, once that has been noticed.
	Ended, Expired int64

	// Live is how many sessions there are now. It includes those that have expired but have not been noticed yet.
	Live int64
	// Held is how many bytes of memory sessions hold or have set aside. Budget is how many they may hold while new ones are taken.
	Held, Budget int64

	// Overdrawn counts writes that were refused with TooManyRequests.
	Overdrawn int64

	// Trips counts calls to a server elsewhere. Failed counts those that brought no answer, or none that a sound server gives.
	Trips, Failed int64

	// Answering is how long it took from the opening of a session until its answerer put its sdp.
	Answering Distribution
	// Tripping is how long trips took. Only a sample of them is timed.
	Tripping Distribution
}

// DurationBounds are the upper bounds of what Durations tells apart. They are half decades: whether something takes 1 ms or 3 is
// worth knowing, whether it takes 1 or 1.5 is not. 60 s is among them because 30 s is the longest wait by default.
var DurationBounds = [...]time.Duration{
	10 * time.Microsecond, 30 * time.Microsecond, 100 * time.Microsecond, 300 * time.Microsecond,
	time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond,
	time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
}

// Durations counts durations by DurationBounds. Its zero value is ready for use. It is safe for concurrent use, and never blocks.
type Durations struct {
	counts [len(DurationBounds) + 1]atomic.Uint64
	sum    atomic.Int64 // ns: 292 years
}

// Observe counts one duration.
func (d *Durations) Observe(t time.Duration) {
	i := 0
	for i < len(DurationBounds) && t > DurationBounds[i] {
		i++
	}
	d.counts[i].Add(1)
	d.sum.Add(int64(t))
}

// Distribution returns what has been counted so far. A duration that is observed meanwhile may be in Counts and not yet in Sum.
func (d *Durations) Distribution() Distribution {
	out := Distribution{Known: true, Sum: time.Duration(d.sum.Load())}
	for i := range d.counts {
		out.Counts[i] = d.counts[i].Load()
	}
	return out
}

// Distribution is what Durations has counted. The zero value is one that is not known.
type Distribution struct {
	Known  bool
	Counts [len(DurationBounds) + 1]uint64 // each: up to that bound and above the one before it; the last: above all bounds
	Sum    time.Duration
}

// Count returns how many durations were counted.
func (d *Distribution) Count() (n uint64) {
	for _, c := range d.Counts {
		n += c
	}
	return n
}
