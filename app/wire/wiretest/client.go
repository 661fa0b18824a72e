package wiretest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"signal-server/custerrors"
)

// Request is one request, as it is written to a connection. Host and Content-Length are added.
type Request struct {
	Method string
	Path   string // with the query
	Header [][2]string
	Body   string
}

// head returns the request without its body, as if that had n bytes.
func (r Request) head(n int) string {
	b := r.lines()
	if n > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut {
		b += fmt.Sprintf("Content-Length: %d\r\n", n)
	}
	return b + "\r\n"
}

// chunkedHead returns the request without its body, which comes in chunks.
func (r Request) chunkedHead() string { return r.lines() + "Transfer-Encoding: chunked\r\n\r\n" }

// lines returns the lines of the head, without those that tell of the body.
func (r Request) lines() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: x\r\n", r.Method, r.Path)
	for _, h := range r.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	return b.String()
}

// Answer is one answer, whole.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Last   bool // it says that the connection ends with it
}

// Form is how a refusal looks.
type Form struct {
	Status int
	Type   string // the Content-Type
	Body   string
}

// Enveloped is how the protocol of docs/protocol.md refuses, and the server wherever a request has not reached a wire yet.
func Enveloped(msg custerrors.Error) Form {
	return Form{Status: msg.Status(), Type: "application/json", Body: `{"msg":"` + string(msg) + `","data":null}`}
}

// conn is a connection of a client.
type conn struct {
	*net.TCPConn
	rig *rig
	r   *bufio.Reader
}

// dial opens a connection, which stop closes.
func (s *served) dial() *conn {
	s.rig.Helper()
	raw, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.rig.Fatalf("dialing: got %v, want a connection", err)
	}
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		s.rig.Fatalf("BUG: dialing made a %T", raw)
	}
	tcp.SetDeadline(time.Now().Add(s.rig.patience))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, tcp)
	return &conn{TCPConn: tcp, rig: s.rig, r: bufio.NewReader(tcp)}
}

// send sends the request. A server that has closed the connection is found out by the answer.
func (c *conn) send(r Request) *conn {
	io.WriteString(c, r.head(len(r.Body))+r.Body)
	return c
}

// try reads an answer.
func (c *conn) try() (Answer, error) {
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(body), Last: resp.Close}, err
}

// answer reads an answer, which must come.
func (c *conn) answer(what string) Answer {
	c.rig.Helper()
	a, err := c.try()
	if err != nil {
		c.rig.Fatalf("%s: got %v, want an answer", what, err)
	}
	return a
}

// wantEnd checks that the connection ends without another answer.
func (c *conn) wantEnd(what string) {
	c.rig.Helper()
	if rest, err := io.ReadAll(c.r); errors.Is(err, os.ErrDeadlineExceeded) {
		c.rig.Errorf("%s: got no end of the connection, want it closed", what)
	} else if len(rest) > 0 {
		c.rig.Errorf("%s: got %.80q, want the connection to end without", what, rest)
	}
}

// do sends the request on a connection of its own, and returns the answer.
func (s *served) do(what string, r Request) Answer {
	s.rig.Helper()
	c := s.dial().send(r)
	defer c.Close()
	return c.answer(what)
}

// want checks that the answer refuses with the msg as the wire does or, if that is empty, that it does not refuse.
func (r *rig) want(what string, a Answer, msg custerrors.Error) {
	r.Helper()
	r.wantFrom(what, a, msg, "*")
}

// wantFrom is want where only pages of that origin may read the answer; "": nobody's may.
func (r *rig) wantFrom(what string, a Answer, msg custerrors.Error, origin string) {
	r.Helper()
	if msg != "" {
		r.wantRefused(what, a, r.h.Refusal(msg), origin)
		return
	}
	for _, no := range custerrors.All() { // a refusal may be 200
		if a.Status >= http.StatusMultipleChoices || a.Body == r.h.Refusal(no).Body {
			r.Errorf("%s: got %d %q, want no refusal", what, a.Status, a.Body)
			return
		}
	}
}

// wantForm checks that the answer is a refusal of this form, with the headers that its status asks for.
func (r *rig) wantForm(what string, a Answer, want Form) {
	r.Helper()
	r.wantRefused(what, a, want, "*")
}

// wantRefused is wantForm where only pages of that origin may read the answer; "": nobody's may.
func (r *rig) wantRefused(what string, a Answer, want Form, origin string) {
	r.Helper()
	if got := (Form{a.Status, a.Header.Get("Content-Type"), a.Body}); got != want {
		r.Errorf("%s: got %d %s %q, want %d %s %q", what, got.Status, got.Type, got.Body, want.Status, want.Type, want.Body)
	}
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if later := want.Status == http.StatusTooManyRequests || want.Status == http.StatusServiceUnavailable; later != (err == nil && seconds > 0) {
		r.Errorf("%s: got %d with the Retry-After %q, want one with 429 and 503 only", what, a.Status, a.Header.Get("Retry-After"))
	}
	if got := a.Header.Get("WWW-Authenticate") != ""; got != (want.Status == http.StatusUnauthorized) {
		r.Errorf("%s: got %d with the WWW-Authenticate %q, want one with 401 only", what, a.Status, a.Header.Get("WWW-Authenticate"))
	}
	if got := a.Header.Get("Access-Control-Allow-Origin"); got != origin {
		r.Errorf("%s: got the Access-Control-Allow-Origin %q, want %q", what, got, origin)
	}
}

// stream is a stream that has begun.
type stream struct {
	*conn
	body io.Reader
	seen strings.Builder
}

// stream sends the request and reads the head of the stream.
func (c *conn) stream(what string, r Request) *stream {
	c.rig.Helper()
	resp, err := http.ReadResponse(c.send(r).r, nil)
	if err != nil {
		c.rig.Fatalf("%s: got %v, want the head of a stream", what, err)
	}
	if want := c.rig.h.Streams.Status; resp.StatusCode != want {
		c.rig.Fatalf("%s: got %d, want the head of a stream, %d", what, resp.StatusCode, want)
	}
	s := &stream{conn: c, body: resp.Body}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		s.body = c.r
	}
	return s
}

// wantText reads until the text has come.
func (s *stream) wantText(what, text string) {
	s.rig.Helper()
	var b [4 << 10]byte
	for !strings.Contains(s.seen.String(), text) {
		n, err := s.body.Read(b[:])
		s.seen.Write(b[:n])
		if err != nil {
			s.rig.Fatalf("%s: got %q, then %v, want %q", what, s.seen.String(), err, text)
		}
	}
}

// wantEnd checks that the stream ends, with End as the last that it says.
func (s *stream) wantEnd(what string) {
	s.rig.Helper()
	rest, err := io.ReadAll(s.body)
	s.seen.Write(rest)
	if err != nil {
		s.rig.Errorf("%s: got %v, want the stream to end", what, err)
	}
	if end := s.rig.h.Streams.End; !strings.HasSuffix(s.seen.String(), end) {
		s.rig.Errorf("%s: got %q, want it to end with %q", what, s.seen.String(), end)
	}
}
