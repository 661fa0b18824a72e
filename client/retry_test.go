package client

import (
	"math"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	r := Retry{Attempts: 100, Base: 100 * time.Millisecond, Max: time.Second}
	for _, c := range []struct {
		attempt     int
		retryAfter  time.Duration
		least, most time.Duration
	}{
		{1, 0, 50 * time.Millisecond, 100 * time.Millisecond},
		{2, 0, 100 * time.Millisecond, 200 * time.Millisecond},
		{4, 0, 400 * time.Millisecond, 800 * time.Millisecond},
		{5, 0, 500 * time.Millisecond, time.Second},
		{1000, 0, 500 * time.Millisecond, time.Second},
		{math.MaxInt, 0, 500 * time.Millisecond, time.Second},
		{1, time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond},
		{1, time.Minute, time.Minute, time.Minute + 100*time.Millisecond},
	} {
		for range 1000 {
			if got := r.pause(c.attempt, c.retryAfter); got < c.least || got > c.most {
				t.Errorf("attempt %d, Retry-After %v: got %v, want %v to %v", c.attempt, c.retryAfter, got, c.least, c.most)
				break
			}
		}
	}
}

func TestPausesDoNotOverflow(t *testing.T) {
	r := Retry{Attempts: 3, Base: math.MaxInt64/2 + 2, Max: math.MaxInt64}
	if got := r.pause(2, 0); got < r.Max/2 {
		t.Errorf("got %v, want %v at least", got, r.Max/2)
	}
}

func TestWhatARetryLeavesOpen(t *testing.T) {
	for in, want := range map[Retry]Retry{
		{}:                       DefaultRetry,
		{Attempts: 1}:            NoRetry,
		{Base: time.Minute}:      {DefaultRetry.Attempts, time.Minute, time.Minute},
		{Base: time.Millisecond}: {DefaultRetry.Attempts, time.Millisecond, DefaultRetry.Max},
		{Max: time.Millisecond}:  {DefaultRetry.Attempts, time.Millisecond, time.Millisecond},
		{Max: time.Minute}:       {DefaultRetry.Attempts, DefaultRetry.Base, time.Minute},
	} {
		if got := in.complete(); got != want {
			t.Errorf("%+v: got %+v, want %+v", in, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"-5":                            0,
		"120":                           2 * time.Minute,
		"99999999999999999999":          0,
		"9223372036":                    24 * time.Hour,
		"soon":                          0,
		"1.5":                           0,
		"Wed, 01 Jul 2026 12:00:30 GMT": 30 * time.Second,
		"Wed, 01 Jul 2026 11:00:00 GMT": 0,
		"Fri, 31 Dec 9999 23:59:59 GMT": 24 * time.Hour,
	} {
		if got := parseRetryAfter(header, now); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
}

func TestWholeSeconds(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		-time.Second: 0, 0: 0, 1: 1, time.Second: 1, time.Second + 1: 2, 30 * time.Second: 30,
		time.Duration(math.MaxInt64): math.MaxInt64/int64(time.Second) + 1,
	} {
		if got := wholeSeconds(d); got != want {
			t.Errorf("%v: got %d, want %d", d, got, want)
		}
	}
}
