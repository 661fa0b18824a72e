package api_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signal-server/custerrors"
)

// wantStatus is the status of each msg, by PROTOCOL.
var wantStatus = map[custerrors.Error]int{
	"": 200,

	custerrors.KeyNotFound:       200,
	custerrors.KeyIsExpired:      200,
	custerrors.SdpNoValues:       200,
	custerrors.SdpAlreadyExist:   200,
	custerrors.CandidateNoValues: 200,

	custerrors.KeyIsEmpty:              400,
	custerrors.KeyIsTooLong:            400,
	custerrors.DataIsEmpty:             400,
	custerrors.BodyIsEmpty:             400,
	custerrors.BodyIsNotUTF8:           400,
	custerrors.BodyIsCompressed:        415,
	custerrors.BodyIsNotJSON:           400,
	custerrors.CursorIsInvalid:         400,
	custerrors.WaitIsInvalid:           400,
	custerrors.IdempotencyKeyIsInvalid: 400,
	custerrors.RequestIsInvalid:        400,

	custerrors.NotAuthenticated:       401,
	custerrors.NotAllowed:             403,
	custerrors.HTTPSIsRequired:        403,
	custerrors.RouteNotFound:          404,
	custerrors.MethodNotAllowed:       405,
	custerrors.RequestIsTooSlow:       408,
	custerrors.BodyIsTooLong:          413,
	custerrors.IdempotencyKeyIsReused: 422,
	custerrors.QueueIsFull:            429,
	custerrors.TooManyRequests:        429,
	custerrors.HeaderIsTooLong:        431,
	custerrors.CacheOverrunMaxCost:    503,
	custerrors.ServerIsOverloaded:     503,
	custerrors.ServerIsShuttingDown:   503,
}

// answer is an answer that came back.
type answer struct {
	status int
	header http.Header
	body   string
	msg    custerrors.Error
	data   string // JSON
}

// read reads the whole answer and takes its envelope apart; check says whether it is one. A stream is an error, since it would go on.
func read(resp *http.Response) (answer, error) {
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		return newAnswer(resp, nil), errors.New("a stream")
	}
	body, err := io.ReadAll(resp.Body)
	return newAnswer(resp, body), err
}

func newAnswer(resp *http.Response, body []byte) answer {
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	var envelope struct {
		Msg  custerrors.Error `json:"msg"`
		Data json.RawMessage  `json:"data"`
	}
	if json.Unmarshal(body, &envelope) == nil {
		a.msg, a.data = envelope.Msg, string(envelope.Data)
	}
	return a
}

// envelope is every answer's shape, byte for byte.
var envelope = regexp.MustCompile(`^\{"msg":"(?:|[^"\\]+","data":null\}$|","data":)`)

// retryAfter is none, or one to three seconds: clients that were refused together should not come back together.
var retryAfter = regexp.MustCompile(`^[1-3]?$`)

// check reports what this answer lacks of what every answer has. what names the request: its method and path, if it has them.
func (a answer) check(t testing.TB, what string) {
	t.Helper()
	if !envelope.MatchString(a.body) || !json.Valid([]byte(a.body)) {
		t.Errorf("%s: got the body %q, want the envelope", what, a.body)
	}
	if want, ok := wantStatus[a.msg]; !ok || a.status != want {
		t.Errorf("%s: got the status %d with msg %q, want %d (a status of PROTOCOL: %v)", what, a.status, a.msg, want, ok)
	}
	later := a.status == 429 && a.msg != custerrors.QueueIsFull || a.status == 503
	var expose []string // headers that pages of other origins may read
	if later {
		expose = append(expose, "Retry-After")
	}
	for _, name := range ticketHeaders {
		if a.header.Get(name) != "" {
			expose = append(expose, name)
		}
	}
	gotExpose := a.header.Values("Access-Control-Expose-Headers")
	if got, want := slices.Sorted(slices.Values(gotExpose)), slices.Sorted(slices.Values(expose)); !slices.Equal(got, want) {
		t.Errorf("%s: header Access-Control-Expose-Headers: got %q, want %q", what, got, want)
	}
	if got := a.header.Get("Retry-After"); (got != "") != later || !retryAfter.MatchString(got) {
		t.Errorf("%s: header Retry-After: got %q with status %d, want a number of seconds with 429, but of a full queue, and 503 only", what, got, a.status)
	}
	for name, want := range map[string]string{
		"Content-Type":                "application/json",
		"X-Content-Type-Options":      "nosniff",
		"Access-Control-Allow-Origin": "*",
	} {
		if got := strings.Join(a.header.Values(name), " & "); got != want {
			t.Errorf("%s: header %s: got %q, want %q", what, name, got, want)
		}
	}
	// A take is destructive, so nothing between here and the client may keep its answer.
	if got := a.header.Get("Cache-Control"); got != "no-store" && strings.HasPrefix(what, "GET ") {
		t.Errorf("%s: header Cache-Control: got %q, want no-store", what, got)
	}
}

// readAnswer reads the answer to a request of that method from a connection.
func readAnswer(t testing.TB, br *bufio.Reader, method string) answer {
	t.Helper()
	a, err := tryAnswer(br, method)
	if err != nil {
		t.Fatalf("got %v, want an answer", err)
	}
	return a
}

func tryAnswer(br *bufio.Reader, method string) (answer, error) {
	resp, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	a, err := read(resp)
	if resp.Close { // ReadResponse takes the header away
		a.header.Set("Connection", "close")
	}
	return a, err
}
