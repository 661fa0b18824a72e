package bridge

import (
	"context"
	"time"
)

// Pauses between two attempts at the same thing. They double from the first to the last.
const (
	firstPause = 50 * time.Millisecond // a program that starts beside the bridge is up in that time
	lastPause  = 2 * time.Second       // a user who starts a program by hand does not notice it
)

// backoff paces attempts. The zero backoff is ready to use.
type backoff struct{ pause time.Duration }

// wait sleeps for the next pause. The error is that of ctx, if it ends first.
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
