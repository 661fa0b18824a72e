package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"strconv"
	"time"
	"unsafe"

	"github.com/gofiber/fiber/v2"

	"signal-server/cache"
	"signal-server/custerrors"
)

// hasQuery reports whether there is a query to parse; most requests have none.
func hasQuery(c *fiber.Ctx) bool { return len(c.Request().URI().QueryString()) > 0 }

// ReadWait says in w, which is zero, how long ?wait lets the request wait, cut to the maximum. The error is custerrors.WaitIsInvalid.
func (h *Host) ReadWait(c *fiber.Ctx, w *cache.Wait) error {
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
	w.For = h.config.MaxWait
	if seconds < h.config.MaxWait.Seconds() {
		w.For = time.Duration(seconds * float64(time.Second))
	}
	return nil
}

// Cursors go over the wire as eight bytes in base64url (RFC 4648, Section 5), without padding.
const cursorBytes = 8

var cursorEncoding = base64.RawURLEncoding.Strict()

// AppendCursor appends the cursor as clients pass it back. All cursors are of one length.
func AppendCursor(dst []byte, cursor cache.Cursor) []byte {
	var b [cursorBytes]byte
	binary.BigEndian.PutUint64(b[:], uint64(cursor))
	return cursorEncoding.AppendEncode(dst, b[:])
}

// ParseCursor returns the cursor that a client passes back; an empty text is the beginning. The error is custerrors.CursorIsInvalid.
func ParseCursor(text []byte) (cache.Cursor, error) {
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

// ReadCursor returns ?after, which is the beginning where it is absent or empty.
func ReadCursor(c *fiber.Ctx) (cache.Cursor, error) {
	if !hasQuery(c) {
		return 0, nil
	}
	return ParseCursor(c.Context().QueryArgs().Peek("after"))
}

// unsafeString returns b as a string that shares its memory. The rule: b is a part of the request, which nobody writes to
// while its handler runs, and the string is not kept beyond the handler.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// IsHost reports whether the text is what may stand in a Host header (RFC 3986, Section 3.2.2), so that it can be put into JSON or a
// URL as it is.
func IsHost(text []byte) bool { return hostPattern.Match(text) }

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9.\-_~%\[\]:]{1,255}$`)
