package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The page loads the browser client from here. A debugger finds its source map beside it, where the client says that it is.
func TestThePageAndWhatItLoads(t *testing.T) {
	for path, want := range map[string]struct{ kind, text string }{
		"/":              {"text/html", "page.js"},
		"/page.js":       {"text/javascript", "signal.js"},
		"/signal.js":     {"text/javascript", "sourceMappingURL=signal.js.map"},
		"/signal.js.map": {"", `"sources":`},
	} {
		w := httptest.NewRecorder()
		newPages().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || !strings.HasPrefix(got, want.kind) {
			t.Errorf("%s: got %d of type %q, want 200 of type %q", path, w.Code, got, want.kind)
		}
		if !strings.Contains(w.Body.String(), want.text) {
			t.Errorf("%s: got %.80q…, want %q in it", path, w.Body, want.text)
		}
	}
}
