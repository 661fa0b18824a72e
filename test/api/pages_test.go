package api_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"signal-server/app/gate/limit"
	"signal-server/app/pages"
	"signal-server/client/js"
	"signal-server/custerrors"
)

// pagePaths returns the path of every file that pages are made of, and what it holds.
func pagePaths(t *testing.T) map[string][]byte {
	t.Helper()
	paths := map[string][]byte{"/client/signal.js": js.Signal, "/client/signal.js.map": js.SourceMap}
	err := fs.WalkDir(pages.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		path := "/web/" + name
		if name == "index.html" {
			path = "/"
		}
		paths[path], err = fs.ReadFile(pages.Files, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestPages(t *testing.T) {
	s := serve(t)
	types := map[string]string{
		"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml",
		"map": "application/json",
	}
	for path, content := range pagePaths(t) {
		a := s.page(t, path)
		if a.status != 200 || a.body != string(content) {
			t.Errorf("%s: got %d and %d bytes, want 200 and the file's %d", path, a.status, len(a.body), len(content))
		}
		kind := "html"
		if path != "/" {
			kind = path[strings.LastIndexByte(path, '.')+1:]
		}
		for name, want := range map[string]string{
			"Content-Type":           types[kind],
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "no-referrer",
			"Cache-Control":          "no-cache",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s: got %q, want %q", path, name, got, want)
			}
		}
	}
}

// TestPagePolicy checks that the policy lets the page load nothing from elsewhere, and that the page has nothing that the policy forbids.
func TestPagePolicy(t *testing.T) {
	s := serve(t)
	index := s.page(t, "/")
	policy := strings.Split(index.header.Get("Content-Security-Policy"), "; ")
	for _, want := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
		"frame-ancestors 'none'", "require-trusted-types-for 'script'",
	} {
		if !slices.Contains(policy, want) {
			t.Errorf("Content-Security-Policy: got %q, want it to have %q", policy, want)
		}
	}
	if got := strings.Join(policy, ";"); strings.Contains(got, "unsafe") || strings.Contains(got, "//") || strings.Contains(got, "*") {
		t.Errorf("Content-Security-Policy: got %q, want nothing unsafe and no other host", got)
	}
	if got := index.header.Get("Permissions-Policy"); !strings.Contains(got, "camera=(self)") || !strings.Contains(got, "microphone=(self)") {
		t.Errorf("Permissions-Policy: got %q, want camera and microphone for the page itself", got)
	}
	for _, forbidden := range []string{"<style", " style=", "<script>", " onclick=", "javascript:"} {
		if strings.Contains(index.body, forbidden) {
			t.Errorf("the page: got %q in it, want nothing inline", forbidden)
		}
	}
	loaded := 0
	for _, m := range resource.FindAllStringSubmatch(index.body, -1) {
		target := m[1] + m[2] + m[3]
		if strings.HasPrefix(target, "#") || strings.HasPrefix(m[0], "data-") || strings.HasPrefix(m[0], "data=") {
			continue
		}
		loaded++
		if strings.Contains(target, "//") {
			t.Errorf("the page: got %q, want nothing of another host", m[0])
		} else if a := s.page(t, "/"+target); a.status != 200 {
			t.Errorf("the page: %s: got %d, want 200", target, a.status)
		}
	}
	if loaded < 4 {
		t.Errorf("what the page names: got %d files, want 4 or more", loaded)
	}
}

func TestPagesAreAskedForAgain(t *testing.T) {
	s := serve(t)
	tags := make(map[string]string)
	for path, content := range pagePaths(t) {
		tag := s.page(t, path).header.Get("ETag")
		if other, taken := tags[tag]; taken {
			t.Errorf("%s: got the ETag %s of %s, want its own", path, tag, other)
		}
		tags[tag] = path
		for _, test := range []struct {
			tags   string
			status int
		}{
			{tag, 304},
			{"W/" + tag, 304},
			{`"x", ` + tag, 304},
			{"*", 304},
			{`"x"`, 200},
			{strings.Trim(tag, `"`), 200},
			{"", 200},
		} {
			a := s.page(t, path, [2]string{"If-None-Match", test.tags})
			want := 0
			if test.status == 200 {
				want = len(content)
			}
			if a.status != test.status || len(a.body) != want || a.header.Get("ETag") != tag {
				t.Errorf("%s, If-None-Match %s: got %d, %d bytes, ETag %s, want %d, %d bytes, %s", path, test.tags, a.status, len(a.body),
					a.header.Get("ETag"), test.status, want, tag)
			}
		}
	}
}

func TestHeadOfPages(t *testing.T) {
	s := serve(t)
	for path, content := range pagePaths(t) {
		a, err := s.try(t.Context(), request{line: "HEAD " + path})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := a.header.Get("Content-Length"), fmt.Sprint(len(content)); a.status != 200 || a.body != "" || got != want {
			t.Errorf("HEAD %s: got %d, %q, Content-Length %s, want 200, no body, %s", path, a.status, a.body, got, want)
		}
	}
}

func TestPagesHaveNoOtherMethods(t *testing.T) {
	s := serve(t)
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		for path := range pagePaths(t) {
			a := s.do(t, request{line: method + " " + path})
			if got, want := allowed(a.header), []string{"GET", "HEAD"}; a.status != 405 || !slices.Equal(got, want) {
				t.Errorf("%s %s: got %d, Allow %v, want 405, %v", method, path, a.status, got, want)
			}
		}
	}
	for _, path := range []string{"/web", "/web/", "/web/none.js", "/web/pages.go", "/web/../go.mod", "/client/", "/client/js/embed.go", "/web/vendor/"} {
		if a := s.page(t, path); a.status != http.StatusNotFound {
			t.Errorf("GET %s: got %d, want 404", path, a.status)
		}
	}
}

