package program_test

import (
	"net/http"
	"testing"
)

// TestNoPages checks that a server without pages serves none of them, and the API as before.
func TestNoPages(t *testing.T) {
	for pages, want := range map[string]int{"on": http.StatusOK, "off": http.StatusNotFound} {
		p := run(t, nil, "--listen=127.0.0.1:0", "--admin=", "--pages="+pages)
		for _, path := range []string{"/", "/web/app.js", "/client/signal.js", "/swagger/index.html", "/swagger/doc.json"} {
			if got := status(t, p.url+path); got != want {
				t.Errorf("--pages=%s: %s: got %d, want %d", pages, path, got, want)
			}
		}
		for _, path := range []string{"/healthz", "/answer/sdp?key=k"} {
			if got := status(t, p.url+path); got != http.StatusOK {
				t.Errorf("--pages=%s: %s: got %d, want 200", pages, path, got)
			}
		}
	}
}

// status returns the status of the answer to a GET.
func status(t *testing.T, url string) int {
	t.Helper()
	a, err := http.Get(url) // #nosec G107 -- the test's own server
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	return a.StatusCode
}
