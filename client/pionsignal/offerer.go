package pionsignal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/custerrors"
)

const (
	// answerWait is how long the offerer's first write waits for the answer: as long as the server allows.
	answerWait = 30 * time.Second

	// offerTTL is how long a session outlives its offerer. While the offerer lives, one of its requests waits, or the connection no longer
	// depends on the session.
	offerTTL = 10 * time.Second

	// waitingTTL is that for one that waits with a PeerConnection that has no description yet. It loses nothing by the end of the session. And
	// if it is killed and started again, it soon finds no offer of its own former life, which it would answer.
	waitingTTL = 2 * time.Second

	// takeovers is how often an offerer of Connect ends a session that is in its way: two that both insist on offering must not go on so.
	takeovers = 3

	// listenTime is how long the offerer listens for the end of a session that is in its way. An answerer of ConnectNew ends one that it has
	// answered in vain after silence.
	listenTime = 5 * time.Second
	// firstQuiet and mostQuiet bound how long it then does not ask, because each request keeps that session alive: longer than offerTTL, and
	// at last longer than sessions live by default.
	firstQuiet = offerTTL + time.Second
	mostQuiet  = 31 * time.Second

	// firstReopening and mostReopening bound the pause before another session is opened with the same offer.
	firstReopening = 100 * time.Millisecond
	mostReopening  = 2 * time.Second
)

// runOfferer makes the offer and opens a session with it, and another one if that is over before the answer is there: nobody came in
// its lifetime, the server was restarted, or the answerer was. The offer stays the same, because Pion takes back none; as what it says is
// posted anew, an answerer of the session before cannot take it for the one that it has.
func (h *handshake) runOfferer(ctx context.Context) error {
	offer, err := h.pc.CreateOffer(nil)
	switch {
	case err != nil:
		return fmt.Errorf("creating the offer: %w", err)
	case !strings.Contains(offer.SDP, "\nm="):
		return fmt.Errorf("creating the offer: %w", ErrNothing)
	case h.single != nil && h.joined:
		return h.offerLate(ctx, offer)
	}
	description, err := h.describe(ctx, offer)
	if err != nil {
		return fmt.Errorf("applying the offer: %w", err)
	}
	for reopening := firstReopening; ; reopening = min(2*reopening, mostReopening) {
		err := h.offer(ctx, description)
		if err == nil {
			err = h.converse(ctx)
		}
		if !isOver(err) || ctx.Err() != nil || h.exchanged.Load() || h.joined {
			return err
		}
		h.log.InfoContext(ctx, "the session ended before the answer came; opening another one", "why", err)
		if sleep(ctx, reopening/2+rand.N(reopening/2)) != nil { // #nosec G404 -- spreads clients, hides nothing
			return because(ctx.Err(), err)
		}
		h.codec = newCodec(h.keys, client.Offer)
		h.inbox = h.session.Inbox("")
		h.out.putBack(batch{})
		h.room = h.limit
		h.sentAll.Store(false)
		h.gotAll.Store(false)
	}
}

// offerLate opens the session with an offer that becomes the PeerConnection's only when the answer is there: Pion takes no description back,
// and until then the PeerConnection can still answer, if the other side has offered at the same time, or offers after the session has ended.
// In return candidates go one request later, after the answer: this side's checks go out before, and the answerer learns where from.
func (h *handshake) offerLate(ctx context.Context, offer webrtc.SessionDescription) error {
	text, err := json.Marshal(offer)
	if err != nil {
		return err
	}
	sdp, err := h.codec.description(string(text))
	if err != nil {
		return err
	}
	h.unapplied, *h.posted = &offer, sdp
	if err := h.open(ctx, client.Write{SDP: sdp, TTL: waitingTTL}, answerWait); err != nil {
		return fmt.Errorf("sending the offer and waiting for the answer: %w", err)
	}
	if err := h.receive(ctx, h.exchanged.Load); err != nil {
		return err
	}
	return h.converse(ctx)
}

// offer opens the session with the offer and the candidates that are gathered. If those are all, it waits for the answer in the same
// request. Otherwise it does not, because the wait would hold up the candidates to come.
func (h *handshake) offer(ctx context.Context, description string) error {
	return h.writeFirst(ctx, description, func(w client.Write, all bool) error {
		wait, doing := time.Duration(0), "sending the offer"
		if all {
			wait, doing = answerWait, "sending the offer and waiting for the answer"
		}
		w.TTL = offerTTL
		if err := h.open(ctx, w, wait); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		return nil
	})
}

// open writes w, which opens the session. While another session of the key is open, it waits: most likely that one is of this side's
// former life. It ends that session only if it holds its ticket. Of two that have not agreed who offers, this one leaves it to the other.
func (h *handshake) open(ctx context.Context, w client.Write, wait time.Duration) error {
	for quiet := firstQuiet; ; quiet = min(2*quiet, mostQuiet) {
		h.opened.Store(true)
		err := h.inbox.Exchange(ctx, w, wait)
		if refused := new(client.Error); errors.As(err, &refused) && refused.Msg != "" {
			h.opened.Store(false) // this side did not open it, or it has ended already
		}
		switch {
		case !errors.Is(err, custerrors.SdpAlreadyExist):
			return err
		case h.session.HasTicket() && h.session.End(ctx) == nil: // then the ticket is used up
			continue
		case h.joined:
			return err
		case h.takeovers > 0:
			h.takeovers--
			if h.takeOver(ctx) {
				continue
			}
		}
		h.log.InfoContext(ctx, "another session of the key is open; waiting for its end")
		if h.outlives(ctx, "", listenTime) && sleep(ctx, quiet) != nil || ctx.Err() != nil {
			return because(ctx.Err(), err)
		}
	}
}

// takeOver ends the session that is in the way, and reports whether it is over. If it is answered, it may be that of two who are about to
// connect. With role tickets only those two can end it.
func (h *handshake) takeOver(ctx context.Context) bool {
	h.log.InfoContext(ctx, "ending the session of the key that is in the way")
	if _, err := h.session.Messages(ctx, "", 0); err == nil && !h.outlives(ctx, "", grace) {
		return true
	}
	return h.session.End(ctx) == nil
}

// outlives reports whether the session of the cursor is still open after d, as far as the server says.
func (h *handshake) outlives(ctx context.Context, cursor client.Cursor, d time.Duration) bool {
	const margin = time.Second // for the answer to travel
	ctx, cancel := context.WithTimeout(ctx, d+margin)
	defer cancel()
	for over := time.Now().Add(d); ; {
		b, err := h.session.Messages(ctx, cursor, time.Until(over))
		switch {
		case err == nil:
			cursor = b.Next
		case !client.NothingYet(err):
			return !isOver(err)
		}
		if time.Until(over) <= 0 || sleep(ctx, firstReopening) != nil {
			return true
		}
	}
}
