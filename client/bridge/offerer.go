package bridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

const (
	reopenPause = time.Second // if each session ends at once, that costs a request a second
	takeovers   = 3           // how often to end a session that is in the way; another bridge may open it anew each time
)

// runOfferer bridges the program that makes the offer, one script after the other, until ctx ends.
func (b *bridge) runOfferer(ctx context.Context) {
	b.log.Info("waiting for the local program's sdp")
	for scripts := 0; ctx.Err() == nil; {
		s, renewed := b.outbox.current()
		if _, grown := s.after(0); !s.begun() {
			select {
			case <-grown:
			case <-ctx.Done():
			}
			continue
		}
		if scripts++; scripts > 1 {
			b.log.Info("the local program has written another sdp, so it was started anew: opening a new session")
		}
		current, stop := until(ctx, renewed)
		b.offerScript(current, s)
		stop()
	}
}

// until returns a context that ends with ctx or when ended is closed. stop ends it and releases what it holds.
func until(ctx context.Context, ended <-chan struct{}) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-ended:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel()
		watching.Wait()
	}
}

// offerScript offers the script and delivers the answer, until ctx ends because the program was started anew or the bridge ends. If
// a session ends before the answer is there, it opens another.
func (b *bridge) offerScript(ctx context.Context, s *script) {
	inbox := newScript()
	collect := b.collect(inbox)
	var delivery sync.WaitGroup
	defer delivery.Wait()
	delivery.Go(func() {
		if err := b.deliver(ctx, inbox, 0, nil, func() {}); errors.Is(err, errGone) {
			b.log.Warn("the local program is gone; waiting until it is started again and posts its sdp")
		}
	})

	c, batch, err := b.open(ctx, s, takeovers)
	for err == nil {
		var messages []client.Message // the other side may have answered before the opening has returned
		if messages, err = b.opened(c, batch.Messages); err == nil {
			for _, m := range messages {
				collect(m)
			}
			err = b.converse(ctx, c, s, 1, batch.Next, collect)
		}
		switch {
		case inbox.begun() || ctx.Err() != nil:
		case isOver(err):
			b.log.Warn("the session ended before the other side answered; opening it again")
			if err = sleep(ctx, reopenPause); err == nil {
				c, batch, err = b.open(ctx, s, 0)
			}
		}
	}

	switch {
	case ctx.Err() != nil:
		if errors.Is(err, ctx.Err()) { // otherwise the session is over, or not this bridge's
			b.leave(ctx)
		}
		return
	case errors.Is(err, errOtherSecret):
		b.log.Error("the other side's sdp does not open: give both sides the same secret; waiting for another sdp of the local program", "why", err)
		b.leave(ctx)
	case inbox.begun():
		b.log.Info("the session has ended after the other side's answer; a new sdp of the local program opens the next")
	case errors.Is(err, custerrors.SdpAlreadyExist):
		b.log.Error("another program has opened a session with this key: use a fresh key for both sides")
	default:
		b.log.Error("the server refuses the local program's sdp; waiting for another one", "why", err)
	}
	<-ctx.Done()
}

// open opens the session with the script's sdp. A session in the way is from an earlier start of the program: open ends it, as often
// as takeovers says. If only its opener can end it (--role-tickets), which was another bridge, open waits until it has expired.
func (b *bridge) open(ctx context.Context, s *script, takeovers int) (*codec, client.Batch, error) {
	for told := false; ; {
		first, _ := s.after(0)
		c := b.newCodec()
		sdp, err := c.close(first[:1])
		if err != nil {
			return nil, client.Batch{}, err
		}
		batch, err := b.line.post(ctx, sdp, "")
		switch {
		case err == nil:
			b.log.Info("opened a session with the local program's sdp; waiting for the other side")
			return c, batch, nil
		case errors.Is(err, errPerhapsWritten): // begin anew: an answerer that has read it gets the same again
		case errors.Is(err, custerrors.SdpAlreadyExist) && takeovers > 0:
			takeovers--
			b.log.Warn("a session of an earlier start of the program is still open; ending it")
		default:
			return nil, client.Batch{}, err
		}
		err = b.line.end(ctx)
		if errors.Is(err, custerrors.NotAllowed) {
			if !told {
				b.log.Warn("the server lets nobody end that session but its opener; waiting until it has expired")
			}
			told = true
			takeovers++
			err = sleep(ctx, reopenPause)
		}
		if err != nil {
			return nil, client.Batch{}, err
		}
	}
}

// leave ends the session that the program or the bridge leaves, so that nobody answers an offer whose offerer is gone.
func (b *bridge) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	if b.line.end(ctx) == nil {
		b.log.Info("ended the session")
	}
}
