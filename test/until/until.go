// Package until is how a test waits for what nothing tells it of: it asks again and again, for a bounded time.
//
// It is for tests only. It knows nothing of what is tested.
package until

import (
	"errors"
	"testing"
	"time"
)

// pause lies between two questions: short beside what tests wait for, long beside what an answer costs.
const pause = 20 * time.Millisecond

// Nil calls ask until it returns nil. If it has not within that time, the test fails with the last error. ask runs in the caller's
// goroutine, so it may end the test itself.
func Nil(t testing.TB, within time.Duration, ask func() error) {
	t.Helper()
	again, over := time.NewTicker(pause), time.NewTimer(within)
	defer again.Stop()
	defer over.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-over.C:
			t.Fatalf("still after %v: %v", within, err)
		}
	}
}

// True calls condition until it holds. If it has not within that time, the test fails and says what never was.
func True(t testing.TB, within time.Duration, what string, condition func() bool) {
	t.Helper()
	never := errors.New("never: " + what)
	Nil(t, within, func() error {
		if condition() {
			return nil
		}
		return never
	})
}
