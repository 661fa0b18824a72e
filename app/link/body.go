package link

import (
	"bytes"
	"io"
	"time"

	"github.com/valyala/fasthttp"
)

// HoldBodies makes a server of fasthttp call its handler as soon as the head of a request is there, and lets the handler read the body as
// it comes. fasthttp by itself sets memory aside for all of a body that is told; with StreamRequestBody it waits for the first 8 KiB of
// it. The server's ConnState must be Follow.
//
//	head ─▶ headReceived ─▶ held ─▶ handler: gate, bounds ─▶ ReadOn ─▶ RequestBodyStream, as it comes
//
// Over a connection that is not from a Listener the handler is called with the first byte of the body.
func HoldBodies(server *fasthttp.Server) {
	server.StreamRequestBody = true
	server.MaxRequestBodySize = prefetched     // the handler knows how long a body may be
	server.DisablePreParseMultipartForm = true // it would read all of a body, into files
	server.HeaderReceived = headReceived
	server.ExpectHandler = expected
}

// prefetched is how much of a body fasthttp reads before it calls the handler, if it came with the head: most candidates. It is kept as long
// as the connection.
const prefetched = 1 << 10

// unbounded is how long a body may take, as far as fasthttp knows: the patrol knows better.
const unbounded = time.Hour

// headReceived is fasthttp.Server.HeaderReceived. Where the head tells of a body it asks for a deadline, which makes fasthttp call
// SetReadDeadline: the one word of it to the connection between a head and its body.
//
// hot: every request.
func headReceived(h *fasthttp.RequestHeader) (c fasthttp.RequestConfig) {
	if TellsBody(h) {
		c.ReadTimeout = unbounded
	}
	return c
}

// TellsBody reports whether a body follows the head, as far as the head tells: one in chunks may be empty.
func TellsBody(h *fasthttp.RequestHeader) bool {
	n := h.ContentLength()
	return n > 0 || n == chunked
}

// chunked is what fasthttp has as the length of a body that comes in chunks.
const chunked = -1

// SetReadDeadline holds a body back: while a request is read, only headReceived makes fasthttp call it. Deadlines are the patrol's.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if !c.begun {
		return c.Conn.SetReadDeadline(t)
	}
	c.held, c.unread = true, true
	return nil
}

// errHeld is what a connection that is held says instead of reading. Where fasthttp reads the beginning of a body, it takes it for a body of
// which it should read no more by itself, and calls the handler.
var errHeld = fasthttp.ErrBodyTooLarge

// ReadOn lets the body of the request be read as it comes. A client that waits for a word before it sends its body gets one.
func (c *Conn) ReadOn() {
	c.held = false
	if c.interim == interimWanted {
		c.interim = interimNone
		c.Write(continues) // when it fails, so will reading
	}
}

// BodyRead notes that the body of the request has been read to its end.
func (c *Conn) BodyRead() { c.unread = false }

// LeaveBody sees to a body that its handler has not read to its end. One that came whole with its head is dropped, and the connection is
// kept. Otherwise the connection is closed after the answer, and lingers so that the answer is not lost: nobody waits for the rest.
//
// hot: every answer.
func LeaveBody(ctx *fasthttp.RequestCtx) {
	stream := ctx.RequestBodyStream()
	if stream == nil {
		return
	}
	c := Of(ctx.Conn())
	if c == nil || !c.unread { // fasthttp itself sees to what is left on a connection of a test
		return
	}
	if c.held {
		if _, err := io.Copy(io.Discard, stream); err == nil { // which reads no more than what came with the head
			c.BodyRead()
			return
		}
	}
	ctx.SetConnectionClose()
	c.rest.Store(true)
}

// What becomes of the interim answer 100 (RFC 9110, Section 10.1.1).
const (
	interimNone   = iota // the client does not wait for it
	interimDue           // fasthttp is about to write it, before anybody has judged the head
	interimWanted        // it was not written: ReadOn will
)

var continues = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// expected is fasthttp.Server.ExpectHandler. Whether the client should send its body is for the handler to say, which is called next.
func expected(ctx *fasthttp.RequestCtx) int {
	if c := Of(ctx.Conn()); c != nil {
		c.interim = interimDue
	}
	return fasthttp.StatusContinue
}

// withoutInterim writes b without the interim answer at its end, and keeps that for ReadOn.
func (c *Conn) withoutInterim(b []byte) (int, error) {
	before, ok := bytes.CutSuffix(b, continues)
	c.interim = interimNone
	if !ok { // fasthttp's buffer was full of earlier answers, and a part of it is out
		return c.Write(b)
	}
	c.interim = interimWanted
	if len(before) == 0 {
		return len(b), nil
	}
	n, err := c.Write(before)
	if err == nil {
		n = len(b)
	}
	return n, err
}
