package api_test

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"signal-server/app/gate/auth"
	"signal-server/custerrors"
)

const (
	tooLong = custerrors.BodyIsTooLong
	full    = custerrors.QueueIsFull
)

// fills are texts of n bytes before escaping, and of more after it.
var fills = map[string]func(n int) string{
	"plain":        func(n int) string { return strings.Repeat("x", n) },
	"quotes":       func(n int) string { return strings.Repeat(`"`, n) },
	"controls":     func(n int) string { return strings.Repeat("\x01", n) },
	"two bytes":    func(n int) string { return strings.Repeat("x", n%2) + strings.Repeat("é", n/2) },
	"astral":       func(n int) string { return strings.Repeat("x", n%4) + strings.Repeat("🔑", n/4) },
	"mostly blank": func(n int) string { return strings.Repeat(" ", n-1) + "x" },
}

func TestPayloadBytes(t *testing.T) {
	s := serve(t, func(o *options) { // so that only the payload's own limit is met, which counts before escaping
		o.config.Wire.BodyBytes, o.config.Limits.SessionBytes = 1<<20, 1<<20
	})
	const sdp, candidate = 64 << 10, 4 << 10
	for name, fill := range fills {
		t.Run(name, func(t *testing.T) {
			sdpFits, sdpOver := fill(sdp), fill(sdp+1)
			fits, over := fill(candidate), fill(candidate+1)
			s.script(t,
				step{line: "POST /offer/sdp", body: open(sdpOver), msg: tooLong},
				step{line: "POST /offer/messages", body: `{"sdp":` + quote(sdpOver) + `}`, msg: tooLong},
				step{line: "POST /offer/sdp", body: open(sdpFits)},
				step{line: "POST /offer/candidate", body: over, msg: tooLong},
				step{line: "POST /offer/candidates", body: `["c",` + quote(over) + `]`, msg: tooLong},
				step{line: "POST /offer/messages", body: `{"candidates":["c",` + quote(over) + `]}`, msg: tooLong},
				step{line: "POST /offer/candidate", body: fits},
				step{line: "POST /offer/candidates", body: `[` + quote(fits) + `]`},
				step{line: "POST /offer/messages", body: `{"candidates":[` + quote(fits) + `]}`, data: news()},
				step{line: "POST /answer/sdp", body: sdpOver, msg: tooLong},
				step{line: "POST /answer/messages", body: `{"sdp":` + quote(sdpOver) + `,"candidates":["c"]}`, msg: tooLong},
				step{line: "POST /answer/sdp", body: sdpFits},
				step{line: "GET /answer/sdp", data: quote(sdpFits)},
				step{line: "GET /answer/candidates", data: "[" + strings.Join([]string{quote(fits), quote(fits), quote(fits)}, ",") + "]"},
				step{line: "GET /offer/sdp", data: quote(sdpFits)},
				step{line: "GET /offer/candidates", msg: custerrors.CandidateNoValues},
			)
		})
	}
}

