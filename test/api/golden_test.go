package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goldens are answers, byte for byte, as in testdata/golden/NAME.http; `go test ./test/api -run Golden -update` writes these files anew. The
// header Date is left out, cursors are NEXT, and Retry-After is SECONDS, because they differ each time.
var goldens = []struct {
	golden string
	before []step
	line   string
	body   string
	after  []step // while the request waits
}{
	{golden: "done", line: "POST /offer/sdp", body: open("o")},
	{golden: "done", before: []step{opened("o")}, line: "POST /offer/candidate", body: "c"},
	{golden: "done", before: []step{opened("o")}, line: "POST /answer/candidates", body: `["c"]`},
	{golden: "done", before: []step{opened("o")}, line: "DELETE /session"},
	{golden: "healthy", line: "GET /healthz"},
	{golden: "healthy", line: "GET /readyz"},
	{golden: "sdp", before: []step{opened("v=0\r\n\"é🔑\"\u2028</\x00\\")}, line: "GET /answer/sdp"},
	{
		golden: "sdp", line: "GET /answer/sdp?wait=30", // which is the same answer, after a wait
		after: []step{opened("v=0\r\n\"é🔑\"\u2028</\x00\\")},
	},
	{golden: "candidate", before: []step{opened("o"), {line: "POST /offer/candidate", body: "c\n"}}, line: "GET /answer/candidate"},
	{
		golden: "candidates", before: []step{opened("o"), {line: "POST /offer/candidates", body: `["c1","\u0063\/2"]`}},
		line: "GET /answer/candidates",
	},
	{
		golden: "messages", before: []step{{line: "POST /offer/messages", body: `{"sdp":"o","candidates":["c1","c2"]}`, data: news()}},
		line: "GET /answer/messages",
	},
	{
		golden: "messages", line: "GET /answer/messages?wait=30",
		after: []step{{line: "POST /offer/messages", body: `{"sdp":"o","candidates":["c1","c2"]}`, data: news()}},
	},
	{golden: "no messages", before: []step{opened("o")}, line: "POST /offer/messages", body: `{"candidates":["c"]}`},
	{golden: "no sdp", before: []step{opened("o")}, line: "GET /offer/sdp"},
	{golden: "no sdp", before: []step{opened("o")}, line: "GET /offer/sdp?wait=0.1"},
	{golden: "no sdp", before: []step{opened("o")}, line: "GET /offer/messages"},
	{golden: "no candidate", before: []step{opened("o")}, line: "GET /answer/candidates"},
	{golden: "key not found", line: "GET /answer/sdp"},
	{golden: "key is expired", before: []step{opened("o"), {line: "DELETE /session"}}, line: "GET /answer/sdp"},
	{golden: "sdp already exists", before: []step{opened("o")}, line: "POST /offer/sdp", body: open("p")},
	{golden: "400", line: "POST /answer/sdp"},
	{golden: "404", line: "GET /none"},
	{golden: "405", line: "PUT /offer/sdp"},
	{golden: "405 of a method unknown", line: "FOO /session"},
	{golden: "413", line: "POST /answer/sdp", body: strings.Repeat("x", 64<<10+1)},
	{golden: "413 and the end", line: "POST /answer/sdp", body: strings.Repeat("x", 256<<10+1)},
	{golden: "429", before: []step{opened("o")}, line: "POST /offer/candidates", body: times(129, "c")},
	{golden: "preflight", line: "OPTIONS /offer/sdp"},
	{golden: "head", line: "HEAD /offer/sdp"},
}

func TestGolden(t *testing.T) {
	s := serve(t)
	for _, test := range goldens {
		t.Run(test.golden+" "+test.line, func(t *testing.T) {
			key := newKey()
			s.scriptOf(t, key, test.before...)
			conn, _ := s.dial(t)
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nkey: %s\r\nContent-Length: %d\r\n\r\n%s", test.line, key, len(test.body), test.body)
			if test.after != nil {
				s.grow(t, key, 1, ages[1])
				s.scriptOf(t, key, test.after...)
			}
			compare(t, test.golden, wholeAnswer(t, conn, test.line))
		})
	}
	for name, sent := range map[string]string{
		"400 of what is not HTTP": "garbage\r\n\r\n",
		"431":                     "GET /" + strings.Repeat("x", 9000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := s.dial(t)
			io.WriteString(conn, sent)
			compare(t, name, wholeAnswer(t, conn, "GET"))
		})
	}
}

var jitter = regexp.MustCompile(`Retry-After: [0-9]+`)

var date = regexp.MustCompile(`(?m)^Date: .*\r\n`)

// wholeAnswer reads the answer to that request as it came over the wire, without Date and cursors.
func wholeAnswer(t *testing.T, conn io.Reader, line string) []byte {
	t.Helper()
	var wire bytes.Buffer
	method, _, _ := strings.Cut(line, " ")
	resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &wire)), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	still := jitter.ReplaceAll(date.ReplaceAll(wire.Bytes(), nil), []byte("Retry-After: SECONDS"))
	return cursors.ReplaceAll(still, []byte(`"next":"NEXT"`))
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", strings.ReplaceAll(name, " ", "-")+".http")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got  %q\n want %q", file, got, want)
	}
}
