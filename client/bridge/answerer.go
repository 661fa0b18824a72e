package bridge

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

const (
	askAgain  = 500 * time.Millisecond // between requests: while the server remembers an ended session, it answers at once
	drainTime = 5 * time.Second        // for the delivery of what was read before the session ended
)

// offered is one offer, and how much of it the local program has got. It outlives the session if the same offer opens another one.
type offered struct {
	sdp       string
	inbox     *script
	delivered atomic.Int64 // messages
}

// runAnswerer bridges the program that answers, one session after the other, until ctx ends.
func (b *bridge) runAnswerer(ctx context.Context) {
	b.log.Info("waiting for the other side's sdp")
	for latest := (*offered)(nil); ; {
		batch, err := b.await(ctx)
		if err != nil {
			return
		}
		c := b.newCodec()
		messages, err := b.opened(c, batch.Messages)
		if err != nil {
			b.refuse(ctx, batch, err)
			continue
		}
		latest = b.next(latest, messages[0].Data)
		got := b.collectNew(latest.inbox)
		for _, m := range messages {
			got(m)
		}
		b.answerSession(ctx, c, latest, batch.Next, got)
		if ctx.Err() == nil {
			b.log.Info("the session has ended; waiting for the other side's next one")
		}
	}
}

// refuse tells the other side that its offer does not open here, in the place of the answer, and returns when the session is over.
func (b *bridge) refuse(ctx context.Context, batch client.Batch, why error) {
	b.log.Error("the other side's sdp does not open: give both sides the same secret; waiting for another one", "why", why)
	refusal, err := b.keys.Refuse(batch.Messages[0].Data)
	if err == nil {
		_, err = b.line.post(ctx, []client.Message{{Kind: client.SDP, Data: refusal}}, batch.Next)
	}
	for err == nil || errors.Is(err, custerrors.SdpAlreadyExist) || errors.Is(err, errPerhapsWritten) {
		if batch, err = b.line.read(ctx, batch.Next); err != nil {
			return
		}
	}
}

// next returns the offer of the session that has just opened, given its sdp: the latest one if its sdp is the same, and otherwise a
// new one, for which the local program has written nothing yet.
func (b *bridge) next(latest *offered, sdp string) *offered {
	mine, _ := b.outbox.current()
	switch {
	case latest != nil && latest.sdp == sdp:
		b.log.Info("the other side has opened another session with the same sdp; going on where the last one ended")
		return latest
	case latest != nil:
		b.log.Warn("the other side's program has been started anew; the local program has to be started anew before it is")
	case mine.begun():
		b.log.Warn("the local program wrote an sdp before there was one to answer; leaving it out")
	}
	b.outbox.renew()
	return &offered{sdp: sdp, inbox: newScript()}
}

// collectNew is collect, but skips what the inbox has already, from an earlier session of the same offer.
func (b *bridge) collectNew(inbox *script) func(client.Message) {
	earlier := map[client.Message]bool{}
	known, _ := inbox.after(0)
	for _, m := range known {
		earlier[m] = true
	}
	collect := b.collect(inbox)
	return func(m client.Message) {
		if !earlier[m] {
			collect(m)
		}
	}
}

// await waits until a session is open, and returns the first messages of the other side, beginning with its sdp.
func (b *bridge) await(ctx context.Context) (client.Batch, error) {
	for told := false; ; {
		asked := time.Now()
		batch, err := b.line.read(ctx, "")
		if err == nil {
			return batch, nil
		}
		if isRefusal(err) && !told {
			told = true
			b.log.Warn("the server does not let this side read yet; asking again until it does", "why", err)
		}
		if err := sleep(ctx, askAgain-time.Since(asked)); err != nil {
			return client.Batch{}, err
		}
	}
}

// answerSession delivers the offer and sends the answer, until the session is over or ctx ends. Then it still delivers what was read,
// unless the program does not have the sdp yet: its answer would find no session.
func (b *bridge) answerSession(ctx context.Context, c *codec, o *offered, cursor client.Cursor, got func(client.Message)) {
	mine, renewed := b.outbox.current()
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	var working sync.WaitGroup
	working.Go(func() { b.deliverOffer(ctx, o, mine, over) })
	working.Go(func() {
		select {
		case <-renewed:
			b.log.Warn("the local program wrote a second sdp, and a session takes one: start the offer's program anew")
		case <-over:
		}
	})
	b.converse(ctx, c, mine, 0, cursor, got)
	close(over)
	if o.delivered.Load() == 0 {
		cancel()
	}
	drained := time.AfterFunc(drainTime, cancel)
	working.Wait()
	drained.Stop()
	cancel()
}

// deliverOffer delivers the offer. If the program goes away before it has answered, it gets all of it again when it is back.
func (b *bridge) deliverOffer(ctx context.Context, o *offered, mine *script, over <-chan struct{}) {
	for {
		n := int(o.delivered.Load())
		err := b.deliver(ctx, o.inbox, n, over, func() { o.delivered.Add(1) })
		if !errors.Is(err, errGone) {
			return
		}
		if mine.begun() {
			b.log.Warn("the local program is gone after it answered: start it again, then the offer's program")
			return
		}
		b.log.Warn("the local program is gone before it answered; it gets everything again when it is back")
		o.delivered.Store(0)
	}
}
