package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signal-server/app/apptest"
	"signal-server/app/apptest/testlog"
)

// wire is a connection whose client has sent everything already, and reads later what comes back.
type wire struct {
	in  *bytes.Reader
	out bytes.Buffer
}

func (w *wire) Read(p []byte) (int, error)     { return w.in.Read(p) }
func (w *wire) Write(p []byte) (int, error)    { return w.out.Write(p) }
func (*wire) Close() error                     { return nil }
func (*wire) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*wire) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*wire) SetDeadline(time.Time) error      { return nil }
func (*wire) SetReadDeadline(time.Time) error  { return nil }
func (*wire) SetWriteDeadline(time.Time) error { return nil }

// FuzzRequests sends any bytes. Nothing panics, and only answers come back, each with the envelope or a page.
func FuzzRequests(f *testing.F) {
	for _, test := range broken {
		f.Add([]byte(test.sent))
	}
	for _, r := range keyed {
		f.Add(fmt.Appendf(nil, "%s?after=&wait=1 HTTP/1.1\r\nHost: x\r\nkey: k\r\nIdempotency-Key: t\r\nContent-Length: %d\r\n\r\n%s",
			r.line, len(r.body), r.body))
	}
	for _, path := range []string{"/", "/swagger/", "/swagger/index.html", "/swagger/doc.json", "/healthz", "/readyz", "/offer/events"} {
		f.Add([]byte("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\nHEAD " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"))
	}
	send := fuzzed(f)
	f.Fuzz(func(t *testing.T, sent []byte) { send(t, sent) })
}

// fuzzed starts a server for a fuzz test. The function that it returns sends over a connection of its own, checks all that comes back, and
// returns the envelopes in it.
func fuzzed(f *testing.F, changes ...func(*apptest.Config)) func(t *testing.T, sent []byte) []answer {
	config := apptest.Defaults()
	quick(&config)
	for _, change := range changes {
		change(&config)
	}
	store := newStore(f, config.Limits, 1<<20)
	f.Cleanup(func() { store.Close() })
	log := new(testlog.Log)
	server, _, err := apptest.New(config, store, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		f.Fatal(err)
	}
	return func(t *testing.T, sent []byte) []answer {
		t.Helper()
		w := &wire{in: bytes.NewReader(sent)}
		server.ServeConn(w) // its error says how the connection ended
		if text := log.String(); text != "" {
			t.Fatalf("the log: got %s, want nothing", text)
		}
		return checkAnswers(t, w.out.Bytes())
	}
}

// quick makes all times short: a fuzzer does not wait.
func quick(config *apptest.Config) {
	config.Wire.MaxWait = 0
	config.Limits.TTL = time.Second
	config.Limits.Lifetime = time.Second
}

// checkAnswers checks all that came back over a wire, and returns the envelopes in it.
func checkAnswers(t *testing.T, came []byte) (answers []answer) {
	t.Helper()
	for len(came) > 0 {
		var a *answer
		if a, came = checkWire(t, came); a != nil {
			answers = append(answers, *a)
		}
	}
	return answers
}

// checkWire checks the first answer that came back over a wire. It returns the answer, if that is an envelope, and the rest.
func checkWire(t *testing.T, rest []byte) (*answer, []byte) {
	t.Helper()
	head, rest, ok := bytes.Cut(rest, []byte("\r\n\r\n"))
	if bytes.Equal(head, []byte("HTTP/1.1 100 Continue")) {
		return nil, rest
	}
	resp, err := tryHead(head)
	if !ok || err != nil {
		t.Fatalf("got %q, %v, want an answer", head, err)
	}
	kind := resp.Header.Get("Content-Type")
	if kind == "text/event-stream" { // which ends with the connection
		for line := range bytes.Lines(rest) {
			field, _, ok := bytes.Cut(line, []byte(":"))
			if !ok && string(line) != "\n" || ok && !slices.Contains([]string{"", "id", "event", "data"}, string(field)) {
				t.Fatalf("got the line %q of a stream, want one of those that it has", line)
			}
		}
		return nil, nil
	}
	length := max(0, int(resp.ContentLength))
	if len(rest) == 0 || bytes.HasPrefix(rest, []byte("HTTP/1.1 ")) && resp.StatusCode != 204 {
		return nil, rest // to HEAD: the length is that of the answer to GET
	}
	if length > len(rest) {
		t.Fatalf("got %d bytes of %d, want all", len(rest), length)
	}
	body := rest[:length]
	switch {
	case kind == "application/json" && bytes.HasPrefix(body, []byte(`{"msg":`)):
		a := newAnswer(resp, body)
		a.check(t, "an answer")
		return &a, rest[length:]
	case resp.StatusCode >= 400:
		t.Errorf("got %d %s %.100q, want the envelope", resp.StatusCode, kind, body)
	}
	return nil, rest[length:]
}

func tryHead(head []byte) (*http.Response, error) {
	return http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("\r\n\r\n"))), &http.Request{Method: "HEAD"})
}