func TestCandidatesOfARole(t *testing.T) {
	s := serve(t)
	for name, steps := range map[string][]step{
		"one by one": append(
			append([]step{opened("o")}, repeat(128, step{line: "POST /offer/candidate", body: "c"})...),
			step{line: "POST /offer/candidate", body: "c", msg: full},
			step{line: "POST /offer/candidates", body: `["c"]`, msg: full},
			step{line: "POST /offer/messages", body: `{"candidates":["c"]}`, msg: full},
			step{line: "POST /answer/candidates", body: times(128, "c")}, // the other role has its own
			step{line: "POST /answer/candidate", body: "c", msg: full},
			step{line: "GET /answer/candidates", data: times(128, "c")},
			step{line: "POST /offer/candidate", body: "c", msg: full}, // candidates that were taken can still be read
		),
		"at once": {
			opened("o"),
			{line: "POST /offer/candidates", body: times(129, "c"), msg: full},
			{line: "POST /offer/candidates", body: times(127, "c")},
			{line: "POST /offer/candidates", body: times(2, "d"), msg: full},
			{line: "POST /offer/candidates", body: times(1, "c")},
			{line: "GET /answer/candidates", data: times(128, "c")},
		},
		"with the offer": {
			{line: "POST /offer/messages", body: `{"sdp":"o","candidates":` + times(129, "c") + `}`, msg: full},
			{line: "GET /answer/sdp", msg: custerrors.KeyNotFound},
			{line: "POST /offer/messages", body: `{"sdp":"o","candidates":` + times(128, "c") + `}`, data: news()},
			{line: "POST /offer/messages", body: `{"candidates":["c"]}`, msg: full},
		},
		"with the answer": {
			opened("o"),
			{line: "POST /answer/messages", body: `{"sdp":"a","candidates":` + times(129, "c") + `}`, msg: full},
			{line: "GET /offer/sdp", msg: custerrors.SdpNoValues},
			{line: "POST /answer/messages", body: `{"sdp":"a","candidates":` + times(128, "c") + `}`, data: news("sdp o")},
			{line: "GET /offer/sdp", data: `"a"`},
		},
	} {
		t.Run(name, func(t *testing.T) { s.script(t, steps...) })
	}
}

func repeat(n int, st step) []step {
	steps := make([]step, n)
	for i := range steps {
		steps[i] = st
	}
	return steps
}

// TestSessionBytes fills a session to its last byte: 64 KiB each for the two sdp, and 32 candidates of 4 KiB.
func TestSessionBytes(t *testing.T) {
	s := serve(t)
	for name, fill := range fills {
		if name == "controls" || name == "quotes" {
			continue // they are stored longer: TestSessionBytesAsStored
		}
		t.Run(name, func(t *testing.T) {
			sdp, candidate := fill(64<<10), fill(4<<10)
			steps := []step{{line: "POST /offer/sdp", body: open(sdp)}, {line: "POST /answer/sdp", body: sdp}}
			steps = append(steps, repeat(16, step{line: "POST /offer/candidate", body: candidate})...)
			steps = append(steps, repeat(15, step{line: "POST /answer/candidate", body: candidate})...)
			steps = append(steps,
				step{line: "POST /answer/candidates", body: `["x",` + quote(candidate) + `]`, msg: tooLong},
				step{line: "POST /answer/candidate", body: candidate},
				step{line: "POST /offer/candidate", body: "x", msg: tooLong},
				step{line: "POST /answer/candidates", body: `["x"]`, msg: tooLong},
				step{line: "POST /answer/messages", body: `{"candidates":["x"]}`, msg: tooLong},
				step{line: "GET /answer/candidates", data: "[" + strings.TrimSuffix(strings.Repeat(quote(candidate)+",", 16), ",") + "]"},
				step{line: "POST /offer/candidate", body: "x", msg: tooLong}, // candidates that were taken can still be read
				step{line: "GET /answer/sdp", data: quote(sdp)},
				step{line: "GET /offer/sdp", data: quote(sdp)},
			)
			s.script(t, steps...)
		})
	}
}

// TestSessionBytesAsStored fills a session to its last byte with what is stored longer than it is sent: as text, and as JSON. Its sdp is not too
// long for an sdp.
func TestSessionBytesAsStored(t *testing.T) {
	s := serve(t, func(o *options) { o.config.Wire.BodyBytes = 1 << 20 }) // so that only the session's limit is met
	const limit = 256 << 10
	for name, each := range map[string]struct {
		payload string
		stored  int // bytes
	}{"controls": {"\x01", 6}, "quotes": {`"`, 2}, "backslashes": {`\`, 2}} {
		t.Run(name, func(t *testing.T) {
			longest := min(limit/each.stored, 64<<10)
			sdp, rest := strings.Repeat(each.payload, longest), limit-longest*each.stored
			if rest > 4<<10 { // the longest sdp is not enough: an answer is the rest
				answer := strings.Repeat(each.payload, (rest-1)/each.stored-1)
				rest -= len(answer) * each.stored
				s.script(t,
					step{line: "POST /offer/sdp", body: open(sdp)},
					step{line: "POST /answer/sdp", body: answer},
					step{line: "POST /answer/candidate", body: strings.Repeat("x", rest+1), msg: tooLong},
					step{line: "POST /answer/candidates", body: `["` + strings.Repeat("x", rest+1) + `"]`, msg: tooLong},
					step{line: "POST /answer/candidate", body: strings.Repeat("x", rest)},
					step{line: "POST /offer/candidate", body: "x", msg: tooLong},
					step{line: "GET /offer/sdp", data: quote(answer)},
				)
				return
			}
			x := strings.Repeat("x", rest)
			s.script(t,
				step{line: "POST /offer/sdp", body: open(sdp + x + "x"), msg: tooLong},
				step{line: "POST /offer/messages", body: `{"sdp":` + quote(sdp+x) + `,"candidates":["x"]}`, msg: tooLong},
				step{line: "POST /offer/sdp", body: open(sdp + x)},
				step{line: "POST /answer/candidate", body: "x", msg: tooLong},
				step{line: "GET /answer/sdp", data: quote(sdp + x)},
			)
		})
	}
}

// padded returns the JSON text with white space, n bytes long.
func padded(n int, text string) string { return text + strings.Repeat(" ", n-len(text)) }

func TestBodyBytes(t *testing.T) {
	s := serve(t)
	const limit = 256 << 10
	for name, chunked := range map[string]bool{"Content-Length": false, "chunked": true} {
		t.Run(name, func(t *testing.T) {
			key := newKey()
			post := func(n int, what string, msg custerrors.Error, wantClose bool) {
				t.Helper()
				conn, br := s.dial(t)
				body := padded(n, open("o"))
				head := "POST /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: " + key + "\r\n"
				if chunked {
					fmt.Fprintf(conn, "%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", head, n, body)
				} else {
					fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", head, n, body)
				}
				a := readAnswer(t, br, http.MethodPost)
				a.check(t, what)
				a.expect(t, what, msg, "")
				if got := a.header.Get("Connection") == "close"; got != wantClose {
					t.Errorf("%s: Connection: close: got %v, want %v", what, got, wantClose)
				}
			}
			post(limit+1, "one more", tooLong, true)
			s.do(t, request{line: "GET /answer/sdp", key: key}).expect(t, "refused", custerrors.KeyNotFound, "")
			post(limit, "at the limit", "", false)
			s.do(t, request{line: "GET /answer/sdp", key: key}).expect(t, "taken", "", `"o"`)
		})
	}
}

// TestLargeBodiesAreAnswered checks that a client learns why it was refused even if it sends more than it may and reads only then. A
// connection that is closed while bytes are on their way is reset, and the answer may be lost.
func TestLargeBodiesAreAnswered(t *testing.T) {
	s := serve(t)
	lost := 0
	const rounds = 10
	for i := range rounds {
		body := strings.Repeat("x", 300<<10<<(i%5))
		a, err := s.try(t.Context(), request{line: "POST /offer/candidate", key: newKey(), body: body})
		if err != nil {
			lost++
			t.Logf("%d bytes: %v", len(body), err)
			continue
		}
		a.check(t, "a large body")
		a.expect(t, "a large body", tooLong, "")
	}
	if lost > 0 {
		t.Errorf("answers that were lost: got %d of %d, want 0", lost, rounds)
	}
}

func TestHeaderBytes(t *testing.T) {
	headerBytes(t, 8<<10)
	const other = 1 << 10
	headerBytes(t, other, func(o *options) { o.config.Server.HeaderBytes = other })
}

// headerBytes checks that the request line and headers, with the empty line, may have so many bytes, and no more.
func headerBytes(t *testing.T, limit int, changes ...func(*options)) {
	t.Helper()
	s := serve(t, changes...)
	for name, test := range map[string]struct{ before, after string }{
		"in a header": {"GET /answer/sdp HTTP/1.1\r\nHost: x\r\nkey: " + newKey() + "\r\nX: ", "\r\n\r\n"},
		"in the path": {"GET /answer/sdp?x=", " HTTP/1.1\r\nHost: x\r\nkey: " + newKey() + "\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{limit, limit + 1, 2 * limit, 100 * limit} {
				conn, br := s.dial(t)
				conn.Write([]byte(test.before + strings.Repeat("x", n-len(test.before)-len(test.after)) + test.after))
				what := strconv.Itoa(n) + " bytes"
				a := readAnswer(t, br, http.MethodGet)
				a.check(t, what)
				want, wantClose := custerrors.KeyNotFound, false
				if n > limit {
					want, wantClose = custerrors.HeaderIsTooLong, true
				}
				a.expect(t, what, want, "")
				if got := a.header.Get("Connection") == "close"; got != wantClose {
					t.Errorf("%s: Connection: close: got %v, want %v", what, got, wantClose)
				}
			}
		})
	}
}

// TestLongHeadsOfBrowsersAndTokens sends 6 KiB of cookies, as other programs of the same site may have made them, and the longest token.
func TestLongHeadsOfBrowsersAndTokens(t *testing.T) {
	token := strings.Repeat("x", auth.MaxTokenLength)
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, fmt.Appendf(nil, "sha256:%x\n", sha256.Sum256([]byte(token))), 0o600); err != nil {
		t.Fatal(err)
	}
	guard, err := auth.Open(t.Context(), auth.Config{TokensFile: tokens}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Close()
	s := serve(t, func(o *options) { o.config.Guard = guard })
	browser := [][2]string{
		{"Cookie", "session=" + strings.Repeat("c", 6<<10)},
		{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Safari/537.36"},
	}
	if a, err := s.try(t.Context(), request{line: "GET /", header: browser}); err != nil || a.status != http.StatusOK {
		t.Errorf("the page with 6 KiB of cookies: got %d, %v, want 200", a.status, err)
	}
	for what, r := range map[string]request{
		"in the header": {line: "GET /answer/sdp", header: [][2]string{{"Authorization", "Bearer " + token}, browser[1], browser[2]}},
		"in the query":  {line: "GET /answer/sdp?access_token=" + token, header: browser[1:]},
	} {
		r.key = newKey()
		s.do(t, r).expect(t, "a token of 6 KiB "+what, custerrors.KeyNotFound, "")
	}
}

func TestWaitIsCut(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *options) { o.config.Wire.MaxWait = 300 * time.Millisecond })
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	began := time.Now()
	var answers []func() answer
	for _, wait := range []string{"0.3", "0.30001", "30", "31", "1000000", strings.Repeat("9", 400), "999999999999.999"} {
		answers = append(answers, s.start(t, request{line: "GET /offer/sdp?wait=" + wait, key: key}))
	}
	for _, answer := range answers {
		answer().expect(t, "a wait", custerrors.SdpNoValues, "")
		if got, want := time.Since(began), 300*time.Millisecond; got < want {
			t.Errorf("got an answer after %v, want it after %v", got, want)
		}
	}
}

func TestWaitIsInvalid(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	for _, wait := range []string{
		"x", "-1", "%2B1", "1s", "1e3", "0x1", "1_0", "Inf", "NaN", ".", "..", "1.2.3", "1,5", "1;2", "%00", "1%001", "１", "+",
	} {
		for _, line := range []string{
			"GET /offer/sdp", "GET /offer/candidate", "GET /offer/candidates", "GET /offer/messages", "POST /offer/messages",
		} {
			a := s.do(t, request{line: line + "?wait=" + wait, key: key, body: `{"candidates":["c"]}`})
			a.expect(t, line+"?wait="+wait, custerrors.WaitIsInvalid, "")
		}
	}
	for _, wait := range []string{"0", "0.0", "00", ".0", "0.", "000.000", "0.001", ".001", "0.0000000000000000000001"} {
		s.do(t, request{line: "GET /offer/sdp?wait=" + wait, key: key}).expect(t, "wait="+wait, custerrors.SdpNoValues, "")
	}
	s.do(t, request{line: "GET /answer/candidates", key: key}). // what was refused was not written
									expect(t, "afterwards", custerrors.CandidateNoValues, "")
}
