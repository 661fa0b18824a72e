package app

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"time"
	"unsafe"

	"github.com/gofiber/fiber/v2"

	"signal-server/cache"
	"signal-server/custerrors"
)

// keyOf returns the session's key: the header "key" or, where a client cannot set headers, the query's. It lives as long as
// the request.
//
// hot: every request of the API passes here, once.
func keyOf(c *fiber.Ctx) (cache.Key, error) {
	key, err := cache.ParseKey(unsafeString(c.Request().Header.PeekBytes(headerKey)))
	if err == custerrors.KeyIsEmpty && hasQuery(c) {
		return cache.ParseKey(unsafeString(c.Context().QueryArgs().Peek("key")))
	}
	return key, err
}

var (
	headerKey         = []byte("Key") // as fasthttp normalizes it
	headerIdempotency = []byte("Idempotency-Key")
)

// hasQuery reports whether there is a query to parse; most requests have none.
func hasQuery(c *fiber.Ctx) bool { return len(c.Request().URI().QueryString()) > 0 }

// waitAs returns what a wait of that role begins as. The answerer may wait for a session that is not open yet; the offerer opens it, so
// that it has nobody to wait for.
func waitAs(role cache.Role) cache.Wait { return cache.Wait{Unopened: role == cache.Answer} }

// waitOf says in w, which waits for nothing yet, how long ?wait lets the request wait, cut to the maximum, and how to tell that its client has
// left.
func (s *Server) waitOf(c *fiber.Ctx, w *cache.Wait) error {
	if !hasQuery(c) {
		return nil
	}
	text := c.Context().QueryArgs().Peek("wait")
	if text == nil {
		return nil
	}
	// Digits and a point, no sign, exponent, infinity or underscore, all of which ParseFloat takes.
	if len(bytes.Trim(text, "0123456789.")) > 0 {
		return custerrors.WaitIsInvalid
	}
	seconds, err := strconv.ParseFloat(unsafeString(text), 64)
	if err != nil && seconds == 0 { // out of range is only long
		return custerrors.WaitIsInvalid
	}
	w.For = s.config.MaxWait
	if seconds < s.config.MaxWait.Seconds() {
		w.For = time.Duration(seconds * float64(time.Second))
	}
	if w.For > 0 {
		w.Present = present(c.Context().Conn())
	}
	return nil
}

// Cursors go over the wire as eight bytes in base64url (RFC 4648, Section 5), without padding.
const cursorBytes = 8

var cursorEncoding = base64.RawURLEncoding.Strict()

func appendCursor(dst []byte, cursor cache.Cursor) []byte {
	var b [cursorBytes]byte
	binary.BigEndian.PutUint64(b[:], uint64(cursor))
	return cursorEncoding.AppendEncode(dst, b[:])
}

func parseCursor(text []byte) (cache.Cursor, error) {
	if len(text) == 0 {
		return 0, nil
	}
	var b [cursorBytes]byte
	if len(text) != cursorEncoding.EncodedLen(cursorBytes) {
		return 0, custerrors.CursorIsInvalid
	}
	if _, err := cursorEncoding.Decode(b[:], text); err != nil {
		return 0, custerrors.CursorIsInvalid
	}
	cursor := cache.Cursor(binary.BigEndian.Uint64(b[:]))
	if cursor.Epoch() == 0 {
		return 0, custerrors.CursorIsInvalid
	}
	return cursor, nil
}

// cursorOf returns ?after, which is the beginning where it is absent or empty.
func cursorOf(c *fiber.Ctx) (cache.Cursor, error) {
	if !hasQuery(c) {
		return 0, nil
	}
	return parseCursor(c.Context().QueryArgs().Peek("after"))
}

// maxToken is how long an Idempotency-Key may be, in characters.
const maxToken = 64

// tokenOf returns the Idempotency-Key, or the empty token if the request has none: from the header or, so that a page of another
// origin needs no preflight, from the query as idempotency_key. The header wins.
func tokenOf(c *fiber.Ctx) (cache.Token, error) {
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

// bodyOf returns the request's body as it came. A compressed one is refused: it would be inflated past its limit, and it is
// not the text that the other side is to get.
func bodyOf(c *fiber.Ctx) ([]byte, error) {
	switch encoding := c.Request().Header.ContentEncoding(); {
	case len(encoding) > 0 && !bytes.EqualFold(encoding, []byte("identity")):
		return nil, custerrors.BodyIsNotUTF8
	default:
		return c.Request().Body(), nil
	}
}

// write is what all POSTs have in common: beginWrite reads it, and end ends it.
type write struct {
	token cache.Token
	body  []byte
	batch cache.Batch    // empty at first
	bound [maxToken]byte // what token is kept in, if it is not the request's
	begun bool
}

// beginWrite reads what all POSTs have in common.
func (s *Server) beginWrite(c *fiber.Ctx, w *write) (err error) {
	if w.token, err = tokenOf(c); err != nil {
		return err
	}
	w.begun = true
	w.body, err = bodyOf(c)
	return err
}

// opens reports whether it opens a session, as that role.
func (w *write) opens(role cache.Role) bool { return role == cache.Offer && w.batch.HasSDP() }

// asWrite returns what the visit brings as what a store is asked for.
func (v *visit) asWrite(ttl time.Duration) cache.Write {
	w := &v.write
	return cache.Write{Key: v.key, From: v.role, Opens: w.opens(v.role), TTL: ttl, Token: w.token, Batch: &w.batch}
}

// keepBatch is how much memory a batch may take back to the pool: what four fifths of all sdp need.
const keepBatch = 16 << 10

// end empties it. It may be called twice, and where there is none.
func (w *write) end() {
	if !w.begun {
		return
	}
	w.batch.Reset(keepBatch)
	w.token, w.body, w.begun = "", nil, false
}

// unsafeString returns b as a string that shares its memory. The rule: b is a part of the request, which nobody writes to
// while its handler runs, and the string is not kept beyond the handler.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
