package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signal-server/custerrors"
)

// page gets a page, whose answer is no envelope.
func (s *server) page(t *testing.T, path string, header ...[2]string) answer {
	t.Helper()
	a, err := s.try(t.Context(), request{line: "GET " + path, header: header})
	if err != nil {
		t.Fatalf("GET %s: got %v, want a page", path, err)
	}
	return a
}

// resource matches an attribute that makes a browser load something.
var resource = regexp.MustCompile(`(?i)(?:src|href|action|poster|srcset|data)\s*=\s*["']?\s*([^"'\s>]+)|url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)`)

// TestSwaggerLoadsNothingFromOutside reads the page and its styles, and gets what they name.
func TestSwaggerLoadsNothingFromOutside(t *testing.T) {
	s := serve(t)
	index := s.page(t, "/swagger/index.html")
	if got, want := index.header.Get("Content-Type"), "text/html"; index.status != 200 || !strings.HasPrefix(got, want) {
		t.Fatalf("the page: got %d %s, want 200 %s", index.status, got, want)
	}
	policy := index.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "//") || strings.Contains(policy, "*") || strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy: got %q, want it to allow nothing but files of this host", policy)
	}
	wantPageHeaders(t, "index.html", index)
	texts := map[string]string{"index.html": index.body}
	loaded := 0
	for len(texts) > 0 {
		for name, text := range texts {
			delete(texts, name)
			for _, m := range resource.FindAllStringSubmatch(text, -1) {
				target := m[1] + m[2] + m[3]
				if strings.HasPrefix(target, "data:") || strings.HasPrefix(target, "#") || target == "../" || target == "doc.json" { // links
					continue
				}
				if strings.Contains(target, "//") {
					t.Errorf("%s: got %q, want nothing of another host", name, m[0])
					continue
				}
				loaded++
				part := s.page(t, "/swagger/"+strings.TrimPrefix(target, "./"))
				if part.status != 200 || part.body == "" {
					t.Errorf("%s: %s: got %d and %d bytes, want 200 and some", name, target, part.status, len(part.body))
				}
				wantPageHeaders(t, target, part)
				if strings.HasSuffix(target, ".css") {
					texts[target] = part.body
				}
			}
		}
	}
	if loaded < 3 {
		t.Errorf("parts of the page: got %d, want a style and two scripts at least", loaded)
	}
	s.do(t, request{line: "GET /swagger/none.js"}).expect(t, "a part that is not", noRoute, "")
	s.do(t, request{line: "GET /swagger/..%2f..%2fgo.mod"}).expect(t, "a way out", noRoute, "")
}

// wantPageHeaders checks the headers that every part of a page has, whatever its type.
func wantPageHeaders(t *testing.T, name string, a answer) {
	t.Helper()
	for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if got := a.header.Get(header); got != want {
			t.Errorf("%s: %s: got %q, want %q", name, header, got, want)
		}
	}
}

// TestSwaggerRemembersNobody asks the first time with headers of a proxy that lies. Later pages must not show them.
func TestSwaggerRemembersNobody(t *testing.T) {
	s := serve(t)
	poison := [][2]string{
		{"X-Forwarded-Prefix", "https://evil.example/"},
		{"X-Forwarded-Prefix", "/evil"},
		{"x-forwarded-prefix", "//evil.example"},
		{"X-Forwarded-Host", "evil.example"},
		{"X-Forwarded-Proto", "evil"},
		{"Forwarded", "host=evil.example"},
		{"X-Original-URL", "/evil"},
		{"X-Forwarded-Path", "/evil"},
		{"Referer", "https://evil.example"},
		{"Origin", "https://evil.example"},
	}
	paths := []string{"/swagger/", "/swagger", "/swagger/index.html", "/swagger//", "/swagger/doc.json", "/swagger/swagger-ui.css"}
	for _, header := range [][][2]string{poison, nil} {
		for _, path := range paths {
			a := s.page(t, path, header...)
			if got := a.body + fmt.Sprint(a.header); strings.Contains(got, "evil") {
				t.Errorf("%s, asked with %d headers: got %.200s, want nothing evil", path, len(header), got)
			}
		}
	}
	for _, path := range []string{"/swagger", "/swagger/"} {
		if a := s.page(t, path); a.status/100 != 3 || a.header.Get("Location") != "/swagger/index.html" {
			t.Errorf("%s: got %d to %q, want a redirect to the page", path, a.status, a.header.Get("Location"))
		}
	}
}

