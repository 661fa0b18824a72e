package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrSyntax says that a text is not JSON, or not the JSON that was asked for. ErrUTF8 says that a string in it does not stand
// for valid UTF-8 text.
var (
	ErrSyntax = errors.New("not the JSON asked for")
	ErrUTF8   = errors.New("a JSON string that is not valid UTF-8 text")
)

// maxDepth bounds the nesting of a value that is skipped.
const maxDepth = 64

// Reader walks a JSON text from its beginning. A method that meets something else than it was asked for makes the Reader
// fail: from then on every method does nothing and returns its zero value, and End returns the error. The slices and strings that it
// returns point into the text. The zero Reader reads the empty text.
//
// Walk an array or object with Begin and More:
//
//	for first := r.Begin('['); r.More(&first, ']'); {
//		inside, size := r.String()
//	}
type Reader struct {
	text []byte
	// printable is set at construction: the text is, as nearly all are, which makes its strings easier to read.
	printable bool

	at  int // how much of the text was read: all, once the Reader has failed
	err error
}

// NewReader returns a Reader of the text. It never writes to the text.
func NewReader(text []byte) Reader { return Reader{text: text, printable: printable(text)} }

// End checks that nothing but white space is left, and returns ErrSyntax, ErrUTF8 or nil.
func (r *Reader) End() error {
	if r.peek(); r.err == nil && r.at < len(r.text) {
		r.fail(ErrSyntax)
	}
	return r.err
}

// Failed reports whether the Reader has failed.
func (r *Reader) Failed() bool { return r.err != nil }

// Fail makes the Reader fail with ErrSyntax: what it read is JSON, but not what was asked for.
func (r *Reader) Fail() { r.fail(ErrSyntax) }

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.at = len(r.text)
}

// peek skips white space and returns the next byte, or 0 if there is none.
func (r *Reader) peek() byte {
	for ; r.at < len(r.text); r.at++ {
		if c := r.text[r.at]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
	}
	return 0
}

// expect skips white space and the byte c, which must be next.
func (r *Reader) expect(c byte) {
	if r.peek() != c {
		r.fail(ErrSyntax)
		return
	}
	r.at++
}

// Begin enters an array ('[') or an object ('{'). It returns true, for More's first.
func (r *Reader) Begin(open byte) (first bool) {
	r.expect(open)
	return true
}

// More reports whether another element follows, and otherwise leaves the array (close is ']') or object ('}').
func (r *Reader) More(first *bool, closing byte) bool {
	if r.peek() == closing {
		r.at++
		return false
	}
	if !*first {
		r.expect(',')
	}
	*first = false
	return r.err == nil
}

// Name reads a member's name and the colon behind it.
func (r *Reader) Name() string {
	name := r.Text()
	r.expect(':')
	if r.err != nil {
		return ""
	}
	return name
}

// Text reads a string and returns the text that it stands for. It is for names and words, because it allocates a string that has
// escapes.
func (r *Reader) Text() string {
	inside, size := r.String()
	if size == len(inside) { // any escape is longer than what it stands for
		return unsafeString(inside)
	}
	var text string // a name with escapes is so rare that it may allocate
	if err := json.Unmarshal(append(append([]byte{'"'}, inside...), '"'), &text); err != nil {
		r.fail(ErrSyntax)
	}
	return text
}

// Null reads null if it is next, and reports whether it was.
func (r *Reader) Null() bool {
	if r.peek() != 'n' {
		return false
	}
	r.literal("null")
	return r.err == nil
}

func (r *Reader) literal(word string) {
	if rest := r.text[r.at:]; len(rest) < len(word) || string(rest[:len(word)]) != word {
		r.fail(ErrSyntax)
		return
	}
	r.at += len(word)
}

// String reads a string. It returns its inside as it stands, still escaped, and the length in bytes of the text that it
// stands for.
//
// hot: every payload that comes as JSON passes here.
func (r *Reader) String() (inside []byte, size int) {
	r.expect('"')
	rest, n := r.text[r.at:], -1
	if r.printable {
		n, size = easyLen(rest)
	}
	if n < 0 {
		n, size = r.anyLen()
	}
	if r.err != nil {
		return nil, 0
	}
	r.at += n + 1
	return rest[:n:n], size
}

// easyLen returns the length of the inside that s begins with, and that of the text that it stands for. s must be printable. n is -1 unless
// the inside is an easy one, as nearly all are: all its escapes are of two bytes, and none is of a quotation mark. bytes.IndexByte then finds
// the end and the escapes, and looks at up to 32 bytes at once.
func easyLen(s []byte) (n, size int) {
	n = bytes.IndexByte(s, '"')
	if n < 0 {
		return -1, 0
	}
	size = n
	for rest := unsafeString(s[:n]); ; {
		i := strings.IndexByte(rest, '\\')
		switch {
		case i < 0:
			return n, size
		case i+4 <= len(rest) && rest[i:i+4] == `\r\n`: // so ends each line of an sdp
			rest = rest[i+4:]
			size -= 2
		case i+2 <= len(rest) && short[rest[i+1]] != 0:
			rest = rest[i+2:]
			size--
		default:
			return -1, 0
		}
	}
}

// anyLen returns the lengths of the inside that is next, whatever is in it. It makes the Reader fail if it is not valid.
func (r *Reader) anyLen() (n, size int) {
	s := r.text[r.at:]
	for {
		simple := plain(s[n:])
		n += simple
		size += simple
		for len(s)-n >= 2 && s[n] == '\\' && short[s[n+1]] != 0 {
			n += 2
			size++
		}
		if n == len(s) {
			r.fail(ErrSyntax)
			return 0, 0
		}
		if s[n] == '"' {
			return n, size
		}
		c, width := unescapeRune(s[n:])
		if width == 0 {
			if c == utf8.RuneError {
				r.fail(ErrUTF8)
			} else {
				r.fail(ErrSyntax)
			}
			return 0, 0
		}
		n += width
		size += utf8.RuneLen(c)
	}
}

// Number reads a number. One that is too large for a float64 is returned as an infinity.
func (r *Reader) Number() float64 {
	r.peek()
	number := r.text[r.at:]
	number = number[:numberLen(number)]
	if len(number) == 0 {
		r.fail(ErrSyntax)
	}
	if r.err != nil {
		return 0
	}
	f, _ := strconv.ParseFloat(unsafeString(number), 64) // the syntax is checked; out of range gives ±Inf
	r.at += len(number)
	return f
}

// numberLen returns the length of the number that s begins with (RFC 8259, Section 6), or 0 if there is none.
func numberLen(s []byte) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return 0
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

// Skip reads any value and forgets it. More than 64 values within each other are ErrSyntax.
func (r *Reader) Skip() { r.skip(maxDepth) }

func (r *Reader) skip(depth int) {
	if depth == 0 {
		r.fail(ErrSyntax)
		return
	}
	switch r.peek() {
	case '"':
		r.String()
	case '{':
		for first := r.Begin('{'); r.More(&first, '}'); {
			r.Name()
			r.skip(depth - 1)
		}
	case '[':
		for first := r.Begin('['); r.More(&first, ']'); {
			r.skip(depth - 1)
		}
	case 't':
		r.literal("true")
	case 'f':
		r.literal("false")
	case 'n':
		r.literal("null")
	default:
		r.Number()
	}
}
