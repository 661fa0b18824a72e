package app

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

// The envelope around a value, and the one that says "done".
const (
	envelopeBegin = `{"msg":"","data":`
	envelopeEnd   = `}`
	envelopeDone  = envelopeBegin + `null` + envelopeEnd
)

// shape is how payloads stand in the data of a reply: each in its form, between before and after.
type shape struct {
	before string
	form   cache.Form
	after  string
}

var (
	text        = shape{form: cache.Form{SDP: `"`, Candidate: `"`, After: `"`}}
	arrayOfText = shape{`[`, cache.Form{SDP: `"`, Candidate: `"`, After: `"`, Separator: `,`}, `]`}
	messages    = shape{
		`{"next":"`, // the cursor, and messagesBegin
		cache.Form{
			SDP:       `{"type":"sdp","data":"`,
			Candidate: `{"type":"candidate","data":"`,
			After:     `"}`,
			Separator: `,`,
		},
		`]}`,
	}
)

const messagesBegin = `","messages":[`

// finish replies with body, which is the response's own buffer with the envelope begun and data in it, or puts the buffer back
// and returns err.
//
// hot: no allocation; the buffer is fasthttp's, from its pool.
func finish(c *fasthttp.RequestCtx, body []byte, err error) error {
	if err != nil {
		c.Response.SwapBody(body)
		return err
	}
	c.Response.SwapBody(append(body, envelopeEnd...))
	setHeaders(c)
	return nil
}

// done replies that the request did what was asked for and has no data.
func done(c *fiber.Ctx) error {
	c.Response().SwapBody(append(c.Response().SwapBody(nil)[:0], envelopeDone...))
	setHeaders(c.Context())
	return nil
}

// fail replies with the msg that err carries, and returns what the request counts as.
func (s *Server) fail(c *fasthttp.RequestCtx, err error) metrics.Ending {
	if err == cache.ErrGone {
		c.SetConnectionClose()
		refuse(c, custerrors.ServerIsShuttingDown) // nobody reads it, but who has shut down the sending side only
		return metrics.Gone
	}
	after := time.Second
	if t, ok := err.(tooFast); ok {
		after = time.Duration(t)
	}
	msg := s.msg(err)
	refuseFor(c, msg, after)
	return s.requests.Of(msg)
}

// msg returns the msg that err carries. An error that is not of custerrors is a fault of this server or its store, and is
// logged.
func (s *Server) msg(err error) custerrors.Error {
	if msg, ok := err.(custerrors.Error); ok { // the usual case
		return msg
	}
	msg := custerrors.Of(err)
	if msg.Status() == fasthttp.StatusInternalServerError {
		s.log.Error("BUG: a request failed", "error", err)
	}
	return msg
}

// refuse replies with msg and its status.
//
// hot: an empty poll is a refusal.
func refuse(c *fasthttp.RequestCtx, msg custerrors.Error) { refuseFor(c, msg, time.Second) }

// refuseFor is refuse of somebody who may ask again after a while.
func refuseFor(c *fasthttp.RequestCtx, msg custerrors.Error, after time.Duration) {
	body := append(c.Response.SwapBody(nil)[:0], `{"msg":"`...)
	body = append(body, msg...) // no msg needs escaping, a test says
	c.Response.SwapBody(append(body, `","data":null}`...))
	setHeaders(c)
	status := msg.Status()
	if status == fasthttp.StatusOK {
		return
	}
	c.Response.SetStatusCode(status)
	if status == fasthttp.StatusUnauthorized {
		c.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, challenge)
	}
	if status == fasthttp.StatusTooManyRequests || status == fasthttp.StatusServiceUnavailable {
		setRetryAfter(c, after, spreads(msg))
	}
}

// spreads reports whether those who are refused with msg are to come back at different times. Who finds a store that fails over, or
// a server that is replaced, is to come back soon, and finds more room than before.
func spreads(msg custerrors.Error) bool {
	return msg != custerrors.StoreIsUnavailable && msg != custerrors.ServerIsShuttingDown
}

