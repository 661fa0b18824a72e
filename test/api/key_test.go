package api_test

import (
	"net/url"
	"strings"
	"testing"

	"signal-server/custerrors"
)

// keyed is every route that takes a key.
var keyed = []struct{ line, body string }{
	{"POST /offer/sdp", `{"data":"o"}`},
	{"POST /answer/sdp", "a"},
	{"GET /offer/sdp", ""},
	{"GET /answer/sdp", ""},
	{"POST /offer/candidate", "c"},
	{"POST /answer/candidate", "c"},
	{"GET /offer/candidate", ""},
	{"GET /answer/candidate", ""},
	{"POST /offer/candidates", `["c"]`},
	{"POST /answer/candidates", `["c"]`},
	{"GET /offer/candidates", ""},
	{"GET /answer/candidates", ""},
	{"POST /offer/messages", `{"sdp":"o"}`},
	{"POST /answer/messages", `{"sdp":"a"}`},
	{"GET /offer/messages", ""},
	{"GET /answer/messages", ""},
	{"POST /offer/outcome", `{"result":"connected","candidate_type":"host","ms":1}`},
	{"POST /answer/outcome", `{"result":"failed","ms":1}`},
	{"DELETE /session", ""},
}

// withQuery adds a member to the query of a request line.
func withQuery(line, member string) string {
	if strings.Contains(line, "?") {
		return line + "&" + member
	}
	return line + "?" + member
}

func TestKeyIsCheckedEverywhere(t *testing.T) {
	s := serve(t)
	long := strings.Repeat("k", 33)
	blank := url.QueryEscape(" \t\u2003")
	for _, route := range keyed {
		for _, test := range []struct {
			name string
			r    request
			want custerrors.Error
		}{
			{"no key", request{line: route.line}, custerrors.KeyIsEmpty},
			{"no key, with wait", request{line: withQuery(route.line, "wait=5")}, custerrors.KeyIsEmpty},
			{"blank in the header", request{line: route.line, header: [][2]string{{"key", "  "}}}, custerrors.KeyIsEmpty},
			{"empty in the query", request{line: withQuery(route.line, "key=")}, custerrors.KeyIsEmpty},
			{"without a value in the query", request{line: withQuery(route.line, "key")}, custerrors.KeyIsEmpty},
			{"blank in the query", request{line: withQuery(route.line, "key="+blank)}, custerrors.KeyIsEmpty},
			{"in another case in the query", request{line: withQuery(route.line, "KEY=k")}, custerrors.KeyIsEmpty},
			{"33 characters in the header", request{line: route.line, key: long}, custerrors.KeyIsTooLong},
			{"33 characters in the query", request{line: withQuery(route.line, "key="+long)}, custerrors.KeyIsTooLong},
			{
				"33 characters in the header, a good one in the query",
				request{line: withQuery(route.line, "key="+newKey()), key: long},
				custerrors.KeyIsTooLong,
			},
		} {
			test.r.body = route.body
			s.do(t, test.r).expect(t, route.line+": "+test.name, test.want, "")
		}
	}
}

// TestKeyLength tries 32 and 33 characters. A character is a code point, not a byte and not a UTF-16 unit.
func TestKeyLength(t *testing.T) {
	s := serve(t)
	for _, test := range []struct{ name, fill string }{
		{"one byte", "k"},
		{"two bytes", "é"},
		{"three bytes", "键"},
		{"four bytes, a surrogate pair", "🔑"},
		{"combining marks", "\u0301"},
	} {
		t.Run(test.name, func(t *testing.T) {
			suffix := newKey()[:8]
			key := strings.Repeat(test.fill, 24) + suffix
			query := url.QueryEscape(key)
			s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")}).expect(t, "32 in the header", "", "")
			s.do(t, request{line: "GET /answer/sdp?key=" + query}).expect(t, "32 in the query", "", `"o"`)
			long := test.fill + key
			s.do(t, request{line: "DELETE /session", key: long}).expect(t, "33 in the header", custerrors.KeyIsTooLong, "")
			s.do(t, request{line: "DELETE /session?key=" + url.QueryEscape(long)}).
				expect(t, "33 in the query", custerrors.KeyIsTooLong, "")
			padded := "%20%20" + query + "%20%0A%09"
			s.do(t, request{line: "DELETE /session?key=" + padded}).expect(t, "32 and spaces around", "", "")
		})
	}
}

func TestKeyNames(t *testing.T) {
	s := serve(t)
	for name, test := range map[string]struct {
		openAt, takeAt func(key string) request
	}{
		"header and header": {
			func(key string) request { return request{line: "POST /offer/sdp", key: key} },
			func(key string) request { return request{line: "GET /answer/sdp", key: key} },
		},
		"query and header": {
			func(key string) request { return request{line: "POST /offer/sdp?key=" + key} },
			func(key string) request { return request{line: "GET /answer/sdp", key: key} },
		},
		"spaces around it in the header": {
			func(key string) request {
				return request{line: "POST /offer/sdp", header: [][2]string{{"key", "  " + key + " \t "}}}
			},
			func(key string) request { return request{line: "GET /answer/sdp", key: key} },
		},
		"spaces around it in the query": {
			func(key string) request { return request{line: "POST /offer/sdp?key=%20+" + key + "+%09"} },
			func(key string) request { return request{line: "GET /answer/sdp?key=" + key} },
		},
		"the header's name in any case": {
			func(key string) request { return request{line: "POST /offer/sdp", header: [][2]string{{"KEY", key}}} },
			func(key string) request { return request{line: "GET /answer/sdp", header: [][2]string{{"kEy", key}}} },
		},
		"the header wins": {
			func(key string) request { return request{line: "POST /offer/sdp?key=" + newKey(), key: key} },
			func(key string) request { return request{line: "GET /answer/sdp?wait=1&key=" + newKey(), key: key} },
		},
		"a blank header is none": {
			func(key string) request {
				return request{line: "POST /offer/sdp?key=" + key, header: [][2]string{{"key", " "}}}
			},
			func(key string) request { return request{line: "GET /answer/sdp", key: key} },
		},
		"among other members of the query": {
			func(key string) request { return request{line: "POST /offer/sdp?x=1&&=&key=" + key + "&wait=0"} },
			func(key string) request { return request{line: "GET /answer/sdp?wait=0&key=" + key + "&y"} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			key := newKey()
			put := test.openAt(key)
			put.body = open("o")
			s.do(t, put).expect(t, "open", "", "")
			s.do(t, test.takeAt(key)).expect(t, "take", "", `"o"`)
		})
	}
}

// TestKeysAreOpaque opens sessions of keys that look alike. Each key has its own session.
func TestKeysAreOpaque(t *testing.T) {
	s := serve(t)
	base := newKey()[:16]
	keys := []string{
		base, strings.ToLower(base), base + "/", base + " x", base + "%20x", base + "+x", base + "\x00", base + "\x00\x00",
		base + "é", base + "e\u0301", base + "\xff", base + "\xfe", base + "\n.", base + "#", base + "?key=a", base + "&", base + `"`,
		base + `\`, base + "\u202e", base + "\ufeff", base + "{x}", "{" + base + "}", base + ":offer", base + "*",
	}
	for _, key := range keys {
		s.do(t, request{line: "POST /offer/sdp?key=" + url.QueryEscape(key), body: open(url.QueryEscape(key))}).
			expect(t, "open "+quote(key), "", "")
	}
	for _, key := range keys {
		s.do(t, request{line: "GET /answer/sdp?key=" + url.QueryEscape(key)}).
			expect(t, "take "+quote(key), "", quote(url.QueryEscape(key)))
	}
}
