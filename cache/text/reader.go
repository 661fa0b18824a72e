package text

import (
	"encoding/json"
	"errors"
	"strconv"
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
	rest []byte
	err  error
}

// NewReader returns a Reader of the text. It never writes to the text.
func NewReader(text []byte) Reader { return Reader{rest: text} }

// End checks that nothing but white space is left, and returns ErrSyntax, ErrUTF8 or nil.
func (r *Reader) End() error {
	if r.peek(); r.err == nil && len(r.rest) > 0 {
		r.err = ErrSyntax
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
}

// peek skips white space and returns the next byte, or 0 if there is none or the Reader has failed.
func (r *Reader) peek() byte {
	if r.err != nil {
		return 0
	}
	for i, c := range r.rest {
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			r.rest = r.rest[i:]
			return c
		}
	}
	r.rest = nil
	return 0
}

// expect skips white space and the byte c, which must be next.
func (r *Reader) expect(c byte) {
	if r.peek() != c {
		r.fail(ErrSyntax)
	}
	if r.err == nil {
		r.rest = r.rest[1:]
	}
}

// Begin enters an array ('[') or an object ('{'). It returns true, for More's first.
func (r *Reader) Begin(open byte) (first bool) {
	r.expect(open)
	return true
}

// More reports whether another element follows, and otherwise leaves the array (close is ']') or object ('}').
func (r *Reader) More(first *bool, closing byte) bool {
	if r.peek() == closing {
		r.rest = r.rest[1:]
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
	inside, _ := r.String()
	if plain(inside) == len(inside) {
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
	if len(r.rest) < len(word) || string(r.rest[:len(word)]) != word {
		r.fail(ErrSyntax)
		return
	}
	r.rest = r.rest[len(word):]
}

// String reads a string. It returns its inside as it stands, still escaped, and the length in bytes of the text that it
// stands for.
//
// hot: every payload that comes as JSON passes here.
func (r *Reader) String() (inside []byte, size int) {
	r.expect('"')
	if r.err != nil {
		return nil, 0
	}
	s, i := r.rest, 0
	for {
		n := plain(s[i:])
		i += n
		size += n
		for len(s)-i >= 2 && s[i] == '\\' && short[s[i+1]] != 0 { // an sdp has two at the end of each line
			i += 2
			size++
			n = 0
		}
		if i == len(s) {
			r.fail(ErrSyntax)
			return nil, 0
		}
		if s[i] == '"' {
			r.rest = s[i+1:]
			return s[:i:i], size
		}
		if n == 0 && s[i] != '\\' && s[i] >= ' ' && s[i] < utf8.RuneSelf {
			continue // plain again, behind an escape
		}
		c, n := unescapeRune(s[i:])
		if n == 0 {
			if c == utf8.RuneError {
				r.fail(ErrUTF8)
			} else {
				r.fail(ErrSyntax)
			}
			return nil, 0
		}
		i += n
		size += utf8.RuneLen(c)
	}
}

// Number reads a number. One that is too large for a float64 is returned as an infinity.
func (r *Reader) Number() float64 {
	r.peek()
	n := numberLen(r.rest)
	if n == 0 {
		r.fail(ErrSyntax)
	}
	if r.err != nil {
		return 0
	}
	f, _ := strconv.ParseFloat(unsafeString(r.rest[:n]), 64) // the syntax is checked; out of range gives ±Inf
	r.rest = r.rest[n:]
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
