// Package wiretest proves on a wire what every wire owes its clients and the operator: how it ends, what becomes of a client that leaves,
// that it keeps to limits and lets in whom it should, that nothing leaks, and that no key is told. One suite, run by every wire:
//
//	func TestWire(t *testing.T) { wiretest.Run(t, wiretest.Harness{Wire: …, NewStore: …, Opens: …}) }
//
//	check ──▶ rig ──raw bytes over loopback──▶ server.Server of apptest ──▶ the wire ──▶ the harness's store
//	           └──────── watches the store, the log, /metrics, goroutines and descriptors ────────┘
//
// A check is a function on a rig. The suite knows what a wire is, and no protocol: the Harness says in the wire's own form what is asked
// and how a refusal looks. It tests itself on Echo, a wire of its own, and on echoes that are broken on purpose.
//
// Descriptors and goroutines are those of the whole process, so nothing may run in parallel with Run.
package wiretest

import (
	"slices"
	"testing"

	"signal-server/app/apptest"
	"signal-server/app/wire"
	"signal-server/cache"
	"signal-server/custerrors"
)

// Harness says how the wire under test is asked, and how it answers. Its functions may be called concurrently.
type Harness struct {
	// Wire returns the wire, for a server that is told that; nil: apptest serves it already.
	Wire func(apptest.Config) wire.Wire
	// NewStore returns an empty store with these limits. The suite closes it.
	NewStore func(testing.TB, cache.Limits) cache.Store

	// Refusal returns how the wire refuses with a msg.
	Refusal func(custerrors.Error) Form

	// Opens begins what a key names. The answer is not a refusal. Its body is the longer, byte by byte, the longer the payload is.
	Opens func(Who) Request
	// Asks is answered at once, changes nothing, and may be repeated. Once Opens was answered, it is refused with Nothing or, if that is
	// empty, not refused. Where nothing was opened, it is refused with KeyNotFound.
	Asks    func(Who) Request
	Nothing custerrors.Error

	// Each is nil where the wire has no such thing. Then the string beside it says why, and the checks are skipped.
	Waits     *Waits
	NoWaits   string
	Streams   *Streams
	NoStreams string
	Tells     func(Who) Request // once for a key: writes the payload, which ends Waits.Ask and comes by Streams.Ask; nil where there is neither
	Seats     []Seat            // the one that is taken first comes first
	NoSeats   string
}

// Waits are requests that wait for news.
type Waits struct {
	// Ask waits, once Opens was answered, for 20 s or longer. Tells ends the wait: the payload is in the answer. If nobody was there to
	// take the payload, the next Ask gets it at once.
	Ask func(Who) Request
}

// Streams are requests that keep their connection, and have the answer come in pieces.
type Streams struct {
	Ask    func(Who) Request
	Status int // of the head

	// End is what the stream says last when the server ends; empty: nothing.
	End string
}

// Seat is one that a client takes, and that a ticket keeps for it where roles have tickets.
type Seat struct {
	Role cache.Role
	// Take takes the seat, and the answer bears the ticket.
	Take   func(Who) Request
	Ticket func(Answer) string
	// Act is what nobody else may do from then on. The answer is not a refusal. It may be repeated.
	Act func(Who) Request
}

// Who is somebody who asks. What is empty is not shown, except for the key.
type Who struct {
	Key     string // 26 letters and digits
	Payload string // letters and digits
	Token   string
	Ticket  string // of the seat that the request is made from
}

// lacks says what a harness must have and has not, or "".
func (h *Harness) lacks() string {
	switch {
	case h.NewStore == nil || h.Refusal == nil || h.Opens == nil || h.Asks == nil:
		return "NewStore, Refusal, Opens or Asks"
	case (h.Waits == nil) == (h.NoWaits == ""):
		return "either Waits or NoWaits"
	case (h.Streams == nil) == (h.NoStreams == ""):
		return "either Streams or NoStreams"
	case (h.Seats == nil) == (h.NoSeats == ""):
		return "either Seats or NoSeats"
	case (h.Waits != nil || h.Streams != nil) && h.Tells == nil:
		return "Tells"
	default:
		return ""
	}
}

// needs is what a check needs of a wire.
type needs uint8

const (
	waits needs = 1 << iota
	streams
	seats
	holds needs = waits | streams | 1<<7 // one of the two
)

// skip says why the check cannot be made on this wire, or "".
func (c *check) skip(h *Harness) string {
	switch {
	case c.needs == holds && h.Waits == nil && h.Streams == nil:
		return "the wire has no waits: " + h.NoWaits + "; and no streams: " + h.NoStreams
	case c.needs == waits && h.Waits == nil:
		return "the wire has no waits: " + h.NoWaits
	case c.needs == streams && h.Streams == nil:
		return "the wire has no streams: " + h.NoStreams
	case c.needs == seats && h.Seats == nil:
		return "the wire has no seats: " + h.NoSeats
	default:
		return ""
	}
}

// check is one promise.
type check struct {
	name  string
	needs needs
	run   func(*rig)
}

// checks returns the suite.
func checks() []check {
	return slices.Concat(shutdownChecks, goneChecks, limitChecks, bodyChecks, entryChecks, pageChecks, secretChecks)
}

// Run runs the suite, one subtest for each promise.
func Run(t *testing.T, h Harness) {
	if lacks := h.lacks(); lacks != "" {
		t.Fatalf("the harness: want it to have %s", lacks)
	}
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if why := c.skip(&h); why != "" {
				t.Skip(why)
			}
			c.run(newRig(t, h))
		})
	}
}
