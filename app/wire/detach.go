package wire

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/link"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

// Head returns the head of an answer that the handler writes to the connection itself: lines, each with its end, and behind them what
// every answer bears. The blank line that ends a head is the handler's to add.
func (v *Visit) Head(c *fiber.Ctx, lines string) []byte {
	m := v.marksOf(c.Context())
	return m.appendTo([]byte(lines))
}

// Detach gives the request's connection to run, in a goroutine of its own, once the handler has returned. It counts as a wait and as a
// stream, and it is drained at shutdown: run has to end when the Host's Mail is closing. run writes the whole answer, head included,
// and returns how many bytes it sent; the connection is closed then. key is the visit's, and outlives it. What can do without a goroutine is a
// Stream.
//
// The error is ErrLater if run will be called, and otherwise why it will not: the request is refused then.
func (v *Visit) Detach(c *fiber.Ctx, run func(conn *link.Conn, key cache.Key) (sent int)) error {
	hold, err := v.holdStream()
	if err != nil {
		return err
	}
	h, passage, key := v.Host, v.passage, cache.Key(strings.Clone(string(v.Key)))
	h.streams.Add(1)
	h.detached.Add(1)
	release := func() { h.streams.Add(-1); hold.Release(); h.detached.Add(-1) }
	own := func(conn *link.Conn) {
		sent, end := 0, h.Watch.Requests.Of(custerrors.InternalError) // if run panics
		defer func() {
			if r := recover(); r != nil {
				h.Watch.Panicked(r)
			}
			conn.Close()
			h.Watch.Settle(&passage, key, end, sent)
			release()
		}()
		sent = run(conn, key)
		end = metrics.OK
	}
	if link.Detach(c.Context(), func(conn *link.Conn) { go own(conn) }) {
		return ErrLater
	}
	release()
	return custerrors.RequestIsInvalid // a connection of a test
}
