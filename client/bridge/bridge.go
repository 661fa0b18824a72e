// Package bridge lets two programs that signal to each other directly, by POST /sdp and POST /candidate as the unmodified
// pion-to-pion examples do, meet through a signaling server. Each side runs one bridge beside its program:
//
//	          POST /sdp, /candidate      sdp, candidates
//	 program ───────────────────▶ outbox ───────────────▶ ┌────────┐
//	(offer)                                               │ server │ ◀──▶ the other bridge (answer) ◀──▶ program
//	         ◀─────────────────── inbox  ◀─────────────── └────────┘
//	          POST /sdp, /candidate      sdp, candidates
//
// The bridge answers the program's posts before it sends anything on, and never lets them wait for a delivery to the program: the
// program may post from inside its own handler. The bridge delivers what the other side wrote one by one, the sdp first. It does not
// look into the payloads. With Config.Secret it seals each one as it is, and opens the other side's, as docs/sealing.md has it: the
// programs notice nothing of that, and the server reads nothing.
//
// The offerer's bridge opens the session with the program's sdp, and opens it again if it ends before the other side has answered.
// A second sdp means that the program was started anew: the old session ends, a new one opens, and the other bridge starts over with
// it. The session also ends with the offerer's bridge.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"signal-server/client"
	"signal-server/client/seal"
	"signal-server/custerrors"
)

const partingTime = 2 * time.Second // for the work at the end; a user who pressed ^C waits for it

// bridge is one running bridge.
type bridge struct {
	// set at construction
	line    *line
	outbox  *outbox
	courier *courier
	keys    *seal.Keys // nil: payloads are not sealed
	log     *slog.Logger
}

// Run runs a bridge until ctx ends, which is no error. It returns earlier only if it cannot listen, if the server does not take the token,
// or if the configuration is wrong: then it returns one error per mistake, joined.
func Run(ctx context.Context, cfg Config) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	session, keys, err := cfg.session(transport)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cfg.Listen)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil
	case err != nil:
		return fmt.Errorf("listen: %w", err)
	}
	return run(ctx, cfg, session, keys, listener)
}

// run runs the bridge over the session and the listener. It closes the listener.
func run(ctx context.Context, cfg Config, session *client.Session, keys *seal.Keys, listener net.Listener) error {
	log := cfg.logger().With("role", string(cfg.Role))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := &bridge{
		line:    &line{session: session, log: log, giveUp: cancel},
		outbox:  newOutbox(),
		courier: newCourier(cfg.Forward, log),
		keys:    keys,
		log:     log,
	}
	server := newLocalServer(b.outbox, cfg.Listen, log)
	var (
		serving  sync.WaitGroup
		serveErr error
	)
	serving.Go(func() {
		defer cancel(nil)
		serveErr = server.Serve(listener)
	})
	log.Info("the bridge is ready for the local program",
		"listen", listener.Addr().String(), "forward", cfg.Forward, "server", redacted(cfg.Server))
	if cfg.Role == client.Offer {
		b.runOfferer(ctx)
	} else {
		b.runAnswerer(ctx)
	}

	parting, stop := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer stop()
	if server.Shutdown(parting) != nil {
		server.Close()
	}
	serving.Wait()
	log.Info("the bridge has ended")
	if cause := context.Cause(ctx); errors.Is(cause, custerrors.NotAuthenticated) {
		return fmt.Errorf("token: %w", cause)
	}
	if !errors.Is(serveErr, http.ErrServerClosed) {
		return fmt.Errorf("listen: %w", serveErr)
	}
	return nil
}

// redacted returns the URL without its password.
func redacted(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return u.Redacted()
}

// converse sends what the script holds after its first n messages and what is added to it. It calls got with each message that the
// other side writes after the cursor, which is one of this session, opened. It returns the error that ended the session, or that of ctx.
func (b *bridge) converse(ctx context.Context, c *codec, s *script, n int, after client.Cursor, got func(client.Message)) error {
	ctx, cancel := context.WithCancel(ctx)
	var (
		place   atomic.Value // a client.Cursor, behind what has been read
		sending sync.WaitGroup
	)
	place.Store(after)
	sending.Go(func() { b.send(ctx, c, s, n, &place) })
	defer sending.Wait()
	defer cancel()
	for {
		batch, err := b.line.read(ctx, after)
		if err != nil {
			return err
		}
		messages, err := b.opened(c, batch.Messages)
		if err != nil {
			return err
		}
		for _, m := range messages {
			got(m)
		}
		after = batch.Next
		place.Store(after)
	}
}

// send sends what the script holds after its first n messages and what is added to it, until ctx ends or the server takes no more.
func (b *bridge) send(ctx context.Context, c *codec, s *script, n int, place *atomic.Value) {
	for {
		rest, grown := s.after(n)
		if len(rest) > 0 {
			if !b.sendAll(ctx, c, rest, place) {
				return
			}
			n += len(rest)
			continue
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return
		}
	}
}

// sendAll sends the messages and reports whether more can follow. If the server refuses them together, it sends each alone, and
// leaves out those that are refused again.
func (b *bridge) sendAll(ctx context.Context, c *codec, messages []client.Message, place *atomic.Value) bool {
	closed, err := c.close(messages)
	if err != nil {
		b.log.Error("what the local program wrote cannot be sealed", "why", err)
		return false
	}
	_, err = b.line.post(ctx, closed, place.Load().(client.Cursor)) // converse reads what it returns, too
	if err != nil && isRefusal(err) {
		c.takeBack(messages)
	}
	switch {
	case err == nil, errors.Is(err, errPerhapsWritten):
		b.log.Info("sent to the other side", "first", messages[0].Kind, "messages", len(messages))
		return true
	case !isRefusal(err): // converse learns why the session is over
		return false
	case len(messages) > 1:
		for i := range messages {
			if !b.sendAll(ctx, c, messages[i:i+1], place) {
				return false
			}
		}
		return true
	case messages[0].Kind == client.Candidate:
		b.log.Error("the server refuses a candidate; leaving it out", "why", err)
		return true
	default:
		b.log.Error("the server refuses the local program's sdp: start both programs anew, the answer's first", "why", err)
		return false
	}
}

// collect returns a function that adds the other side's messages to the inbox, for converse to call.
func (b *bridge) collect(inbox *script) func(client.Message) {
	return func(m client.Message) {
		if err := inbox.add(m); err != nil {
			b.log.Error("leaving out what the other side wrote", "type", m.Kind, "why", err)
			return
		}
		b.log.Info("got from the other side", "type", m.Kind)
	}
}

// deliver is courier.deliver, and logs what comes of it.
func (b *bridge) deliver(ctx context.Context, inbox *script, n int, over <-chan struct{}, delivered func()) error {
	err := b.courier.deliver(ctx, inbox, n, over, func(m client.Message) {
		b.log.Info("delivered to the local program", "type", m.Kind)
		delivered()
	})
	if errors.Is(err, errUnwanted) {
		b.log.Error("the local program does not take the other side's sdp: start both programs anew, the answer's first")
	}
	return err
}
