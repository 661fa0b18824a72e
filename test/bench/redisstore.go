package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"signal-server/app/apptest"
	"signal-server/cache"
	"signal-server/cache/redis"
	"signal-server/custerrors"
)

// redisCallsChild is the child's part: URL WHAT CALLERS CALLS. It prints what a call took.
func redisCallsChild(args []string) error {
	const usage = "serve rediscalls URL WHAT CALLERS CALLS"
	if len(args) != 4 {
		return errors.New(usage)
	}
	callers, err := strconv.Atoi(args[2])
	if err != nil {
		return errors.New(usage)
	}
	calls, err := strconv.Atoi(args[3])
	if err != nil {
		return errors.New(usage)
	}
	limits := apptest.Defaults().Limits
	limits.ClientMemory = cache.Share{}                // the load is one client
	limits.TTL, limits.Lifetime = time.Hour, time.Hour // the session outlives this process
	store, err := redis.Open(context.Background(), args[0], limits)
	if err != nil {
		return err
	}
	r, err := timeReads(store, args[1] == "all", callers, calls)
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// timeReads returns what each of about so many reads of a session takes.
func timeReads(store cache.Store, all bool, callers, calls int) (r spent, err error) {
	ctx, key := context.Background(), newKey()
	form := cache.Form{SDP: `{"sdp":"`, Candidate: `{"candidate":"`, After: `"}`, Separator: ","}
	_, _, err = store.Write(ctx, nil, cache.Write{
		Key: cache.Key(key), From: cache.Offer, Opens: true, Batch: handshakeBatch(key, "offer", candidatesASide, short),
	})
	if err != nil {
		return r, err
	}
	want, after, err := store.Read(ctx, nil, cache.Key(key), cache.Answer, 0, math.MaxInt, &form)
	if err != nil {
		return r, err
	}
	expected := error(nil)
	if all {
		after = 0
	} else {
		want, expected = nil, custerrors.CandidateNoValues
	}
	failed := make(chan error, callers)
	cpu, begun := cpuTime(unix.CLOCK_PROCESS_CPUTIME_ID), time.Now()
	var reading sync.WaitGroup
	for range callers {
		reading.Go(func() {
			var dst []byte
			for range max(1, calls/callers) {
				got, _, err := store.Read(ctx, dst[:0], cache.Key(key), cache.Answer, after, math.MaxInt, &form)
				if err != expected || !bytes.Equal(got, want) {
					failed <- fmt.Errorf("read: got %q, %v, want %q, %v", got, err, want, expected)
					return
				}
				dst = got
			}
		})
	}
	reading.Wait()
	done := time.Duration(callers * max(1, calls/callers))
	r = spent{CPU: (cpuTime(unix.CLOCK_PROCESS_CPUTIME_ID) - cpu) / done, Wall: time.Since(begun) / done}
	select {
	case err = <-failed:
	default:
	}
	return r, err
}
