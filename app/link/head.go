package link

import (
	"bytes"
	"errors"

	"github.com/valyala/fasthttp"
)

// fasthttp parses heads, and takes more than RFC 9112 allows: lines that end without a carriage return, folded lines, any version,
// codings beside lengths. And it waits for the end of a head that cannot have one. This file adds what it leaves out:
//
//	first bytes ─▶ survey ─▶ one piece and plain: nothing more to do
//	                 │         └▶ with a coding, or behind another request ─▶ Sound looks at its lines once fasthttp has parsed it
//	                 └▶ a piece, or not plain ─▶ place follows it, and the next ones, byte by byte
//
// The ways agree: what is taken in one piece is taken in any. A fuzz test says so.

// Sound reports whether the head of a request is well-formed, as far as fasthttp does not see to it. One that is not may be understood
// otherwise by a proxy in front, so it is refused and its connection closed.
//
// hot: every request passes here.
func Sound(c *fasthttp.RequestCtx) bool {
	h := &c.Request.Header
	if !h.IsHTTP11() && !bytes.HasPrefix(h.Protocol(), firstMajor) {
		return false // a minor version to come is served, as 1.0 is; a major one cannot be (RFC 9110, Section 2.5)
	}
	if bytes.IndexByte(h.Host(), '@') >= 0 {
		return false // no place for a user (RFC 9112, Section 3.2); fasthttp sees to the rest of it
	}
	if conn := Of(c.Conn()); conn != nil && (conn.plain || conn.unsound) {
		return conn.plain
	}
	return soundFields(h.RawHeaders(), h.ContentLength() == codedInChunks)
}

const codedInChunks = -1 // what fasthttp has for the length of a body in chunks

// soundFields reports whether the lines of a head behind the request line are well-formed. chunked says that fasthttp takes the body for one
// in chunks.
func soundFields(lines []byte, chunked bool) bool {
	length, coding := false, false
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n')
		if end < 1 || lines[end-1] != '\r' {
			return false // RFC 9112, Section 2.2, allows to take it, and proxies differ
		}
		switch lines[0] {
		case ' ', '\t':
			return false // it is folded (RFC 9112, Section 5.2)
		case 'C', 'c':
			length = length || names(lines, fasthttp.HeaderContentLength)
		case 'T', 't':
			coding = coding || names(lines, fasthttp.HeaderTransferEncoding)
		}
		lines = lines[end+1:]
	}
	// fasthttp takes the codings chunked and identity. The latter is none any more (RFC 9112, Section 7). Chunks and a length contradict
	// each other (Section 6.1).
	return !coding || chunked && !length
}

// names reports whether the lines begin with the field of that name.
func names(lines []byte, name string) bool {
	return len(lines) > len(name) && lines[len(name)] == ':' && bytes.EqualFold(lines[:len(name)], []byte(name))
}

// survey looks over the first bytes of a request, by lines. plain says that there is a whole head whose lines end as they should, without
// empty ones before it or folded ones; names and values are fasthttp's to check. coded says that it may tell of a coding.
//
// hot: every request passes here. It takes a tenth of what fasthttp then spends on the same head.
func survey(b []byte) (plain, coded bool) {
	if len(b) == 0 || b[0] == '\r' {
		return false, false
	}
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 1 || b[end-1] != '\r' {
			return false, false
		}
		b = b[end+1:]
		if len(b) < len("\r\n") {
			return false, false
		}
		switch b[0] {
		case '\r':
			return b[1] == '\n', coded
		case ' ', '\t':
			return false, false
		case 'T', 't':
			coded = true
		}
	}
}

// place is where in the head of a request the next byte stands (RFC 9112, Sections 2.1, 3 and 5).
type place uint8

const (
	outside    place = iota // of heads
	start                   // before the request line
	startFeed               // in an empty line before it, which is skipped (Section 2.2)
	stray                   // behind a bare line feed before it: wrong as soon as anything comes, which could be answered
	method                  // or the space behind it
	target                  // its first character
	inTarget                // or the space behind it
	minor                   // the version's last digit
	lineReturn              // the end of the request line
	lineFeed                // of any line
	field                   // the beginning of a line
	name                    // or the colon behind it
	nameSpace               // in a name, or before the colon, where it may not be (Section 5.1)
	value                   // or the end of the line
	lastFeed                // of the empty line at the end
	wrong                   // nowhere: this is no head
	version                 // and a further place for each character of protocol
)

const protocol = "HTTP/1."

var firstMajor = []byte(protocol)

// pass returns the place behind these bytes. It passes nothing behind the end of the head, or behind what is wrong.
func (p place) pass(b []byte) place {
	for _, c := range b {
		if p == outside || p == wrong {
			break
		}
		p = p.next(c)
	}
	return p
}

// next returns the place behind this byte.
func (p place) next(c byte) place {
	switch p {
	case start:
		switch c {
		case '\r':
			return startFeed
		case '\n':
			return stray
		}
		return after(inToken[c], method)
	case startFeed:
		return after(c == '\n', start)
	case stray:
		return after(c == '\r' || c == '\n', stray)
	case method:
		if c == ' ' {
			return target
		}
		return after(inToken[c], method)
	case inTarget:
		if c == ' ' {
			return version
		}
		return after(isVisible(c), inTarget)
	case target:
		return after(isVisible(c), inTarget)
	case minor:
		return after('0' <= c && c <= '9', lineReturn)
	case lineReturn:
		return after(c == '\r', lineFeed)
	case lineFeed:
		return after(c == '\n', field)
	case field:
		if c == '\r' {
			return lastFeed
		}
		return after(inToken[c], name)
	case name, nameSpace:
		switch {
		case c == ' ':
			return nameSpace // fasthttp takes names with spaces
		case c == ':':
			return after(p == name, value)
		}
		return after(inToken[c], name)
	case value:
		if c == '\r' {
			return lineFeed
		}
		return after(isVisible(c) || c == ' ' || c == '\t', value)
	case lastFeed:
		return after(c == '\n', outside)
	}
	at := p - version
	if c != protocol[at] {
		return wrong
	}
	if int(at) == len(protocol)-1 {
		return minor
	}
	return p + 1
}

// after returns p, if the byte before it may stand where it does.
func after(may bool, p place) place {
	if may {
		return p
	}
	return wrong
}

// isVisible reports whether a byte is neither a space nor a control character (RFC 9110, Section 5.5).
func isVisible(c byte) bool { return c > ' ' && c != 0x7f }

// inToken are the characters of methods and names (RFC 9110, Section 5.6.2).
var inToken = func() (in [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		in[c] = true
	}
	return in
}()

var errHead = errors.New("what has come begins no request")
