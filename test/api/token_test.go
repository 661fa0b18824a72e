package api_test

import (
	"testing"
	"time"

	"signal-server/custerrors"
)

// TestTokenIsBound sends tokens again with another route, or with another body.
func TestTokenIsBound(t *testing.T) {
	s := serve(t)
	const reused = custerrors.IdempotencyKeyIsReused
	k := token
	for name, steps := range map[string][]step{
		"another route": {
			{line: "POST /offer/sdp", body: open("o"), header: k("1")},
			{line: "POST /offer/candidate", body: open("o"), header: k("1"), msg: reused},
			{line: "POST /offer/candidate", body: "o1", header: k("1"), msg: reused},
			{line: "POST /offer/candidates", body: `["o1"]`, header: k("1"), msg: reused},
			{line: "POST /offer/messages", body: `{"sdp":"o"}`, header: k("1"), msg: reused},
			{line: "POST /offer/candidate", body: `["o1"]`, header: k("2")},
			{line: "POST /offer/candidates", body: `["o1"]`, header: k("2"), msg: reused},
			{line: "GET /answer/messages", data: news("sdp o", `candidate ["o1"]`)},
		},
		"another body": {
			{line: "POST /offer/sdp", body: open("o"), header: k("1")},
			{line: "POST /offer/sdp", body: open("p"), header: k("1"), msg: reused},
			{line: "POST /offer/sdp", body: `{"data":"o","key_ttl":5}`, header: k("1"), msg: reused},
			{line: "POST /offer/candidate", body: "o1", header: k("2")},
			{line: "POST /offer/candidate", body: "o2", header: k("2"), msg: reused},
			{line: "POST /offer/candidate?idempotency_key=2", body: "o2", msg: reused},
			{line: "POST /offer/candidates", body: `["o3","o4"]`, header: k("3")},
			{line: "POST /offer/candidates", body: `["o3"]`, header: k("3"), msg: reused},
			{line: "POST /offer/messages", body: `{"candidates":["o5"]}`, header: k("4"), data: news()},
			{line: "POST /offer/messages?wait=5", body: `{"candidates":["o6"]}`, header: k("4"), msg: reused},
			{line: "POST /answer/sdp", body: "a", header: k("1")},
			{line: "POST /answer/sdp", body: "b", header: k("1"), msg: reused},
			{line: "GET /answer/candidates", data: `["o1","o3","o4","o5"]`},
		},
		"wait and after are not part of it": {
			{line: "POST /offer/messages?wait=0.1", body: `{"sdp":"o"}`, header: k("1"), msg: custerrors.SdpNoValues},
			{line: "POST /answer/sdp", body: "a"},
			{line: "POST /offer/messages", body: `{"sdp":"o"}`, header: k("1"), data: news("sdp a")},
			{line: "POST /offer/messages?wait=5", body: `{"sdp":"o"}`, header: k("1"), data: news("sdp a")},
			{line: "POST /offer/messages/", body: `{"sdp":"o"}`, header: k("1"), data: news("sdp a")}, // a slash is the same route
		},
		"a take's": {
			opened("o"),
			{line: "POST /offer/candidates", body: `["o1","o2"]`},
			{line: "GET /answer/candidate", header: k("1"), data: `"o1"`},
			{line: "GET /answer/candidates", header: k("1"), msg: reused},
			{line: "GET /answer/sdp", header: k("1"), msg: reused},
			{line: "POST /answer/candidate", body: "a1", header: k("1"), msg: reused},
			{line: "POST /answer/candidate", body: "a1", header: k("2")},
			{line: "GET /answer/candidate?wait=5", header: k("2"), msg: reused},
			{line: "GET /answer/candidates", data: `["o2"]`},
			{line: "GET /offer/candidates", data: `["a1"]`},
		},
	} {
		t.Run(name, func(t *testing.T) { s.script(t, steps...) })
	}
}

