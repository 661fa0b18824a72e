package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"signal-server/app/apptest"
)

// posted is every route that takes a body: what comes before it, how to read back what the server took, and what encoding/json reads in
// the body if it is JSON.
var posted = []struct {
	line, read string
	opened     bool // the session is open before
	want       func(body []byte) (payloads []string, ok bool)
}{
	{line: "POST /offer/sdp", read: "GET /answer/sdp", want: members("data", "")},
	{line: "POST /answer/sdp", read: "GET /offer/sdp", opened: true, want: text},
	{line: "POST /offer/candidate", read: "GET /answer/candidate", opened: true, want: text},
	{line: "POST /offer/candidates", read: "GET /answer/candidates", opened: true, want: array},
	{line: "POST /offer/messages", read: "GET /answer/messages", want: members("sdp", "candidates")},
}

func text(body []byte) ([]string, bool) { return []string{string(body)}, utf8.Valid(body) }

func array(body []byte) (payloads []string, ok bool) {
	return payloads, utf8.Valid(body) && json.Unmarshal(body, &payloads) == nil
}

// members reads the payloads of an object: first that of the member one, then those of the member many. Names are case-sensitive.
func members(one, many string) func([]byte) ([]string, bool) {
	return func(body []byte) ([]string, bool) {
		var object map[string]json.RawMessage
		var first string
		var rest []string
		if !utf8.Valid(body) || json.Unmarshal(body, &object) != nil || json.Unmarshal(object[one], &first) != nil {
			return nil, false
		}
		if list, ok := object[many]; ok && many != "" && json.Unmarshal(list, &rest) != nil {
			return nil, false
		}
		return append([]string{first}, rest...), true
	}
}

// payloadsOf returns the payloads in an answer's data, whichever route gave it.
func payloadsOf(t *testing.T, data string) (payloads []string) {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(data), &value); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	switch value := value.(type) {
	case string:
		payloads = append(payloads, value)
	case []any:
		for _, one := range value {
			payloads = append(payloads, one.(string))
		}
	case map[string]any:
		for _, one := range value["messages"].([]any) {
			payloads = append(payloads, one.(map[string]any)["data"].(string))
		}
	}
	return payloads
}

// FuzzBodies posts any body. What the server takes can be read back: JSON as encoding/json reads it, text byte for byte.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		`{"sdp":"o","candidates":["c1","c2"]}`, `{"data":"o","key_ttl":30}`, `["c1","c2"]`, "text", " ", `"\u00e9\ud83d\ude00"`,
		`{"sdp":"\ud800"}`, `{"sdp":"\u0000\"\\\/\b"}`, `{"sdp":"a","sdp":"b"}`, `{"sdp":null,"candidates":[]}`, `{"key_ttl":1e999,"data":"x"}`,
		`{"SDP":"o"}`, "\xef\xbb\xbf{}", "\xff", `{"x":{"y":[1,{"z":[]}]},"sdp":"o"}`, `["c",]`, `[1]`, `{"candidates":["",null]}`, "a\x00b",
	} {
		for route := range uint8(len(posted)) {
			f.Add(route, []byte(body))
		}
	}
	send := fuzzed(f, func(c *apptest.Config) { c.Limits.TTL, c.Limits.Lifetime = time.Minute, time.Minute })
	f.Fuzz(func(t *testing.T, route uint8, body []byte) {
		p := posted[int(route)%len(posted)]
		sent := []byte("DELETE /session HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n")
		if p.opened {
			sent = appendPost(sent, "POST /offer/sdp", []byte(`{"data":"the offer"}`))
		}
		sent = appendPost(sent, p.line, body)
		sent = append(sent, p.read+" HTTP/1.1\r\nHost: x\r\nkey: k\r\n\r\n"...)
		answers := send(t, sent)
		if p.opened && len(answers) > 0 {
			answers = answers[1:]
		}
		if len(answers) < 2 {
			t.Fatalf("got %+v, want an answer to each request", answers)
		}
		if answers[1].msg != "" {
			return // it was refused, with a msg of the contract, as check has found
		}
		if len(answers) != 3 {
			t.Fatalf("got %+v, want an answer to each request", answers)
		}
		want, ok := p.want(body)
		if got := payloadsOf(t, answers[2].data); !ok || !slices.Equal(got, want) {
			t.Errorf("%s %q: it was taken, and read back as %q, want %q (valid: %v)", p.line, body, got, want, ok)
		}
	})
}

func appendPost(dst []byte, line string, body []byte) []byte {
	return fmt.Appendf(dst, "%s HTTP/1.1\r\nHost: x\r\nkey: k\r\nContent-Length: %d\r\n\r\n%s", line, len(body), body)
}
