package bridge

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

const longPoll = 30 * time.Second // the longest wait that the server grants

// line is a session whose requests are repeated while the server is away.
type line struct {
	// set at construction
	session *client.Session
	log     *slog.Logger
	giveUp  func(error) // ends the bridge: the server does not take its token, and would not the next time
}

// post writes the messages, all or none, and returns what the other role has written after the cursor by then. A cursor that is not
// empty names the session that is meant. The error is that of ctx, or the server's, for which isRefusal or isOver is true. If the
// error is SdpAlreadyExist and an earlier attempt, whose answer was lost, may have written the sdp, it is errPerhapsWritten.
func (l *line) post(ctx context.Context, messages []client.Message, after client.Cursor) (client.Batch, error) {
	var w client.Write
	for _, m := range messages {
		if m.Kind == client.SDP {
			w.SDP = m.Data
		} else {
			w.Candidates = append(w.Candidates, m.Data)
		}
	}
	var batch client.Batch
	repeated, err := l.insist(ctx, func() (err error) {
		batch, err = l.session.Exchange(ctx, w, after, 0)
		return err
	})
	if repeated && errors.Is(err, custerrors.SdpAlreadyExist) {
		err = errPerhapsWritten
	}
	return batch, err
}

var errPerhapsWritten = errors.New("written already, perhaps by an earlier attempt")

// read waits for messages behind the cursor. The error is that of ctx, or says that none can come: isOver.
func (l *line) read(ctx context.Context, after client.Cursor) (batch client.Batch, err error) {
	for {
		asked := time.Now()
		_, err := l.insist(ctx, func() (err error) {
			batch, err = l.session.Messages(ctx, after, longPoll)
			return err
		})
		switch {
		case err == nil && len(batch.Messages) > 0:
			return batch, nil
		case err != nil && !client.NothingYet(err):
			return client.Batch{}, err
		}
		if err := sleep(ctx, time.Second-time.Since(asked)); err != nil { // in case the server does not wait
			return client.Batch{}, err
		}
	}
}

// end ends the session. If it has ended already, that is no error.
func (l *line) end(ctx context.Context) error {
	_, err := l.insist(ctx, func() error { return l.session.End(ctx) })
	return err
}

// insist calls do until it succeeds or the server has decided about the request. It logs once what keeps it waiting. repeated says
// whether it has called do more than once.
func (l *line) insist(ctx context.Context, do func() error) (repeated bool, err error) {
	var pace backoff
	for ; ; repeated = true {
		err := do()
		switch {
		case errors.Is(err, custerrors.NotAuthenticated):
			l.giveUp(err)
			return repeated, err
		case ctx.Err() != nil:
			return repeated, ctx.Err()
		case err == nil, isOver(err), isRefusal(err), client.NothingYet(err):
			if repeated {
				l.log.Info("the server serves again")
			}
			return repeated, err
		case !repeated:
			l.log.Warn("the server does not serve; trying until it does", "why", err)
		}
		if err := pace.wait(ctx); err != nil {
			return repeated, err
		}
	}
}

// isOver reports whether the server says that the session has ended, or that there is none.
func isOver(err error) bool {
	switch custerrors.Of(err) {
	case custerrors.KeyNotFound, custerrors.KeyIsExpired, custerrors.CursorIsInvalid:
		return true
	default:
		return false
	}
}

// isRefusal reports whether the server refuses the write, however often it is repeated.
func isRefusal(err error) bool {
	switch custerrors.Of(err) {
	case custerrors.SdpAlreadyExist, custerrors.QueueIsFull, custerrors.BodyIsTooLong, custerrors.BodyIsEmpty,
		custerrors.DataIsEmpty, custerrors.BodyIsNotUTF8, custerrors.BodyIsCompressed, custerrors.BodyIsNotJSON, custerrors.NotAllowed:
		return true
	default:
		return false
	}
}
