package auth

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestFetch(t *testing.T) {
	full := bytes.Repeat([]byte(" "), maxKeySet)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 64 {
		z.Write(full)
	}
	z.Close()
	mux := http.NewServeMux()
	answer := func(path string, status int, body []byte, header ...string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			w.Write(body)
		})
	}
	answer("/good", 200, []byte("good"))
	answer("/full", 200, full)
	answer("/over", 200, append(full, ' '))
	answer("/bomb", 200, bomb.Bytes(), "Content-Encoding", "gzip")
	answer("/none", 404, []byte("good"))
	answer("/broken", 500, nil)
	answer("/elsewhere", 302, nil, "Location", "/good")
	answer("/cut", 200, []byte("go"), "Content-Length", "4")
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(mux)
	defer server.Close()
	tests := []struct {
		path string
		want string // of the error; empty: none
	}{
		{"/good", ""},
		{"/full", ""},
		{"/over", "more than 256KiB"},
		{"/bomb", "more than 256KiB"},
		{"/none", "got status 404"},
		{"/broken", "got status 500"},
		{"/elsewhere", "got status 302"},
		{"/cut", "unexpected EOF"},
	}
	for _, tt := range tests {
		text, err := fetchFrom(server.URL + tt.path + "?hunter2")(t.Context())
		if tt.want == "" && (err != nil || len(text) == 0) {
			t.Errorf("%s: got %d bytes, %v; want them", tt.path, len(text), err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: got %v, want %q and nothing of the query", tt.path, err, tt.want)
		}
	}

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := fetchFrom(server.URL + "/slow?hunter2")(ctx); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("slow: got %v, want %v", err, context.DeadlineExceeded)
	}
	server.Close()
	if _, err := fetchFrom(server.URL + "/good?hunter2")(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("down: got %v, want an error with nothing of the query", err)
	}
}

// Keys come only from servers that the system's authorities vouch for.
func TestFetchFromStranger(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	if _, err := fetchFrom(server.URL)(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want that its certificate is not good", err)
	}
}

// A key goes from its URL to a Grant, over HTTP. Close ends a fetch that is under way.
func TestOpenFetches(t *testing.T) {
	fetched := make(chan struct{}, 2)
	hang := make(chan struct{})
	keys := jwks(t, public("k", edKey))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched <- struct{}{}
		select {
		case <-hang:
			<-r.Context().Done()
		default:
			w.Write(keys)
		}
	}))
	defer server.Close()
	g := guard(t, Config{JWKSURL: server.URL})
	<-fetched
	admits(t, g, "signed", edToken(t, "k", edKey, nil), Grant{})
	close(hang)
	g.keys.close() // and the loop starts anew, as if the next fetch were due now
	g.keys = newRefresher(fetchFrom(server.URL), g.install, g.log)
	g.keys.start()
	<-fetched
	g.Close()
	admits(t, g, "after Close", edToken(t, "k", edKey, nil), Grant{})
}