// TestPagesAreSharedSafely asks many times at once, because the server hands out the embedded bytes without a copy.
func TestPagesAreSharedSafely(t *testing.T) {
	s := serve(t)
	want := bytes.Clone(js.Signal)
	var pending []func() answer
	for range 50 {
		pending = append(pending, s.startPage(t, "/client/signal.js"))
	}
	for _, wait := range pending {
		if a := wait(); a.body != string(want) {
			t.Errorf("signal.js: got %d bytes, want the file's %d", len(a.body), len(want))
		}
	}
}

func (s *server) startPage(t *testing.T, path string) func() answer {
	got := make(chan answer, 1)
	go func() {
		a, err := s.try(t.Context(), request{line: "GET " + path})
		if err != nil {
			t.Errorf("GET %s: %v", path, err)
		}
		got <- a
	}()
	return func() answer { return <-got }
}

// TestPagesAreCompressed checks that a file comes in the best coding that its client takes, with an ETag of its own, and in no coding
// that does not make it smaller.
func TestPagesAreCompressed(t *testing.T) {
	s := serve(t)
	const path = "/swagger/swagger-ui-bundle.js"
	plain := s.page(t, path)
	tags := map[string]string{plain.header.Get("ETag"): "none"}
	for _, tt := range []struct{ accepts, want string }{
		{"", ""},
		{"gzip", "gzip"},
		{"br", "br"},
		{"gzip, deflate, br, zstd", "br"},
		{"br;q=0, gzip", "gzip"},
		{"GZIP;q=0.5", "gzip"},
		{"*", "br"},
		{"*, br;q=0", "gzip"},
		{"*;q=0", ""},
		{"identity", ""},
		{"gzip;q=0", ""},
		{"gzip;q=x", ""},
		{"brotli", ""},
		{",;,", ""},
	} {
		a := s.page(t, path, [2]string{"Accept-Encoding", tt.accepts})
		if got := a.header.Get("Content-Encoding"); got != tt.want {
			t.Errorf("Accept-Encoding: %s: got %q, want %q", tt.accepts, got, tt.want)
		}
		if got := a.header.Get("Vary"); got != "Accept-Encoding" {
			t.Errorf("Accept-Encoding: %s: Vary: got %q, want Accept-Encoding", tt.accepts, got)
		}
		if got := decoded(t, a.body, tt.want); got != plain.body {
			t.Errorf("Accept-Encoding: %s: got %d bytes, want the file's %d", tt.accepts, len(got), len(plain.body))
		}
		if tt.want != "" && len(a.body) > len(plain.body)/3 {
			t.Errorf("%s: got %d bytes of %d, want a third at the most", tt.want, len(a.body), len(plain.body))
		}
		tag := a.header.Get("ETag")
		if other, seen := tags[tag]; seen && other != cmp.Or(tt.want, "none") {
			t.Errorf("%s: got the ETag %s of %s, want its own", tt.want, tag, other)
		}
		tags[tag] = cmp.Or(tt.want, "none")
		if again := s.page(t, path, [2]string{"Accept-Encoding", tt.accepts}, [2]string{"If-None-Match", tag}); again.status != 304 || again.body != "" {
			t.Errorf("%s, asked again: got %d and %d bytes, want 304 and none", tt.want, again.status, len(again.body))
		}
	}
	if got := s.page(t, "/swagger/favicon-16x16.png", [2]string{"Accept-Encoding", "br, gzip"}).header.Get("Content-Encoding"); got != "" {
		t.Errorf("a picture, which is compressed already: got %q, want no coding", got)
	}
}

// decoded returns a body without its coding.
func decoded(t *testing.T, body, coding string) string {
	t.Helper()
	var text []byte
	var err error
	switch coding {
	case "gzip":
		text, err = fasthttp.AppendGunzipBytes(nil, []byte(body))
	case "br":
		text, err = fasthttp.AppendUnbrotliBytes(nil, []byte(body))
	default:
		return body
	}
	if err != nil {
		t.Errorf("%s: %v", coding, err)
	}
	return string(text)
}

// TestPagesAreUnderTheLimits checks that a client gets no more pages than it may ask for requests, whichever they are.
func TestPagesAreUnderTheLimits(t *testing.T) {
	paths := []string{"/swagger", "/swagger/doc.json", "/swagger/index.html", "/swagger/swagger-ui-bundle.js"}
	for path := range pagePaths(t) {
		paths = append(paths, path)
	}
	for _, path := range paths {
		s := limited(t, limit.Config{Requests: limit.Rate{Events: 1, Per: time.Hour}})
		s.page(t, path, forwarded("192.0.2.1")...)
		a, err := s.try(t.Context(), request{line: "GET " + path, header: forwarded("192.0.2.1")})
		if err != nil || a.status != 429 || a.msg != custerrors.TooManyRequests {
			t.Errorf("%s, the second: got %v, %d and %d bytes, want TooManyRequests", path, err, a.status, len(a.body))
		}
		if a := s.page(t, path, forwarded("192.0.2.2")...); a.status >= 400 {
			t.Errorf("%s, another client: got %d, want it served", path, a.status)
		}
	}
}
