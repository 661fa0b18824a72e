package need

import (
	"fmt"
	"runtime"
	"testing"
)

// ending is a test that notes how it ends.
type ending struct {
	testing.TB
	how string
}

func (*ending) Helper() {}

func (e *ending) Fatal(args ...any) { e.end("failed: ", args) }

func (e *ending) Skip(args ...any) { e.end("skipped: ", args) }

func (e *ending) end(how string, why []any) {
	e.how = how + fmt.Sprint(why...)
	runtime.Goexit()
}

// endOf returns how a test ends that needs these programs; "": it goes on.
func endOf(t *testing.T, programs ...string) string {
	e := &ending{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Programs(e, programs...)
	}()
	<-ended
	return e.how
}

func TestProgramsThatAreMissing(t *testing.T) {
	for ci, want := range map[string]string{"true": "failed: no-such-program is missing", "": "skipped: no-such-program is missing"} {
		t.Setenv("CI", ci)
		if got := endOf(t, "go", "no-such-program"); got != want {
			t.Errorf("CI=%q: got %q, want %q", ci, got, want)
		}
		if got := endOf(t, "go"); got != "" {
			t.Errorf("CI=%q: got %q of a program that is there, want nothing", ci, got)
		}
	}
}
