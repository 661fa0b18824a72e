package pionsignal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"

	"signal-server/client"
	"signal-server/custerrors"
)

// answerWait is how long the offerer's first write waits for the answer: as long as the server allows.
const answerWait = 30 * time.Second

// signal exchanges descriptions and candidates. It returns nil when this side's end of candidates is
// posted and the peer's is read.
func (h *handshake) signal(ctx context.Context) error {
	var err error
	if h.session.Role() == client.Offer {
		err = h.runOfferer(ctx)
	} else {
		err = h.runAnswerer(ctx)
	}
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	after := h.inbox.Cursor()
	group.Go(func() error { return h.send(ctx, after) })
	group.Go(func() error { return h.receive(ctx, h.gotAll.Load) })
	return group.Wait()
}

// runOfferer puts the offer with the candidates that are gathered within the batch delay. If those are all, it waits for the answer
// in the same request. Otherwise it does not, because the wait would hold up the candidates to come.
func (h *handshake) runOfferer(ctx context.Context) error {
	offer, err := h.pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("creating the offer: %w", err)
	}
	w, all, err := h.firstWrite(ctx, offer)
	if err != nil {
		return fmt.Errorf("applying the offer: %w", err)
	}
	wait, doing := time.Duration(0), "sending the offer"
	if all {
		wait, doing = answerWait, "sending the offer and waiting for the answer"
	}
	h.opened.Store(true)
	if err := h.inbox.Exchange(ctx, w, wait); err != nil {
		if refused := new(client.Error); errors.As(err, &refused) && refused.Msg != "" {
			h.opened.Store(false) // this side did not open it, or it has ended already
		}
		return fmt.Errorf("%s: %w", doing, err)
	}
	h.sentAll.Store(all)
	return nil
}

// runAnswerer waits for the offer and puts the answer. It does not wait in the same request for candidates that the offerer may
// still gather: the connection depends on the answer's receipt.
func (h *handshake) runAnswerer(ctx context.Context) error {
	described := func() bool { return h.pc.RemoteDescription() != nil }
	if err := h.receive(ctx, described); err != nil {
		return err
	}
	answer, err := h.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("creating the answer: %w", err)
	}
	w, all, err := h.firstWrite(ctx, answer)
	if err != nil {
		return fmt.Errorf("applying the answer: %w", err)
	}
	if err := h.inbox.Exchange(ctx, w, 0); err != nil {
		return fmt.Errorf("sending the answer: %w", err)
	}
	h.sentAll.Store(all)
	h.exchanged.Store(true)
	return nil
}

// firstWrite makes the description the local one, which starts gathering. It returns the description with the candidates that come
// within the batch delay, and whether those are all.
func (h *handshake) firstWrite(ctx context.Context, d webrtc.SessionDescription) (w client.Write, all bool, err error) {
	sdp, err := json.Marshal(d)
	if err != nil {
		return client.Write{}, false, err
	}
	if err := h.pc.SetLocalDescription(d); err != nil {
		return client.Write{}, false, err
	}
	select {
	case <-h.out.gathered:
	case <-time.After(h.batchDelay):
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil { // nothing is sent yet that would have to be undone
		return client.Write{}, false, err
	}
	if w.SDP, err = h.codec.description(string(sdp)); err != nil {
		return client.Write{}, false, err
	}
	w.Candidates, all = h.out.take()
	return w, all, h.codec.candidates(w.Candidates)
}

// send posts the candidates that are gathered after the first write, until it has posted their end. The cursor tells the server
// which session is meant. Messages in the answers are left to receive, which reads them too.
func (h *handshake) send(ctx context.Context, after client.Cursor) error {
	for !h.sentAll.Load() {
		select {
		case <-h.out.added:
		case <-ctx.Done():
			return ctx.Err()
		}
		candidates, all := h.out.take()
		if len(candidates) == 0 {
			continue // they went with the write before
		}
		if err := h.codec.candidates(candidates); err != nil {
			return err
		}
		_, err := h.session.Exchange(ctx, client.Write{Candidates: candidates}, after, 0)
		switch {
		case errors.Is(err, custerrors.QueueIsFull) || errors.Is(err, custerrors.BodyIsTooLong):
			h.log.WarnContext(ctx, "the session has no room for more candidates", "left_out", len(candidates), "error", err)
			return nil // those that were posted may be enough
		case err != nil:
			return fmt.Errorf("sending candidates: %w", err)
		}
		h.sentAll.Store(all)
	}
	return nil
}

// receive applies what the peer writes until enough returns true.
func (h *handshake) receive(ctx context.Context, enough func() bool) error {
	for !enough() {
		m, err := h.inbox.Next(ctx)
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", h.awaited(), err)
		}
		if m.Kind == client.SDP {
			err = h.applySDP(m.Data)
		} else {
			h.applyCandidate(ctx, m.Data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *handshake) awaited() string {
	switch {
	case h.pc.RemoteDescription() != nil:
		return "candidates"
	case h.session.Role() == client.Offer:
		return "the answer"
	default:
		return "the offer"
	}
}

func (h *handshake) applySDP(data string) error {
	want := webrtc.SDPTypeOffer
	if h.session.Role() == client.Offer {
		want = webrtc.SDPTypeAnswer
	}
	data, err := h.codec.readDescription(data)
	if err != nil {
		return fmt.Errorf("opening the %s: %w", want, err)
	}
	var d webrtc.SessionDescription
	if err := json.Unmarshal([]byte(data), &d); err != nil {
		return fmt.Errorf("reading the %s: %w", want, err)
	}
	if d.Type != want {
		return fmt.Errorf("reading the %s: it is of type %s", want, d.Type)
	}
	if err := h.pc.SetRemoteDescription(d); err != nil {
		return fmt.Errorf("applying the %s: %w", want, err)
	}
	h.exchanged.Store(want == webrtc.SDPTypeAnswer)
	return nil
}

// applyCandidate applies a candidate of the peer. One that cannot be used is left out: the others may be enough.
func (h *handshake) applyCandidate(ctx context.Context, data string) {
	if h.pc.RemoteDescription() == nil {
		return // it belongs to the session before: see WithCursor
	}
	var c webrtc.ICECandidateInit
	data, err := h.codec.readCandidate(data)
	if err == nil {
		err = json.Unmarshal([]byte(data), &c)
	}
	if err == nil {
		if c.Candidate == "" {
			h.gotAll.Store(true)
		}
		err = h.pc.AddICECandidate(c)
	}
	if err != nil {
		h.log.WarnContext(ctx, "a candidate of the peer was left out", "error", err)
	}
}
