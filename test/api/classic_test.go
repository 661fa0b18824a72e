package api_test

import (
	"testing"

	"signal-server/custerrors"
)

// TestClassic is the table of PROTOCOL, Section 4, row by row.
func TestClassic(t *testing.T) {
	s := serve(t)
	const (
		noKey  = custerrors.KeyNotFound
		ended  = custerrors.KeyIsExpired
		noSDP  = custerrors.SdpNoValues
		noCand = custerrors.CandidateNoValues
		exists = custerrors.SdpAlreadyExist
		noBody = custerrors.BodyIsEmpty
		noData = custerrors.DataIsEmpty
	)
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"a whole handshake", []step{
			{line: "POST /offer/sdp", body: `{"key_ttl":30,"data":"o"}`},
			{line: "POST /offer/candidate", body: "o1"},
			{line: "POST /offer/candidates", body: `["o2","o3"]`},
			{line: "GET /answer/sdp", data: `"o"`},
			{line: "GET /answer/candidate", data: `"o1"`},
			{line: "GET /answer/candidates", data: `["o2","o3"]`},
			{line: "POST /answer/sdp", body: "a"},
			{line: "POST /answer/candidate", body: "a1"},
			{line: "POST /answer/candidates", body: `["a2","a3"]`},
			{line: "GET /offer/sdp", data: `"a"`},
			{line: "GET /offer/candidates", data: `["a1","a2","a3"]`},
			{line: "GET /offer/candidate", msg: noCand},
			{line: "DELETE /session"},
		}},
		{"nothing there yet", []step{
			opened("o"),
			{line: "GET /offer/sdp", msg: noSDP},
			{line: "GET /offer/candidate", msg: noCand},
			{line: "GET /offer/candidates", msg: noCand},
			{line: "GET /answer/candidate", msg: noCand},
			{line: "GET /answer/candidates", msg: noCand},
		}},
		{"an sdp is put once while the session lives", []step{
			opened("o"),
			{line: "POST /offer/sdp", body: open("other"), msg: exists},
			{line: "GET /answer/sdp", data: `"o"`},
			{line: "POST /offer/sdp", body: open("other"), msg: exists},
			{line: "POST /answer/sdp", body: "a"},
			{line: "POST /answer/sdp", body: "other", msg: exists},
			{line: "GET /offer/sdp", data: `"a"`},
			{line: "POST /answer/sdp", body: "other", msg: exists},
			{line: "GET /offer/sdp", msg: noSDP},
		}},
		{"an sdp is taken once", []step{
			opened("o"),
			{line: "GET /answer/sdp", data: `"o"`},
			{line: "GET /answer/sdp", msg: noSDP},
			{line: "GET /answer/sdp?wait=0.01", msg: noSDP},
		}},
		{"nobody takes what they wrote", []step{
			opened("o"),
			{line: "POST /offer/candidate", body: "o1"},
			{line: "GET /offer/sdp", msg: noSDP},
			{line: "GET /offer/candidate", msg: noCand},
			{line: "GET /offer/candidates", msg: noCand},
			{line: "GET /answer/candidates", data: `["o1"]`},
			{line: "GET /answer/sdp", data: `"o"`},
		}},
		{"candidates come in the order they were posted", []step{
			opened("o"),
			{line: "POST /offer/candidate", body: "c1"},
			{line: "POST /offer/candidates", body: `["c2","c3"]`},
			{line: "POST /offer/candidate", body: "c4"},
			{line: "GET /answer/candidate", data: `"c1"`},
			{line: "GET /answer/candidate", data: `"c2"`},
			{line: "POST /offer/candidate", body: "c5"},
			{line: "GET /answer/candidates", data: `["c3","c4","c5"]`},
			{line: "GET /answer/candidates", msg: noCand},
			{line: "POST /offer/candidate", body: "c6"},
			{line: "GET /answer/candidates", data: `["c6"]`},
		}},
		{"equal candidates are not one", []step{
			opened("o"),
			{line: "POST /offer/candidates", body: `["c","c"]`},
			{line: "POST /offer/candidate", body: "c"},
			{line: "GET /answer/candidates", data: `["c","c","c"]`},
		}},
		{"the answer's candidates may come before its sdp", []step{
			opened("o"),
			{line: "POST /answer/candidate", body: "a1"},
			{line: "GET /offer/candidate", data: `"a1"`},
			{line: "GET /offer/sdp", msg: noSDP},
			{line: "POST /answer/sdp", body: "a"},
			{line: "GET /offer/sdp", data: `"a"`},
		}},
		{"no session of that key", []step{
			{line: "GET /answer/sdp", msg: noKey},
			{line: "GET /offer/sdp", msg: noKey},
			{line: "GET /offer/candidate", msg: noKey},
			{line: "GET /answer/candidate", msg: noKey},
			{line: "GET /offer/candidates", msg: noKey},
			{line: "GET /answer/candidates", msg: noKey},
			{line: "POST /answer/sdp", body: "a", msg: noKey},
			{line: "POST /offer/candidate", body: "c", msg: noKey},
			{line: "POST /answer/candidate", body: "c", msg: noKey},
			{line: "POST /offer/candidates", body: `["c"]`, msg: noKey},
			{line: "POST /answer/candidates", body: `["c"]`, msg: noKey},
			{line: "GET /offer/messages", msg: noKey},
			{line: "GET /answer/messages", msg: noKey},
			{line: "POST /offer/messages", body: `{"candidates":["c"]}`, msg: noKey},
			{line: "POST /answer/messages", body: `{"sdp":"a"}`, msg: noKey},
			{line: "DELETE /session", msg: noKey},
		}},
		{"after DELETE", []step{
			opened("o"),
			{line: "POST /offer/candidate", body: "o1"},
			{line: "DELETE /session"},
			{line: "GET /answer/sdp", msg: ended},
			{line: "GET /offer/sdp", msg: ended},
			{line: "GET /offer/candidate", msg: ended},
			{line: "GET /answer/candidate", msg: ended},
			{line: "GET /offer/candidates", msg: ended},
			{line: "GET /answer/candidates", msg: ended},
			{line: "POST /answer/sdp", body: "a", msg: ended},
			{line: "POST /offer/candidate", body: "c", msg: ended},
			{line: "POST /answer/candidate", body: "c", msg: ended},
			{line: "POST /offer/candidates", body: `["c"]`, msg: ended},
			{line: "POST /answer/candidates", body: `["c"]`, msg: ended},
			{line: "GET /offer/messages", msg: ended},
			{line: "GET /answer/messages", msg: ended},
			{line: "POST /offer/messages", body: `{"candidates":["c"]}`, msg: ended},
			{line: "POST /answer/messages", body: `{"sdp":"a"}`, msg: ended},
			{line: "DELETE /session", msg: ended},
		}},
		{"the key of a session that has ended opens an empty one", []step{
			opened("old"),
			{line: "POST /offer/candidate", body: "old"},
			{line: "POST /answer/sdp", body: "old"},
			{line: "POST /answer/candidate", body: "old"},
			{line: "DELETE /session"},
			opened("new"),
			{line: "GET /answer/candidates", msg: noCand},
			{line: "GET /offer/candidates", msg: noCand},
			{line: "GET /offer/sdp", msg: noSDP},
			{line: "GET /answer/sdp", data: `"new"`},
			{line: "POST /answer/sdp", body: "a"},
			{line: "GET /offer/sdp", data: `"a"`},
		}},
		{"only the offer opens", []step{
			{line: "POST /answer/sdp", body: "a", msg: noKey},
			{line: "POST /answer/messages", body: `{"sdp":"a","candidates":["c"]}`, msg: noKey},
			{line: "POST /offer/candidates", body: `["c"]`, msg: noKey},
			{line: "GET /offer/sdp", msg: noKey},
		}},
		{"blank bodies", []step{
			{line: "POST /offer/sdp", msg: noData},
			{line: "POST /offer/sdp", body: " \r\n\t", msg: noData},
			{line: "POST /offer/sdp", body: `{}`, msg: noData},
			{line: "POST /offer/sdp", body: `{"key_ttl":30}`, msg: noData},
			{line: "POST /offer/sdp", body: `{"data":""}`, msg: noData},
			{line: "POST /offer/sdp", body: `{"data":" \r\n\t\u00a0\u2003"}`, msg: noData},
			{line: "POST /offer/sdp", body: `{"data":null}`, msg: noData},
			opened("o"),
			{line: "POST /answer/sdp", msg: noBody},
			{line: "POST /answer/sdp", body: " \r\n\t\u00a0\u2003", msg: noBody},
			{line: "POST /offer/candidate", msg: noBody},
			{line: "POST /answer/candidate", body: "\n", msg: noBody},
			{line: "POST /offer/candidates", msg: noBody},
			{line: "POST /offer/candidates", body: `[]`, msg: noBody},
			{line: "POST /offer/candidates", body: `[""]`, msg: noBody},
			{line: "POST /offer/candidates", body: `["c"," "]`, msg: noBody},
			{line: "POST /answer/messages", msg: noBody},
			{line: "POST /answer/messages", body: "\t", msg: noBody},
			{line: "POST /answer/messages", body: `{}`, msg: noBody},
			{line: "POST /answer/messages", body: `{"key_ttl":3}`, msg: noBody},
			{line: "POST /answer/messages", body: `{"sdp":null,"candidates":null}`, msg: noBody},
			{line: "POST /answer/messages", body: `{"candidates":[]}`, msg: noBody},
			{line: "POST /answer/messages", body: `{"sdp":" "}`, msg: noBody},
			{line: "POST /answer/messages", body: `{"sdp":"a","candidates":["c",""]}`, msg: noBody},
			{line: "GET /answer/candidates", msg: noCand}, // no refused candidate was written
			{line: "GET /offer/candidates", msg: noCand},
			{line: "GET /offer/sdp", msg: noSDP},
		}},
	} {
		t.Run(test.name, func(t *testing.T) { s.script(t, test.steps...) })
	}
}
