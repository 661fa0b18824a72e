package bridge

import (
	"context"
	"time"
)

// Pauses between two attempts at the same thing. They double from the first to the last.
const (
	firstPause = 50 * time.Millisecond // a program that is started together with the bridge is up by then
	lastPause  = 2 * time.Second       // a user who starts a program by hand does not notice it
)

// backoff paces attempts. The zero backoff is ready to use.
type backoff struct{ pause time.Duration }

// wait sleeps for the next pause. If ctx ends first, it returns the error of ctx.
func (b *backoff) wait(ctx context.Context) error {
	b.pause = min(max(2*b.pause, firstPause), lastPause)
	return sleep(ctx, b.pause)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
