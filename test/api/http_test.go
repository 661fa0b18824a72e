package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"signal-server/custerrors"
)

func TestRoutesThatAreNot(t *testing.T) {
	s := serve(t)
	key := newKey()
	for _, method := range []string{"GET", "POST", "DELETE", "PUT", "PATCH"} {
		for _, path := range []string{
			"/x", "/offer", "/answer", "/offer/", "/offer/sdp/x", "/offer/sdpx", "/offer/SDP", "/Offer/sdp", "/offer//sdp",
			"//offer/sdp", "/offer/./sdp", "/x/../offer/sdp", "/offer%2Fsdp", "/offer/sd%70", "/offer/sdp;x", "/session/1", "/sessions",
			"/none/sdp", "/offer/candidate/1", "/healthz/x", "/.env", "/index.html", "/%00", "/\u00e9",
			"/metrics", "/debug/pprof/",
		} {
			a := s.do(t, request{line: method + " " + path, key: key, body: "x"})
			a.expect(t, method+" "+path, custerrors.RouteNotFound, "")
		}
	}
}

// wantMethods is which methods each route has.
var wantMethods = map[string][]string{
	"/offer/sdp":         {"GET", "HEAD", "POST"},
	"/answer/sdp":        {"GET", "HEAD", "POST"},
	"/offer/candidate":   {"GET", "HEAD", "POST"},
	"/answer/candidate":  {"GET", "HEAD", "POST"},
	"/offer/candidates":  {"GET", "HEAD", "POST"},
	"/answer/candidates": {"GET", "HEAD", "POST"},
	"/offer/messages":    {"GET", "HEAD", "POST"},
	"/answer/messages":   {"GET", "HEAD", "POST"},
	"/offer/outcome":     {"POST"},
	"/answer/outcome":    {"POST"},
	"/offer/events":      {"GET", "HEAD"},
	"/answer/events":     {"GET", "HEAD"},
	"/session":           {"DELETE"},
	"/healthz":           {"GET", "HEAD"},
	"/readyz":            {"GET", "HEAD"},
}

// allowed returns the methods of the Allow header, sorted and without OPTIONS, which every route allows.
func allowed(h http.Header) []string {
	var methods []string
	for _, value := range h.Values("Allow") {
		for method := range strings.SplitSeq(value, ",") {
			if method = strings.TrimSpace(method); method != "OPTIONS" {
				methods = append(methods, method)
			}
		}
	}
	slices.Sort(methods)
	return methods
}

func TestMethodsThatARouteHasNot(t *testing.T) {
	s := serve(t)
	for path, methods := range wantMethods {
		for _, method := range []string{
			"GET", "POST", "DELETE", "PUT", "PATCH",
			"TRACE", "PROPFIND", "FOO", "get", "Post", "X-Y", // and those that the router does not know
		} {
			if slices.Contains(methods, method) {
				continue
			}
			for _, slash := range []string{"", "/"} {
				what := method + " " + path + slash
				a := s.do(t, request{line: what, key: newKey(), body: "x"})
				a.expect(t, what, custerrors.MethodNotAllowed, "")
				// RFC 9110, Section 15.5.6: the answer must name the methods that are allowed.
				if got := allowed(a.header); !slices.Equal(got, methods) {
					t.Errorf("%s: Allow: got %v, want %v", what, got, methods)
				}
			}
		}
	}
}

// TestTrailingSlash checks that a path with a slash at its end is the same route, not a redirect.
func TestTrailingSlash(t *testing.T) {
	s := serve(t)
	s.script(t,
		step{line: "POST /offer/sdp/", body: open("o")},
		step{line: "POST /offer/candidate/", body: "c1"},
		step{line: "POST /offer/candidates/", body: `["c2","c3"]`},
		step{line: "GET /answer/sdp/", data: `"o"`},
		step{line: "GET /answer/candidate/?wait=1", data: `"c1"`},
		step{line: "GET /answer/candidates/", data: `["c2","c3"]`},
		step{line: "POST /answer/sdp/", body: "a"},
		step{line: "GET /offer/messages/", data: news("sdp a")},
		step{line: "POST /offer/messages/?after=$", body: `{"candidates":["c4"]}`, data: news()},
		step{line: "DELETE /session/"},
		step{line: "GET /healthz/"},
		step{line: "GET /readyz/"},
	)
}

