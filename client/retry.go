package client

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Retry says how often a request that failed for the moment is sent again, and after which pauses. The pause doubles with each
// failure. A random part of up to half is taken off, so that clients that failed together do not come back together. If the
// server asks for a longer pause (Retry-After), it is that, and a random part of up to Base is added.
type Retry struct {
	// Attempts is how often a request is sent at the most: 1 means that it is never repeated; 0: as DefaultRetry.
	Attempts int
	// Base is the longest pause after the first failure; 0: as DefaultRetry, or Max if that is less.
	Base time.Duration
	// Max is the longest pause, unless the server asks for a longer one; 0: as DefaultRetry, or Base if that is more.
	Max time.Duration
}

// DefaultRetry is the Retry of a Client without WithRetry. It gives up after 4 pauses, 3 s in all at most.
var DefaultRetry = Retry{Attempts: 5, Base: 200 * time.Millisecond, Max: 5 * time.Second}

// NoRetry sends every request once.
var NoRetry = Retry{Attempts: 1, Base: DefaultRetry.Base, Max: DefaultRetry.Max}

// complete returns r with the defaults in place of what is 0.
func (r Retry) complete() Retry {
	r.Attempts = cmp.Or(r.Attempts, DefaultRetry.Attempts)
	switch {
	case r.Base == 0 && r.Max == 0:
		r.Base, r.Max = DefaultRetry.Base, DefaultRetry.Max
	case r.Base == 0:
		r.Base = min(DefaultRetry.Base, r.Max)
	case r.Max == 0:
		r.Max = max(DefaultRetry.Max, r.Base)
	}
	return r
}

func (r Retry) check() error {
	if r.Attempts < 1 || r.Base <= 0 || r.Max < r.Base {
		return fmt.Errorf(prefix+"retry %+v: nothing in it may be negative, and Max must be at least Base", r)
	}
	return nil
}

// pause returns how long to wait after the failed attempt of that number; the first is 1.
func (r Retry) pause(attempt int, retryAfter time.Duration) time.Duration {
	d := r.Base
	for range attempt - 1 {
		if d > r.Max/2 {
			d = r.Max
			break
		}
		d *= 2
	}
	d -= rand.N(d/2 + 1) // #nosec G404 -- spreads clients, hides nothing
	if retryAfter > d {
		return retryAfter + rand.N(r.Base) // #nosec G404 -- spreads clients, hides nothing
	}
	return d
}

// sleep returns after d. If the context would end before that, it returns at once, because waiting would not help. It reports
// whether d is over and the context has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
