package wire

import (
	"net"

	"github.com/gofiber/fiber/v2"

	"signal-server/cache"
)

// left is why a request is not answered whose client has left while it waited: what its wait has found until then. That is the answer, for a
// client that has shut down only its sending side reads it. It is as true as where the wait ends, also of a request that has written.
//
// Where nothing was looked for, because the client had left before, the error is cache.ErrGone, and nothing is said.
type left struct{ said error }

// Error implements error.
func (l left) Error() string { return cache.ErrGone.Error() + ": " + l.said.Error() }

// orLeft returns the error of a wait, with what the wait has found if that is why it ended.
func orLeft(err error, w *cache.Wait) error {
	if err == cache.ErrGone && w.Said() != nil {
		return left{w.Said()}
	}
	return err
}

// hangUpAfter ends the connection after the answers to the requests before this one.
func hangUpAfter(c *fiber.Ctx) {
	c.Context().HijackSetNoResponse(true)
	c.Context().Hijack(func(net.Conn) {}) // fasthttp closes it then
}
