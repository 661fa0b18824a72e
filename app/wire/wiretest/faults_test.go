package wiretest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/gate"
	"signal-server/app/link"
	"signal-server/app/wire"
	"signal-server/cache"
	"signal-server/custerrors"
)

type fault struct {
	name    string
	says    string   // what a failure says of it
	foundBy []string // the checks that find it
	breaks  func(t *testing.T, b *broken, h *Harness)
}

// everything is some of the checks that find what each of them finds, since it is looked for at their end.
var everything = []string{
	"the end: a connection that is idle is closed", "a client that leaves after its answer costs nothing", "no key and no payload is told",
}

var faults = []fault{
	{"a refusal is 200", "got 200 text/plain", []string{
		"the end: a wait that has just begun is told", "the end: a wait that is parked is told", "the end: many at once",
		"limit: requests of a client", "limit: waits of a client", "limit: waits of all", "tokens: none and a wrong one let nobody in",
	}, func(_ *testing.T, b *broken, _ *Harness) {
		b.refuse = func(r *wire.Reply, _ custerrors.Error) { r.SetStatusCode(fiber.StatusOK) }
	}},
	{"a refusal is in the envelope", "got 503 application/json", []string{"the end: a wait that comes too late is told"}, func(_ *testing.T, b *broken, _ *Harness) {
		b.refuse = wire.Envelope{}.Refuse
	}},
	{"a stream does not end when the server does", "Serve returned after", []string{
		"the end: a stream ends", "the end: many at once",
	}, func(t *testing.T, b *broken, _ *Harness) {
		over := make(chan struct{})
		t.Cleanup(func() { close(over) })
		b.streams(func(host *wire.Host, conn *link.Conn, key cache.Key) {
			wait := cache.Wait{For: time.Hour}
			defer wait.End()
			var out []byte
			var after cache.Cursor
			var err error
			for err == nil {
				conn.Write(out)
				out, after, err = host.Mail.Read(context.Background(), out[:0], key, cache.Answer, after, cache.MaxLog, &lines.Form, &wait)
			}
			<-over
		})
	}},
	{"a stream does not see its client leave", "signal_streams, want 0", []string{"a client that leaves a stream costs nothing"}, func(_ *testing.T, b *broken, _ *Harness) {
		b.streams(func(host *wire.Host, _ *link.Conn, _ cache.Key) { <-host.Mail.Closing() })
	}},
	{"the key is logged", "got a key, a payload, a token or a ticket in it", everything, func(_ *testing.T, b *broken, _ *Harness) {
		b.before(func(_ *fiber.Ctx, v *wire.Visit) error {
			v.Watch.Log().Debug("a visit", "key", string(v.Key))
			return nil
		})
	}},
	{"the payload is logged", "got a key, a payload, a token or a ticket in it", everything, func(_ *testing.T, b *broken, _ *Harness) {
		b.before(func(c *fiber.Ctx, v *wire.Visit) error {
			v.Watch.Log().Info("a visit", "body", string(c.Request().Body()))
			return nil
		})
	}},
	{"a goroutine is left", "want no goroutine left", everything, func(t *testing.T, b *broken, _ *Harness) {
		over := make(chan struct{})
		t.Cleanup(func() { close(over) })
		b.before(func(*fiber.Ctx, *wire.Visit) error {
			go func() { <-over }()
			return nil
		})
	}},
	{"a descriptor is left", "descriptors, want", []string{"no key and no payload is told"}, func(t *testing.T, b *broken, _ *Harness) {
		left := make(chan *os.File, 1)
		t.Cleanup(func() { (<-left).Close() })
		b.before(func(*fiber.Ctx, *wire.Visit) error {
			if file, err := os.Open(os.DevNull); err == nil {
				select {
				case left <- file:
				default:
					file.Close()
				}
			}
			return nil
		})
	}},
	{"an error is logged", "want no error", []string{"the end: a request that has begun is served"}, func(_ *testing.T, b *broken, _ *Harness) {
		b.before(func(_ *fiber.Ctx, v *wire.Visit) error {
			v.Watch.Log().Error("a visit")
			return nil
		})
	}},
	{"the gate is not asked", "got 404", []string{
		"limit: wrong keys of a client", "pages: an image of the API is refused", "pages: where origins are listed, a page of another site is refused", "tokens: one for a key is good for that key",
	}, func(_ *testing.T, b *broken, _ *Harness) {
		b.route = func(r *wire.Route) {
			r.Free = true
			handle, seat := r.Handle, r.Seat
			r.Handle = func(c *fiber.Ctx, v *wire.Visit) error {
				v.Pass = gate.Pass{Key: cache.Key(c.Params("key")), Seat: seat}
				return handle(c, v)
			}
		}
	}},
	{"opening is not counted", "one more: got 200", []string{
		"limit: sessions that a client opens", "limit: sessions that nobody answers, where wrong keys are limited",
	}, func(_ *testing.T, b *broken, _ *Harness) {
		b.route = func(r *wire.Route) {
			if r.Method == fiber.MethodPut {
				r.Handle = writesPast(cache.SDP)
			}
		}
	}},
	{"a refusal is passed off as an answer", "afterwards: got 204", []string{"limit: keys that are taken"}, func(_ *testing.T, b *broken, _ *Harness) {
		b.route = func(r *wire.Route) {
			handle := r.Handle
			r.Handle = func(c *fiber.Ctx, v *wire.Visit) error {
				err := handle(c, v)
				if err == custerrors.SdpAlreadyExist { // of which the gate does not learn then
					b.Refuse(v.Reply(), custerrors.SdpAlreadyExist)
					return nil
				}
				return err
			}
		}
	}},
	{"a ticket is not asked for", "got 200", []string{"tickets: a seat that is taken is its holder's"}, func(_ *testing.T, b *broken, _ *Harness) {
		b.route = func(r *wire.Route) {
			if r.Method == fiber.MethodPost {
				r.Puts, r.Handle = true, writesPast(cache.Candidate)
			}
		}
	}},
	{
		"seats are not told apart", "want 403",
		[]string{"tokens: one for a role is good for that role"},
		func(_ *testing.T, b *broken, _ *Harness) {
			b.route = func(r *wire.Route) {
				seat, handle := r.Seat, r.Handle
				r.Seat = 0
				r.Handle = func(c *fiber.Ctx, v *wire.Visit) error {
					v.Seat = seat
					return handle(c, v)
				}
			}
		},
	},
	{
		"a wait is not told of the end", "Serve returned after",
		[]string{"the end: a wait that has just begun is told"},
		func(_ *testing.T, b *broken, _ *Harness) { b.hears(untilTold) },
	},
	{"a wait takes for a client that has left", "want an answer", []string{
		"a client that leaves a wait that has just begun takes nothing", "a client that leaves a wait that is parked takes nothing",
		"a client that leaves a wait leaves others waiting",
	}, func(_ *testing.T, b *broken, _ *Harness) {
		b.hears(waitsBlind)
	}},
	{"a take is done for a client that has left", "want an answer", []string{
		"a client that has left before its take is looked at takes nothing",
	}, func(_ *testing.T, b *broken, _ *Harness) { b.hears(waitsBlind) }},
	{"a wait does not see its client leave", "as signal_waits, want 0", []string{
		"a client that leaves a wait that has just begun is let go", "a client that leaves a wait that is parked is let go",
	}, func(_ *testing.T, b *broken, _ *Harness) { b.hears(waitsBlind) }},
	{
		"the first to wait is told", "want an answer",
		[]string{"of two that wait the last to begin is told"},
		func(_ *testing.T, b *broken, _ *Harness) { b.hears(inTurn()) },
	},
	{
		"an answer does not say that it is the last", "got no Connection: close",
		[]string{"the end: from its first moment each answer is the last"},
		func(_ *testing.T, b *broken, _ *Harness) { b.hears(answersRaw) },
	},
	{"a wait keeps its place", "as signal_waits, want", []string{"a client that leaves after its wait costs nothing"}, func(_ *testing.T, b *broken, _ *Harness) {
		wait := waitsWith(func(*cache.Wait) {})
		b.hears(func(c *fiber.Ctx, v *wire.Visit) error {
			v.Gate.Hold(&v.Pass)
			return wait(c, v)
		})
	}},
	{"a place is taken for each request, and not given back", "as signal_waits, want 0", []string{
		"a client that leaves before its request is whole costs nothing", "a client that leaves while it is served costs nothing",
	}, func(_ *testing.T, b *broken, _ *Harness) {
		b.before(func(_ *fiber.Ctx, v *wire.Visit) error {
			v.Gate.Hold(&v.Pass)
			return nil
		})
	}},
	{
		"a request that was served is refused at the end", "got 503",
		[]string{"the end: a request that is served is answered", "the end: a request that has begun is served"},
		func(_ *testing.T, b *broken, _ *Harness) {
			b.hears(func(c *fiber.Ctx, v *wire.Visit) error {
				err := Echo{}.hear(c, v)
				select {
				case <-v.Mail.Closing():
					return custerrors.ServerIsShuttingDown
				case <-time.After(200 * time.Millisecond): // longer than it takes to tell a server to end
					return err
				}
			})
		},
	},
	{
		"each answer ends its connection", "want",
		[]string{"limit: connections", "limit: connections of a client"},
		func(_ *testing.T, b *broken, _ *Harness) {
			b.before(func(_ *fiber.Ctx, v *wire.Visit) error {
				v.Reply().SetConnectionClose()
				return nil
			})
		},
	},
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
