package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signal-server/app/apptest"
	"signal-server/app/gate/auth"
	"signal-server/app/gate/limit"
)

// FuzzSocket sends any bytes, in two pieces, over a connection to a whole server, through all that a request passes: the listener, the
// patrol, parked requests, streams, and the lingering of a connection that was refused. It soon gets answers, and the end.
func FuzzSocket(f *testing.F) {
	f.Setenv("SIGNAL_TEST_TRANSPORT", string(overUnix)) // TCP would run out of ports
	for _, test := range broken {
		f.Add([]byte(test.sent), uint16(len(test.sent)/2))
	}
	for _, line := range []string{"GET /answer/messages?wait=1", "GET /answer/sdp?wait=0.03", "POST /offer/messages?wait=1", "GET /answer/events"} {
		one := line + " HTTP/1.1\r\nHost: x\r\nkey: k\r\nContent-Length: 11\r\n\r\n{\"sdp\":\"o\"}"
		f.Add([]byte(one+one), uint16(len(one)))
	}
	s := serve(f, func(o *options) {
		quick(&o.config)
		o.config.Wire.MaxWait = 40 * ms // long enough to be parked
	})
	f.Fuzz(func(t *testing.T, sent []byte, cut uint16) {
		conn, _ := s.dial(t)
		first := min(int(cut), len(sent))
		for _, piece := range [][]byte{sent[:first], sent[first:]} {
			if _, err := conn.Write(piece); err != nil {
				break // the server has refused it, as its answer says
			}
		}
		conn.CloseWrite()
		var came []byte
		for some := make([]byte, 64<<10); !bytes.Contains(came, []byte("text/event-stream")); { // a stream lasts until its client hangs up
			n, err := conn.Read(some)
			came = append(came, some[:n]...)
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
				checkAnswers(t, came)
				break
			} else if err != nil {
				t.Fatalf("got %v after %d bytes, want the end of the connection", err, len(came))
			}
		}
		if text := s.log.String(); strings.Contains(text, "panic") || strings.Contains(text, "level=ERROR") {
			t.Fatalf("the log: got %s, want no error", text)
		}
	})
}

// FuzzHeaders sends a request with any header, and another one behind it. A header without line breaks makes neither more nor fewer
// requests of the two: an answer to the first comes back, and then that to the second, or the end.
func FuzzHeaders(f *testing.F) {
	for name, value := range map[string]string{
		"key": "other", "Key": strings.Repeat("键", 32), "KEY ": "k", "Idempotency-Key": "token", "Last-Event-ID": "1xwJ8kRAAAA",
		"Authorization": "Bearer a.b.c", "authorization": "Basic eDp5", "Origin": "https://example.org", "X-Forwarded-For": "192.0.2.1, ::1",
		"Content-Length": "5", "Transfer-Encoding": "chunked", "Content-Encoding": "gzip", "Expect": "100-continue", "Connection": "close, key",
		"Content-Type": "text/plain; charset=utf-16", "Upgrade": "h2c", "Host": "y", "Range": "bytes=0-0", "If-None-Match": "*",
		"X-Forwarded-Prefix": "/\"><script>", "Cookie": "a=b; ;", "Access-Control-Request-Method": "DELETE", "": "", "a\x00": "\x7f",
	} {
		f.Add(uint8(len(name)), name, value)
	}
	tokens := filepath.Join(f.TempDir(), "tokens")
	_, line, err := auth.Mint(auth.Grant{Name: "somebody"})
	if err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(tokens, []byte(line+"\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	guard, err := auth.Open(f.Context(), auth.Config{TokensFile: tokens}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(guard.Close)
	proxies, err := limit.ParseProxies([]string{"0.0.0.0/0", "::/0", "unix"})
	if err != nil {
		f.Fatal(err)
	}
	open := fuzzed(f, func(c *apptest.Config) {
		c.Proxies, c.Clients = proxies, limit.Config{Requests: limit.Rate{Events: 1 << 30, Per: time.Second}, Waits: 1 << 20}
	})
	closed := fuzzed(f, func(c *apptest.Config) { c.Guard = guard })
	f.Fuzz(func(t *testing.T, route uint8, name, value string) {
		if strings.ContainsAny(name+value, "\r\n") {
			return // with a line break it may be anything: see FuzzRequests
		}
		r := keyed[int(route)%len(keyed)]
		sent := fmt.Appendf(nil, "%s HTTP/1.1\r\nHost: x\r\nkey: k\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%sGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
			r.line, name, value, len(r.body), r.body)
		for _, send := range []func(*testing.T, []byte) []answer{open, closed} {
			answers := send(t, sent)
			if len(answers) < 1 || len(answers) > 2 || len(answers) == 2 && (answers[1].msg != "" || answers[1].data != "null") {
				t.Errorf("got %+v, want an answer to %s, and to /healthz or the end", answers, r.line)
			}
		}
	})
}
