package synctime_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/test/synctime"
)

func TestPassMovesTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rung atomic.Bool
		begin := time.Now()
		time.AfterFunc(time.Minute, func() { rung.Store(true) })

		synctime.Pass(time.Minute - 1)
		if rung.Load() {
			t.Error("a timer of 1m0s rang before its time")
		}
		synctime.Pass(1)
		if !rung.Load() {
			t.Error("a timer of 1m0s has not rung after its time")
		}
		if got, want := time.Since(begin), time.Minute; got != want {
			t.Errorf("%v passed, want %v", got, want)
		}
	})
}

func TestPassPanicsOutsideOfABubble(t *testing.T) {
	begin := time.Now()
	defer func() {
		if recover() == nil {
			t.Error("Pass did not panic outside of a bubble")
		}
		if took := time.Since(begin); took >= time.Hour {
			t.Errorf("Pass slept %v", took)
		}
	}()
	synctime.Pass(time.Hour)
}