// TestTakesRepeated takes again with the same token, on each route: as a client does that has lost the answer.
func TestTakesRepeated(t *testing.T) {
	s := serve(t)
	k := token
	for name, steps := range map[string][]step{
		"each take": {
			opened("o"),
			{line: "POST /offer/candidates", body: `["o1","o2","o3"]`},
			{line: "GET /answer/sdp", header: k("1"), data: `"o"`},
			{line: "GET /answer/sdp", header: k("1"), data: `"o"`},
			{line: "GET /answer/sdp", header: k("other"), msg: custerrors.SdpNoValues},
			{line: "GET /answer/sdp", msg: custerrors.SdpNoValues},
			{line: "GET /answer/candidate", header: k("2"), data: `"o1"`},
			{line: "GET /answer/candidate", header: k("2"), data: `"o1"`},
			{line: "GET /answer/candidate?wait=5&idempotency_key=2", data: `"o1"`},
			{line: "GET /answer/candidates", header: k("3"), data: `["o2","o3"]`},
			{line: "POST /offer/candidate", body: "o4"},
			{line: "GET /answer/candidates?idempotency_key=3", data: `["o2","o3"]`},
			{line: "GET /answer/candidates?wait=5", header: k("3"), data: `["o2","o3"]`},
			{line: "GET /answer/candidates", data: `["o4"]`},
			{line: "GET /answer/candidate", header: k("2"), data: `"o1"`},
		},
		"what got nothing is asked anew": {
			opened("o"),
			{line: "GET /offer/sdp", header: k("1"), msg: custerrors.SdpNoValues},
			{line: "GET /offer/sdp?wait=0.05", header: k("1"), msg: custerrors.SdpNoValues},
			{line: "POST /answer/sdp", body: "a"},
			{line: "GET /offer/sdp?wait=5", header: k("1"), data: `"a"`},
			{line: "GET /offer/sdp", header: k("1"), data: `"a"`},
		},
		"of the session and the role": {
			opened("o"),
			{line: "POST /answer/sdp", body: "a"},
			{line: "GET /answer/sdp", header: k("1"), data: `"o"`},
			{line: "GET /offer/sdp", header: k("1"), data: `"a"`},
			{line: "DELETE /session"},
			{line: "GET /answer/sdp", header: k("1"), msg: custerrors.KeyIsExpired},
			opened("p"),
			{line: "GET /answer/sdp", header: k("1"), data: `"p"`},
		},
	} {
		t.Run(name, func(t *testing.T) { s.script(t, steps...) })
	}
}

// TestParkedTakesRepeated lets takes with tokens wait until they are parked, and loses one of two connections. The token is read once the
// request is gone.
func TestParkedTakesRepeated(t *testing.T) {
	s := serve(t)
	for _, tt := range []struct{ take, post, body, data string }{
		{"GET /offer/sdp?wait=20", "POST /answer/sdp", "a", `"a"`},
		{"GET /offer/candidate?wait=20", "POST /answer/candidate", "a1", `"a1"`},
		{"GET /offer/candidates?wait=20", "POST /answer/candidates", `["a1","a2"]`, `["a1","a2"]`},
	} {
		t.Run(tt.take, func(t *testing.T) {
			key := newKey()
			s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")}).expect(t, "the offer", "", "")
			first := s.start(t, request{line: tt.take, key: key, header: token("parked-1")})
			second := s.start(t, request{line: tt.take, key: key, header: token("parked-1")})
			s.grow(t, key, 2, 100*time.Millisecond)
			s.do(t, request{line: tt.post, key: key, body: tt.body}).expect(t, "the post", "", "")
			first().expect(t, "the first", "", tt.data)
			second().expect(t, "its repetition", "", tt.data)
			s.do(t, request{line: tt.take, key: key, header: token("parked-1")}).expect(t, "later", "", tt.data)
			other := s.do(t, request{line: tt.take[:len(tt.take)-len("?wait=20")], key: key})
			if other.msg != custerrors.SdpNoValues && other.msg != custerrors.CandidateNoValues {
				t.Errorf("without the token: got %q, want nothing to take", other.msg)
			}
		})
	}
}
