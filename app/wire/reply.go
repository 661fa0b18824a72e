package wire

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/gate"
	"signal-server/app/gate/ticket"
	"signal-server/app/link"
	"signal-server/app/watch/metrics"
	"signal-server/cache"
	"signal-server/custerrors"
)

// Reply is an answer in the making: fasthttp's own for a request that is answered now, one of its pool for a parked one. Each header has
// one owner:
//
//	Access-Control-Allow-Origin, Vary, Strict-Transport-Security,  mark.go, for every answer
//	X-Content-Type-Options
//	Content-Type, Cache-Control                                    Fill, or a handler that answers without it
//	Retry-After, WWW-Authenticate, and that pages may read them    advise
//	X-Offer-Ticket, X-Answer-Ticket, and that pages may read them  grant
//	everything else                                                the handler that wants it
type Reply struct {
	*fasthttp.Response
	get bool // it is to a GET
}

// Fill makes body the answer's: a slice that began as what Reuse returned. Answers to GET change from one request to the next, and takes
// are destructive, so nothing between here and the client may keep one. Answers to other methods are not kept anyway (RFC 9111,
// Section 3).
//
// hot: no allocation; the buffer is fasthttp's, from its pool. A header costs 45 ns, a tenth of what the rest of an empty poll costs
// above fasthttp.
func (r *Reply) Fill(mediaType string, body []byte) {
	r.SwapBody(body)
	r.Header.SetContentType(mediaType)
	if r.get {
		r.Header.SetCanonical(headerCacheControl, valueNoStore)
	}
}

// Reuse returns the answer's own buffer, empty, to write its body into.
func (r *Reply) Reuse() []byte { return r.SwapBody(nil)[:0] }

// Envelope is how the protocol of docs/protocol.md answers: {"msg":"","data":null}. A wire that embeds it refuses so.
type Envelope struct{}

// The envelope around a value, and the one that says "done".
const (
	EnvelopeBegin = `{"msg":"","data":`
	EnvelopeEnd   = `}`
	envelopeDone  = EnvelopeBegin + `null` + EnvelopeEnd
)

// Refuse implements Wire.
//
// hot: an empty poll is a refusal.
func (Envelope) Refuse(r *Reply, msg custerrors.Error) {
	body := append(r.Reuse(), `{"msg":"`...)
	body = append(body, msg...) // no msg needs escaping, a test says
	r.Fill(fiber.MIMEApplicationJSON, append(body, `","data":null}`...))
	r.SetStatusCode(msg.Status())
}

// Done replies in the envelope that the request did what was asked for and has no data. It returns nil.
func (Envelope) Done(r *Reply) error {
	r.Fill(fiber.MIMEApplicationJSON, append(r.Reuse(), envelopeDone...))
	return nil
}

// Reply returns the visit's answer. It is used until the handler returns.
func (v *Visit) Reply() *Reply { return &v.reply }

// fail replies as the wire does with the msg that err carries, and returns what the request counts as.
func (h *Host) fail(w Wire, r *Reply, err error) metrics.Ending {
	if l, ok := err.(left); ok {
		r.SetConnectionClose()
		refuse(w, r, h.Msg(l.said), time.Second)
		return metrics.Gone
	}
	after := time.Second
	if t, ok := err.(gate.TooFast); ok {
		after = time.Duration(t)
	}
	msg := h.Msg(err)
	refuse(w, r, msg, after)
	return h.Watch.Requests.Of(msg)
}

// Msg returns the msg that err carries. An error that is not of custerrors is a fault of this server or its store, and is logged.
func (h *Host) Msg(err error) custerrors.Error {
	if msg, ok := err.(custerrors.Error); ok { // the usual case
		return msg
	}
	msg := custerrors.Of(err)
	if msg.Status() == fasthttp.StatusInternalServerError {
		h.Watch.Log().Error("BUG: a request failed", "error", err)
	}
	return msg
}

