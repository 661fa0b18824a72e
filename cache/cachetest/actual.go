package cachetest

import (
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// actualTimeChecks are about time on an engine that has a clock of its own. They do not want anything to be fast: a session may die
// because this process slept too long, and a session that dies late is looked at again.
var actualTimeChecks = []check{
	{name: "time/ttl", place: actual, run: actualTTL},
	{name: "time/lifetime", place: actual, limits: briefLife, run: actualLifetime},
	{name: "time/lease", place: actual, run: actualLease},
	{name: graceCheck, place: actual, run: actualGrace},
}

const graceCheck = "time/grace" // takes half a minute

// brief is long enough for a busy machine to keep a session alive, and short enough to wait for.
const brief = 400 * ms

func briefLife(l *cache.Limits) { l.TTL, l.Lifetime = brief, 3*brief }

// clockSkew is how much earlier than here a deadline may come by the engine's clock.
const clockSkew = 10 * ms

func actualTTL(r *rig) {
	for _, key := range []cache.Key{"opened", "written", "refused"} {
		r.openFor(key, brief, sdp("o"))
	}
	renewals := map[cache.Key]func(cache.Key) error{
		"opened": r.touch,
		"written": func(key cache.Key) error {
			return r.write(r.node(), cache.Write{Key: key, From: cache.Answer, Batch: batch(cand("1"))})
		},
		"refused": func(key cache.Key) error {
			if _, err := r.take(key, cache.Offer, cache.SDP, 1); err != custerrors.SdpNoValues {
				return err
			}
			return nil
		},
	}
	asked := time.Now()
	for range 8 { // twice the TTL
		r.pass(brief / 4)
		now := time.Now()
		for key, renew := range renewals {
			if err := renew(key); err != nil && time.Since(asked) < brief-clockSkew {
				r.Errorf("%s, renewed within its TTL: got %v, want it alive", key, err)
			} else if err != nil {
				r.Logf("%s: this machine slept for %v", key, time.Since(asked))
				return
			}
		}
		asked = now
	}
	for key := range renewals {
		wantDies(r, key, time.Now().Add(brief))
	}
}

// wantDies wants the session to die, and not before at. It looks at long intervals, because each look renews the session.
func wantDies(r *rig, key cache.Key, at time.Time) {
	r.Helper()
	for pause := time.Until(at) + 2*clockSkew; pause < 2*slack; pause = max(2*pause, brief) {
		r.pass(pause)
		if err := r.touch(key); err != nil {
			r.wantError("Touch "+string(key), err, custerrors.KeyIsExpired)
			r.wantDead(custerrors.KeyIsExpired, key)
			return
		}
	}
	r.Errorf("%s: got it alive long after its TTL, want it dead", key)
}

func actualLifetime(r *rig) {
	start := time.Now()
	r.open("k", sdp("o"))
	for asked := start; ; {
		r.pass(brief / 8)
		err := r.touch("k")
		switch age := time.Since(start); {
		case err == nil && age > r.limits.Lifetime+slack:
			r.Errorf("got it alive after %v, want it dead after %v", age, r.limits.Lifetime)
			return
		case err == nil:
			asked = time.Now()
			continue
		case age < r.limits.Lifetime-clockSkew && time.Since(asked) < brief-clockSkew:
			r.Errorf("Touch after %v: got %v, want it alive for %v", age, err, r.limits.Lifetime)
		}
		r.wantDead(custerrors.KeyIsExpired, "k")
		return
	}
}

func actualLease(r *rig) {
	const ttl = 10 * time.Second
	start := time.Now()
	r.openFor("k", ttl, sdp("o"))
	lease, err := r.node().Touch(r.ctx, "k")
	age := time.Since(start)
	if err != nil || lease.TTL > ttl || lease.TTL < ttl-slack || lease.Left > r.limits.Lifetime+clockSkew ||
		lease.Left < r.limits.Lifetime-age-clockSkew {
		r.Errorf("Touch after %v: got %+v (%s), want %v and %v", age, lease, said(err), ttl, r.limits.Lifetime)
	}

	start = time.Now()
	r.openFor("briefly", ms, sdp("o"))
	lease, err = r.node().Touch(r.ctx, "briefly")
	if age := time.Since(start); age > cache.MinTTL-clockSkew {
		r.Logf("this machine slept for %v", age)
	} else if err != nil || lease.TTL != cache.MinTTL {
		r.Errorf("Touch of a session that was opened for 1 ms: got %+v (%s), want a TTL of %v", lease, said(err), cache.MinTTL)
	}
}

func actualGrace(r *rig) {
	if testing.Short() {
		r.Skip("waits for half a minute")
	}
	r.open("k", sdp("o"))
	r.end("k")
	ended := time.Now()
	for time.Since(ended) < cache.Grace+slack {
		asked := time.Since(ended)
		switch err := r.touch("k"); {
		case err == custerrors.KeyNotFound && asked > cache.Grace-time.Second:
			r.wantDead(custerrors.KeyNotFound, "k")
			return
		case err != custerrors.KeyIsExpired:
			r.Errorf("Touch %v after End: got %s, want %s for %v", asked, said(err), custerrors.KeyIsExpired, cache.Grace)
			return
		}
		r.pass(cache.Grace / 20)
	}
	r.Errorf("got it remembered long after %v, want it forgotten", cache.Grace)
}
