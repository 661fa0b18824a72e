package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"signal-server/custerrors"
)

const (
	invalid  = custerrors.RequestIsInvalid
	noRoute  = custerrors.RouteNotFound
	notFound = custerrors.KeyNotFound
)

// broken are requests of somebody who knows HTTP badly, or too well. Each ends the connection, unless open is set.
var broken = map[string]struct {
	sent string
	want []custerrors.Error // msgs of the answers, in order
	open bool               // the connection takes more requests
}{
	"no request line":                  {sent: "x\r\n\r\n", want: one(invalid)},
	"a request line without path":      {sent: "GET\r\n\r\n", want: one(invalid)},
	"a request line without version":   {sent: "GET /offer/sdp\r\n\r\n", want: one(invalid)},
	"a version that is none":           {sent: "GET / HTTP/x\r\n\r\n", want: one(invalid)},
	"a major version to come":          {sent: "GET /answer/sdp HTTP/9.9\r\nHost: x\r\nkey: k\r\n\r\n", want: one(invalid)},
	"a major version of the past":      {sent: "GET /answer/sdp HTTP/0.9\r\nHost: x\r\nkey: k\r\n\r\n", want: one(invalid)},
	"a minor version to come":          {sent: "GET /answer/sdp HTTP/1.9\r\nHost: x\r\nkey: k\r\n\r\n", want: one(notFound)},
	"version 2":                        {sent: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", want: one(invalid)},
	"a method that is none":            {sent: "G T / HTTP/1.1\r\nHost: x\r\n\r\n", want: one(invalid)},
	"a method with control characters": {sent: "G\x01T / HTTP/1.1\r\nHost: x\r\n\r\n", want: one(invalid)},
	"spaces first":                     {sent: "   GET / HTTP/1.1\r\n\r\n", want: one(invalid)},
	"NUL bytes":                        {sent: strings.Repeat("\x00", 100) + "\r\n\r\n", want: one(invalid)},
	"a NUL byte in the path":           {sent: "GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", want: one(invalid)},
	"a NUL byte in a header":           {sent: "GET /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: a\x00b\r\n\r\n", want: one(invalid)},
	"a NUL byte in a header's name":    {sent: "GET /offer/sdp HTTP/1.1\r\nHost: x\r\nk\x00ey: a\r\n\r\n", want: one(invalid)},
	"a header without a colon":         {sent: "GET /offer/sdp HTTP/1.1\r\nHost: x\r\nkey\r\n\r\n", want: one(invalid)},
	"a header without a name":          {sent: "GET /offer/sdp HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", want: one(invalid)},
	"a space before the colon":         {sent: "GET /offer/sdp HTTP/1.1\r\nHost: x\r\nkey : a\r\n\r\n", want: one(invalid)},
	"two hosts":                        {sent: "GET /offer/sdp HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", want: one(invalid)},
	"an escape that is none":           {sent: "GET /% HTTP/1.1\r\nHost: x\r\n\r\n", want: one(noRoute), open: true},
	"another escape that is none":      {sent: "GET /%zz/%f HTTP/1.1\r\nHost: x\r\n\r\n", want: one(noRoute), open: true},
	"an escape that is none, in the key": {
		sent: "GET /answer/sdp?key=%&wait=0 HTTP/1.1\r\nHost: x\r\n\r\n", want: one(notFound), open: true,
	},
	"the word timeout in what is wrong": {sent: "GET /timeout HTTP/x\r\n\r\n", want: one(invalid)},
	"garbage":                           {sent: "\xff\xfe\x80\x7f\x01\r\n\xf0\r\n\r\n", want: one(invalid)},
	"a TLS hello": {
		sent: "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("\x5a", 64) + "\r\n\r\n", want: one(invalid),
	},
	"SSH":                 {sent: "SSH-2.0-OpenSSH_9.6\r\n\r\n", want: one(invalid)},
	"HTTP/0.9":            {sent: "GET /offer/sdp\r\n\r\n", want: one(invalid)},
	"an answer":           {sent: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", want: one(invalid)},
	"a length below 0":    {sent: post("Content-Length: -1", ""), want: one(invalid)},
	"a length with sign":  {sent: post("Content-Length: +1", "x"), want: one(invalid)},
	"a length in hex":     {sent: post("Content-Length: 0x1", "x"), want: one(invalid)},
	"a length of nothing": {sent: post("Content-Length:", "x"), want: one(invalid)},
	"two lengths":         {sent: post("Content-Length: 1\r\nContent-Length: 2", "xy"), want: one(invalid)},
	"two lengths in one":  {sent: post("Content-Length: 1, 1", "x"), want: one(invalid)},
	"a length over 2^64":  {sent: post("Content-Length: 99999999999999999999999", "x"), want: one(invalid)},
	"a length over 2^31":  {sent: post("Content-Length: 2147483648", "x"), want: one(tooLong)},
	"a length over 2^63":  {sent: post("Content-Length: 9223372036854775807", "x"), want: one(tooLong)},
	"a length and chunks": {
		sent: post("Content-Length: 1\r\nTransfer-Encoding: chunked", "1\r\nx\r\n0\r\n\r\n"), want: one(invalid),
	},
	"chunks and a length": {
		sent: post("transfer-encoding: chunked\r\ncontent-length: 1", "1\r\nx\r\n0\r\n\r\n"), want: one(invalid),
	},
	"the coding identity":              {sent: post("Transfer-Encoding: identity", ""), want: one(invalid)},
	"the coding identity and a length": {sent: post("Transfer-Encoding: identity\r\nContent-Length: 1", "x"), want: one(invalid)},
	"the coding identity of a GET":     {sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nTRANSFER-ENCODING:identity\r\n\r\n", want: one(invalid)},
	"chunked, then gzip":               {sent: post("Transfer-Encoding: chunked, gzip", "1\r\nx\r\n0\r\n\r\n"), want: one(invalid)},
	"a request line without a return":  {sent: "GET /answer/sdp HTTP/1.1\nHost: x\r\nkey: k\r\n\r\n", want: one(invalid)},
	"a header without a return":        {sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\nkey: k\r\n\r\n", want: one(invalid)},
	"an empty line without a return":   {sent: "\nGET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n", want: one(invalid)},
	"a return without a line feed":     {sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\rl: m\r\n\r\n", want: one(invalid)},
	"a folded line":                    {sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\n l\r\n\r\n", want: one(invalid)},
	"a line folded by a tab":           {sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\n\tl\r\n\r\n", want: one(invalid)},
	"a folded line before all":         {sent: "GET /answer/sdp HTTP/1.1\r\n Host: x\r\nkey: k\r\n\r\n", want: one(invalid)},
	"a value with a space and a colon": {sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey:k\r\na:b c: d\r\n\r\n", want: one(notFound), open: true},
	"a host with a space":              {sent: "GET /answer/sdp HTTP/1.1\r\nHost: x y\r\nkey: k\r\n\r\n", want: one(invalid)},
	"a host with a path":               {sent: "GET /answer/sdp HTTP/1.1\r\nHost: x/y\r\nkey: k\r\n\r\n", want: one(invalid)},
	"a host with a user":               {sent: "GET /answer/sdp HTTP/1.1\r\nHost: u@x\r\nkey: k\r\n\r\n", want: one(invalid)},
	"an empty host":                    {sent: "GET /answer/sdp HTTP/1.1\r\nHost:\r\nkey: k\r\n\r\n", want: one(invalid)},
	"an absolute path and no Host":     {sent: "GET http://h/answer/sdp HTTP/1.1\r\nkey: k\r\n\r\n", want: one(invalid)},
	"an asterisk":                      {sent: "GET * HTTP/1.1\r\nHost: x\r\n\r\n", want: one(invalid)},
	"two keys":                         {sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nKEY: k\r\n\r\n", want: one(invalid)},
	"two keys, and a body that came":   {sent: post("key: l\r\nContent-Length: 1", "x"), want: one(invalid)},
	"a coding that is none":            {sent: post("Transfer-Encoding: x", "x"), want: one(invalid)},
	"a coding besides chunked":         {sent: post("Transfer-Encoding: gzip, chunked", "1\r\nx\r\n0\r\n\r\n"), want: one(invalid)},
	"chunked twice":                    {sent: post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), want: one(invalid)},
	"a coding in HTTP/1.0": {
		sent: "POST /offer/candidate HTTP/1.0\r\nkey: k\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", want: one(invalid),
	},
	"a chunk's length that is none": {sent: post("Transfer-Encoding: chunked", "g\r\nx\r\n0\r\n\r\n"), want: one(invalid)},
	"a chunk's length below 0":      {sent: post("Transfer-Encoding: chunked", "-1\r\nx\r\n0\r\n\r\n"), want: one(invalid)},
	"a chunk that is longer":        {sent: post("Transfer-Encoding: chunked", "1\r\nxyz\r\n0\r\n\r\n"), want: one(invalid)},
	"a chunk over the limit":        {sent: post("Transfer-Encoding: chunked", "40001\r\n"+strings.Repeat("x", 4097)), want: one(tooLong)},
	"a chunk of a byte too much": {
		sent: post("Transfer-Encoding: chunked", "1001\r\n"+strings.Repeat("x", 4097)+"\r\n0\r\n\r\n"), want: one(tooLong),
	},
	"a chunk's length over 2^64":  {sent: post("Transfer-Encoding: chunked", "fffffffffffffffffff\r\nx"), want: one(invalid)},
	"a path that is none":         {sent: "GET x HTTP/1.1\r\nHost: x\r\n\r\n", want: one(invalid)},
	"an absolute path":            {sent: "GET http://h/answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n", want: one(notFound), open: true},
	"a path of another scheme":    {sent: "GET ftp://h/x HTTP/1.1\r\nHost: x\r\n\r\n", want: one(noRoute), open: true},
	"CONNECT":                     {sent: "CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", want: one(custerrors.MethodNotAllowed), open: true},
	"no Host":                     {sent: "GET /answer/sdp HTTP/1.1\r\nkey: k\r\n\r\n", want: one(invalid)},
	"HTTP/1.0":                    {sent: "GET /answer/sdp HTTP/1.0\r\nkey: k\r\n\r\n", want: one(notFound)},
	"HTTP/1.0 that asks for more": {sent: "GET /answer/sdp HTTP/1.0\r\nConnection: keep-alive\r\nkey: k\r\n\r\n", want: one(notFound), open: true},
	"empty lines first":           {sent: "\r\n\r\nGET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n", want: one(notFound), open: true},
	"the end of the connection wanted": {
		sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nConnection: close\r\n\r\n", want: one(notFound),
	},
	"a body that a GET has": {
		sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nContent-Length: 3\r\n\r\nabc", want: one(tooLong), open: true,
	},
	"a body that a GET has, and that does not come": {
		sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nContent-Length: 3\r\n\r\nab", want: one(tooLong),
	},
	"chunks that a GET has": {
		sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", want: one(tooLong),
	},
	"no chunks that a GET has": {
		sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", want: one(notFound), open: true,
	},
	"no body that a GET has": {
		sent: "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\nContent-Length: 0\r\n\r\n", want: one(notFound), open: true,
	},
	"three in a row": {
		sent: post("Content-Length: 1", "x") + post("Transfer-Encoding: chunked", "1\r\nx\r\n0\r\n\r\n") +
			"GET /none HTTP/1.1\r\nHost: x\r\n\r\n",
		want: []custerrors.Error{notFound, notFound, noRoute}, open: true,
	},
	"a good one, then garbage": {
		sent: post("Content-Length: 1", "x") + "garbage\r\n\r\n", want: []custerrors.Error{notFound, invalid},
	},
	"chunks with extensions and trailers": {
		sent: post("Transfer-Encoding: chunked", "1;a=b\r\nx\r\n0\r\nEtag: other\r\n\r\n"), want: one(notFound), open: true,
	},
	"100-continue": {
		sent: post("Expect: 100-continue\r\nContent-Length: 1", "x"), want: []custerrors.Error{"continue", notFound}, open: true,
	},
	"100-continue behind another one": {
		sent: post("Content-Length: 1", "x") + post("Expect: 100-continue\r\nContent-Length: 1", "x"),
		want: []custerrors.Error{notFound, "continue", notFound}, open: true,
	},
	"100-continue in chunks": {
		sent: post("Expect: 100-continue\r\nTransfer-Encoding: chunked", "1\r\nx\r\n0\r\n\r\n"),
		want: []custerrors.Error{"continue", notFound}, open: true,
	},
	"100-continue for too much": {
		sent: post("Expect: 100-continue\r\nContent-Length: 4097", ""), want: one(tooLong),
	},
	"100-continue for nothing": {
		sent: "POST /none HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", want: one(noRoute),
	},
	"100-continue without a key": {
		sent: "POST /offer/candidate HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
		want: one(custerrors.KeyIsEmpty),
	},
}

func one(msg custerrors.Error) []custerrors.Error { return []custerrors.Error{msg} }

// post is a request that finds no session.
func post(header, body string) string {
	return "POST /offer/candidate HTTP/1.1\r\nHost: x\r\nkey: k\r\n" + header + "\r\n\r\n" + body
}

func TestBrokenRequests(t *testing.T) {
	s := serve(t)
	live := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: live, body: open("o")})
	for name, test := range broken {
		t.Run(name, func(t *testing.T) {
			conn, br := s.dial(t)
			io.WriteString(conn, test.sent)
			for i, want := range test.want {
				if want == "continue" {
					wantContinue(t, br)
					continue
				}
				what := fmt.Sprintf("answer %d", i+1)
				a := readAnswer(t, br, "GET")
				a.check(t, what)
				a.expect(t, what, want, "")
				if got, want := a.header.Get("Connection") == "close", !test.open && i == len(test.want)-1; got != want {
					t.Errorf("%s: Connection: close: got %v, want %v", what, got, want)
				}
			}
			if test.open {
				io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
				readAnswer(t, br, "GET").expect(t, "the next request", "", "")
				return
			}
			wantEnd(t, br)
		})
	}
	s.do(t, request{line: "GET /answer/sdp", key: live}).expect(t, "the session that lived through all this", "", `"o"`)
}

// before reads what the server says before the rest of the request is due.
func before(t *testing.T, br *bufio.Reader, sent string) {
	t.Helper()
	if strings.Contains(sent, "Expect") {
		wantContinue(t, br)
	}
	if strings.Contains(sent, "GET /offer") && strings.Contains(sent, "\r\n\r\n") {
		readAnswer(t, br, "POST").expect(t, "the first request", notFound, "")
	}
}

func wantContinue(t *testing.T, br *bufio.Reader) {
	t.Helper()
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		if got, err := br.ReadString('\n'); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

// wantEnd checks that the connection is closed, and that nothing more comes on it.
func wantEnd(t *testing.T, br *bufio.Reader) {
	t.Helper()
	b, err := io.ReadAll(br)
	if len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q, %v more, want the end of the connection", b, err)
	}
}

// TestRequestsThatEndTooEarly sends a part of a request and then nothing more. The client shuts down its side, or keeps it open.
func TestRequestsThatEndTooEarly(t *testing.T) {
	t.Parallel()
	const idle = 4 * time.Second // is no time for a request to arrive
	s := serve(t, func(o *options) { o.config.Link.ReadTimeout, o.config.Link.IdleTimeout = 500*ms, idle })
	var names []string
	var waiting []func(*testing.T) // all at once
	for name, sent := range map[string]string{
		"nothing":                   "",
		"half a request line":       "GET /offer",
		"half a header":             "GET /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: k",
		"no empty line":             "GET /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\n",
		"no body":                   post("Content-Length: 5", ""),
		"half a body":               post("Content-Length: 5", "xy"),
		"half a chunk's length":     post("Transfer-Encoding: chunked", "f"),
		"half a chunk":              post("Transfer-Encoding: chunked", "5\r\nxy"),
		"no last chunk":             post("Transfer-Encoding: chunked", "1\r\nx\r\n"),
		"no end of the chunks":      post("Transfer-Encoding: chunked", "1\r\nx\r\n0\r\n"),
		"half of a second one":      post("Content-Length: 1", "x") + "GET /offer",
		"half of one behind a wait": "GET /answer/sdp?wait=0.1 HTTP/1.1\r\nHost: x\r\nkey: " + newKey() + "\r\n\r\nGET /offer",
		"no body to continue":       post("Content-Length: 5\r\nExpect: 100-continue", ""),
	} {
		for _, shut := range []bool{false, true} {
			if shut && strings.Contains(sent, "wait") {
				continue // a client that has shut down its side does not wait any more
			}
			conn, br := s.dial(t)
			io.WriteString(conn, sent)
			want := custerrors.RequestIsTooSlow
			if shut {
				conn.CloseWrite()
				want = invalid
			}
			began := time.Now()
			waiting = append(waiting, func(t *testing.T) {
				before(t, br, sent)
				if sent != "" || !shut { // the server says nothing on a connection on which nothing came
					a := readAnswer(t, br, "GET")
					a.check(t, name)
					a.expect(t, name, want, "")
				}
				wantEnd(t, br)
				if got := time.Since(began); got >= idle {
					t.Errorf("got an answer after %v, want it after half a second", got)
				}
			})
			names = append(names, fmt.Sprintf("%s, shut %v", name, shut))
		}
	}
	for i, wait := range waiting {
		t.Run(names[i], wait)
	}
	t.Run("slow but steady", func(t *testing.T) { // a byte now and then gives it no more time
		conn, br := s.dial(t)
		stop := make(chan struct{})
		defer close(stop)
		go drip(conn, post("Content-Length: 100000", strings.Repeat("x", 100_000)), stop)
		a := readAnswer(t, br, "POST")
		a.check(t, "a slow body")
		a.expect(t, "a slow body", custerrors.RequestIsTooSlow, "")
	})
}

// drip writes a byte every 20 ms until it fails, or is stopped.
func drip(conn net.Conn, text string, stop <-chan struct{}) {
	tick := time.NewTicker(20 * ms)
	defer tick.Stop()
	for i := range text {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		if _, err := conn.Write([]byte(text[i : i+1])); err != nil {
			return
		}
	}
}

// TestConnectionsAreKept sends requests one after the other on one connection. All of them take longer than one of them may.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *options) { o.config.Link.ReadTimeout = 300 * ms })
	conn, br := s.dial(t)
	for range 5 {
		io.WriteString(conn, "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n")
		readAnswer(t, br, "GET").expect(t, "a request", notFound, "")
		s.lapse(t, 150*ms)
	}
	io.WriteString(conn, "GET /answer/sdp?wait=1 HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n") // longer than a request may take to arrive
	readAnswer(t, br, "GET").expect(t, "a wait", notFound, "")
}

// TestIdleConnectionsAreClosed checks that the server closes idle connections without a word: a client would take a word for the answer
// to its next request.
func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *options) { o.config.Link.IdleTimeout = 300 * ms })
	for _, query := range []string{"", "?wait=0.1"} {
		conn, br := s.dial(t)
		for range 2 {
			fmt.Fprintf(conn, "GET /answer/sdp%s HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n", query)
			readAnswer(t, br, "GET").expect(t, "a request", notFound, "")
		}
		wantEnd(t, br)
	}
}

// TestClientsThatDoNotReadAreCutOff asks for more than the connection holds, and reads only when the server has let go of it.
func TestClientsThatDoNotReadAreCutOff(t *testing.T) {
	t.Parallel()
	s := serve(t, holdingLittle, func(o *options) { o.config.Link.ReadTimeout = 300 * ms })
	const path, times = "/swagger/swagger-ui-bundle.js", 20
	one := len(s.page(t, path).body)
	s.client.CloseIdleConnections()
	s.eventually(t, "signal_connections", 0)
	conn, br := s.dial(t)
	conn.holdLittle(t)
	s.eventually(t, "signal_connections", 1)
	io.WriteString(conn, strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n", times))
	s.eventually(t, "signal_connections", 0)
	if got, err := io.Copy(io.Discard, br); got >= int64(one*times) {
		t.Errorf("got %d bytes, %v, want fewer than %d", got, err, one*times)
	}
}
