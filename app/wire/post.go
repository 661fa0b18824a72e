package wire

import (
	"github.com/gofiber/fiber/v2"

	"signal-server/cache"
	"signal-server/custerrors"
)

// maxToken is how long an Idempotency-Key may be, in characters.
const maxToken = 64

// Post is what a request writes. ReadPost begins it; it ends with the visit.
type Post struct {
	// Body is the request's, as Visit.Body returns it.
	Body []byte
	// Batch is what is written, made of Body by the handler; empty at first.
	Batch cache.Batch
	// Write says how. Its token is the request's, and bound to the request's route and body.
	Write cache.Write

	begun bool
}

// ReadPost reads what all requests that write have in common: the Idempotency-Key and the body. The write is by the visit's seat, to its
// key. The error is custerrors.IdempotencyKeyIsInvalid, or one of Visit.Body.
func (v *Visit) ReadPost(c *fiber.Ctx) (err error) {
	p := &v.Post
	token, err := ReadToken(c)
	if err != nil {
		return err
	}
	p.begun = true
	p.Body, err = v.Body(c)
	p.Write = cache.Write{Key: v.Key, From: v.Seat, Token: token, Route: v.route.asked, Body: p.Body, Batch: &p.Batch}
	return err
}

// ReadToken returns the Idempotency-Key, or the empty token if the request has none: from the header or, so that a page of another
// origin needs no preflight, from the query as idempotency_key. The header wins. It lives as long as the request. The error is
// custerrors.IdempotencyKeyIsInvalid.
func ReadToken(c *fiber.Ctx) (cache.Token, error) {
	text := c.Request().Header.PeekBytes(headerIdempotency)
	if text == nil && hasQuery(c) {
		text = c.Context().QueryArgs().Peek("idempotency_key")
	}
	if text == nil {
		return "", nil
	}
	if len(text) == 0 || len(text) > maxToken {
		return "", custerrors.IdempotencyKeyIsInvalid
	}
	for _, b := range text {
		if b <= ' ' || b > '~' {
			return "", custerrors.IdempotencyKeyIsInvalid
		}
	}
	return cache.Token(unsafeString(text)), nil
}

var headerIdempotency = []byte("Idempotency-Key")

// enterSession counts a session that the post opens, and says who pays, and in which session it writes and reads otherwise.
func (v *Visit) enterSession(c *fiber.Ctx) (err error) {
	w := &v.Post.Write
	w.Payer = v.payerOf(c.Context())
	if w.Opens {
		if err := v.Gate.Opens(&v.Pass); err != nil {
			return err
		}
	}
	if w.Opens || !v.Gate.WantsTickets() {
		return nil // of one that opens, the session is to come
	}
	if v.route.Puts && !v.Post.Batch.HasSDP() {
		if err := v.MayAct(c); err != nil {
			return err
		}
	}
	w.After, err = v.Cursor(w.After)
	return err
}

// earn notes that a post was done, and that the answer bears the ticket which it has earned. next is a cursor of its session. A client that
// repeats the post gets the ticket again. It has to know all of it: the store binds the Idempotency-Key to route and body.
func (v *Visit) earn(next cache.Cursor) {
	v.Note(nil)
	if v.Gate.WantsTickets() && v.Post.Batch.HasSDP() {
		v.granted = next.Epoch()
	}
}

// Put writes the post. It does not answer.
//
// hot: a trickled candidate comes here.
func (v *Visit) Put(c *fiber.Ctx) error {
	if err := v.enterSession(c); err != nil {
		return err
	}
	_, next, err := v.Store.Write(c.Context(), nil, v.Post.Write)
	if err == nil {
		v.earn(next)
	}
	v.tellShare(err, v.Post.Write.Payer)
	return err
}

// Exchange writes the post, and then answers with the messages behind Post.Write.After as Ask does. To a request that does not wait, no
// message is an answer too.
//
// hot: a handshake is mostly this.
func (v *Visit) Exchange(c *fiber.Ctx, shape *Shape, wait *cache.Wait) error {
	if err := v.enterSession(c); err != nil {
		return err
	}
	w := &v.Post.Write
	w.Limit, w.Form = noLimit, &shape.Form
	body, at := shape.begin(v.reply.Reuse())
	body, next, err := v.Mail.Write(c.Context(), body, *w, wait)
	v.tellShare(err, w.Payer)
	nothing := isNothing(err)
	if err == nil || nothing {
		v.earn(next)
	}
	if nothing && wait.For > 0 {
		v.endPost() // the wait needs none of it
		v.reply.SwapBody(body)
		return v.Ask(c, &Ask{After: next, Shape: shape}, wait)
	}
	wait.End()
	if nothing {
		v.reply.Fill(shape.Type, shape.end(body, at, next))
		return nil
	}
	return v.finish(shape, body, at, next, err)
}

// keepBatch is how much memory a batch may take back to the pool: what four fifths of all sdp need.
const keepBatch = 16 << 10

// endPost empties the post, and gives back the memory of the body. It may be called twice, and where there is none.
func (v *Visit) endPost() {
	v.body.end(v.Host)
	v.Post.end()
}

func (p *Post) end() {
	if !p.begun {
		return
	}
	p.Batch.Reset(keepBatch)
	p.Body, p.Write, p.begun = nil, cache.Write{}, false
}
