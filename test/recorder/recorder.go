// Package recorder runs a check that may fail, and says how it failed: by it a suite of checks is tested on what is broken on purpose.
//
// It is for tests only. It knows nothing of what is checked.
package recorder

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// Failures runs the check, and then the cleanups that it has registered, the last first. It returns the failures of all of them, in their
// order. A fatal failure ends only the function that fails. t is the test that wants the failures: what is not about failing is done by it.
func Failures(t testing.TB, check func(testing.TB)) []string {
	r := &recorder{TB: t}
	apart(func() { check(r) })
	for _, f := range slices.Backward(r.cleanups) {
		apart(f)
	}
	return r.failures
}

// apart calls f in a goroutine of its own, which a fatal failure may end.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// recorder is a testing.TB that may fail.
type recorder struct {
	testing.TB

	mu sync.Mutex
	// guarded by mu
	failures []string
	cleanups []func()
}

func (r *recorder) fail(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, text)
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) Helper()                           {}
func (r *recorder) Log(...any)                        {}
func (r *recorder) Logf(string, ...any)               {}
func (r *recorder) Fail()                             { r.fail("Fail") }
func (r *recorder) FailNow()                          { r.fail("FailNow"); runtime.Goexit() }
func (r *recorder) Error(args ...any)                 { r.fail(fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.fail(fmt.Sprintf(format, args...)) }
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }
