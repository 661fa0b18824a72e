package api_test

import (
	"testing"

	"signal-server/custerrors"
)

// TestMessages is PROTOCOL, Section 5, without waits.
func TestMessages(t *testing.T) {
	s := serve(t)
	const (
		noSDP  = custerrors.SdpNoValues
		noCand = custerrors.CandidateNoValues
		exists = custerrors.SdpAlreadyExist
		ended  = custerrors.KeyIsExpired
	)
	for name, steps := range map[string][]step{
		"a whole handshake": {
			{line: "POST /offer/messages", body: `{"key_ttl":30,"sdp":"o","candidates":["o1","o2"]}`, data: news()},
			{line: "GET /answer/messages", data: news("sdp o", "candidate o1", "candidate o2")},
			{line: "POST /answer/messages?after=$", body: `{"sdp":"a","candidates":["a1"]}`, msg: "", data: news()},
			{line: "GET /offer/messages", data: news("sdp a", "candidate a1")},
			{line: "POST /answer/messages", body: `{"candidates":["a2"]}`, data: news("sdp o", "candidate o1", "candidate o2")},
		},
		"each cursor goes on where the last one ended": {
			{line: "POST /offer/messages", body: `{"sdp":"o"}`, data: news()},
			{line: "GET /answer/messages", data: news("sdp o")},
			{line: "GET /answer/messages?after=$", msg: noCand},
			{line: "POST /offer/candidate", body: "o1"},
			{line: "GET /answer/messages?after=$", data: news("candidate o1")},
			{line: "GET /answer/messages?after=$", msg: noCand},
			{line: "POST /offer/candidates", body: `["o2","o3"]`},
			{line: "GET /answer/messages?after=$", data: news("candidate o2", "candidate o3")},
			{line: "GET /answer/messages?after=$", msg: noCand},
		},
		"a repeated request gets the same again": {
			{line: "POST /offer/messages", body: `{"sdp":"o","candidates":["o1"]}`, data: news()},
			{line: "GET /answer/messages", data: news("sdp o", "candidate o1")},
			{line: "GET /answer/messages", data: news("sdp o", "candidate o1")},
			{line: "GET /answer/messages?after=", data: news("sdp o", "candidate o1")},
			{line: "GET /answer/messages?after", data: news("sdp o", "candidate o1")},
			{line: "POST /offer/candidate", body: "o2"},
			{line: "GET /answer/messages", data: news("sdp o", "candidate o1", "candidate o2")},
		},
		"nothing new": {
			opened("o"),
			{line: "GET /offer/messages", msg: noSDP},
			{line: "GET /offer/messages?wait=0.01", msg: noSDP},
			{line: "POST /offer/messages", body: `{"candidates":["o1"]}`, data: news()},
			{line: "GET /offer/messages?after=$", msg: noSDP},
			{line: "POST /offer/messages?wait=0.01", body: `{"candidates":["o2"]}`, msg: noSDP},
			{line: "POST /answer/sdp", body: "a"},
			{line: "GET /offer/messages?after=$", data: news("sdp a")},
			{line: "GET /offer/messages?after=$", msg: noCand},
			{line: "POST /offer/messages?after=$", body: `{"candidates":["o3"]}`, data: news()},
			{line: "POST /offer/messages?after=$&wait=0.01", body: `{"candidates":["o4"]}`, msg: noCand},
			{line: "GET /answer/candidates", data: `["o1","o2","o3","o4"]`}, // each was written
		},
		"candidates are held back until their sdp is there": {
			opened("o"),
			{line: "POST /answer/messages", body: `{"candidates":["a1"]}`, data: news("sdp o")},
			{line: "POST /answer/candidate", body: "a2"},
			{line: "GET /offer/messages", msg: noSDP},
			{line: "GET /offer/messages?wait=0.01", msg: noSDP},
			{line: "POST /answer/messages", body: `{"candidates":["a3"],"sdp":"a"}`, data: news("sdp o")},
			{line: "GET /offer/messages", data: news("sdp a", "candidate a1", "candidate a2", "candidate a3")},
			{line: "GET /offer/candidates", data: `["a1","a2","a3"]`}, // they can also be taken, in their order
		},
		"reading and taking are independent": {
			opened("o"),
			{line: "POST /offer/candidates", body: `["o1","o2"]`},
			{line: "GET /answer/sdp", data: `"o"`},
			{line: "GET /answer/candidate", data: `"o1"`},
			{line: "GET /answer/messages", data: news("sdp o", "candidate o1", "candidate o2")},
			{line: "GET /answer/candidates", data: `["o2"]`},
			{line: "GET /answer/messages", data: news("sdp o", "candidate o1", "candidate o2")},
			{line: "GET /answer/sdp", msg: noSDP},
			{line: "POST /offer/messages", body: `{"candidates":["o3"]}`, data: news()},
			{line: "GET /answer/messages?after=", data: news("sdp o", "candidate o1", "candidate o2", "candidate o3")},
			{line: "GET /answer/candidate", data: `"o3"`},
		},
		"a write is all or nothing": {
			{line: "POST /offer/messages", body: `{"sdp":"o","candidates":["o1"]}`, data: news()},
			{line: "POST /offer/messages", body: `{"sdp":"p","candidates":["p1"]}`, msg: exists},
			{line: "POST /answer/messages", body: `{"sdp":"a","candidates":["a1"]}`, data: news("sdp o", "candidate o1")},
			{line: "POST /answer/messages", body: `{"sdp":"b","candidates":["b1"]}`, msg: exists},
			{line: "GET /offer/candidates", data: `["a1"]`},
			{line: "GET /answer/candidates", data: `["o1"]`},
		},
		"both ways of one session": {
			opened("o"),
			{line: "POST /offer/messages", body: `{"sdp":"p"}`, msg: exists},
			{line: "POST /answer/messages", body: `{"sdp":"a"}`, data: news("sdp o")},
			{line: "POST /answer/sdp", body: "b", msg: exists},
			{line: "GET /offer/sdp", data: `"a"`},
		},
		"a cursor of a session that has ended": {
			{line: "POST /offer/messages", body: `{"sdp":"o","candidates":["o1"]}`, data: news()},
			{line: "GET /answer/messages", data: news("sdp o", "candidate o1")},
			{line: "DELETE /session"},
			{line: "GET /answer/messages?after=$", msg: ended},
			{line: "GET /answer/messages?after=$&wait=5", msg: ended},
			opened("new"),
			{line: "POST /offer/candidates", body: `["new1","new2"]`},
			{line: "GET /answer/messages?after=$", msg: ended},
			{line: "GET /answer/messages?after=$&wait=5", msg: ended},
			{line: "POST /answer/messages?after=$&wait=5", body: `{"sdp":"a"}`, msg: ended},
			{line: "GET /answer/messages", data: news("sdp new", "candidate new1", "candidate new2")},
			{line: "GET /answer/messages?after=$", msg: noCand},
		},
	} {
		t.Run(name, func(t *testing.T) { s.script(t, steps...) })
	}
}

func TestCursorsThatAreNot(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/messages", key: key, body: `{"sdp":"o","candidates":["o1"]}`})
	good := s.do(t, request{line: "GET /answer/messages", key: key}).next(t)
	for _, cursor := range []string{
		"x", "0", "-1", "1", good + "A", good + "=", good[1:], good[:len(good)-1], good + "%00", "%20" + good, good + good,
		good[:3] + "%2B" + good[4:], good[:3] + "%2F" + good[4:], good[:3] + ".." + good[5:], "AAAAAAAAAAA", "null", "%ff", "🔑",
		"99999999999999999999999999999999999999999999999999999999999999999999999999",
	} {
		for _, line := range []string{"GET /answer/messages", "POST /answer/messages"} {
			a := s.do(t, request{line: line + "?wait=5&after=" + cursor, key: key, body: `{"candidates":["c"]}`})
			a.expect(t, line+"?after="+cursor, custerrors.CursorIsInvalid, "")
		}
	}
	s.do(t, request{line: "GET /offer/candidates", key: key}). // the refused were not written
									expect(t, "afterwards", custerrors.CandidateNoValues, "")

	// The cursor is beyond the log that the offerer reads: the cursor counts two messages, that log has one.
	s.do(t, request{line: "POST /answer/sdp", key: key, body: "a"})
	s.do(t, request{line: "GET /offer/messages?wait=5&after=" + good, key: key}).
		expect(t, "a cursor of the other log", custerrors.CursorIsInvalid, "")
}

