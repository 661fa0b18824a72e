package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Retry says how often a request that failed for the moment is sent again, and after what pauses. A pause is doubled with
// each failure and made shorter at random by up to half, so that clients which failed together do not come back together. If
// the server asked for more patience (Retry-After), it is that, and at random up to Base more.
type Retry struct {
	// Attempts is how often a request is sent at the most: 1 means never again.
	Attempts int
	// Base is the longest pause after the first failure.
	Base time.Duration
	// Max is the longest pause that is not the server's wish.
	Max time.Duration
}

// DefaultRetry is what a Client does by itself: it gives up after 4 pauses, which are 3 s together at the most.
var DefaultRetry = Retry{Attempts: 5, Base: 200 * time.Millisecond, Max: 5 * time.Second}

// NoRetry sends every request once.
var NoRetry = Retry{Attempts: 1, Base: DefaultRetry.Base, Max: DefaultRetry.Max}

func (r Retry) check() error {
	if r.Attempts < 1 || r.Base <= 0 || r.Max < r.Base {
		return fmt.Errorf("client: retry %+v: Attempts must be 1 or more, Base positive, Max at least Base", r)
	}
	return nil
}

// pause returns how long to wait after the failed attempt of that number, 1 for the first.
func (r Retry) pause(attempt int, retryAfter time.Duration) time.Duration {
	d := r.Base
	for range attempt - 1 {
		if d >= r.Max {
			break
		}
		d *= 2
	}
	d = min(d, r.Max)
	d -= rand.N(d/2 + 1) // #nosec G404 -- spreads clients, hides nothing
	if retryAfter > d {
		return retryAfter + rand.N(r.Base) // #nosec G404 -- spreads clients, hides nothing
	}
	return d
}

// sleep returns after d, or at once if the context ends before d is over: then waiting for its end would not help. It
// reports whether the time is over and the context still lives.
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
