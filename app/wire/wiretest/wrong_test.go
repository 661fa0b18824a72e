package wiretest

import (
	"io"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

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