func TestIdempotency(t *testing.T) {
	s := serve(t)
	const (
		exists  = custerrors.SdpAlreadyExist
		invalid = custerrors.IdempotencyKeyIsInvalid
	)
	k := token
	for name, steps := range map[string][]step{
		"each POST": {
			{line: "POST /offer/sdp", body: open("o"), header: k("1")},
			{line: "POST /offer/sdp", body: open("o"), header: k("1")},
			{line: "POST /answer/sdp", body: "a", header: k("1")},
			{line: "POST /answer/sdp", body: "a", header: k("1")},
			{line: "POST /offer/candidate", body: "o1", header: k("2")},
			{line: "POST /offer/candidate", body: "o1", header: k("2")},
			{line: "POST /offer/candidates", body: `["o2","o3"]`, header: k("3")},
			{line: "POST /offer/candidates", body: `["o2","o3"]`, header: k("3")},
			{line: "POST /offer/messages", body: `{"candidates":["o4"]}`, header: k("4"), data: news("sdp a")},
			{line: "POST /offer/messages", body: `{"candidates":["o4"]}`, header: k("4"), data: news("sdp a")},
			{line: "GET /answer/candidates", data: `["o1","o2","o3","o4"]`},
			{line: "POST /offer/candidate", body: "o1", header: k("2")}, // also after it was taken
			{line: "GET /answer/candidates", msg: custerrors.CandidateNoValues},
			{line: "GET /answer/messages", data: news("sdp o", "candidate o1", "candidate o2", "candidate o3", "candidate o4")},
		},
		"the opening with messages": {
			{line: "POST /offer/messages", body: `{"sdp":"o","candidates":["o1"]}`, header: k("1"), data: news()},
			{line: "POST /offer/messages", body: `{"sdp":"o","candidates":["o1"]}`, header: k("1"), data: news()},
			{line: "POST /answer/messages", body: `{"sdp":"a","candidates":["a1"]}`, header: k("1"), data: news("sdp o", "candidate o1")},
			{line: "POST /answer/messages", body: `{"sdp":"a","candidates":["a1"]}`, header: k("1"), data: news("sdp o", "candidate o1")},
			{line: "POST /offer/messages?wait=5", body: `{"sdp":"o","candidates":["o1"]}`, header: k("1"), data: news("sdp a", "candidate a1")},
			{line: "GET /answer/candidates", data: `["o1"]`},
			{line: "GET /offer/candidates", data: `["a1"]`},
		},
		"one that does not wait brings the cursor that the wait did not": {
			{line: "POST /offer/messages?wait=0.01", body: `{"sdp":"o"}`, header: k("1"), msg: custerrors.SdpNoValues},
			{line: "POST /offer/messages", body: `{"sdp":"o"}`, header: k("1"), data: news()},
			{line: "DELETE /session"},
			opened("the other side's"),
			{line: "GET /offer/messages?after=$", msg: custerrors.KeyIsExpired},
			{line: "GET /offer/messages?after=$&wait=5", msg: custerrors.KeyIsExpired},
			{line: "POST /offer/messages?after=$&wait=5", body: `{"candidates":["o1"]}`, msg: custerrors.KeyIsExpired},
			{line: "GET /answer/messages", data: news("sdp the other side's")},
		},
		"without a token, or with another": {
			{line: "POST /offer/sdp", body: open("o"), header: k("1")},
			{line: "POST /offer/sdp", body: open("o"), msg: exists},
			{line: "POST /offer/sdp", body: open("o"), header: k("2"), msg: exists},
			{line: "POST /offer/candidate", body: "o1"},
			{line: "POST /offer/candidate", body: "o1"},
			{line: "POST /offer/candidate", body: "o1", header: k("a")},
			{line: "POST /offer/candidate", body: "o1", header: k("A")},
			{line: "GET /answer/candidates", data: `["o1","o1","o1","o1"]`},
		},
		"a token is the role's": {
			{line: "POST /offer/sdp", body: open("o"), header: k("1")},
			{line: "POST /answer/sdp", body: "a", header: k("1")},
			{line: "POST /answer/candidate", body: "a1", header: k("2")},
			{line: "POST /offer/candidate", body: "o1", header: k("2")},
			{line: "GET /offer/messages", data: news("sdp a", "candidate a1")},
			{line: "GET /answer/messages", data: news("sdp o", "candidate o1")},
		},
		"a token is the session's": {
			{line: "POST /offer/sdp", body: open("o"), header: k("1")},
			{line: "POST /offer/candidate", body: "o1", header: k("2")},
			{line: "DELETE /session"},
			{line: "POST /offer/candidate", body: "o1", header: k("2"), msg: custerrors.KeyIsExpired},
			{line: "POST /offer/sdp", body: open("new"), header: k("1")},
			{line: "POST /offer/candidate", body: "new1", header: k("2")},
			{line: "GET /answer/messages", data: news("sdp new", "candidate new1")},
		},
		"what was refused is tried again": {
			{line: "POST /answer/sdp", body: "a", header: k("1"), msg: custerrors.KeyNotFound},
			opened("o"),
			{line: "POST /answer/sdp", body: " ", header: k("1"), msg: custerrors.BodyIsEmpty},
			{line: "POST /answer/sdp", body: "a", header: k("1")},
			{line: "POST /answer/candidates", body: times(129, "c"), header: k("2"), msg: full},
			{line: "POST /answer/candidates", body: times(128, "c"), header: k("2")},
			{line: "POST /answer/candidates", body: times(128, "c"), header: k("2")}, // the queue is full, but this was done before
			{line: "POST /answer/candidates", body: times(1, "c"), header: k("3"), msg: full},
			{line: "GET /offer/candidates", data: times(128, "c")},
		},
		"how long a token is": {
			opened("o"),
			{line: "POST /offer/candidate", body: "c", header: k(""), msg: invalid},
			{line: "POST /offer/candidate", body: "c", header: k(times(64, "")[:65]), msg: invalid},
			{line: "POST /offer/candidate", body: "1", header: k(times(64, "")[:64])},
			{line: "POST /offer/candidate", body: "1", header: k(times(64, "")[:64])},
			{line: "POST /offer/candidate", body: "2", header: k("!")},
			{line: "POST /offer/candidate", body: "3", header: k("~\"\\'{}")},
			{line: "POST /offer/candidate", body: "4", header: k(" trimmed ")},
			{line: "POST /offer/candidate", body: "4", header: k("trimmed")},
			{line: "POST /offer/candidate", body: "c", header: k("a b"), msg: invalid},
			{line: "POST /offer/candidate", body: "c", header: k("a\tb"), msg: invalid},
			{line: "POST /offer/candidate", body: "c", header: k("é"), msg: invalid},
			{line: "POST /offer/candidate", body: "c", header: k("\xff"), msg: invalid},
			{line: "POST /offer/candidates", body: `["c"]`, header: k("é"), msg: invalid},
			{line: "POST /offer/messages", body: `{"candidates":["c"]}`, header: k("é"), msg: invalid},
			{line: "POST /answer/sdp", body: "c", header: k("é"), msg: invalid},
			{line: "POST /offer/sdp", body: open("c"), header: k("é"), msg: invalid},
			{line: "GET /answer/messages", header: k("é"), data: news("sdp o", "candidate 1", "candidate 2", "candidate 3", "candidate 4")}, // only what a POST or a take has is looked at
			{line: "GET /answer/candidates", header: k("é"), msg: invalid},
			{line: "GET /answer/candidate", header: k(""), msg: invalid},
			{line: "GET /answer/sdp?wait=5", header: k("a b"), msg: invalid},
			{line: "GET /answer/candidates", data: `["1","2","3","4"]`},
		},
	} {
		t.Run(name, func(t *testing.T) { s.script(t, steps...) })
	}
}

// TestTokenInTheQuery sends the token in the query, as a page of another origin does. The header wins.
func TestTokenInTheQuery(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	for range 2 {
		s.do(t, request{line: "POST /offer/candidate?idempotency_key=a", key: key, body: "1"}).expect(t, "by the query", "", "null")
	}
	s.do(t, request{line: "POST /offer/candidate?idempotency_key=a", key: key, body: "2", header: token("b")}).expect(t, "by both", "", "null")
	s.do(t, request{line: "GET /answer/candidates", key: key}).expect(t, "candidates", "", `["1","2"]`)
	s.do(t, request{line: "POST /offer/candidate?idempotency_key=", key: key, body: "3"}).
		expect(t, "an empty one", custerrors.IdempotencyKeyIsInvalid, "")
}
