package pionsignal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/custerrors"
)

// handshake is one call of Offer or Answer, or one round of Connect or ConnectNew.
//
//	run ── waits for the first of: the link's verdict, a failure of signal, the context's end
//	 └─ signal ── [answerer: the offer] ─▶ first write ─┬─▶ send: outbox ─▶ POST, one at a time
//	                                                    └─▶ receive: GET ─▶ AddICECandidate
type handshake struct {
	// set at construction
	options
	pc      *webrtc.PeerConnection
	session *client.Session
	began   time.Time
	out     *outbox
	link    *link

	// set by ConnectNew
	again  bool // where the session is over before the connection stands, another round follows
	losses int  // rounds before this one in which a session was lost that both sides had described themselves in

	// set by Connect
	single    *client.Session // the offerer's: pc is the only one, and must not be used up for an offer that is answered already; nil elsewhere
	takeovers int             // how often this offerer may end a session that is in its way
	posted    *string         // what this side has offered last, as it is posted; empty: nothing yet

	// set by both
	joined bool // the role was found out, and is again in another round, which follows where the other side offers

	// owned by signal
	unapplied *webrtc.SessionDescription // an offer that is posted, and becomes pc's when the answer is there; nil: none

	// owned by signal, then by receive
	inbox *client.Inbox

	// owned by signal, then by send
	codec codec
	room  int // candidates that the session still takes from this side, the end of candidates included
	limit int // room at the session's beginning

	// owned by run
	took time.Duration // until the verdict

	// atomic
	opened    atomic.Bool // the offerer's first write may have opened the session, and it is not over
	exchanged atomic.Bool // each side has the other's description: the connection no longer depends on the session
	heard     atomic.Bool // the peer has written a candidate
	sentAll   atomic.Bool // the end of candidates is posted
	gotAll    atomic.Bool // the peer's end of candidates was read
}

const (
	// maxCandidates is how many candidates a server takes from one role by default. A handshake finds out if it takes fewer.
	maxCandidates = 128

	// partTimeout is how long part may take. What it does is a courtesy: the session would expire anyway.
	partTimeout = time.Second
	// reportLead is the part of partTimeout for which the end of the session waits for the report.
	reportLead = partTimeout / 2
)

func newHandshake(pc *webrtc.PeerConnection, session *client.Session, o options) (*handshake, error) {
	role := session.Role()
	switch {
	case !isFresh(pc):
		return nil, fmt.Errorf("pionsignal: %s: %w", role, ErrUsed)
	case pc.ConnectionState() == webrtc.PeerConnectionStateClosed:
		return nil, fmt.Errorf("pionsignal: %s: %w", role, ErrClosed)
	}
	if o.cursor == nil || role == client.Offer { // it opens a session of its own
		o.cursor = new(client.Cursor)
	}
	return &handshake{
		options: o,
		pc:      pc,
		session: session,
		began:   time.Now(),
		out:     newOutbox(),
		link:    newLink(),
		room:    maxCandidates,
		limit:   maxCandidates,
		codec:   newCodec(o.keys, role),
		inbox:   session.Inbox(*o.cursor),
	}, nil
}

// run signals until the connection stands or cannot stand. When it returns, none of its goroutines runs any more.
func (h *handshake) run(ctx context.Context) error {
	h.pc.OnICECandidate(h.out.add)
	h.link.watch(h.pc)
	signaling, stop := context.WithCancel(ctx)
	defer stop()
	signaled := make(chan error, 1) // gets one value
	go func() { signaled <- h.signal(signaling) }()

	err, running := h.await(ctx, signaled)
	h.took = time.Since(h.began)
	if running {
		if ctx.Err() == nil { // otherwise signal ends by itself, and stop would hide why
			stop()
		}
		if s := <-signaled; s != nil && !h.exchanged.Load() && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = s // it wraps the context's error too, and says what took so long
		}
	}
	switch {
	case err == nil:
		catchUp(ctx, h.pc)
	case h.exchanged.Load() && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		err = fmt.Errorf("%s: %w", transports(h.pc), err)
	}
	h.part(ctx, err)
	h.out.close()
	*h.cursor = h.inbox.Cursor()
	if errors.Is(err, ErrICE) || errors.Is(err, context.DeadlineExceeded) && h.pc.RemoteDescription() != nil {
		h.session.ForgetICEServers() // perhaps they do not take their credentials any more; ICE by itself may need longer than ctx has
	}
	if err != nil {
		return fmt.Errorf("pionsignal: %s: %w", h.session.Role(), err)
	}
	return nil
}

// await returns how the handshake ends, and whether signal still runs. A failure of signal decides only as long as the connection
// depends on signaling, if nobody is there, or if the session is lost and another round may follow. Otherwise it is only mentioned, if the
// connection fails.
func (h *handshake) await(ctx context.Context, signaled <-chan error) (err error, running bool) {
	var trouble error
	for running = true; ; {
		select {
		case err = <-h.link.verdict:
			return because(err, trouble), running
		case trouble = <-signaled:
			running, signaled = false, nil
			if trouble != nil && (!h.exchanged.Load() || h.follows(trouble) || errors.Is(trouble, errGone)) {
				return trouble, false
			}
		case <-ctx.Done():
			select {
			case err = <-h.link.verdict: // it came first: the program may end ctx as soon as it is connected
				return because(err, trouble), running
			default:
				return because(ctx.Err(), trouble), running
			}
		}
	}
}

// follows reports whether another round follows this one, which has ended with err: with another PeerConnection, or with the only one if that
// has no description yet. That one also outlives a server that is away, if it has found its role out, which the server has told.
func (h *handshake) follows(err error) bool {
	fresh := h.single != nil && isFresh(h.pc)
	return (h.again || fresh) && isLost(err) || fresh && h.joined && client.MayPass(err)
}

// isFresh reports whether pc has no description yet.
func isFresh(pc *webrtc.PeerConnection) bool {
	return pc.LocalDescription() == nil && pc.RemoteDescription() == nil
}

// isLost reports whether err says that the session is over, or another one's.
func isLost(err error) bool { return isOver(err) || errors.Is(err, custerrors.SdpAlreadyExist) }

// isOver reports whether err says that the session has ended, or is not open yet.
func isOver(err error) bool {
	return errors.Is(err, custerrors.KeyIsExpired) || errors.Is(err, custerrors.KeyNotFound)
}

// because adds to the error that ended the handshake the trouble that came before.
func because(err, trouble error) error {
	if err == nil || trouble == nil {
		return err
	}
	return fmt.Errorf("%w, after %w", err, trouble)
}

// sleep returns after d, and with the context's error if that ends before.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// part reports the outcome and, if this side may have opened the session, ends it, even if the context has ended. The end waits for
// the report: while the session is open, the server knows which one the report is about. A failed handshake also waits for it before
// it returns, because the program may end then. A successful answerer does not wait.
func (h *handshake) part(ctx context.Context, outcome error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partTimeout)
	defer cancel()
	opened := h.opened.Load()
	if reported := h.report(outcome); reported != nil && (opened || outcome != nil) {
		select {
		case <-reported:
		case <-time.After(reportLead):
		}
	}
	if !opened {
		return
	}
	if err := h.session.End(ctx); err != nil {
		h.log.WarnContext(ctx, "the session was not ended and will expire", "error", err)
	}
}
