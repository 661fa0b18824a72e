package pionsignal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"

	"signal-server/client"
	"signal-server/custerrors"
)

// signal exchanges descriptions and candidates. It returns nil when this side's end of candidates is
// posted and the peer's is read.
func (h *handshake) signal(ctx context.Context) error {
	var err error
	if h.session.Role() == client.Offer {
		err = h.runOfferer(ctx)
	} else {
		err = h.runAnswerer(ctx)
	}
	if h.again {
		err = h.outlast(ctx, err)
	}
	if isOver(err) {
		h.opened.Store(false) // the key's next session is not this side's to end
	}
	return err
}

// converse sends and receives candidates, and receives the answer, until both sides have said everything.
func (h *handshake) converse(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	after := h.inbox.Cursor()
	group.Go(func() error {
		if h.unapplied != nil { // gathering has just begun
			if err := h.batch(ctx); err != nil {
				return err
			}
		}
		return h.send(ctx, after)
	})
	group.Go(func() error { return h.receive(ctx, h.gotAll.Load) })
	return group.Wait()
}

// describe makes the description the local one, which starts gathering, and gives it the batch delay. It returns the description as it
// is posted.
func (h *handshake) describe(ctx context.Context, d webrtc.SessionDescription) (text string, err error) {
	sdp, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	h.useServers(ctx)
	if err := h.pc.SetLocalDescription(d); err != nil {
		return "", err
	}
	return string(sdp), h.batch(ctx) // nothing is sent yet that would have to be undone
}

// batch gives gathering the batch delay.
func (h *handshake) batch(ctx context.Context) error {
	select {
	case <-h.out.gathered:
	case <-time.After(h.batchDelay):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// writeFirst seals the description and writes it, with the candidates that are gathered.
func (h *handshake) writeFirst(ctx context.Context, description string, write func(w client.Write, all bool) error) error {
	sdp, err := h.codec.description(description)
	if err != nil {
		return err
	}
	return h.write(ctx, func(candidates []string, all bool) error {
		return write(client.Write{SDP: sdp, Candidates: candidates}, all)
	})
}

// write calls post with the candidates that wait, sealed: at most as many as there is room for, the best by priority. If the server does
// not take so many, it has lower limits than servers have by default; then write goes on with half of them. It counts what it leaves out.
func (h *handshake) write(ctx context.Context, post func(candidates []string, all bool) error) error {
	for {
		b := h.out.take(h.room)
		n := len(b.texts)
		if err := h.codec.candidates(b.texts); err != nil {
			return err
		}
		err := post(b.texts, b.complete)
		switch {
		case n > 0 && (errors.Is(err, custerrors.QueueIsFull) || errors.Is(err, custerrors.BodyIsTooLong)):
			h.codec.takeBack(n)
			h.out.putBack(b)
			h.limit -= h.room - n/2
			h.room = n / 2
			continue
		case err != nil:
			return err
		}
		h.room -= n
		h.sentAll.Store(b.complete)
		if b.leftOut > 0 {
			h.log.WarnContext(ctx, "the session has no room for more candidates", "left_out", b.leftOut)
		}
		return nil
	}
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
		err := h.write(ctx, func(candidates []string, _ bool) error {
			if len(candidates) == 0 { // they went with the write before, or there is no room
				return nil
			}
			_, err := h.session.Exchange(ctx, client.Write{Candidates: candidates}, after, 0)
			return err
		})
		if err != nil {
			return fmt.Errorf("sending candidates: %w", err)
		}
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
			err = h.applySDP(ctx, m.Data)
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

func (h *handshake) applySDP(ctx context.Context, payload string) error {
	want := webrtc.SDPTypeOffer
	if h.session.Role() == client.Offer {
		want = webrtc.SDPTypeAnswer
	}
	data, err := h.codec.readDescription(payload)
	if err != nil {
		if want == webrtc.SDPTypeOffer {
			h.refuse(ctx, payload, err)
		}
		return fmt.Errorf("opening the %s: %w", want, err)
	}
	var d webrtc.SessionDescription
	if err := json.Unmarshal([]byte(data), &d); err != nil {
		return fmt.Errorf("reading the %s: %w", want, err)
	}
	if d.Type != want {
		return fmt.Errorf("reading the %s: it is of type %s", want, d.Type)
	}
	switch {
	case h.unapplied != nil:
		h.useServers(ctx)
		if err := h.pc.SetLocalDescription(*h.unapplied); err != nil {
			return fmt.Errorf("applying the offer: %w", err)
		}
	case h.single != nil && want == webrtc.SDPTypeOffer:
		if err := fits(h.pc, d); err != nil {
			return fmt.Errorf("applying the offer: %w", err)
		}
	}
	if err := h.pc.SetRemoteDescription(d); err != nil {
		return fmt.Errorf("applying the %s: %w", want, err)
	}
	h.exchanged.Store(want == webrtc.SDPTypeAnswer)
	return nil
}

// fits reports whether pc can answer the offer though it has made an offer itself before, which was not sent: that has numbered pc's
// transceivers (JSEP, RFC 9429, Section 5.2.1), and Pion pairs them with the media of the offer by number alone.
func fits(pc *webrtc.PeerConnection, offer webrtc.SessionDescription) error {
	parsed, err := offer.Unmarshal()
	if err != nil {
		return err
	}
	for _, media := range parsed.MediaDescriptions {
		mid, _ := media.Attribute("mid")
		_, sends := media.Attribute("sendonly")
		for _, t := range pc.GetTransceivers() {
			if mid == "" || t.Mid() != mid || media.MediaName.Media == "application" {
				continue
			}
			if kind := t.Kind().String(); kind != media.MediaName.Media || sends && t.Direction() == webrtc.RTPTransceiverDirectionSendonly {
				return fmt.Errorf("both sides have offered, and their media %q do not fit, %s and %s: %w", mid, kind, media.MediaName.Media, ErrSpent)
			}
		}
	}
	return nil
}

// applyCandidate applies a candidate of the peer. One that cannot be used is left out: the others may be enough.
func (h *handshake) applyCandidate(ctx context.Context, data string) {
	if h.pc.RemoteDescription() == nil {
		return // it belongs to the session before: see WithCursor
	}
	h.heard.Store(true)
	data, err := h.codec.readCandidate(data)
	var c webrtc.ICECandidateInit
	if err == nil {
		c, err = parseCandidate(data)
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

// parseCandidate reads a candidate. JSON's null is the end of candidates, as it is in browsers (W3C WebRTC, addIceCandidate). What is no
// JSON and begins as the attribute does (RFC 8839, Section 5.1) is the attribute alone, as Pion's example pion-to-pion posts it: one of
// the first media section.
func parseCandidate(text string) (c webrtc.ICECandidateInit, err error) {
	if strings.HasPrefix(text, "candidate:") {
		return webrtc.ICECandidateInit{Candidate: text, SDPMLineIndex: new(uint16)}, nil
	}
	err = json.Unmarshal([]byte(text), &c)
	return c, err
}
