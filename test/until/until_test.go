package until

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// failing is a test that may fail. It panics where a test would end.
type failing struct {
	testing.TB
	why string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.why = fmt.Sprintf(format, args...)
	panic(f)
}

func TestNilAsksUntilItIsSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, asked := time.Now(), 0
		Nil(t, time.Minute, func() error {
			if asked++; time.Since(begun) < time.Second {
				return errors.New("not yet")
			}
			return nil
		})
		if got, want := asked, int(time.Second/pause)+1; got != want {
			t.Errorf("got it asked %d times in a second, want %d", got, want)
		}
	})
}

func TestNilIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, f := time.Now(), &failing{TB: t}
		defer func() {
			if recover() != f {
				t.Error("got no failure, want one")
			}
			if got, want := f.why, "still after 1m0s: never"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if got := time.Since(begun); got < time.Minute || got > time.Minute+pause {
				t.Errorf("got the failure after %v, want it after a minute", got)
			}
		}()
		Nil(f, time.Minute, func() error { return errors.New("never") })
	})
}

func TestTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		True(t, time.Minute, "a second is over", func() bool { return time.Since(begun) >= time.Second })
		f := &failing{TB: t}
		defer func() {
			if recover() != f || f.why != "still after 1m0s: never: it is so" {
				t.Errorf("got the failure %q, want one that says what never was", f.why)
			}
		}()
		True(f, time.Minute, "it is so", func() bool { return false })
	})
}
