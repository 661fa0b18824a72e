package api_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"signal-server/app/pages"
	appserver "signal-server/app/server"

	"signal-server/app/apptest"
	"signal-server/custerrors"
)

// servePlain serves plain HTTP beside a server of HTTPS on this port, until the test ends.
func servePlain(t *testing.T, plain appserver.Redirect) *server {
	t.Helper()
	plain.IsPage = pages.Has
	config := apptest.Defaults()
	store := newStore(t, config.Limits, 1<<20)
	a, _, err := apptest.New(config, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := a.Serve(ctx, appserver.Listeners{Plain: l, Redirect: plain}); err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
	transport := &http.Transport{}
	t.Cleanup(func() {
		cancel()
		transport.CloseIdleConnections()
		serving.Wait()
		store.Close()
	})
	return &server{over: overTCP, addr: l.Addr().String(), url: "http://" + l.Addr().String(), client: &http.Client{
		Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func TestPlainRedirectsPages(t *testing.T) {
	for _, tt := range []struct {
		port             int
		host, path, want string
	}{
		{443, "signal.example", "/", "https://signal.example/"},
		{443, "signal.example:80", "/web/app.js", "https://signal.example/web/app.js"},
		{8443, "signal.example:8080", "/swagger/index.html", "https://signal.example:8443/swagger/index.html"},
		{443, "127.0.0.1", "/client/signal.js?v=1&x=a%20b", "https://127.0.0.1/client/signal.js?v=1&x=a%20b"},
		{8443, "[::1]:80", "/", "https://[::1]:8443/"},
		{443, "[::1]", "/", "https://[::1]/"},
	} {
		s := servePlain(t, appserver.Redirect{Port: tt.port})
		for _, method := range []string{"GET ", "HEAD "} {
			a, err := s.try(t.Context(), request{line: method + tt.path, host: tt.host})
			if got := a.header.Get("Location"); err != nil || a.status != 308 || got != tt.want || a.body != "" {
				t.Errorf("%s%s of %s: got %d %q %q, %v, want 308 %q without a body", method, tt.path, tt.host, a.status, got, a.body, err, tt.want)
			}
			if got := a.header.Get("Strict-Transport-Security"); got != "" {
				t.Errorf("%s%s: got Strict-Transport-Security %q over plain HTTP, want none", method, tt.path, got)
			}
		}
	}
}

// TestPlainWaitsForNoBody checks that a body that is told and does not come holds nothing.
func TestPlainWaitsForNoBody(t *testing.T) {
	s := servePlain(t, appserver.Redirect{Port: 443, Challenges: http.NotFoundHandler()})
	for _, line := range []string{"GET /", "POST /offer/sdp", "GET /.well-known/acme-challenge/x", "OPTIONS /offer/sdp"} {
		conn, br := s.dial(t)
		io.WriteString(conn, line+" HTTP/1.1\r\nHost: x\r\nContent-Length: 262144\r\n\r\nx")
		a := readAnswer(t, br, http.MethodPost)
		a.expect(t, line, custerrors.HTTPSIsRequired, "")
		wantEnd(t, br)
	}
}

// TestPlainRefusesTheRest checks that a client that sends a key in the clear learns that it must not.
func TestPlainRefusesTheRest(t *testing.T) {
	s := servePlain(t, appserver.Redirect{Port: 443})
	for _, line := range []string{
		"POST /offer/sdp", "GET /answer/sdp?wait=10", "GET /offer/events", "DELETE /session", "POST /", "OPTIONS /offer/sdp", "GET /healthz",
		"GET /nothing", "GET /.well-known/acme-challenge/x", "GET /offer/../web", "PUT /swagger/index.html",
	} {
		s.do(t, request{line: line, key: newKey(), body: strings.Repeat("x", 100<<10)}).expect(t, line, custerrors.HTTPSIsRequired, "")
	}
	for sent, want := range map[string]string{
		"nonsense\r\n\r\n":                             "HTTP/1.1 400 ",
		"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n":          "HTTP/1.1 400 ",
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n":          "HTTP/1.1 400 ",
		"GET / HTTP/1.0\r\n\r\n":                       "HTTP/1.1 400 ",
		"GET / HTTP/1.1\r\nHost: ok.example\r\n\r\n":   "HTTP/1.1 308 ",
		"GET /x HTTP/1.1\r\nHost: ok.example\r\n\r\n":  "HTTP/1.1 403 ",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n": "HTTP/1.1 400 ",
	} {
		conn, br := s.dial(t)
		io.WriteString(conn, sent)
		answer, err := io.ReadAll(br) // to the end: the connection is closed
		if err != nil || !strings.HasPrefix(string(answer), want) {
			t.Errorf("%q: got %.60q, %v, want %s and the end", sent, answer, err, want)
		}
		if body := string(answer[strings.Index(string(answer), "\r\n\r\n")+4:]); !strings.Contains(want, "308") && !strings.HasPrefix(body, `{"msg":"`) {
			t.Errorf("%q: got the body %q, want the envelope", sent, body)
		}
	}
}

func TestPlainAnswersChallenges(t *testing.T) {
	const path = "/.well-known/acme-challenge/"
	s := servePlain(t, appserver.Redirect{Port: 443, Challenges: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path+"token" {
			http.Error(w, "somebody else's words", http.StatusNotFound)
			return
		}
		io.WriteString(w, "proof of "+r.Host)
	})})
	a, err := s.try(t.Context(), request{line: "GET " + path + "token", host: "signal.example"})
	if err != nil || a.status != 200 || a.body != "proof of signal.example" {
		t.Errorf("the challenge: got %d %q, %v, want 200 and the proof", a.status, a.body, err)
	}
	s.do(t, request{line: "GET " + path + "other"}).expect(t, "GET another", custerrors.RouteNotFound, "")
	s.do(t, request{line: "POST " + path + "token"}).expect(t, "POST", custerrors.HTTPSIsRequired, "")
}

// TestPlainEndedBeforeItBegan ends such a server in its first moments, when fasthttp may not have begun to listen.
func TestPlainEndedBeforeItBegan(t *testing.T) {
	for range 50 {
		t.Run("", func(t *testing.T) { servePlain(t, appserver.Redirect{Port: 443}) })
	}
}
