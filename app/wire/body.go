package wire

import (
	"bytes"
	"io"
	"math"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/link"
	"signal-server/custerrors"
)

// AnyBody is the bound of a route whose bodies may be as long as Config.BodyBytes.
const AnyBody = math.MaxInt

// boundBody refuses a body by what the head tells of it.
func (v *Visit) boundBody(c *fiber.Ctx) error {
	h := &c.Request().Header
	told := h.ContentLength()
	switch encoding := h.ContentEncoding(); {
	case v.route.Body == 0 && told <= 0: // in chunks, and only the first one tells whether there is anything in them
		_, err := v.Body(c)
		return err
	case v.route.Body > 0 && len(encoding) > 0 && !bytes.EqualFold(encoding, identity):
		return custerrors.BodyIsCompressed // it would be inflated past its bound, and it is not the text that the other side should get
	case told > v.route.Body:
		return custerrors.BodyIsTooLong
	default:
		return nil
	}
}

var identity = []byte("identity") // RFC 9110, Section 8.4.1

// Body reads the request's body as it comes, and returns it whole, as it came. It lives as long as the request, and may be called once. The
// error is custerrors.BodyIsTooLong, of a body in chunks; ServerIsOverloaded, while others fill Config.BodiesBytes; RequestIsTooSlow; or
// RequestIsInvalid.
//
// hot: every request that writes.
func (v *Visit) Body(c *fiber.Ctx) ([]byte, error) {
	r := c.Request()
	stream := r.BodyStream()
	if stream == nil { // there is none, or a test has handed it over
		b := r.Body()
		v.passage.Received(len(b))
		return b, nil
	}
	conn := link.Of(c.Context().Conn())
	if conn != nil {
		conn.ReadOn()
	}
	told := r.Header.ContentLength()
	limit := told
	if told < 0 {
		limit = v.route.Body + 1 // that there is more, only one more tells
	}
	err := v.body.readFrom(stream, limit, v.Host)
	b := v.body.read
	v.passage.Received(len(b))
	switch _, refused := err.(custerrors.Error); {
	case refused:
		return nil, err
	case err == nil && (told < 0 || len(b) == told):
		if conn != nil {
			conn.BodyRead()
		}
		return b, nil
	case conn != nil && conn.Refused():
		return nil, custerrors.RequestIsTooSlow
	default: // it ended early, or its chunks are broken
		return nil, custerrors.RequestIsInvalid
	}
}

const (
	firstBody = 1 << 10  // bytes: the memory that a body is read into at first, which is enough for a candidate
	smallBody = 4 << 10  // bytes: a body that is no larger counts as a part of what its connection costs. Most are
	keepBody  = 16 << 10 // bytes: the memory that may be used again, as keepBatch
)

// body is memory that bodies are read into, one after the other. It grows as bytes come, whatever was told.
type body struct {
	read    []byte // what has come
	charged int    // bytes, to Host.bodies
}

// readFrom reads the stream to its end. The error is the stream's, custerrors.BodyIsTooLong if limit bytes do not bring it to its end, or
// ServerIsOverloaded.
func (b *body) readFrom(stream io.Reader, limit int, h *Host) error {
	b.read = b.read[:0]
	room := min(limit, max(firstBody, min(cap(b.read), smallBody)))
	for {
		if cap(b.read) < room {
			b.read = append(make([]byte, 0, room), b.read...)
		}
		n, err := stream.Read(b.read[len(b.read):room])
		b.read = b.read[:len(b.read)+n]
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case len(b.read) == limit:
			return custerrors.BodyIsTooLong
		case len(b.read) == room:
			room = min(2*room, limit)
			if room > smallBody && !b.charge(room, h) {
				return custerrors.ServerIsOverloaded
			}
		}
	}
}

// charge makes what is charged that many bytes, and reports whether there is room for them.
func (b *body) charge(bytes int, h *Host) bool {
	more := int64(bytes - b.charged)
	if h.bodies.Add(more) > int64(h.config.BodiesBytes) {
		h.bodies.Add(-more)
		h.bodiesRefused.Add(1)
		return false
	}
	b.charged = bytes
	return true
}

// end gives back what is charged, and memory that is much. It may be called twice, and where there is no body.
func (b *body) end(h *Host) {
	if b.charged > 0 {
		h.bodies.Add(-int64(b.charged))
		b.charged = 0
	}
	if cap(b.read) > keepBody {
		b.read = nil
	}
}

// Bodies returns how many bytes of memory bodies take now that are larger than 4 KiB, how many they may, and how many bodies were refused for
// want of it.
func (h *Host) Bodies() (now, most, refused int64) {
	return h.bodies.Load(), int64(h.config.BodiesBytes), h.bodiesRefused.Load()
}
