package wiretest

import (
	"io"
	"testing"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/gate"
	"signal-server/app/link"
	"signal-server/app/wire"
	"signal-server/custerrors"
)

// bodyFaults are those of wires that read bodies in another way.
var bodyFaults = []fault{
	{"a body is refused that is not too long", "as long as may be: got 413", []string{"body: its bound"}, func(_ *testing.T, b *broken, _ *Harness) {
		b.before(func(c *fiber.Ctx, _ *wire.Visit) error {
			if c.Request().Header.ContentLength() > 1<<10 {
				return custerrors.BodyIsTooLong
			}
			return nil
		})
	}},
	{
		"a body is read before the gate is passed", "want an answer",
		[]string{"body: what is refused by its head is not waited for"},
		func(_ *testing.T, b *broken, _ *Harness) {
			b.route = func(r *wire.Route) {
				r.Claim = func(c *fiber.Ctx, claim *gate.Claim) {
					readAll(c)
					keyInPath(c, claim)
				}
			}
		},
	},
	{"a body that stops is taken", "want 408", []string{"body: one that stops comes too slowly"}, func(_ *testing.T, b *broken, _ *Harness) {
		b.before(func(c *fiber.Ctx, _ *wire.Visit) error {
			if readAll(c) != nil {
				return custerrors.BodyIsEmpty
			}
			return nil
		})
	}},
	{"chunks are read without a bound", "want 413", []string{"body: in chunks"}, readsItself},
	{"bodies are read past the budget", "as signal_bodies_bytes", []string{"body: of all clients"}, readsItself},
	{"a compressed body is refused for something else", "want 415", []string{"body: compressed"}, func(_ *testing.T, b *broken, _ *Harness) {
		b.refuse = func(r *wire.Reply, msg custerrors.Error) {
			if msg == custerrors.BodyIsCompressed {
				r.SetStatusCode(fiber.StatusBadRequest)
			}
		}
	}},
}

// readsItself breaks a wire that reads bodies by itself.
func readsItself(_ *testing.T, b *broken, _ *Harness) {
	b.before(func(c *fiber.Ctx, _ *wire.Visit) error { return readAll(c) })
}

// readAll reads the body as somebody would who knows no bound.
func readAll(c *fiber.Ctx) error {
	stream := c.Request().BodyStream()
	if stream == nil {
		return nil
	}
	link.Of(c.Context().Conn()).ReadOn()
	_, err := io.Copy(io.Discard, stream)
	return err
}
