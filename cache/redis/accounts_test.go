package redis

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/cache"
	"signal-server/cache/redis/redistest"
	"signal-server/test/synctime"
)

var alice, bob = cache.Payer{15: 1}, cache.Payer{15: 2}

// written is a write that may be charged: of a candidate without a token.
func written(p cache.Payer, opens bool) *cache.Write {
	w := &cache.Write{Payer: p, Opens: opens, Batch: new(cache.Batch)}
	w.Batch.Add(cache.Frame{Kind: cache.Candidate, Size: 1, Wire: []byte("x")})
	return w
}

func named(n int) *request { return &request{session: fmt.Sprintf("signal:{%-22d}", n)} }

func limitsOf(share int64) cache.Limits {
	return cache.Limits{
		TTL: 30 * time.Second, Lifetime: 5 * time.Minute, Candidates: 8, SessionBytes: 30 << 10, ClientMemory: cache.Share{Bytes: share},
	}
}

// pay charges a write that succeeds in the session of that epoch, and reports whether it was let in.
func (a *accounts) pay(r *request, w *cache.Write, epoch uint64) bool {
	b, ok := a.charge(r, w)
	if ok {
		a.settle(&b, epoch)
	}
	return ok
}

// held returns how much each payer is charged, as the accounts have it, and fails if the list is damaged.
func (a *accounts) held(t *testing.T) map[cache.Payer]int64 {
	t.Helper()
	sums, n, before := make(map[cache.Payer]int64), 0, uint32(0)
	for at := a.all[0].next; at != 0; at = a.all[at].next {
		c := a.all[at]
		if c.before != before || a.places[c.id] != at || a.all[c.before].opened > c.opened {
			t.Fatalf("account %d: got %+v behind %d, want the list whole and in order", at, c, before)
		}
		sums[c.payer] += c.cost()
		before = at
		n++
	}
	if n != len(a.places) || a.all[0].before != before {
		t.Fatalf("got %d accounts in the list, %d by name, want as many", n, len(a.places))
	}
	return sums
}

func (a *accounts) want(t *testing.T, what string, want map[cache.Payer]int64) {
	t.Helper()
	if got := a.held(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// one is what a session of one small write takes: as much as is set aside for it.
const one = 10 << 10

func TestAccounts(t *testing.T) {
	a := newAccounts(limitsOf(1<<20), 0)
	a.pay(named(1), written(alice, true), 7)
	a.want(t, "opened", map[cache.Payer]int64{alice: one})
	a.pay(named(1), written(bob, false), 7)
	a.want(t, "written to by another, as much as is set aside", map[cache.Payer]int64{alice: one})
	long := written(bob, false)
	long.Batch.Add(cache.Frame{Kind: cache.SDP, Size: 1, Wire: make([]byte, one)})
	a.pay(named(1), long, 7)
	const grown = one + sessionCost + 3*(writeCost+frameCost+1) + frameCost
	a.want(t, "and more", map[cache.Payer]int64{alice: grown})
	b, _ := a.charge(named(1), long)
	a.want(t, "a write under way", map[cache.Payer]int64{alice: grown + one + writeCost + 2*frameCost + 1})
	a.cancel(&b)
	a.want(t, "that fails", map[cache.Payer]int64{alice: grown})
	a.pay(named(1), written(bob, true), 7)
	a.want(t, "an open that was repeated", map[cache.Payer]int64{alice: grown})
	a.pay(named(2), written(bob, false), 9)
	a.want(t, "written to, opened elsewhere", map[cache.Payer]int64{alice: grown, bob: one})
	a.pay(named(3), written(cache.Payer{}, true), 9)
	a.want(t, "opened by nobody in particular", map[cache.Payer]int64{alice: grown, bob: one})
	a.pay(named(1), written(bob, true), 8)
	a.want(t, "opened again, by another", map[cache.Payer]int64{bob: 2 * one})
	b, _ = a.charge(named(4), written(alice, true))
	a.cancel(&b)
	a.want(t, "an open that failed", map[cache.Payer]int64{bob: 2 * one})
	first, _ := a.charge(named(5), written(alice, false))
	a.pay(named(5), written(bob, false), 1)
	a.settle(&first, 1)
	a.want(t, "two that come first at once", map[cache.Payer]int64{bob: 3 * one})
	a.pay(named(5), written(bob, false), 2)
	a.want(t, "a write in a session that came after the one that is known", map[cache.Payer]int64{bob: 2 * one})
	b, _ = a.charge(named(2), written(alice, false))
	a.end(named(2))
	a.cancel(&b)
	a.want(t, "a write that failed to a session that has ended meanwhile", map[cache.Payer]int64{bob: one})
	for n := range 6 {
		a.end(named(n))
	}
	a.want(t, "all have ended", map[cache.Payer]int64{})
	if !a.ledger.Take(alice, 1<<20) || !a.ledger.Take(bob, 1<<20) || a.ledger.Take(alice, 1) {
		t.Error("after all have ended: got other than 1 MiB to be had, want nothing left behind")
	}
}

func TestAccountsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccounts(limitsOf(one*20), 0)
		names := 0
		opened := func() (n int) {
			for n < 10_000 && a.pay(named(names), written(alice, true), 1) {
				n++
				names++
			}
			return n
		}
		want := func(when string, want int) {
			t.Helper()
			if got := opened(); got != want {
				t.Errorf("%s: got %d sessions more, want %d", when, got, want)
			}
			a.held(t)
		}
		want("at first", 20)
		synctime.Pass(cache.SetAsideFor - time.Nanosecond)
		want("before it settles", 0)
		a.end(named(3)) // settled ones and others are ended in the middle of the list
		want("one has ended", 1)
		synctime.Pass(time.Nanosecond)
		const small = 4 * (sessionCost + writeCost + frameCost + 1)
		want("settled", (20*one-19*small-one)/one)
		a.end(named(4))
		want("one that has settled has ended, which is too little for another", 0)
		a.end(named(5))
		a.end(named(6))
		a.end(named(7))
		want("four have", 1)
		synctime.Pass(a.lifetime - cache.SetAsideFor - time.Nanosecond)
		for opened() > 0 { // all have settled since; these have not
		}
		left := len(a.places)
		synctime.Pass(time.Nanosecond)
		a.pay(named(names), written(bob, true), 1)
		if got, want := len(a.places), left-15+1; got != want {
			t.Errorf("at the end of the first ones' lifetime: got %d accounts, want %d", got, want)
		}
		a.held(t)
		synctime.Pass(a.lifetime)
		want("all have ended", 20)
	})
}

