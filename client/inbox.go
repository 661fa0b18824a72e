package client

import (
	"context"
	"errors"
	"iter"
	"time"

	"signal-server/custerrors"
)

// Inbox returns what the other role writes: its sdp first, then its candidates in order, each once. It reads by cursor and
// long poll, so that a lost answer costs time and no message. It is not safe for concurrent use.
//
// An answerer may read before the session is open. Until the sdp has come, the Inbox waits, even if an earlier session of the key
// has just ended, or is still open with somebody else as its answerer (--role-tickets). After the sdp the end of the session is the end of the Inbox. For the offerer, which opens the session itself,
// that is so from the beginning.
type Inbox struct {
	// set at construction
	session *Session

	// owned by the one caller
	queue  []Message // read and not returned yet
	cursor Cursor    // behind the last message read
	bound  bool      // the Inbox ends with the session that it has read from
}

// Inbox returns an Inbox that begins after the cursor; the empty one means the session's beginning. An answerer's Inbox goes on
// when the session of the cursor ends, or has ended already: it waits for the next session of the key, and reads that from its
// beginning.
func (s *Session) Inbox(after Cursor) *Inbox {
	return &Inbox{session: s, cursor: after, bound: s.role == Offer || s.joined}
}

// Cursor returns the place behind the last message that the Inbox has read. Messages that the Inbox holds for Next lie before
// that place.
func (in *Inbox) Cursor() Cursor { return in.cursor }

// Next returns the next message, and blocks until there is one. Errors:
//   - the context's error when it ends, together with the reason why there was no message, if it is known: errors.Is finds both;
//   - custerrors.KeyIsExpired, or KeyNotFound, when the session has ended;
//   - the error of a request that the Client's repetitions did not overcome. A later call goes on where this one stopped.
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

// All yields messages as Next returns them, and finally the error that ended them.
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

// Exchange writes w as Session.Exchange does, with the Inbox's cursor, and keeps the messages in the answer for Next. It shortens
// the wait so that the answer comes before the context ends.
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

// shortPoll tells which answers without messages came without a wait: those that come sooner than this after the request. After such an
// answer the Inbox pauses, or it would ask without end. No pause is longer than shortPoll, so the Inbox finds a session that opens
// meanwhile no later than that.
const shortPoll = time.Second

// fetch asks until the queue holds something.
func (in *Inbox) fetch(ctx context.Context) error {
	c := in.session.client
	var taken patience
	var reason error // why there is no message
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
			in.cursor = "" // its session has ended, and the next one may be open already
			continue
		case !in.bound && isOver(err):
		case ctx.Err() != nil:
			return because(err, reason)
		case in.bound || !taken.covers(ctx, in.session, err):
			return err
		default:
			if !taken.sleep(ctx) {
				<-ctx.Done()
				return because(ctx.Err(), err)
			}
			continue
		}
		reason = err
		if time.Since(asked) >= shortPoll {
			short = 0
			continue
		}
		if !sleep(ctx, min(c.retry.pause(short, 0), shortPoll)) {
			<-ctx.Done() // it would end within the pause
			return because(ctx.Err(), reason)
		}
	}
}

var errNoMessages = errors.New("a batch without messages")

// isOver reports whether err says that there is no session: it is not open yet, or has ended.
func isOver(err error) bool {
	return errors.Is(err, custerrors.KeyIsExpired) || errors.Is(err, custerrors.KeyNotFound)
}

// shortOf returns a wait of at most most, so short that the answer comes before the context ends. The answer says why there was
// no message; the end of the context alone does not.
func shortOf(ctx context.Context, most time.Duration) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return most
	}
	const margin = time.Second // for the answer to travel
	left := max(time.Until(end), 0)
	return min(most, max(left-margin, left*3/4))
}
