package wiretest

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/gate"
	"signal-server/app/link"
	"signal-server/app/wire"
	"signal-server/cache"
	"signal-server/custerrors"
)

// broken is an Echo with a fault: a function that is set comes after, or before, what Echo does.
type broken struct {
	Echo

	// set at construction
	refuse func(*wire.Reply, custerrors.Error)
	route  func(*wire.Route)
}

// Refuse implements wire.Wire.
func (b *broken) Refuse(r *wire.Reply, msg custerrors.Error) {
	b.Echo.Refuse(r, msg)
	if b.refuse != nil {
		b.refuse(r, msg)
	}
}

// Routes implements wire.Wire.
func (b *broken) Routes() []wire.Route {
	all := b.Echo.Routes()
	for i := range all {
		if b.route != nil {
			b.route(&all[i])
		}
	}
	return all
}

// before has f done before each request is handled.
func (b *broken) before(f func(c *fiber.Ctx, v *wire.Visit) error) {
	b.route = func(r *wire.Route) {
		handle := r.Handle
		r.Handle = func(c *fiber.Ctx, v *wire.Visit) error {
			if err := f(c, v); err != nil {
				return err
			}
			return handle(c, v)
		}
	}
}

// hears has the wire answer to GET in another way.
func (b *broken) hears(handle wire.Handler) {
	b.route = func(r *wire.Route) {
		if r.Method == fiber.MethodGet && !strings.HasSuffix(r.Path, "/live") {
			r.Handle = handle
		}
	}
}

// streams has the wire stream in another way: run is called after the head has been written.
func (b *broken) streams(run func(host *wire.Host, conn *link.Conn, key cache.Key)) {
	b.route = func(r *wire.Route) {
		if strings.HasSuffix(r.Path, "/live") {
			r.Handle = func(c *fiber.Ctx, v *wire.Visit) error {
				host, head := v.Host, append(v.Head(c, liveHead), "\r\n"...)
				return v.Detach(c, func(conn *link.Conn, key cache.Key) int {
					conn.Write(head)
					run(host, conn, key)
					return len(head)
				})
			}
		}
	}
}

// waitsBlind waits, in the handler, and takes whether or not its client is still there.
func waitsBlind(c *fiber.Ctx, v *wire.Visit) error {
	var wait cache.Wait
	if err := v.ReadWait(c, &wait); err != nil {
		return err
	}
	defer wait.End()
	if wait.For > 0 {
		hold, err := v.Gate.Hold(&v.Pass)
		if err != nil {
			return err
		}
		defer hold.Release()
	}
	body, _, err := v.Mail.Take(c.Context(), nil, cache.Take{Key: v.Key, To: v.Seat, Kind: cache.Candidate, Limit: cache.MaxLog, Form: &lines.Form}, &wait)
	if err == nil {
		v.Reply().Fill(lines.Type, body)
	}
	return err
}

// inTurn returns a handler that lets one wait after the other.
func inTurn() wire.Handler {
	var turn sync.Mutex
	return func(c *fiber.Ctx, v *wire.Visit) error {
		if c.Query("wait") == "" {
			return Echo{}.hear(c, v)
		}
		hold, err := v.Gate.Hold(&v.Pass)
		if err != nil {
			return err
		}
		defer hold.Release()
		turn.Lock()
		defer turn.Unlock()
		return untilTold(c, v)
	}
}

// answersRaw writes an answer to the connection by itself at the end, and forgets to say that it is the last one.
func answersRaw(c *fiber.Ctx, v *wire.Visit) error {
	if c.Query("wait") != "" || !v.Leaving() {
		return Echo{}.hear(c, v)
	}
	const answer = "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 25\r\n\r\n" +
		"sorry: CandidateNoValues\n"
	return v.Detach(c, func(conn *link.Conn, _ cache.Key) int {
		conn.Write([]byte(answer))
		return len(answer)
	})
}

// writesPast returns a handler that writes to the store without a word to the gate.
func writesPast(kind cache.Kind) wire.Handler {
	return func(c *fiber.Ctx, v *wire.Visit) error {
		if err := v.ReadPost(c); err != nil {
			return err
		}
		w := &v.Post.Write
		w.Opens = kind == cache.SDP && v.Seat == cache.Offer
		w.Batch.Add(cache.Frame{Kind: kind, Size: len(v.Post.Body), Wire: v.Post.Body})
		_, _, err := v.Store.Write(c.Context(), nil, *w)
		return err
	}
}

// waitsWith returns a handler that waits as Echo does, with a wait that change has changed.
func waitsWith(change func(*cache.Wait)) wire.Handler {
	return func(c *fiber.Ctx, v *wire.Visit) error {
		var wait cache.Wait
		if err := v.ReadWait(c, &wait); err != nil {
			return err
		}
		change(&wait)
		return v.Ask(c, &wire.Ask{Kind: cache.Candidate, Limit: cache.MaxLog, After: cache.NewCursor(v.Session, 0), Shape: &lines}, &wait)
	}
}

// untilTold waits, in the handler, as somebody would who knows neither the gate nor the end of the server.
func untilTold(c *fiber.Ctx, v *wire.Visit) error {
	if c.Query("wait") == "" {
		return Echo{}.hear(c, v)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 300 { // 3 s: longer than the drain
		<-tick.C
		body, err := v.Store.Take(c.Context(), nil, cache.Take{Key: v.Key, To: v.Seat, Kind: cache.Candidate, Limit: 1, Form: &lines.Form})
		if err == nil {
			v.Reply().Fill(lines.Type, body)
			return nil
		}
	}
	return custerrors.CandidateNoValues
}

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
}
