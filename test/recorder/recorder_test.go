package recorder_test

import (
	"slices"
	"testing"

	"signal-server/test/recorder"
)

func TestFailures(t *testing.T) {
	got := recorder.Failures(t, func(t testing.TB) {
		t.Cleanup(func() { t.Error("the first cleanup") })
		t.Cleanup(func() { t.Fatal("the last cleanup") })
		t.Errorf("an %s", "error")
		t.Fatal("the end")
		t.Error("what comes after it")
	})
	if want := []string{"an error", "the end", "the last cleanup", "the first cleanup"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := recorder.Failures(t, func(testing.TB) {}); len(got) > 0 {
		t.Errorf("a check that passes: got %q, want nothing", got)
	}
}
