package pionsignal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

// These times decide when a round of ConnectNew is lost, and presence when Connect is. An offerer or answerer that was killed is back within
// 5 s of them.
const (
	// silence is how long the answerer waits for the connection when both sides have said everything. It grows with each loss, so that a
	// pair whose network is slow connects in a later round.
	silence = 3 * time.Second
	// longSilence is that for an offerer that may still gather: a STUN server that does not answer costs Pion 5 s.
	longSilence = 10 * time.Second
	// grace is for two that are about to connect.
	grace = 2 * time.Second
	// presence is how long an offerer may take to send the first of its candidates: a mobile uplink takes seconds.
	presence = 5 * time.Second
	// lastChance is for two that have connected on the other side, whose end of the session this side sees first.
	lastChance = time.Second
)

// patience returns d, longer after losses.
func (h *handshake) patience(d time.Duration) time.Duration { return d << min(h.losses, 3) }

// runAnswerer waits for the offer and puts the answer. It does not wait in the same request for candidates that the offerer may
// still gather: the connection depends on the answer's receipt.
func (h *handshake) runAnswerer(ctx context.Context) error {
	if h.single != nil {
		if err := h.awaitUnanswered(ctx); err != nil {
			return err
		}
	}
	described := func() bool { return h.pc.RemoteDescription() != nil }
	if err := h.receive(ctx, described); err != nil {
		return err
	}
	answer, err := h.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("creating the answer: %w", err)
	}
	description, err := h.describe(ctx, answer)
	if err != nil {
		return fmt.Errorf("applying the answer: %w", err)
	}
	err = h.writeFirst(ctx, description, func(w client.Write, _ bool) error { return h.inbox.Exchange(ctx, w, 0) })
	if err != nil {
		if h.again && errors.Is(err, custerrors.SdpAlreadyExist) {
			h.relieve(ctx, grace)
		}
		return fmt.Errorf("sending the answer: %w", err)
	}
	h.exchanged.Store(true)
	switch {
	case h.single != nil:
		return h.converseWithOneWhoIsThere(ctx)
	case !h.again:
		return h.converse(ctx)
	}
	gathering, cancel := context.WithTimeout(ctx, h.patience(longSilence))
	defer cancel()
	if err := h.converse(gathering); err != nil && (ctx.Err() != nil || gathering.Err() == nil) {
		return err
	}
	return nil
}

// awaitUnanswered is for Connect: it returns when there is an offer that nobody has answered, and leaves it to be read. An offer that is
// answered is that of two others, or of this side's own former life. If those are not done within grace, one of them is gone. With role
// tickets only those two may look; what the answerer reads then says how it stands.
func (h *handshake) awaitUnanswered(ctx context.Context) error {
	for {
		m, err := h.inbox.Next(ctx)
		if err != nil {
			return fmt.Errorf("waiting for the offer: %w", err)
		}
		if m.Data == *h.posted {
			return h.disown(ctx)
		}
		if _, err := h.single.Messages(ctx, "", 0); err != nil {
			h.inbox = h.session.Inbox("")
			return nil
		}
		h.log.InfoContext(ctx, "the offer has been answered already; waiting for the end of its session")
		h.relieve(ctx, grace)
		h.inbox = h.session.Inbox("")
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("waiting for an offer that nobody has answered: %w", ctx.Err())
		case h.joined: // to be found out anew
			return fmt.Errorf("waiting for an offer that nobody has answered: %w", custerrors.KeyIsExpired)
		}
	}
}

// disown ends the session that this side has opened itself, when the answer to that was lost: it must not answer its own offer. It returns an
// error for which isOver is true.
func (h *handshake) disown(ctx context.Context) error {
	h.relieve(ctx, 0)
	if err := sleep(ctx, waitingTTL+time.Second); err != nil { // if only the lost ticket ends it
		return fmt.Errorf("waiting for the end of this side's own session: %w", err)
	}
	return fmt.Errorf("this side's own offer was there: %w", custerrors.KeyIsExpired)
}

// errGone says that nobody is there to connect with.
var errGone = fmt.Errorf("the peer is gone, whose offer was there: it has sent no candidates: %w", ErrSpent)

// converseWithOneWhoIsThere is converse for Connect: it gives up, and ends the session, if the offer has no candidates and none come. An
// offerer of Connect sends its candidates as soon as it has the answer. One that was killed before leaves an offer for waitingTTL.
func (h *handshake) converseWithOneWhoIsThere(ctx context.Context) error {
	if strings.Contains(h.pc.RemoteDescription().SDP, "a=candidate:") {
		return h.converse(ctx)
	}
	listening, give := context.WithCancelCause(ctx)
	defer give(nil)
	defer time.AfterFunc(presence, func() {
		if !h.heard.Load() {
			give(errGone)
		}
	}).Stop()
	err := h.converse(listening)
	if errors.Is(context.Cause(listening), errGone) {
		h.relieve(ctx, 0)
		return errGone
	}
	return err
}

// relieve ends the session whose offer this answerer has read, unless it ends by itself within d. A session that has been answered, and in
// which the two do not find each other, is of use to nobody: one of them is gone. Somebody who only knows the key could end it too.
func (h *handshake) relieve(ctx context.Context, d time.Duration) {
	if !h.outlives(ctx, h.inbox.Cursor(), d) || ctx.Err() != nil {
		return
	}
	h.log.InfoContext(ctx, "ending a session that was answered in vain")
	if err := h.session.End(ctx); err != nil { // a server with role tickets lets only the two do it
		h.log.InfoContext(ctx, "the session was not ended", "error", err)
	}
}

// refuse tells the offerer that its offer does not open here, in the place of the answer. It is best effort.
func (h *handshake) refuse(ctx context.Context, offer string, why error) {
	refusal, err := h.codec.refusal(h.keys, offer, why)
	if err == nil && refusal != "" {
		_, err = h.session.Exchange(ctx, client.Write{SDP: refusal}, h.inbox.Cursor(), 0)
	}
	if err != nil {
		h.log.InfoContext(ctx, "the offerer was not told that its offer does not open", "error", err)
	}
}

// outlast is for ConnectNew: it watches a session in which err has ended what this side had to say and to read, until the connection stands,
// which ends ctx. If the session is lost, it returns an error for which isOver is true.
func (h *handshake) outlast(ctx context.Context, err error) error {
	switch {
	case !h.exchanged.Load():
		return err
	case err != nil:
	case h.session.Role() == client.Offer:
		if err = sleep(ctx, grace); err == nil {
			err = h.receive(ctx, func() bool { return false })
		}
	default:
		if err = sleep(ctx, h.patience(silence)); err == nil {
			h.relieve(ctx, 0)
			return fmt.Errorf("connecting in vain: %w", custerrors.KeyIsExpired)
		}
	}
	if isOver(err) && sleep(ctx, lastChance) != nil {
		return ctx.Err()
	}
	return err
}