// RefuseOther answers in the envelope a request that no wire answers, and returns what it counts as.
func (h *Host) RefuseOther(c *fasthttp.RequestCtx, msg custerrors.Error) metrics.Ending {
	return h.refuseOther(c, h.marksOf(c), msg)
}

// RefuseUnknown is RefuseOther for what was refused before it was a whole request: what it says of its origin is not known.
func (h *Host) RefuseUnknown(c *fasthttp.RequestCtx, msg custerrors.Error) metrics.Ending {
	return h.refuseOther(c, h.marksFor(nil, link.Of(c.Conn())), msg)
}

func (h *Host) refuseOther(c *fasthttp.RequestCtx, m marks, msg custerrors.Error) metrics.Ending {
	link.LeaveBody(c)
	m.set(&c.Response.Header)
	r := Reply{Response: &c.Response, get: c.IsGet()}
	Envelope{}.Refuse(&r, msg)
	advise(&r, msg, time.Second)
	return h.Watch.Requests.Of(msg)
}

// refuse lets the wire refuse, and adds what the status asks for.
func refuse(w Wire, r *Reply, msg custerrors.Error, after time.Duration) {
	w.Refuse(r, msg)
	advise(r, msg, after)
}

// advise adds to a refusal what its status asks for. A client may ask again after a while. Behind a request that somebody in between may
// understand otherwise there may be anything: its connection ends.
func advise(r *Reply, msg custerrors.Error, after time.Duration) {
	switch r.StatusCode() {
	case fasthttp.StatusBadRequest:
		if msg == custerrors.RequestIsInvalid {
			r.SetConnectionClose()
		}
	case fasthttp.StatusUnauthorized:
		r.Header.Set(fasthttp.HeaderWWWAuthenticate, challenge)
	case fasthttp.StatusTooManyRequests, fasthttp.StatusServiceUnavailable:
		if msg != custerrors.QueueIsFull { // to ask again cannot help
			setRetryAfter(r, after, spreads(msg))
		}
	}
}

// challenge says what a request that is not authenticated lacks (RFC 6750, Section 3): the same whatever was wrong with it.
const challenge = `Bearer realm="signal-server"`

// spreads reports whether clients that are refused with msg should come back at different times. A client that finds a store that fails
// over, or a server that is replaced, should come back soon, and finds more room than before.
func spreads(msg custerrors.Error) bool {
	return msg != custerrors.StoreIsUnavailable && msg != custerrors.ServerIsShuttingDown
}

// AppendRetryAfter appends how long a client that is refused for now is told to wait, in whole seconds (RFC 9110, Section 10.2.3). With
// spread it is up to half as long again, 2 s at the least, so that clients that were refused together do not come back together.
func AppendRetryAfter(dst []byte, after time.Duration, spread bool) []byte {
	seconds := int64((after + time.Second - 1) / time.Second)
	if spread {
		seconds += rand.Int64N(max(seconds/2, 2) + 1) // #nosec G404 -- spreads clients, hides nothing
	}
	return strconv.AppendInt(dst, seconds, 10)
}

// setRetryAfter tells a client how long to wait, and lets pages read it.
func setRetryAfter(r *Reply, after time.Duration, spread bool) {
	var digits [20]byte
	r.Header.SetCanonical(headerRetryAfter, AppendRetryAfter(digits[:0], after, spread))
	r.Header.AddBytesKV(headerExpose, headerRetryAfter) // beside a ticket's
}

// grant puts the seat's ticket into the answer, and lets pages read it.
func (h *Host) grant(r *Reply, key cache.Key, seat cache.Role, session uint64) {
	var b [ticket.Length]byte
	r.Header.SetCanonical(headerTicket[seat], h.Gate.AppendTicket(b[:0], key, seat, session))
	r.Header.AddBytesKV(headerExpose, headerTicket[seat])
}

var (
	headerRetryAfter   = []byte(fasthttp.HeaderRetryAfter)
	headerExpose       = []byte(fasthttp.HeaderAccessControlExposeHeaders)
	headerCacheControl = []byte(fasthttp.HeaderCacheControl)
	valueNoStore       = []byte("no-store")
)
