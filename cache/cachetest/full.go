package cachetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
)

// fullChecks are about a store whose memory is used up.
var fullChecks = []check{
	{name: "full/no new session, live ones untouched, memory comes back", run: fullStore},
}

// most is how many sessions a cramped store may take. Then the check stops trying to fill it.
const most = 10_000

func fullStore(whole *rig) {
	if whole.h.Cramped == nil {
		whole.Skip("the harness has no store that can be filled")
	}
	h := whole.h
	h.New = func(t testing.TB, limits cache.Limits, _ int) []cache.Store {
		return []cache.Store{h.Cramped(t, limits)}
	}
	r := newRig(whole.TB, whole.t, h, whole.limits)

	capacity := 0
	for cycle := range 3 {
		keys, small := fill(r, cycle)
		if cycle == 0 {
			capacity = len(keys)
		}
		if len(keys) < capacity*3/4 {
			r.Errorf("filled again: got %d sessions in, want about %d as at first", len(keys), capacity)
		}
		r.wantOpen(custerrors.CacheOverrunMaxCost, "refused", "token", sdp("o"))
		r.wantError("Touch of the refused", r.touch("refused"), custerrors.KeyNotFound)
		r.wantOpen(custerrors.SdpAlreadyExist, keys[0], "", sdp("p"))
		if r.node().Ready(r.ctx) == nil {
			r.Errorf("Ready of a store that refuses the smallest session: got nil, want why")
		}
		logs := squeeze(r, keys)
		for i, key := range keys {
			r.wantAll(key, cache.Answer, bulk(cycle, i))
			if log := logs[key]; len(log) > 0 {
				r.wantTake(key, cache.Offer, cache.Candidate, len(log), log...)
			}
			r.end(key)
		}
		for _, key := range small {
			r.wantAll(key, cache.Answer, sdp(string(key)))
			r.end(key)
		}
		wantReady(r)
	}
}

// bulk is the sdp of a session that uses up memory.
func bulk(cycle, i int) cache.Frame {
	id := fmt.Sprintf("%d/%d ", cycle, i)
	return sdp(id + strings.Repeat("x", 16<<10-len(id)))
}

// fill opens large sessions until there is no room for another, and then small ones, and returns their keys. The sdp of a
// small one is its key.
func fill(r *rig, cycle int) (large, small []cache.Key) {
	r.Helper()
	opened := func(key cache.Key, f cache.Frame) bool {
		err := r.write(r.node(), cache.Write{Key: key, From: cache.Offer, Opens: true, Batch: batch(f)})
		r.wantError("Open while memory runs out", err, nil, custerrors.CacheOverrunMaxCost)
		return err == nil
	}
	for i := range most {
		key := cache.Key(fmt.Sprintf("%d/%d", cycle, i))
		if !opened(key, bulk(cycle, i)) {
			break
		}
		large = append(large, key)
	}
	for i := range most {
		key := cache.Key(fmt.Sprintf("%d/small %d", cycle, i))
		if !opened(key, sdp(string(key))) {
			break
		}
		small = append(small, key)
	}
	if len(large) == 0 || len(large) == most || len(small) == most {
		r.Fatalf("got %d large and %d small sessions into a cramped store, want some, and then %s",
			len(large), len(small), custerrors.CacheOverrunMaxCost)
	}
	return large, small
}

// squeeze lets the answerers append until they are refused, too, and returns what was taken from each.
func squeeze(r *rig, keys []cache.Key) map[cache.Key][]cache.Frame {
	r.Helper()
	logs := make(map[cache.Key][]cache.Frame)
	for refused := 0; refused < len(keys); {
		refused = 0
		for _, key := range keys {
			two := cands(fmt.Sprintf("%s %d %s", key, len(logs[key]), strings.Repeat("y", 4000)), "z")
			err := r.write(r.node(), cache.Write{Key: key, From: cache.Answer, Batch: batch(two...)})
			r.wantError("Append while memory runs out", err,
				nil, custerrors.CacheOverrunMaxCost, custerrors.QueueIsFull, custerrors.BodyIsTooLong)
			if err != nil {
				refused++
				continue
			}
			logs[key] = append(logs[key], two...)
		}
	}
	return logs
}

// wantReady wants the store to be ready, and gives it a moment to tidy up.
func wantReady(r *rig) {
	r.Helper()
	start := time.Now()
	for r.node().Ready(r.ctx) != nil {
		if time.Since(start) > slack {
			r.Fatalf("Ready of a store whose sessions have all ended: got %v, want nil", r.node().Ready(r.ctx))
		}
		r.pass(50 * ms)
	}
}
