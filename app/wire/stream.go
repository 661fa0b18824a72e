package wire

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/gate"
	"signal-server/app/watch"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

// Stream is an answer that goes on for as long as its reader stays. Its methods are called one at a time, from any goroutine, once the handler
// has returned.
type Stream interface {
	// Next appends to dst what the reader is told now, some 16 KiB at the most: the head of the answer the first time. It asks by wait, and does not
	// block: the wait's Stay is less than zero. silent says that the stream has said nothing for its Beat. Next returns what comes after that.
	Next(dst []byte, key cache.Key, wait *cache.Wait, silent bool) ([]byte, After)
}

// After is what comes after a piece of a stream.
type After uint8

const (
	// Asks says that there may be more to say at once.
	Asks After = iota
	// Waits says that there is not, and that the wait is Pending.
	Waits
	// Ends says that the piece was the last one: the connection is closed.
	Ends
)

// Streaming is how a Stream is streamed.
type Streaming struct {
	Stream Stream
	Wait   cache.Wait    // for its news. Its Stay is not used, and a client that leaves ends the stream by itself
	Beat   time.Duration // for how long it may say nothing
}

// streaming is an errand that streams.
type streaming struct {
	Streaming
	host    *Host
	key     cache.Key
	passage watch.Passage
	sent    int
	beat    time.Time // when it has said nothing for too long
}

// Stream gives the request's connection to a stream, once the handler has returned. It counts as a wait and as a stream, and it is drained at
// shutdown, which ends its wait. The key is the visit's, and outlives it.
//
// The error is ErrLater if the stream will be asked, and otherwise why it will not: the request is refused then.
func (v *Visit) Stream(c *fiber.Ctx, s Streaming) error {
	hold, err := v.holdStream()
	if err != nil {
		return err
	}
	st := &streaming{Streaming: s, host: v.Host, passage: v.passage, key: cache.Key(strings.Clone(string(v.Key)))}
	v.streams.Add(1)
	if v.later(c.Context(), st, &st.Wait, hold) {
		return ErrLater
	}
	v.streams.Add(-1)
	hold.Release()
	return custerrors.RequestIsInvalid // a connection of a test
}

// holdStream lets a stream begin, or says why it may not.
func (v *Visit) holdStream() (gate.Hold, error) {
	select {
	case <-v.Mail.Closing():
		return gate.Hold{}, custerrors.ServerIsShuttingDown
	default:
		return v.Gate.Hold(&v.Pass)
	}
}

// goOn implements errand.
func (s *streaming) goOn(l *later, dst []byte, why cause) (out []byte, next step) {
	if why&gone != 0 {
		return dst, stepClose
	}
	now := time.Now()
	var after After
	l.blocks(func() { out, after = s.Stream.Next(dst, s.key, &s.Wait, !s.beat.IsZero() && !now.Before(s.beat)) })
	if len(out) > 0 || s.beat.IsZero() {
		s.beat = now.Add(s.Beat)
	}
	switch after {
	case Ends:
		return out, stepClose
	case Asks:
		return out, stepMore
	}
	if err := l.sleep(); err != nil {
		return out, stepClose // the store does not tell any more: the reader resumes
	}
	return out, stepSleep
}

// wrote implements errand.
func (s *streaming) wrote(n int) { s.sent += n }

// done implements errand.
func (s *streaming) done(broken bool) {
	s.host.streams.Add(-1)
	end := metrics.OK
	if broken {
		end = s.host.Watch.Requests.Of(custerrors.InternalError)
	}
	s.host.Watch.Settle(&s.passage, s.key, end, s.sent)
}

// until implements errand.
func (s *streaming) until() time.Time {
	until := s.Wait.Until()
	if s.beat.Before(until) {
		return s.beat
	}
	return until
}
