package pionsignal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/seal"
)

// Connect connects pc with the peer that calls Connect, or client/js's connect, with the same key at the same server, and returns nil when ICE and
// DTLS are connected. Neither side need know who comes first, or who offers; see [WithRole] where it matters.
//
// pc is new: it has no description yet. It has at least one data channel or transceiver, because it may have to offer; both sides best have the
// same. A data channel that both sides make is one if it is negotiated by the program, under an ID that both know
// (webrtc.DataChannelInit); otherwise each side gets the other's by OnDataChannel.
//
// url is the server's, http or https. The key is 1 to 32 characters that only the two know, as client.RandomKey makes; with [WithSecret]
// it may be empty.
//
//	first    GET /answer/messages ── KeyNotFound ──▶ POST /offer/messages?wait ── the answer ──▶ candidates
//	second   GET /answer/messages ── the offer ────▶ POST /answer/messages
//
// The side that comes first waits for the other one until ctx ends, also while a server that has answered once is away. In a given role, a server
// that is away for longer than requests are repeated (client.DefaultRetry, 3 s) is an error.
//
// The first one's offer becomes pc's only when the answer is there. So of two that offer at the same instant, one is told that there is an
// offer already, and answers that one. An offer that has been answered already is left to those two. If they are not done within 2 s, one
// of them is gone, and Connect ends their session.
//
// With WithRole(client.Offer), Connect works as Offer does, and ends a session of the key that is in its way: it is that of a peer that has
// offered because it came first, or of this side's own former life. With WithRole(client.Answer) it works as Answer does.
//
// What cannot be done with one PeerConnection is an error that is ErrSpent too: a peer that was killed after its offer was answered, or
// within 2 s before that, is not there to connect with. That shows after 5 s if it has sent no candidates, and otherwise when ICE fails, after
// 30 s. ConnectNew goes on with another PeerConnection.
//
// Other errors and handlers are those of Offer. pc is left open.
func Connect(ctx context.Context, pc *webrtc.PeerConnection, url, key string, opts ...Option) error {
	s, err := newSingle(pc, url, key, opts)
	if err != nil {
		return fmt.Errorf("pionsignal: %w", err)
	}
	defer s.ask(ctx, pc, s.offerer)()
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		again, err := s.round(ctx)
		switch {
		case !again && isLost(err) && ctx.Err() == nil, errors.Is(err, ErrICE):
			return fmt.Errorf("%w: %w", err, ErrSpent)
		case !again:
			return err
		case client.MayPass(err):
			s.log.InfoContext(ctx, "the server is away; trying until it is back", "why", err)
		}
		if sleep(ctx, rand.N(pause)) != nil { // #nosec G404 -- spreads clients, hides nothing
			return because(ctx.Err(), err)
		}
	}
}

// single is one call of Connect.
type single struct {
	// set at construction
	began   time.Time
	pc      *webrtc.PeerConnection
	place   Place
	offerer *client.Session
	options

	// of the rounds
	served bool   // the server has answered
	posted string // see handshake
}

func newSingle(pc *webrtc.PeerConnection, url, key string, opts []Option) (*single, error) {
	o, err := newOptions(opts)
	switch {
	case err != nil:
		return nil, err
	case pc == nil:
		return nil, errors.New("there is no PeerConnection: it is nil")
	case o.cursor != nil:
		return nil, errors.New("WithCursor is not for Connect, which answers no offer that has been answered")
	case o.keys != nil && o.secret != "":
		return nil, errors.New("WithSecret and WithSeal: give one of them")
	case o.keys != nil && key != "" && key != o.keys.SessionKey():
		return nil, errors.New("the key is not the one that WithSeal's keys were derived for")
	case o.keys != nil:
		key = o.keys.SessionKey()
	}
	c, err := client.New(url, append([]client.Option{client.WithLogger(o.log)}, o.client...)...)
	if err != nil {
		return nil, err
	}
	if o.secret != "" {
		if key, o.keys, err = seal.Agreed(key, o.secret); err != nil {
			return nil, err
		}
	}
	s := &single{began: time.Now(), pc: pc, options: o}
	if s.offerer, err = c.Session(key, client.Offer); err != nil {
		return nil, err
	}
	switch o.role {
	case client.Offer:
		s.place = s.offerer
	case client.Answer:
		s.place, err = c.Session(key, client.Answer)
	default:
		s.place, err = c.Meeting(key)
	}
	return s, err
}

// round makes one attempt. again says whether another one follows; if not, pc is connected or err says why it is not.
func (s *single) round(ctx context.Context) (again bool, err error) {
	session, err := s.place.Join(ctx)
	if err != nil {
		return s.served && client.MayPass(err) && ctx.Err() == nil, fmt.Errorf("pionsignal: joining: %w", err)
	}
	s.served = true
	h, err := newHandshake(s.pc, session, s.options)
	if err != nil {
		return false, err
	}
	_, fixed := s.place.(*client.Session)
	h.began, h.single, h.joined, h.takeovers, h.posted = s.began, s.offerer, !fixed, takeovers, &s.posted
	err = h.run(ctx)
	return h.follows(err) && ctx.Err() == nil, err
}