// setRetryAfter tells a client that is refused for now how long to wait, in whole seconds (RFC 9110, Section 10.2.3). With
// spread it is up to half as long again, 2 s at the least, so that those who are refused together do not come back together.
func setRetryAfter(c *fasthttp.RequestCtx, after time.Duration, spread bool) {
	seconds := int64((after + time.Second - 1) / time.Second)
	if spread {
		seconds += rand.Int64N(max(seconds/2, 2) + 1) // #nosec G404 -- spreads clients, hides nothing
	}
	var digits [20]byte
	c.Response.Header.SetCanonical(headerRetryAfter, strconv.AppendInt(digits[:0], seconds, 10))
	c.Response.Header.AddBytesKV(headerExpose, headerRetryAfter) // beside a ticket's
}

// maxAge is how long a browser may remember a preflight.
const maxAge = 24 * time.Hour

// writeEnvelope is refuse for the admin listener.
func writeEnvelope(w http.ResponseWriter, msg custerrors.Error) {
	w.Header().Set("Content-Type", fiber.MIMEApplicationJSON)
	w.WriteHeader(msg.Status())
	fmt.Fprintf(w, `{"msg":"%s","data":null}`, msg) // when it fails, nobody is there to tell
}

// setHeaders sets what every answer of the API has. Answers to GET change from one request to the next, and takes are
// destructive: nothing between here and the client may keep one. Those to other methods are not kept anyway (RFC 9111,
// Section 3).
//
// hot: a header costs 45 ns, which is a tenth of what the rest of an empty poll costs above fasthttp.
func setHeaders(c *fasthttp.RequestCtx) {
	h := &c.Response.Header
	h.SetContentType(fiber.MIMEApplicationJSON)
	h.SetCanonical(headerAllowOrigin, valueAnyOrigin)
	if c.IsGet() {
		h.SetCanonical(headerCacheControl, valueNoStore)
	}
}

var (
	headerAllowOrigin  = []byte(fasthttp.HeaderAccessControlAllowOrigin)
	valueAnyOrigin     = []byte("*")
	headerRetryAfter   = []byte(fasthttp.HeaderRetryAfter)
	headerExpose       = []byte(fasthttp.HeaderAccessControlExposeHeaders)
	headerCacheControl = []byte(fasthttp.HeaderCacheControl)
	valueNoStore       = []byte("no-store")
)

// preflight answers OPTIONS of any path: what pages of other origins may ask (Fetch, Section 3.3).
func (s *Server) preflight(c *fasthttp.RequestCtx) {
	h := &c.Response.Header
	h.Set(fasthttp.HeaderAccessControlAllowOrigin, "*")
	h.Set(fasthttp.HeaderAccessControlAllowMethods, "GET, HEAD, POST, DELETE, OPTIONS")
	allowed := "key, Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
	if s.config.Tickets != nil {
		allowed += ", X-Offer-Ticket, X-Answer-Ticket"
	}
	h.Set(fasthttp.HeaderAccessControlAllowHeaders, allowed)
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, fasthttp.HeaderRetryAfter)
	h.Set(fasthttp.HeaderAccessControlMaxAge, strconv.Itoa(int(maxAge.Seconds())))
	c.SetStatusCode(fasthttp.StatusNoContent)
}

// handleError is Fiber's error handler: it puts into the envelope what its router refuses.
func (s *Server) handleError(c *fiber.Ctx, err error) error {
	s.settleOther(c.Context(), s.fail(c.Context(), routed(err)))
	return nil
}

// routed returns the error as one of custerrors, if it is one of Fiber's routing.
func routed(err error) error {
	var e *fiber.Error
	if errors.As(err, &e) {
		switch e.Code {
		case fiber.StatusNotFound:
			return custerrors.RouteNotFound
		case fiber.StatusMethodNotAllowed:
			return custerrors.MethodNotAllowed
		}
	}
	return err
}

// refuseBroken is fasthttp's error handler: it puts into the envelope what is refused before there is a request. fasthttp
// closes the connection afterwards.
func (s *Server) refuseBroken(c *fasthttp.RequestCtx, err error) {
	late := false
	if conn := patrolled(c.Conn()); conn != nil {
		conn.rest.Store(true)
		late = conn.late.Load() // fasthttp's error does not always say so
	}
	msg := custerrors.RequestIsInvalid
	var header *fasthttp.ErrSmallBuffer
	switch {
	case late:
		msg = custerrors.RequestIsTooSlow
	case errors.As(err, &header):
		msg = custerrors.HeaderIsTooLong
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		msg = custerrors.BodyIsTooLong
	}
	refuse(c, msg)
	s.origins.mark(c, "") // what it came from is not known
	s.settleOther(c, s.requests.Of(msg))
}
