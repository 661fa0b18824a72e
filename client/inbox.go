package client

import (
	"context"
	"errors"
	"iter"
	"time"

	"signal-server/custerrors"
)

// Inbox follows what the other role writes: its sdp first, then its candidates in order, each once. It asks by cursor and
// long poll, so a lost answer costs time and loses nothing. It is not safe for concurrent use.
//
// An answerer's Inbox may be there before the session: until the sdp has come, a session that is not open yet, or an earlier
// one of the key that has just ended, is waited through. After the sdp, and for an offerer, who opened the session, its end is
// the end.
type Inbox struct {
	// set at construction
	session *Session

	// owned by the one caller
	queue  []Message // read and not returned yet
	cursor Cursor    // behind the last message read
	bound  bool      // to the session that has been read from: its end is the Inbox's
}

// Inbox returns an Inbox that begins after the cursor; the empty one means the session's beginning. For an answerer a cursor
// excludes only the session that it belongs to: when that one has ended, or has already, the next session of the key is
// waited for and read from its beginning.
func (s *Session) Inbox(after Cursor) *Inbox {
	return &Inbox{session: s, cursor: after, bound: s.role == Offer}
}

// Cursor returns the place behind the last message that the Inbox has read. What it holds and Next has not returned yet lies
// before it.
func (in *Inbox) Cursor() Cursor { return in.cursor }

// Next returns the next message, and blocks until there is one. Errors:
//   - the context's when it ends, and with it, if known, why there was nothing: errors.Is finds both;
//   - custerrors.KeyIsExpired, or KeyNotFound, when the session has ended;
//   - what remains after the Client's repetitions. A later call goes on where this one stopped.
func (in *Inbox) Next(ctx context.Context) (Message, error) {
	if len(in.queue) == 0 {
		if err := in.fetch(ctx); err != nil {
			return Message{}, err
		}
	}
	m := in.queue[0]
	in.queue = in.queue[1:]
	return m, nil
}

// All returns the messages as Next does, and at last the error that ended them.
func (in *Inbox) All(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			m, err := in.Next(ctx)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// Exchange writes w as Session.Exchange does, behind what the Inbox has read, and keeps what comes with the
// answer for Next. The wait is cut so that the answer comes before the context ends.
func (in *Inbox) Exchange(ctx context.Context, w Write, wait time.Duration) error {
	b, err := in.session.Exchange(ctx, w, in.cursor, shortOf(ctx, wait))
	if err == nil {
		in.keep(b)
	}
	return err
}

func (in *Inbox) keep(b Batch) {
	in.queue = append(in.queue, b.Messages...)
	if b.Next != "" {
		in.cursor = b.Next
	}
	if len(b.Messages) > 0 && b.Messages[0].Kind == SDP {
		in.bound = true
	}
}

// shortPoll is the time under which an answer without news counts as one that did not wait. After it the Inbox pauses, or it
// would ask without end; no longer than this, which is how late it may be for a session that opens meanwhile.
const shortPoll = time.Second

// fetch asks until the queue holds something.
func (in *Inbox) fetch(ctx context.Context) error {
	c := in.session.client
	var reason error // why there is nothing
	for short := 1; ; short++ {
		asked := time.Now()
		wait := c.maxWait
		if reason == nil {
			wait = shortOf(ctx, wait)
		}
		b, err := in.session.Messages(ctx, in.cursor, wait)
		switch {
		case err == nil: // even if the context has ended meanwhile
			in.keep(b)
			if len(in.queue) > 0 {
				return nil
			}
			err = errNoMessages
		case NothingYet(err):
		case !in.bound && in.cursor != "" && (isOver(err) || errors.Is(err, custerrors.CursorIsInvalid)):
			in.cursor = "" // of a session that has ended: a new one may live already
			continue
		case !in.bound && isOver(err):
		case ctx.Err() != nil:
			return because(err, reason)
		default:
			return err
		}
		reason = err
		if time.Since(asked) >= shortPoll {
			short = 0
			continue
		}
		if !sleep(ctx, min(c.retry.pause(short, 0), shortPoll)) {
			<-ctx.Done() // it ends within the pause
			return because(ctx.Err(), reason)
		}
	}
}

var errNoMessages = errors.New("a batch without messages")

// isOver reports whether err says that there is no session, not yet or no more.
func isOver(err error) bool {
	return errors.Is(err, custerrors.KeyIsExpired) || errors.Is(err, custerrors.KeyNotFound)
}

// shortOf returns a wait, at most most, whose answer comes before the context ends: it tells why there was nothing, and the
// end of the context alone does not.
func shortOf(ctx context.Context, most time.Duration) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return most
	}
	const margin = time.Second // for the answer's way
	left := max(time.Until(end), 0)
	return min(most, max(left-margin, left*3/4))
}
