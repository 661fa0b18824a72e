// Package text is the form of what is stored: the inside of a JSON string. It escapes plain text into that form, checks and keeps
// the inside of a string that came as JSON, turns an inside back into plain text, and walks a small JSON text; all of it without
// allocating. It follows RFC 8259 and, beyond it, takes only strings that stand for valid UTF-8 text: an escaped lone surrogate
// is refused.
//
//	plain text ──AppendEscaped──▶ inside ◀──Reader.String── JSON
//	plain text ◀──AppendPlain──── inside ─────"inside"────▶ JSON
//
// It knows nothing of what the texts mean.
package text

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101 // times a byte: that byte in each of eight
	highs = 0x80 * ones
)

// hits sets the highest bit of each byte of w that is below ' ', or 0x80 and more, or '"', or '\\'. With that one bit flipped, '"' is ' ',
// and what is below ' ' stays below it: one subtraction finds both. What is 0x80 and more keeps its highest bit through one of the two. A borrow
// can only reach the bytes behind a hit, so the first hit is true.
func hits(w uint64) uint64 {
	return (((w ^ 2*ones) - 0x21*ones) | ((w ^ '\\'*ones) - ones)) & highs
}

// plain returns how many bytes at the beginning of s stand for themselves inside a JSON string and are ASCII: neither
// control character, nor quotation mark, nor reverse solidus (RFC 8259, Section 7), nor part of a longer character. It looks
// at 16 bytes at once.
//
// hot: every payload byte that is escaped, or no longer is, passes here.
func plain(s []byte) int {
	i := 0
	for ; i <= len(s)-16; i += 16 {
		both := s[i : i+16 : i+16] // all within bounds, as the compiler sees by the capacity
		h0, h1 := hits(binary.LittleEndian.Uint64(both)), hits(binary.LittleEndian.Uint64(both[8:]))
		if h0|h1 == 0 {
			continue
		}
		if h0 != 0 {
			return i + bits.TrailingZeros64(h0)/8
		}
		return i + 8 + bits.TrailingZeros64(h1)/8
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return i
		}
	}
	return i
}

// outside sets the highest bit of each of the first eight bytes of s that is below ' ', or 0x80 and more. Other bits of the result mean nothing,
// and a borrow may set the highest bit of a byte behind such a one.
func outside(s []byte) uint64 {
	return binary.LittleEndian.Uint64(s) | (binary.LittleEndian.Uint64(s) - ' '*ones)
}

// printable reports whether s is ASCII without control characters; 0x7f counts as none. It looks at 64 bytes at once.
//
// hot: every payload byte that comes as JSON passes here.
func printable(s []byte) bool {
	i := 0
	for ; i <= len(s)-64; i += 64 {
		b := s[i : i+64 : i+64] // all within bounds, as the compiler sees by the capacity
		all := outside(b) | outside(b[8:]) | outside(b[16:]) | outside(b[24:]) | outside(b[32:]) | outside(b[40:]) | outside(b[48:]) | outside(b[56:])
		if all&highs != 0 {
			return false
		}
	}
	for ; i <= len(s)-8; i += 8 {
		if outside(s[i:i+8:i+8])&highs != 0 {
			return false
		}
	}
	for ; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

const hex = "0123456789abcdef"

// AppendEscaped appends text, escaped as the inside of a JSON string, to dst: the shortest form that RFC 8259 allows. ok is
// false if text is not valid UTF-8; what was appended then is meaningless.
func AppendEscaped(dst, text []byte) (out []byte, ok bool) {
	for {
		n := plain(text)
		dst = append(dst, text[:n]...)
		text = text[n:]
		if len(text) == 0 {
			return dst, true
		}
		c := text[0]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(text)
			if r == utf8.RuneError && n == 1 {
				return dst, false
			}
			dst = append(dst, text[:n]...)
			text = text[n:]
			continue
		}
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
		}
		text = text[1:]
	}
}

// AppendPlain appends to dst the text that the inside of a JSON string stands for. The inside is one that AppendEscaped or
// Reader.String returned; the text is never longer. In any other inside, each byte at which it is not valid becomes U+FFFD.
//
// hot: every payload that leaves as plain text passes here.
func AppendPlain(dst, inside []byte) []byte {
	for {
		n := plain(inside)
		dst = append(dst, inside[:n]...)
		inside = inside[n:]
		for len(inside) >= 2 && inside[0] == '\\' && short[inside[1]] != 0 { // an sdp has two at the end of each line
			dst = append(dst, short[inside[1]])
			inside = inside[2:]
		}
		if len(inside) == 0 {
			return dst
		}
		r, n := unescapeRune(inside)
		if n == 0 {
			r, n = utf8.RuneError, 1
		}
		dst = utf8.AppendRune(dst, r)
		inside = inside[n:]
	}
}

// short is what the byte behind a reverse solidus stands for, where the two are a whole escape; else 0.
var short = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// Blank reports whether the string whose inside this is, valid as String returns it, is empty or white space only.
func Blank(inside []byte) bool {
	for len(inside) > 0 {
		r, n := unescapeRune(inside)
		if !unicode.IsSpace(r) {
			return false
		}
		inside = inside[n:]
	}
	return true
}

// unescapeRune returns the first character that s stands for, the inside of a JSON string and not empty, and how many bytes of s that
// takes. n is 0 if s does not begin with a valid one. Then r is utf8.RuneError if the encoding is at fault: bytes that are not UTF-8,
// or a lone surrogate.
func unescapeRune(s []byte) (r rune, n int) {
	switch c := s[0]; {
	case c >= utf8.RuneSelf:
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			return utf8.RuneError, 0
		}
		return r, n
	case c < ' ' || c == '"':
		return 0, 0
	case c != '\\':
		return rune(c), 1
	}
	if len(s) < 2 {
		return 0, 0
	}
	switch c := s[1]; {
	case short[c] != 0:
		return rune(short[c]), 2
	case c == 'u':
		r := hex4(s[2:])
		switch {
		case r < 0:
			return 0, 0
		case !utf16.IsSurrogate(r):
			return r, 6
		}
		// RFC 8259, Section 7: a character outside the basic plane is a pair of escapes.
		if len(s) >= 8 && s[6] == '\\' && s[7] == 'u' {
			if pair := utf16.DecodeRune(r, hex4(s[8:])); pair != utf8.RuneError {
				return pair, 12
			}
		}
		return utf8.RuneError, 0
	default:
		return 0, 0
	}
}

// hex4 returns the value of the four hexadecimal digits that s begins with, or -1.
func hex4(s []byte) rune {
	if len(s) < 4 {
		return -1
	}
	var r rune
	for _, c := range s[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
