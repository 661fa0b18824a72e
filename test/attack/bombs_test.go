package attack_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestBombs sends small requests that are made to grow large or to cost much. The server refuses each, or takes it for what it is, and
// spends neither much memory nor much time on it.
func TestBombs(t *testing.T) {
	s := serve(t, "--memory=64MiB")
	const limit = 250 << 10 // bytes of a body
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Write(make([]byte, 64<<20))
	w.Close()
	post := func(target, header, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nkey: k\r\n%sContent-Length: %d\r\n\r\n%s", target, header, len(body), body)
	}
	get := func(header string) string {
		return "GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: k\r\n" + header + "\r\n"
	}
	const messages = "/offer/messages"
	for name, bomb := range map[string]struct{ sent, want string }{
		"thousands of headers":       {get(strings.Repeat("X: y\r\n", 10_000)), "431"},
		"thousands of header names":  {get(numbered("X-%d: y\r\n", 10_000)), "431"},
		"a header of a megabyte":     {get("X: " + strings.Repeat("y", 1<<20) + "\r\n"), "431"},
		"a path of a megabyte":       {"GET /" + strings.Repeat("y", 1<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n", "431"},
		"thousands of parameters":    {"GET /answer/sdp?" + strings.Repeat("a&", 1500) + " HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n", "200"},
		"deep arrays":                {post(messages, "", strings.Repeat("[", limit)), "400"},
		"deep arrays in a member":    {post(messages, "", `{"x":`+strings.Repeat("[", limit/2)+strings.Repeat("]", limit/2)+`}`), "400"},
		"deep objects in a member":   {post(messages, "", `{"x":`+strings.Repeat(`{"x":`, limit/6)), "400"},
		"a number of many digits":    {post(messages, "", `{"sdp":"o","key_ttl":`+strings.Repeat("9", limit)+`}`), "200"},
		"a number of many zeroes":    {post(messages, "", `{"key_ttl":0.`+strings.Repeat("0", limit)+`1}`), "400"},
		"a huge exponent":            {post(messages, "", `{"key_ttl":1e`+strings.Repeat("9", 1000)+`}`), "400"},
		"nothing but escapes":        {post(messages, "", `{"sdp":"`+strings.Repeat(`\u0041`, limit/6)+`"}`), "200"},
		"surrogates without a half":  {post(messages, "", `{"sdp":"`+strings.Repeat(`\ud800`, limit/6)+`"}`), "400"},
		"the same member again":      {post(messages, "", `{`+strings.Repeat(`"sdp":"a",`, limit/12)+`"sdp":"a"}`), "400"},
		"unknown members":            {post(messages, "", `{`+numbered(`"x%d":"a",`, limit/14)+`"y":1}`), "400"},
		"thousands of candidates":    {post("/offer/candidates", "", `[`+strings.Repeat(`"a",`, limit/4-2)+`"a"]`), "429"},
		"a gzip bomb":                {post(messages, "Content-Encoding: gzip\r\n", zipped.String()), "415"},
		"a body that says too much":  {"POST /offer/messages HTTP/1.1\r\nHost: x\r\nkey: k\r\nContent-Length: 99999999999\r\n\r\nx", "413"},
		"a chunk that says too much": {"POST /offer/messages HTTP/1.1\r\nHost: x\r\nkey: k\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n" + strings.Repeat("x", 300<<10), "413"},
		"a chunk beyond all numbers": {"POST /offer/messages HTTP/1.1\r\nHost: x\r\nkey: k\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("f", 64) + "\r\nx", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			const times = 20
			began := s.cpu(t)
			for range times {
				if got := status(t, s.Addr, bomb.sent); got != bomb.want && got != "" {
					t.Errorf("got status %s, want %s, or the connection closed while it was sent", got, bomb.want)
				}
				status(t, s.Addr, "DELETE /session HTTP/1.1\r\nHost: x\r\nkey: k\r\nConnection: close\r\n\r\n")
			}
			spent := (s.cpu(t) - began) / times
			t.Logf("%d bytes: CPU %v each", len(bomb.sent), spent)
			if limit := 100 * time.Millisecond; spent > limit { // 1 ms is much
				t.Errorf("CPU: got %v each, want %v at most", spent, limit)
			}
		})
	}
	s.alive(t)
	if got, limit := s.resident(t), 200<<20; got > limit {
		t.Errorf("resident: got %d MB, want %d at most", got>>20, limit>>20)
	}
	t.Logf("resident after all bombs: %d MB", s.resident(t)>>20)
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// status sends bytes over a connection of its own and returns the status of the answer, or "" if the connection broke before.
func status(t testing.TB, addr, sent string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	go io.WriteString(conn, sent) // it may be answered before all is sent
	line := make([]byte, 12)
	if _, err := io.ReadFull(conn, line); err != nil {
		if isTimeout(err) {
			t.Errorf("no answer within %v", patience)
		}
		return ""
	}
	return string(line[9:])
}
