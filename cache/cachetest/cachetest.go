// Package cachetest proves on a store what cache.Store promises, sentence by sentence: one suite, run by every store.
//
//	func TestStore(t *testing.T) { cachetest.Run(t, cachetest.Harness{New: …, Virtual: true}) }
//
// A check is a function on a rig. A rig is the nodes of one fresh engine; it calls them in turn, so that one node is asked for what
// another one wrote. The suite knows the contract and no store. Where the contract leaves something open, it takes every answer that
// the contract's words allow.
//
// It tests itself on a model, which is the contract written as plainly as possible, and on models that are broken on purpose.
package cachetest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/cache"
)

// Harness says how to get at the store under test.
type Harness struct {
	// New returns 1 to nodes stores over one engine that nobody has used yet; fewer than nodes when the engine cannot be shared. Run closes
	// each of them once, before the functions run that New registered with t.Cleanup. It fails t when it cannot.
	New func(t testing.TB, limits cache.Limits, nodes int) []cache.Store

	// Virtual says that the store can live in a bubble of testing/synctest: it tells time by package time alone, and waits for nothing
	// outside the process. Then promises about time are checked to the millisecond, and that takes no time.
	Virtual bool

	// Cramped returns a store with as little memory as it can have, so that a few thousand sessions with an sdp of 16 KiB fill it. Run
	// closes it. Without Cramped, a full store is not checked.
	Cramped func(t testing.TB, limits cache.Limits) cache.Store
}

// place says where a check runs.
type place uint8

const (
	anywhere place = iota // in a bubble if the store's time is virtual
	outside               // never in a bubble: it wants real time around the store, and all cores
	virtual               // in a bubble, or not at all
	actual                // in real time, and not at all if time is virtual
)

// check is one promise.
type check struct {
	name   string
	place  place
	limits func(*cache.Limits) // changes the usual ones, may be nil
	run    func(*rig)

	ofContext bool // it is about the context of a call
}

// usual are the server's defaults.
func usual() cache.Limits {
	return cache.Limits{TTL: 30 * time.Second, Lifetime: 5 * time.Minute, Candidates: 128, SessionBytes: 256 << 10}
}

// checks returns the suite.
func checks() []check {
	return slices.Concat(
		openChecks, appendChecks, tokenChecks, receiptChecks, takeChecks, readChecks, exchangeChecks, payloadChecks, bellChecks,
		virtualTimeChecks, actualTimeChecks, mailroomChecks, takerChecks, lostWakeupChecks, sleeperChecks(), parallelChecks, fullChecks,
		modelChecks, linearChecks, statsChecks, payerChecks,
	)
}

// Run runs the suite, one subtest for each promise.
func Run(t *testing.T, h Harness) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if why := c.skip(h); why != "" {
				t.Skip(why)
			}
			c.where(t, h, func(t *testing.T) { c.run(newRig(t, t, h, c.bounds())) })
		})
	}
}

// skip says why the check cannot be made on this store, or "".
func (c *check) skip(h Harness) string {
	switch {
	case c.place == virtual && !h.Virtual:
		return "needs a store whose time is virtual"
	case c.place == actual && h.Virtual:
		return "virtual time checks this better"
	default:
		return ""
	}
}

// where calls f in a bubble, or here.
func (c *check) where(t *testing.T, h Harness, f func(*testing.T)) {
	if h.Virtual && c.place != outside {
		synctest.Test(t, f)
	} else {
		f(t)
	}
}

func (c *check) bounds() cache.Limits {
	limits := usual()
	if c.limits != nil {
		c.limits(&limits)
	}
	return limits
}