// spec is what the tests read of the API's description.
type spec struct {
	Swagger, Host, BasePath string
	Schemes                 []string
	Paths                   map[string]map[string]any
}

// TestDocumentNamesTheHostItWasAskedAt asks with good hosts, and with hosts that would break JSON.
func TestDocumentNamesTheHostItWasAskedAt(t *testing.T) {
	s := serve(t)
	for host, want := range map[string]string{
		"signal.example": "signal.example", "localhost:8080": "localhost:8080", "[::1]:8080": "[::1]:8080", "192.0.2.1": "192.0.2.1",
		`x","schemes":["evil"],"y":"`: "", `x"`: "", `\`: "", `x\u0022`: "", "<script>": "", "x y": "", "": "", "é": "", "{{.Title}}": "",
		"x\x7f": "", "a,b": "", strings.Repeat("x", 300): "",
	} {
		conn, br := s.dial(t)
		fmt.Fprintf(conn, "GET /swagger/doc.json HTTP/1.1\r\nHost: %s\r\n\r\n", host)
		a := readAnswer(t, br, http.MethodGet)
		if a.status == 400 {
			a.expect(t, "host "+host, invalid, "") // what is not a host may be refused
			continue
		}
		var doc spec
		if err := json.Unmarshal([]byte(a.body), &doc); err != nil || a.status != 200 {
			t.Errorf("host %q: got %d, %v, want JSON", host, a.status, err)
		}
		if doc.Host != want || doc.Swagger != "2.0" || doc.BasePath != "/" || len(doc.Schemes) > 0 {
			t.Errorf("host %q: got %q, swagger %q, base %q, schemes %v, want %q, 2.0, / and none", host, doc.Host, doc.Swagger, doc.BasePath,
				doc.Schemes, want)
		}
		if got, want := a.header.Get("Content-Type"), "application/json"; got != want {
			t.Errorf("host %q: Content-Type: got %s, want %s", host, got, want)
		}
	}
}

// TestEveryRouteIsDocumented compares the routing table with the API's description, both ways. Pages are not of the API.
func TestEveryRouteIsDocumented(t *testing.T) {
	s := serve(t)
	var doc spec
	unmarshal(t, s.page(t, "/swagger/doc.json").body, &doc)
	var documented [][2]string
	for path, methods := range doc.Paths {
		roles := []string{""}
		if strings.Contains(path, "{role}") {
			roles = []string{"offer", "answer"}
		}
		for method := range methods {
			for _, role := range roles {
				documented = append(documented, [2]string{strings.ToUpper(method), strings.ReplaceAll(path, "{role}", role)})
			}
		}
	}
	d := newDirect(t)
	defer d.store.Close()
	routes := d.server.Routes()
	for _, r := range routes {
		if !slices.Contains(documented, r) && r[0] != "HEAD" && !isPage(r[1]) {
			t.Errorf("%s %s: got no description, want one", r[0], r[1])
		}
		if get := ([2]string{"GET", r[1]}); r[0] == "HEAD" && !slices.Contains(routes, get) {
			t.Errorf("HEAD %s: got no GET beside it, want one", r[1])
		}
	}
	for _, r := range documented {
		if !slices.Contains(routes, r) {
			t.Errorf("%s %s: got no route, want the one that is described", r[0], r[1])
		}
	}
	if len(documented) < 20 {
		t.Errorf("got %d routes described, want all", len(documented))
	}
}

// operation is what the tests read of one route's description.
type operation struct {
	Security  []map[string][]string
	Responses map[string]struct {
		Description string
		Examples    map[string]any
	}
}

// refusals are those that every route with a key has: the texts are fixed.
var refusals = map[string]custerrors.Error{
	"400": custerrors.RequestIsInvalid, "401": custerrors.NotAuthenticated, "403": custerrors.NotAllowed, "408": custerrors.RequestIsTooSlow,
	"429": custerrors.TooManyRequests, "431": custerrors.HeaderIsTooLong, "503": custerrors.ServerIsOverloaded,
}

// TestEveryRouteTellsItsRefusals asks each route for nothing, and so learns whether it wants a key. Then it looks for the refusals in the
// description, and for examples that are answers of this server.
func TestEveryRouteTellsItsRefusals(t *testing.T) {
	s := serve(t)
	var doc struct {
		Paths map[string]map[string]operation
	}
	unmarshal(t, s.page(t, "/swagger/doc.json").body, &doc)
	wantKeys := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			name := strings.ToUpper(method) + " " + path
			a := s.do(t, request{line: strings.ToUpper(method) + " " + strings.ReplaceAll(path, "{role}", "offer")})
			if a.msg == custerrors.KeyIsEmpty {
				wantKeys++
				for status, msg := range refusals {
					if got := op.Responses[status].Description; !strings.Contains(got, msg.Name()) || !strings.Contains(got, string(msg)) {
						t.Errorf("%s: %s: got %q, want %s and its text", name, status, got, msg.Name())
					}
				}
				if len(op.Security) == 0 {
					t.Errorf("%s: got no way in, want key and token", name)
				}
			} else if slices.ContainsFunc(op.Security, func(way map[string][]string) bool { _, key := way["key"]; return key }) {
				t.Errorf("%s: got %v, want no key: it needs none", name, op.Security)
			}
			for status, r := range op.Responses {
				if status == "204" || r.Examples["text/event-stream"] != nil {
					continue
				}
				example, ok := r.Examples["application/json"].(map[string]any)
				if !ok {
					t.Errorf("%s: %s: got the examples %v, want one", name, status, r.Examples)
					continue
				}
				msg, _ := example["msg"].(string)
				if got := fmt.Sprint(custerrors.Error(msg).Status()); got != status || msg != "" && (custerrors.Error(msg).Name() == "" || example["data"] != nil) {
					t.Errorf("%s: %s: got the example %v, want a msg of this status, and null", name, status, example)
				}
			}
		}
	}
	if wantKeys < 12 {
		t.Errorf("routes that want a key: got %d, want all", wantKeys)
	}
}

// TestDocumentHasTheVersion checks that people see which program they ask.
func TestDocumentHasTheVersion(t *testing.T) {
	const want = "v1.2.3-test"
	s := serve(t, func(o *options) { o.config.Version = want })
	var doc struct{ Info struct{ Version string } }
	unmarshal(t, s.page(t, "/swagger/doc.json").body, &doc)
	if doc.Info.Version != want {
		t.Errorf("info.version: got %q, want %q", doc.Info.Version, want)
	}
}

func isPage(path string) bool {
	return path == "/" || strings.HasPrefix(path, "/swagger") || strings.HasPrefix(path, "/demo") || strings.Contains(path, ".")
}

// TestPagesAreNotTaken checks that the routes of pages have no other methods.
func TestPagesAreNotTaken(t *testing.T) {
	s := serve(t)
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		for _, path := range []string{"/swagger/index.html", "/swagger/doc.json"} {
			a := s.do(t, request{line: method + " " + path})
			if got, want := allowed(a.header), []string{"GET", "HEAD"}; a.status != 405 || !slices.Equal(got, want) {
				t.Errorf("%s %s: got %d, Allow %v, want 405, %v", method, path, a.status, got, want)
			}
		}
	}
}