func TestHealth(t *testing.T) {
	s := serve(t)
	for _, line := range []string{"GET /healthz", "GET /readyz"} {
		if got, want := s.do(t, request{line: line}).body, `{"msg":"","data":null}`; got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}

func TestHEADTakesNothing(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.scriptOf(t, key,
		opened("o"),
		step{line: "POST /offer/candidates", body: `["c1","c2"]`},
		step{line: "POST /answer/sdp", body: "a"},
		step{line: "POST /answer/candidate", body: "a1"},
	)
	for path, methods := range wantMethods {
		if !slices.Contains(methods, "HEAD") {
			continue
		}
		for _, query := range []string{"", "?wait=5", "?wait=nonsense&after=nonsense"} {
			a, err := s.try(t.Context(), request{line: "HEAD " + path + query, key: key})
			if err != nil || a.status != 200 || a.body != "" {
				t.Errorf("HEAD %s: got %d %q, %v, want 200 and no body", path+query, a.status, a.body, err)
			}
			if got, want := a.header.Get("Content-Type"), "application/json"; got != want && !strings.HasSuffix(path, "events") {
				t.Errorf("HEAD %s: Content-Type: got %q, want %q", path+query, got, want)
			}
		}
	}
	a, err := s.try(t.Context(), request{line: "HEAD /none"})
	if err != nil || a.status != 404 || a.body != "" {
		t.Errorf("HEAD of no route: got %d %q, %v, want 404 and no body", a.status, a.body, err)
	}
	s.scriptOf(t, key,
		step{line: "GET /answer/sdp", data: `"o"`},
		step{line: "GET /answer/candidates", data: `["c1","c2"]`},
		step{line: "GET /offer/sdp", data: `"a"`},
		step{line: "GET /offer/candidates", data: `["a1"]`},
	)
}

func TestPreflight(t *testing.T) {
	s := serve(t)
	paths := []string{"/", "/offer/sdp", "/answer/candidates/", "/session", "/offer/messages?wait=30", "/none", "/swagger/index.html"}
	for _, path := range paths {
		a, err := s.try(t.Context(), request{line: "OPTIONS " + path, header: [][2]string{
			{"Origin", "https://example.org"},
			{"Access-Control-Request-Method", "DELETE"},
			{"Access-Control-Request-Headers", "key,content-type"},
		}})
		if err != nil || a.body != "" || a.status != 204 && a.status != 200 {
			t.Errorf("OPTIONS %s: got %d %q, %v, want 204 without a body", path, a.status, a.body, err)
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin":   "*",
			"Access-Control-Expose-Headers": "Retry-After",
			"Access-Control-Max-Age":        "86400",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("OPTIONS %s: %s: got %q, want %q", path, name, got, want)
			}
		}
		for name, want := range map[string][]string{
			"Access-Control-Allow-Headers": {
				"key", "authorization", "content-type", "idempotency-key", "last-event-id", "x-offer-ticket", "x-answer-ticket", "x-member-ticket", "if-match",
			},
			"Access-Control-Allow-Methods": {"get", "head", "post", "put", "patch", "delete", "options"},
		} {
			got := strings.Split(strings.ReplaceAll(strings.ToLower(a.header.Get(name)), " ", ""), ",")
			for _, member := range want {
				if !slices.Contains(got, member) {
					t.Errorf("OPTIONS %s: %s: got %q, want it to list %q", path, name, got, member)
				}
			}
		}
	}
}
