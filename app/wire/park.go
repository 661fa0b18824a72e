package wire

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/gate"
	"signal-server/app/watch"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

// stayFor is how long a request waits where it is. One that waits longer is parked: its connection is taken from fasthttp,
// whose buffers, request and goroutine hold 18 KiB, and waits without any of them. Parking costs about 4 µs, so it is not for peers that
// answer each other at once.
const stayFor = 25 * time.Millisecond

// mayStay is how many requests wait where they are at once. Beyond them each is parked at once: of ten thousand that come together few are
// answered within that time, and all of them would hold what one that is parked does not.
const mayStay = 96

// parked is a request that waits without fasthttp.
type parked struct {
	host     *Host
	question question
	wait     cache.Wait
	began    time.Duration // when the wait did, on the server's clock
	pass     gate.Pass     // with a key of its own, as the question's

	// of the answer, once the request is gone
	wire    Wire
	origin  []byte // as originOf has it
	granted uint64 // as Visit has it
	get     bool   // it is to a GET
	last    bool   // the client asked for the connection to be closed
	old     bool   // the client speaks HTTP/1.0, and asked for it to be kept

	passage watch.Passage
	settled bool
}

// park answers the question later, within the wait, and serves the connection further afterwards. It reports whether it can. If so, the wait is ended
// and the hold released by then.
func (v *Visit) park(c *fiber.Ctx, q *question, wait *cache.Wait, hold gate.Hold, began time.Duration) bool {
	header := &c.Request().Header
	p := &parked{
		host: v.Host, question: *q, wait: *wait, began: began,
		wire: v.wire, origin: bytes.Clone(v.originOf(c.Context())), granted: v.granted, get: v.reply.get, last: header.ConnectionClose(),
		old: !header.IsHTTP11(), passage: v.passage,
	}
	p.question.key = cache.Key(strings.Clone(string(q.key)))
	p.question.Token = cache.Token(strings.Clone(string(q.Token)))
	p.pass = v.Pass
	p.pass.Key = p.question.key
	return v.later(c.Context(), p, &p.wait, hold)
}

// goOn implements errand: it looks, and answers if there is something to say.
func (p *parked) goOn(l *later, dst []byte, why cause) ([]byte, step) {
	h := p.host
	body, at, err := []byte(nil), 0, cache.ErrGone
	if why&gone == 0 {
		body, at, err = p.find(l)
		if p.wait.Pending() {
			if err = l.sleep(); err == nil {
				return dst, stepSleep
			}
		}
	}
	l.release()
	h.Watch.Waited(h.Watch.Now()-p.began, err)
	if err = orLeft(err, &p.wait); err == cache.ErrGone {
		p.settle(metrics.Gone, 0)
		return dst, stepClose
	}

	r := Reply{Response: fasthttp.AcquireResponse(), get: p.get}
	defer fasthttp.ReleaseResponse(r.Response)
	m := h.marksFor(p.origin, l.conn)
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
	p.settle(end, len(r.Body()))
	if p.last || h.leaving.Load() {
		r.SetConnectionClose()
	}
	if p.old && !r.ConnectionClose() {
		r.Header.SetCanonical(headerConnection, valueKeepAlive)
	}
	r.Header.SetContentLength(len(r.Body()))
	dst = append(r.Header.AppendBytes(dst), r.Body()...)
	if r.ConnectionClose() {
		return dst, stepClose
	}
	return dst, stepServe
}

var (
	headerConnection = []byte(fasthttp.HeaderConnection)
	valueKeepAlive   = []byte("keep-alive")
)

// find looks for what is asked for, and turns a panic, which is a bug, into an answer.
func (p *parked) find(l *later) (body []byte, at int, err error) {
	defer func() {
		if r := recover(); r != nil {
			p.host.Watch.Panicked(r)
			body, err = nil, custerrors.InternalError
		}
	}()
	l.blocks(func() { body, at, err = p.host.find(context.Background(), nil, &p.question, &p.wait) })
	return body, at, err
}

// wrote implements errand.
func (*parked) wrote(int) {}

// settle counts how the request ended.
func (p *parked) settle(end metrics.Ending, sent int) {
	p.settled = true
	p.host.Watch.Settle(&p.passage, p.question.key, end, sent)
}

// done implements errand.
func (p *parked) done(broken bool) {
	if broken && !p.settled {
		p.settle(p.host.Watch.Requests.Of(custerrors.InternalError), 0)
	}
}

// until implements errand.
func (p *parked) until() time.Time { return p.wait.Until() }
