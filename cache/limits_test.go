package cache

import (
	"fmt"
	"testing"
	"time"
)

// usual are limits that are right.
func usual() Limits {
	return Limits{TTL: 30 * time.Second, Lifetime: 5 * time.Minute, Candidates: 128, SessionBytes: 256 << 10}
}

func TestValidateLimits(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(l *Limits) (field any)
		want   string
	}{
		{"as usual", func(*Limits) any { return nil }, ""},
		{"a TTL of 1 ms", func(l *Limits) any { l.TTL = time.Millisecond; return &l.TTL }, ""},
		{"a TTL of less", func(l *Limits) any { l.TTL = time.Millisecond - 1; return &l.TTL }, "is 999.999µs, must be 1ms or more"},
		{"no TTL", func(l *Limits) any { l.TTL = 0; return &l.TTL }, "is 0s, must be 1ms or more"},
		{"a lifetime of a TTL", func(l *Limits) any { l.Lifetime = l.TTL; return &l.Lifetime }, ""},
		{"a lifetime of less", func(l *Limits) any { l.Lifetime = l.TTL - 1; return &l.Lifetime }, "is 29.999999999s, must be the ttl (30s) or more"},
		{"a candidate", func(l *Limits) any { l.Candidates = 1; return &l.Candidates }, ""},
		{"no candidate", func(l *Limits) any { l.Candidates = 0; return &l.Candidates }, "is 0, must be 1 to 65534"},
		{"as many candidates as a log holds", func(l *Limits) any { l.Candidates = MaxLog - 1; return &l.Candidates }, ""},
		{"one more", func(l *Limits) any { l.Candidates = MaxLog; return &l.Candidates }, "is 65535, must be 1 to 65534"},
		{"a byte", func(l *Limits) any { l.SessionBytes = 1; return &l.SessionBytes }, ""},
		{"no byte", func(l *Limits) any { l.SessionBytes = 0; return &l.SessionBytes }, "is 0B, must be 1B to 64MiB"},
		{"as many bytes as may be", func(l *Limits) any { l.SessionBytes = MaxSessionBytes; return &l.SessionBytes }, ""},
		{"one byte more", func(l *Limits) any { l.SessionBytes = MaxSessionBytes + 1; return &l.SessionBytes }, "is 64MiB1B, must be 1B to 64MiB"},
		{"any memory of a client", func(l *Limits) any { l.ClientMemory = Share{}; return &l.ClientMemory }, ""},
		{"a negative size", func(l *Limits) any { l.ClientMemory.Bytes = -1; return &l.ClientMemory }, "is -1B, must be 0 or more"},
		{"a negative part", func(l *Limits) any { l.ClientMemory.Part = -1; return &l.ClientMemory }, "is 1/-1, must be 0 or more"},
	} {
		l, got := usual(), ""
		want := test.change(&l)
		l.Validate(func(field any, format string, args ...any) {
			if field != want {
				t.Errorf("%s: got a mistake of %T %p, want one of %p", test.name, field, field, want)
			}
			got += fmt.Sprintf(format, args...)
		})
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestValidateNamesAllMistakes(t *testing.T) {
	l := Limits{Lifetime: -1}
	var got []any
	l.Validate(func(field any, _ string, _ ...any) { got = append(got, field) })
	want := []any{&l.TTL, &l.Lifetime, &l.Candidates, &l.SessionBytes}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("of four mistakes: got %v, want %v", got, want)
	}
}

func TestSessionTTL(t *testing.T) {
	l := usual()
	for wish, want := range map[time.Duration]time.Duration{
		0: l.TTL, -1: l.TTL, 1: MinTTL, MinTTL - 1: MinTTL, MinTTL: MinTTL, MinTTL + 1: MinTTL + 1,
		l.TTL - 1: l.TTL - 1, l.TTL: l.TTL, l.TTL + 1: l.TTL,
	} {
		if got := l.SessionTTL(wish); got != want {
			t.Errorf("SessionTTL of %v: got %v, want %v", wish, got, want)
		}
	}
	l.TTL = MinTTL / 2
	for _, wish := range []time.Duration{0, 1, l.TTL - 1, l.TTL, l.TTL + 1, MinTTL, time.Hour} {
		if got := l.SessionTTL(wish); got != l.TTL {
			t.Errorf("SessionTTL of %v, the maximum being less than the least: got %v, want %v", wish, got, l.TTL)
		}
	}
}
