package cache_test

import (
	"testing"
	"time"

	"signal-server/cache"
)

func TestDurations(t *testing.T) {
	var d cache.Durations
	if got := d.Distribution(); got.Count() != 0 || got.Sum != 0 || !got.Known {
		t.Errorf("nothing observed: got %+v, want zeros that are known", got)
	}
	var sum time.Duration
	for i, bound := range cache.DurationBounds {
		for _, observed := range []struct {
			t      time.Duration
			bucket int
		}{{bound - 1, i}, {bound, i}, {bound + 1, i + 1}} {
			before := d.Distribution()
			d.Observe(observed.t)
			sum += observed.t
			after := d.Distribution()
			if got, want := after.Counts[observed.bucket], before.Counts[observed.bucket]+1; got != want {
				t.Errorf("%v: got %d in bucket %d, want %d", observed.t, got, observed.bucket, want)
			}
			if got, want := after.Count(), before.Count()+1; got != want {
				t.Errorf("%v: got %d counted in all, want %d", observed.t, got, want)
			}
		}
	}
	if got := d.Distribution().Sum; got != sum {
		t.Errorf("sum: got %v, want %v", got, sum)
	}
	if got := testing.AllocsPerRun(100, func() { d.Observe(time.Second) }); got != 0 {
		t.Errorf("Observe allocates: got %v, want 0", got)
	}
}
