package pionsignal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	"signal-server/client/seal"
)

// handshake is one call of Offer or Answer.
//
//	run ── waits for the first of: the link's verdict, a failure of signal, the context's end
//	 └─ signal ── [answerer: the offer] ─▶ first write ─┬─▶ send: outbox ─▶ POST, one at a time
//	                                                    └─▶ receive: GET ─▶ AddICECandidate
type handshake struct {
	// set at construction
	pc         *webrtc.PeerConnection
	session    *client.Session
	log        *slog.Logger
	batchDelay time.Duration
	cursor     *client.Cursor // the caller's
	keys       *seal.Keys     // nil: payloads are not sealed
	began      time.Time
	silent     bool // the outcome is not reported
	words      words
	out        *outbox
	link       *link

	// owned by signal, then by receive
	inbox *client.Inbox

	// atomic
	opened    atomic.Bool // the offerer's first write may have opened the session
	exchanged atomic.Bool // both descriptions are where they belong: the connection no longer depends on the session
	sentAll   atomic.Bool // the end of candidates is posted
	gotAll    atomic.Bool // the peer's end of candidates was read
}

const (
	// partTimeout bounds what is done at the end. It is a courtesy: the session would expire.
	partTimeout = time.Second
	// reportLead is how much of it the report may have for itself.
	reportLead = partTimeout / 2
)

// run signals until the connection stands or cannot stand. When it returns, nothing of it runs any more.
func (h *handshake) run(ctx context.Context) error {
	signaling, stop := context.WithCancel(ctx)
	defer stop()
	signaled := make(chan error, 1) // gets one value
	go func() { signaled <- h.signal(signaling) }()

	err, running := h.await(ctx, signaled)
	if running {
		if ctx.Err() == nil { // otherwise it ends by itself, and not with another reason
			stop()
		}
		if s := <-signaled; s != nil && !h.exchanged.Load() && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = s // the context's end too, and what it was that took so long
		}
	}
	switch {
	case err == nil:
		catchUp(ctx, h.pc)
	case h.exchanged.Load() && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		err = fmt.Errorf("%s: %w", transports(h.pc), err)
	}
	h.part(ctx, err)
	return err
}

// await returns how the handshake ends, and whether signal still runs. A failure of signal decides only as long as the
// connection depends on it; later it is mentioned if the connection fails.
func (h *handshake) await(ctx context.Context, signaled <-chan error) (err error, running bool) {
	var trouble error
	for running = true; ; {
		select {
		case err = <-h.link.verdict:
			return because(err, trouble), running
		case trouble = <-signaled:
			running, signaled = false, nil
			if trouble != nil && !h.exchanged.Load() {
				return trouble, false
			}
		case <-ctx.Done():
			return because(ctx.Err(), trouble), running
		}
	}
}

// because adds to the error that ended the handshake what had gone wrong before.
func because(err, trouble error) error {
	if err == nil || trouble == nil {
		return err
	}
	return fmt.Errorf("%w, after %w", err, trouble)
}

// part has the outcome reported and ends the session, if this side may have opened it, even if the context has ended. The end
// waits for the report, which the server then knows to belong to this session of the key; so does the return of a failure, after
// which the program may end. Of a connection that stands nobody waits for the answerer's report.
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
