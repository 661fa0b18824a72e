package wiretest

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/gate"
	"signal-server/app/wire"
	"signal-server/cache"
	"signal-server/cache/text"
	"signal-server/custerrors"
)

// Echo is a wire that shows how one is made: two peers say lines to each other. The program does not serve it.
//
//	PUT  /echo/KEY/offer        sits down, and opens the session; PUT /echo/KEY/answer sits down opposite
//	POST /echo/KEY/offer        says a line
//	GET  /echo/KEY/offer?wait=S hears the lines that the other peer has said since, each as a JSON string
//	GET  /echo/KEY/offer/live   hears all of them, as they are said
//
// It has nothing of the form of call: the key stands in the path, lines are answered as they are, and refusals are plain text.
type Echo struct{}

// Name implements wire.Wire.
func (Echo) Name() string { return "echo" }

// Routes implements wire.Wire.
func (e Echo) Routes() (all []wire.Route) {
	for _, role := range cache.Roles {
		path := "/echo/:key/" + role.String()
		all = append(all,
			wire.Route{Method: fiber.MethodPut, Path: path, Seat: role, Puts: true, Body: wire.AnyBody, Claim: keyInPath, Handle: e.sit},
			wire.Route{Method: fiber.MethodPost, Path: path, Seat: role, Body: wire.AnyBody, Claim: keyInPath, Handle: e.say},
			wire.Route{Method: fiber.MethodGet, Path: path, Seat: role, Claim: keyInPath, Handle: e.hear},
			wire.Route{Method: fiber.MethodGet, Path: path + "/live", Seat: role, Claim: keyInPath, Handle: e.live},
		)
	}
	return all
}

func keyInPath(c *fiber.Ctx, claim *gate.Claim) { claim.Key = c.Params("key") }

// Refuse implements wire.Wire.
func (Echo) Refuse(r *wire.Reply, msg custerrors.Error) {
	r.Fill(fiber.MIMETextPlain, append(append(append(r.Reuse(), sorry...), msg.Name()...), '\n'))
	switch status := msg.Status(); {
	case status != fiber.StatusOK:
		r.SetStatusCode(status)
	case msg == custerrors.SdpAlreadyExist:
		r.SetStatusCode(fiber.StatusConflict)
	case msg == custerrors.KeyIsExpired:
		r.SetStatusCode(fiber.StatusGone)
	default: // it is not there, or not yet
		r.SetStatusCode(fiber.StatusNotFound)
	}
}

const sorry = "sorry: "

// lines is how Echo says what was said: a JSON string in each line.
var lines = wire.Shape{Type: "application/jsonl", Form: cache.Form{SDP: `"`, Candidate: `"`, After: "\"\n"}}

func (e Echo) sit(c *fiber.Ctx, v *wire.Visit) error { return e.write(c, v, cache.SDP) }

func (e Echo) say(c *fiber.Ctx, v *wire.Visit) error { return e.write(c, v, cache.Candidate) }

// write writes the body as what it is, and answers with no content.
func (Echo) write(c *fiber.Ctx, v *wire.Visit, kind cache.Kind) error {
	if err := v.ReadPost(c); err != nil {
		return err
	}
	p := &v.Post
	p.Write.Opens = kind == cache.SDP && v.Seat == cache.Offer
	frames, ok := text.AppendEscaped(p.Batch.Begin(kind), p.Body)
	if !ok {
		return custerrors.BodyIsNotUTF8
	}
	p.Batch.Commit(frames, len(p.Body))
	if err := v.Put(c); err != nil {
		return err
	}
	v.Reply().SetStatusCode(fiber.StatusNoContent)
	return nil
}

func (Echo) hear(c *fiber.Ctx, v *wire.Visit) error {
	var wait cache.Wait
	if err := v.ReadWait(c, &wait); err != nil {
		return err
	}
	return v.Ask(c, &wire.Ask{Kind: cache.Candidate, Limit: cache.MaxLog, After: cache.NewCursor(v.Session, 0), Shape: &lines}, &wait)
}

const liveHead = "HTTP/1.1 200 OK\r\nContent-Type: application/jsonl\r\nCache-Control: no-store\r\nConnection: close\r\n"

func (Echo) live(c *fiber.Ctx, v *wire.Visit) error {
	s := &live{host: v.Host, seat: v.Seat, after: cache.NewCursor(v.Session, 0), head: append(v.Head(c, liveHead), "\r\n"...)}
	return v.Stream(c, wire.Streaming{Stream: s, Wait: cache.Wait{For: time.Hour}, Beat: time.Hour})
}

// live streams what was said.
type live struct {
	host  *wire.Host
	seat  cache.Role
	after cache.Cursor
	head  []byte
}

// Next implements wire.Stream.
func (l *live) Next(dst []byte, key cache.Key, wait *cache.Wait, _ bool) ([]byte, wire.After) {
	dst = append(dst, l.head...)
	l.head = nil
	dst, after, err := l.host.Mail.Read(context.Background(), dst, key, l.seat, l.after, cache.MaxLog, &lines.Form, wait)
	l.after = after
	switch {
	case wait.Pending():
		return dst, wire.Waits
	case err != nil:
		return append(append(append(dst, sorry...), l.host.Msg(err).Name()...), '\n'), wire.Ends
	}
	return dst, wire.Asks
}
