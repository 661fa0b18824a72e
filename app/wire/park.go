package wire

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/gate"
	"signal-server/app/link"
	"signal-server/app/watch"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

// stayFor is how long a request waits where it is. One that waits longer is parked: its connection is taken from fasthttp,
// whose buffers, request and goroutine's stack hold 18 KiB, and waits with a goroutine of its own that holds a quarter of
// that. Parking costs about 4 µs, so it is not for peers that answer each other at once.
const stayFor = 25 * time.Millisecond

// parked is a request that waits without fasthttp. Its goroutine owns it.
type parked struct {
	host     *Host
	question question
	wait     cache.Wait
	hold     gate.Hold
	began    time.Duration // when the wait did, on the server's clock
	pass     gate.Pass     // with a key of its own, as the question's

	// of the answer, once the request is gone
	wire    Wire
	origin  []byte // as originOf has it
	granted uint64 // as Visit has it
	get     bool   // it is to a GET
	last    bool   // the client asked for the connection to be closed

	passage watch.Passage
}

// park hands the question to a goroutine that holds little, answers it within the wait, and serves the connection further afterwards.
// park reports whether it can. If so, the goroutine ends the wait and releases the hold.
func (v *Visit) park(c *fiber.Ctx, q *question, wait *cache.Wait, hold gate.Hold, began time.Duration) bool {
	if !c.Request().Header.IsHTTP11() {
		return false // fasthttp knows how to answer the older ones
	}
	p := &parked{
		host: v.Host, question: *q, wait: *wait, hold: hold, began: began,
		wire: v.wire, origin: bytes.Clone(v.originOf(c.Context())), granted: v.granted, get: v.reply.get, last: c.Request().ConnectionClose(),
		passage: v.passage,
	}
	p.question.key = cache.Key(strings.Clone(string(q.key)))
	p.question.Token = cache.Token(strings.Clone(string(q.Token)))
	p.pass = v.Pass
	p.pass.Key = p.question.key
	return v.detached.Detach(c.Context(), func(conn *link.Conn) { // without v, which is soon somebody else's
		defer p.host.survive(conn)
		if p.reply(conn) {
			p.host.resume(conn.Served()) // until it is closed, or parked again
		}
	})
}

// survive recovers a panic, which is a bug, and makes it cost that one connection.
func (h *Host) survive(conn *link.Conn) {
	if r := recover(); r != nil {
		h.Watch.Panicked(r)
		conn.Close()
	}
}

// reply waits and replies. It reports whether the connection can be served further, and has closed it otherwise.
func (p *parked) reply(conn *link.Conn) bool {
	h := p.host
	body, at, err := p.find(conn)
	p.wait.End()
	p.hold.Release()
	h.Watch.Waited(h.Watch.Now()-p.began, err)
	if err = orLeft(err, &p.wait); err == cache.ErrGone {
		h.Watch.Settle(&p.passage, p.question.key, metrics.Gone, 0)
		conn.Close()
		return false
	}

	r := Reply{Response: fasthttp.AcquireResponse(), get: p.get}
	defer fasthttp.ReleaseResponse(r.Response)
	m := h.marksFor(p.origin, conn)
	m.set(&r.Header)
	end := metrics.OK
	if err != nil {
		end = h.fail(p.wire, &r, err)
	} else {
		h.Gate.Note(&p.pass, nil)
		h.Gate.Met(&p.pass)
		r.Fill(p.question.Shape.Type, p.question.Shape.end(body, at, p.question.After))
	}
	if p.granted != 0 {
		h.grant(&r, p.question.key, p.question.to, p.granted)
	}
	h.Watch.Settle(&p.passage, p.question.key, end, len(r.Body()))
	if p.last || h.leaving.Load() {
		r.SetConnectionClose()
	}
	p.last = r.ConnectionClose()
	if _, err := r.WriteTo(conn); err != nil || p.last {
		conn.Close()
		return false
	}
	return true
}

// find waits for what is asked for, and turns a panic, which is a bug, into an answer.
func (p *parked) find(conn *link.Conn) (body []byte, at int, err error) {
	defer func() {
		if r := recover(); r != nil {
			p.host.Watch.Panicked(r)
			body, err = nil, custerrors.InternalError
		}
	}()
	return p.host.findStill(context.Background(), conn, nil, &p.question, &p.wait)
}
