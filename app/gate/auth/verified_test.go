package auth

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"
)

// A JWT that was verified is remembered for a minute at the most, and not beyond its exp.
func TestVerifiedAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		tests := []struct {
			name         string
			expiry, want time.Duration
		}{
			{"an hour", time.Hour, maxVerifiedAge},
			{"a minute", time.Minute, time.Minute},
			{"30 s", 30 * time.Second, 30 * time.Second},
			{"over, within the leeway", -time.Second, 0},
			{"now", 0, 0},
		}
		for i, tt := range tests {
			var v verified
			digest := [32]byte{byte(i)}
			grant := Grant{Key: "k"}
			v.put(&digest, grant, start, start.Add(tt.expiry))
			if got, ok := v.find(&digest, start.Add(tt.want)); ok {
				t.Errorf("%s: after %v: got %+v, want none", tt.name, tt.want, got)
			}
			if got, ok := v.find(&digest, start.Add(tt.want-1)); tt.want > 0 && (!ok || got != grant) {
				t.Errorf("%s: just before %v: got %+v, %v; want %+v", tt.name, tt.want, got, ok, grant)
			}
			if held := len(v.young); (held == 1) != (tt.want > 0) {
				t.Errorf("%s: got %d held", tt.name, held)
			}
		}
	})
}

func TestVerifiedIsBounded(t *testing.T) {
	var v verified
	now := time.Now()
	digest := func(n int) (d [32]byte) {
		binary.LittleEndian.PutUint64(d[:], uint64(n))
		return d
	}
	const half = maxVerified / 2
	for n := range 10 * maxVerified {
		d := digest(n)
		v.put(&d, Grant{}, now, now.Add(time.Hour))
		if got := len(v.young) + len(v.old); got > maxVerified {
			t.Fatalf("got %d, want %d or fewer", got, maxVerified)
		}
		for _, back := range []int{0, half - 1, half} { // the latest half is always remembered
			if d := digest(max(n-back, 0)); true {
				if _, ok := v.find(&d, now); !ok {
					t.Fatalf("after %d: the one %d before: got none, want it", n, back)
				}
			}
		}
		if n >= maxVerified {
			d := digest(n - maxVerified)
			if _, ok := v.find(&d, now); ok {
				t.Fatalf("after %d: the one %d before: got it, want none", n, maxVerified)
			}
		}
	}
}
