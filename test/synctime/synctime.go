// Package synctime moves a test's time on: the clock of a testing/synctest bubble, never the real one.
//
// It is for tests only. It knows nothing of what is tested.
package synctime

import (
	"testing/synctest"
	"time"
)

// Pass lets d of the bubble's time pass, and then waits until every other goroutine of the bubble is blocked for good: what was
// due by then has been done when Pass returns. Outside of a bubble it panics, so that no test can really sleep by it.
func Pass(d time.Duration) {
	synctest.Wait() // first, because it panics outside of a bubble
	time.Sleep(d)
	synctest.Wait()
}
