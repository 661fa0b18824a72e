package app_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"signal-server/app"
)

// wire is a connection whose client has sent everything it will send, and reads what comes back later.
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

// FuzzRequests sends any bytes: no panic, and nothing comes back but answers, of which each is the envelope or a page.
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
	config := app.DefaultConfig()
	config.MaxWait = 0 // nobody waits for a fuzzer
	config.Limits.TTL = time.Second
	config.Limits.Lifetime = time.Second
	store := newStore(f, config.Limits, 1<<20)
	f.Cleanup(func() { store.Close() })
	log := new(logs)
	server, err := app.New(config, store, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		w := &wire{in: bytes.NewReader(sent)}
		server.ServeConn(w) // its error says how the connection ended
		if text := log.String(); text != "" {
			t.Fatalf("the log: got %s, want nothing", text)
		}
		for rest := w.out.Bytes(); len(rest) > 0; {
			rest = checkWire(t, rest)
		}
	})
}

// checkWire checks the first answer of what came over the wire, and returns the rest.
func checkWire(t *testing.T, rest []byte) []byte {
	head, rest, ok := bytes.Cut(rest, []byte("\r\n\r\n"))
	if bytes.Equal(head, []byte("HTTP/1.1 100 Continue")) {
		return rest
	}
	resp, err := tryHead(head)
	if !ok || err != nil {
		t.Fatalf("got %q, %v, want an answer", head, err)
	}
	length := max(0, int(resp.ContentLength))
	if len(rest) == 0 || bytes.HasPrefix(rest, []byte("HTTP/1.1 ")) && resp.StatusCode != 204 {
		return rest // to HEAD: the length is of what GET would have got
	}
	if length > len(rest) {
		t.Fatalf("got %d bytes of %d, want all", len(rest), length)
	}
	body := rest[:length]
	kind := resp.Header.Get("Content-Type")
	switch {
	case kind == "application/json" && bytes.HasPrefix(body, []byte(`{"msg":`)):
		newAnswer(resp, body).check(t, "an answer")
	case resp.StatusCode >= 400:
		t.Errorf("got %d %s %.100q, want the envelope", resp.StatusCode, kind, body)
	}
	return rest[length:]
}

func tryHead(head []byte) (*http.Response, error) {
	return http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("\r\n\r\n"))), &http.Request{Method: "HEAD"})
}
