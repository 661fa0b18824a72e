package pionsignal

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
)

// Place is where a peer meets the other one: a *client.Session, which has a role, or a *client.Meeting, where whoever comes first offers.
type Place interface {
	// Join returns the Session of the role to take now. ConnectNew calls it again after each round.
	Join(ctx context.Context) (*client.Session, error)
}

// The pause between two rounds is at most this long at first, and doubles.
const (
	firstPause = 50 * time.Millisecond
	mostPause  = 2 * time.Second
)

// ConnectNew connects the two peers that meet at a place, whatever becomes of sessions meanwhile, and returns this side's PeerConnection. Take
// it for a program that has to find its peer though either one is killed and started again at any time. Connect is simpler, and does with
// one PeerConnection what can be done with one.
//
// It works in rounds. Each is one Offer or Answer with a PeerConnection of its own, because Pion connects one with one peer only. Another
// round follows where
//
//   - the session has ended, by whatever, before the connection stands: the other side was started anew, or the server was;
//   - this answerer finds that the offer has been answered already. If the two do not find each other within 2 s, one of them is gone, most
//     likely this side's own former life: ConnectNew ends that session;
//   - the two have said everything to each other and are not connected 3 s later, 6 s in the next round, and so on. The offerer is most
//     likely gone, so the answerer ends the session;
//   - both sides of a Meeting have offered at once.
//
// So two peers find each other within 5 s though one of them was killed and started again. Both should use ConnectNew, or client/js's connect.
//
// newPC makes the PeerConnection of a round for the role that is given; an offerer's must have at least one data channel or transceiver.
// ConnectNew closes those that do not connect. The one that it returns is the caller's.
//
// An error is one that no round mends: the context's, an error of newPC or of the Client's, ErrICE, ErrDTLS, ErrClosed, or that the
// two have not got the same secret. The options count for each round; handlers that ConnectNew sets are those of Offer.
func ConnectNew(ctx context.Context, place Place, newPC func(role client.Role) (*webrtc.PeerConnection, error), opts ...Option) (*webrtc.PeerConnection, error) {
	o, err := sessionOptions(opts)
	if err != nil {
		return nil, fmt.Errorf("pionsignal: %w", err)
	}
	o.cursor = cmp.Or(o.cursor, new(client.Cursor))
	c := connecting{began: time.Now(), newPC: newPC, options: o}
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		session, err := place.Join(ctx)
		if err != nil {
			return nil, fmt.Errorf("pionsignal: joining: %w", err)
		}
		_, fixed := place.(*client.Session)
		pc, again, err := c.round(ctx, session, !fixed)
		if !again {
			return pc, err
		}
		if sleep(ctx, rand.N(pause)) != nil { // #nosec G404 -- spreads clients, hides nothing
			return nil, because(ctx.Err(), err)
		}
	}
}

// connecting is one call of ConnectNew.
type connecting struct {
	// set at construction
	began time.Time
	newPC func(client.Role) (*webrtc.PeerConnection, error)
	options

	// of the rounds
	losses int
}

// round makes one round. again says whether another one follows; if not, pc is connected or err says why it is not.
func (c *connecting) round(ctx context.Context, session *client.Session, joined bool) (pc *webrtc.PeerConnection, again bool, err error) {
	pc, err = c.newPC(session.Role())
	if err != nil {
		return nil, false, fmt.Errorf("pionsignal: %s: %w", session.Role(), err)
	}
	defer func() {
		if err != nil {
			pc.Close()
			pc = nil
		}
	}()
	h, err := newHandshake(pc, session, c.options)
	if err != nil {
		return pc, false, err
	}
	h.again, h.joined, h.losses, h.began = true, joined, c.losses, c.began
	defer h.ask(ctx, pc, session)()
	if joined {
		h.inbox = session.Inbox("") // Join has looked which session is open
	}
	err = h.run(ctx)
	if h.exchanged.Load() {
		c.losses++
	}
	return pc, h.follows(err) && ctx.Err() == nil, err
}