// TestAccountsAreBounded opens more sessions than are remembered.
func TestAccountsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that nothing settles, however long it takes
		a, w := newAccounts(limitsOf(1<<40), 0), written(alice, true)
		for n := range maxAccounts + 1000 {
			if !a.pay(named(n), w, 1) {
				t.Fatalf("session %d: got it refused", n)
			}
		}
		if len(a.all) != maxAccounts+1 || len(a.places) != maxAccounts {
			t.Errorf("got %d accounts in %d places, want %d", len(a.places), len(a.all), maxAccounts)
		}
		if got, want := a.held(t)[alice], int64(maxAccounts*one); got != want {
			t.Errorf("got %d bytes held, want %d", got, want)
		}
	})
}

func TestAccountsAllocs(t *testing.T) {
	a, r, w := newAccounts(limitsOf(1<<20), 0), named(1), written(alice, true)
	a.pay(named(2), w, 1)
	if got := testing.AllocsPerRun(1000, func() { a.pay(r, w, 1); a.end(r) }); got != 0 {
		t.Errorf("a session that is opened and ended: got %v allocations, want 0", got)
	}
}

// TestMemoryOfServers asks servers how much they have, of which a client may have a part.
func TestMemoryOfServers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want func(total int64) bool
	}{
		{[]string{"--maxmemory", "100mb", "--maxmemory-policy", "noeviction"}, func(total int64) bool { return total == 100<<20 }},
		{nil, func(total int64) bool { return total > 100<<20 }}, // the machine's
	} {
		limits := limitsOf(0)
		limits.ClientMemory = cache.Share{Part: 8}
		s, err := Open(t.Context(), redistest.Start(t, test.args...).URL(""), limits)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.memory(t.Context()); !test.want(got) || s.accounts == nil {
			t.Errorf("a server with %v: got %d bytes", test.args, got)
		}
		s.Close()
	}
	if newAccounts(cache.Limits{ClientMemory: cache.Share{Part: 8}}, 0) != nil {
		t.Error("a part of a memory that is not known: got accounts, want none")
	}
}

// TestRepeatsChargeNoMoreThanASession repeats one write, as the peer of whoever pays can: only the server tells that nothing was stored. A write
// that fails then gives back what it was charged, and no more.
func TestRepeatsChargeNoMoreThanASession(t *testing.T) {
	a := newAccounts(limitsOf(1<<20), 0)
	a.pay(named(1), written(alice, true), 7)
	large := written(bob, false)
	large.Batch.Add(cache.Frame{Kind: cache.SDP, Size: 1, Wire: make([]byte, 20<<10)})
	for n := range 100 {
		if !a.pay(named(1), large, 7) {
			t.Fatalf("repetition %d: got it refused, want it let in", n)
		}
	}
	a.want(t, "a full session", map[cache.Payer]int64{alice: int64(a.full)})
	b, _ := a.charge(named(1), large)
	a.cancel(&b)
	a.want(t, "and one that failed", map[cache.Payer]int64{alice: int64(a.full)})
	a.end(named(1))
	a.want(t, "ended", map[cache.Payer]int64{})
}
