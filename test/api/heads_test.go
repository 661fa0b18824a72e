package api_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"signal-server/custerrors"
)

// unfinished are beginnings of requests after which nothing more comes, and which nothing more could make a request.
var unfinished = map[string]string{
	"line feeds only":              "GET /answer/sdp HTTP/1.1\nHost: x\nkey: k\n\n",
	"a line feed behind a version": "GET /answer/sdp HTTP/1.1\n",
	"a line feed behind a header":  "GET /answer/sdp HTTP/1.1\r\nHost: x\n",
	"a folded line":                "GET /answer/sdp HTTP/1.1\r\nHost: x\r\n y\r\n",
	"a version to come":            "GET /answer/sdp HTTP/9.9\r\n",
	"HTTP/2":                       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"HTTP/0.9":                     "GET /answer/sdp\r\n",
	"HTTP/0.9 by a line feed":      "GET /answer/sdp\n",
	"zeros":                        strings.Repeat("\x00", 64),
	"letters of no method":         "\xff\xfe\xfd",
	"a TLS hello":                  "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("\x5a", 64),
	"NUL in the path":              "GET /\x00",
	"NUL in a header":              "GET /answer/sdp HTTP/1.1\r\nHost: \x00",
	"a space before the colon":     "GET /answer/sdp HTTP/1.1\r\nHost : x",
	"a line without a colon":       "GET /answer/sdp HTTP/1.1\r\nHost\r\n",
}

// TestWhatIsNoRequestIsRefusedAtOnce sends them in one piece and byte by byte, first on a connection and behind an answer. None is told
// that it was too slow, or has to wait for it.
func TestWhatIsNoRequestIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	const atOnce = 10 * time.Second // on a machine that is busy
	s := serve(t, func(o *options) { o.config.Link.ReadTimeout, o.config.Link.IdleTimeout = 2*atOnce, 2*atOnce })
	for name, sent := range unfinished {
		for _, piece := range []int{1, len(sent)} {
			for _, before := range []string{"", "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n"} {
				began := time.Now()
				conn, br := s.dial(t)
				if io.WriteString(conn, before); before != "" {
					readAnswer(t, br, "GET").expect(t, name+", the request before", notFound, "")
				}
				for rest := sent; rest != ""; rest = rest[min(piece, len(rest)):] {
					io.WriteString(conn, rest[:min(piece, len(rest))])
				}
				a := readAnswer(t, br, "GET")
				a.check(t, name)
				a.expect(t, name, custerrors.RequestIsInvalid, "")
				wantEnd(t, br)
				if got := time.Since(began); got >= atOnce {
					t.Errorf("%s: got an answer after %v, want it at once", name, got)
				}
			}
		}
	}
}
