package wire

import (
	"context"
	"math"
	"time"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/link"
	"signal-server/cache"
)

// noLimit is how many messages an answer has at the most.
const noLimit = math.MaxInt

// Shape is how an answer looks that hands out payloads: Begin, the cursor and AfterCursor if that is not empty, the payloads in Form, End.
type Shape struct {
	Type        string // media type
	Begin       string
	AfterCursor string
	Form        cache.Form
	End         string
}

// begin appends what comes before the payloads. The cursor is not known yet: its place is left open, at at.
func (s *Shape) begin(dst []byte) (_ []byte, at int) {
	dst = append(dst, s.Begin...)
	at = len(dst)
	if s.AfterCursor == "" {
		return dst, at
	}
	return append(AppendCursor(dst, 0), s.AfterCursor...), at
}

// end puts the cursor in its place, and appends what comes after the payloads.
func (s *Shape) end(dst []byte, at int, next cache.Cursor) []byte {
	if s.AfterCursor != "" {
		AppendCursor(dst[:at], next)
	}
	return append(dst, s.End...)
}

// Ask is what a request asks for: something to take, or the messages behind a cursor.
type Ask struct {
	Kind  cache.Kind   // what is taken; none: messages are read
	Limit int          // of what is taken
	After cache.Cursor // of what is read; of what is taken only its session counts
	Token cache.Token  // with which what is taken may be asked for again; bound to the request's route
	Shape *Shape       // of the answer
}

// Ask answers with what the other role has written, at once or within the wait, by the visit's seat. The wait is ended. Nothing is taken
// for a client that has left. A wait that lasts is parked: then the error is ErrLater, and the request is answered later.
func (v *Visit) Ask(c *fiber.Ctx, ask *Ask, wait *cache.Wait) error {
	began := time.Duration(0)
	if wait.For > 0 {
		began = v.Watch.Now()
	}
	if ask.Kind != 0 {
		wait.Present = link.Present(c.Context().Conn())
	}
	q := question{Ask: *ask, key: v.Key, to: v.Seat, route: v.route.asked}
	body, at, err := v.stay(c.Context(), v.reply.Reuse(), &q, wait)
	if wait.Pending() {
		v.Gate.Note(&v.Pass, err) // the end of the visit notes what comes of it
		held, full := v.Gate.Hold(&v.Pass)
		if full != nil {
			wait.End()
			return v.finish(q.Shape, body, at, 0, full)
		}
		if v.park(c, &q, wait, held, began) {
			return ErrLater
		}
		wait.Stay = 0 // a connection of a test
		body, at, err = v.find(c.Context(), body[:0], &q, wait)
		held.Release()
	}
	wait.End()
	if began > 0 {
		v.Watch.Waited(v.Watch.Now()-began, err)
	}
	return v.finish(q.Shape, body, at, q.After, orLeft(err, wait))
}

// finish replies with body, which began as the reply's own buffer and ends with what the other role has written, or puts the buffer back and
// returns err.
func (v *Visit) finish(shape *Shape, body []byte, at int, next cache.Cursor, err error) error {
	if err != nil {
		v.reply.SwapBody(body)
		return err
	}
	v.Gate.Met(&v.Pass)
	v.reply.Fill(shape.Type, shape.end(body, at, next))
	return nil
}

// question is an Ask of somebody.
type question struct {
	Ask   // After is moved on by find, so that a wait that goes on asks the same session
	key   cache.Key
	to    cache.Role
	route string
}

// stay is find for a request that waits where it is, for a while.
func (h *Host) stay(ctx context.Context, dst []byte, q *question, wait *cache.Wait) (_ []byte, at int, err error) {
	if wait.For <= 0 {
		return h.find(ctx, dst, q, wait)
	}
	if wait.Stay = stayFor; h.staying.Add(1) > mayStay {
		wait.Stay = -1
	}
	defer h.staying.Add(-1)
	return h.find(ctx, dst, q, wait)
}

// find appends the beginning of an answer and what is asked for to dst, without the end.
//
// hot: a poll and a cursor read come here.
func (h *Host) find(ctx context.Context, dst []byte, q *question, wait *cache.Wait) (_ []byte, at int, err error) {
	dst, at = q.Shape.begin(dst)
	if q.Kind == 0 {
		dst, q.After, err = h.Mail.Read(ctx, dst, q.key, q.to, q.After, noLimit, &q.Shape.Form, wait)
	} else {
		dst, q.After, err = h.Mail.Take(ctx, dst, cache.Take{
			Key: q.key, To: q.to, Kind: q.Kind, Limit: q.Limit, Form: &q.Shape.Form, In: q.After.Epoch(), Token: q.Token, Route: q.route,
		}, wait)
	}
	return dst, at, err
}
