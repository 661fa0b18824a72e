package api_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"signal-server/custerrors"
)

// step is one request of a script and the answer that it must get.
type step struct {
	line string // method and path; $ stands for the latest cursor
	body string
	msg  custerrors.Error
	data string // JSON, with every cursor as NEXT; "" is null
	// where there are any
	header [][2]string
}

// script runs the steps one after the other, on a key of their own.
func (s *server) script(t *testing.T, steps ...step) {
	t.Helper()
	s.scriptOf(t, newKey(), steps...)
}

func (s *server) scriptOf(t *testing.T, key string, steps ...step) {
	t.Helper()
	var next string
	for i, st := range steps {
		a := s.do(t, request{line: strings.ReplaceAll(st.line, "$", next), key: key, body: st.body, header: st.header})
		a.expect(t, fmt.Sprintf("step %d, %s %.100s", i+1, st.line, st.body), st.msg, st.data)
		if c := a.next(t); c != "" {
			next = c
		}
	}
}

// expect checks that the answer is this. data is JSON, "" is null.
func (a answer) expect(t testing.TB, what string, msg custerrors.Error, data string) {
	t.Helper()
	if data == "" {
		data = "null"
	}
	if got := cursors.ReplaceAllString(a.data, `"next":"NEXT"`); a.msg != msg || got != data {
		t.Errorf("%s:\n got  %q %.500s\n want %q %.500s", what, a.msg, got, msg, data)
	}
}

// cursors matches what a cursor may look like: 1 to 16 characters that are safe in a URL (RFC 3986, Section 2.3).
var cursors = regexp.MustCompile(`"next":"[A-Za-z0-9._~-]{1,16}"`)

// next returns the cursor of an answer with messages, or "" if there is none.
func (a answer) next(t testing.TB) string {
	t.Helper()
	if !strings.HasPrefix(a.data, "{") {
		return ""
	}
	var news struct{ Next string }
	if err := json.Unmarshal([]byte(a.data), &news); err != nil {
		t.Fatalf("got the data %s, want messages", a.data)
	}
	return news.Next
}

// news is the data of an answer with these messages, each a kind and a payload: "sdp o", "candidate c1".
func news(messages ...string) string {
	list := make([]string, len(messages))
	for i, m := range messages {
		kind, payload, _ := strings.Cut(m, " ")
		list[i] = fmt.Sprintf(`{"type":"%s","data":%s}`, kind, quote(payload))
	}
	return `{"next":"NEXT","messages":[` + strings.Join(list, ",") + `]}`
}

// quote returns the text as JSON.
func quote(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// open is the body of POST /offer/sdp.
func open(data string) string { return `{"data":` + quote(data) + `}` }

// opened is a step that opens the session.
func opened(data string) step { return step{line: "POST /offer/sdp", body: open(data)} }

// token is an Idempotency-Key as a step's header.
func token(value string) [][2]string { return [][2]string{{"Idempotency-Key", value}} }

// times returns the text n times as a JSON array.
func times(n int, text string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(quote(text)+",", n), ",") + "]"
}
