package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signal-server/custerrors"
)

// soon is far less than any wait here, and far more than anything else takes: an answer within it did not wait until the end.
const soon = 15 * time.Second

// ages are how long waits have lasted when something happens to them: the server holds old waits otherwise than young ones.
var ages = []time.Duration{0, 60 * ms}

// grow returns when n requests have waited for the key for that long.
func (s *server) grow(t *testing.T, key string, n int, age time.Duration) {
	t.Helper()
	s.store.await(t, key, n)
	if age > 0 {
		<-time.After(age)
		s.store.await(t, key, n)
	}
}

// lapse returns when so much time has passed on the server: it sends a request that waits for that long.
func (s *server) lapse(t *testing.T, d time.Duration) {
	t.Helper()
	line := fmt.Sprintf("GET /answer/sdp?wait=%v", d.Seconds())
	s.do(t, request{line: line, key: newKey()}).expect(t, line, custerrors.KeyNotFound, "")
}

// within checks that f, which gets an answer, does not take longer than soon.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > soon {
		t.Errorf("%s: got an answer after %v, want it at once", what, took)
	}
}

// TestAnswererWaitsBeforeTheSessionIsOpened lets every GET of the answerer, that of messages included, wait for what comes later.
func TestAnswererWaitsBeforeTheSessionIsOpened(t *testing.T) {
	s := serve(t)
	for _, age := range ages {
		for line, data := range map[string]string{
			"GET /answer/sdp?wait=30":        `"o"`,
			"GET /answer/candidate?wait=30":  `"o1"`,
			"GET /answer/candidates?wait=30": `["o1","o2"]`,
			"GET /answer/messages?wait=30":   news("sdp o"),
		} {
			key := newKey()
			within(t, line, func() {
				answer := s.start(t, request{line: line, key: key})
				s.grow(t, key, 1, age)
				s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
				if strings.Contains(line, "candidate") {
					s.do(t, request{line: "POST /offer/candidates", key: key, body: `["o1","o2"]`})
				}
				answer().expect(t, line, "", data)
			})
		}
	}
}

func TestOffererIsToldAtOnceThatThereIsNoSession(t *testing.T) {
	s := serve(t)
	for _, line := range []string{
		"GET /offer/sdp", "GET /offer/candidate", "GET /offer/candidates", "GET /offer/messages", "POST /offer/messages", "POST /answer/messages",
	} {
		within(t, line, func() {
			a := s.do(t, request{line: line + "?wait=30", key: newKey(), body: `{"candidates":["c"]}`})
			a.expect(t, line, custerrors.KeyNotFound, "")
		})
	}
}

// waits is every request that can wait in an open session that has nothing for it, with what ends the wait, and the answer.
var waits = []struct {
	line, body     string
	byLine, byBody string
	data           string
	ends           custerrors.Error // the msg when the time is up
}{
	{line: "GET /offer/sdp", byLine: "POST /answer/sdp", byBody: "a", data: `"a"`, ends: custerrors.SdpNoValues},
	{
		line: "GET /offer/candidate", byLine: "POST /answer/candidate", byBody: "a1", data: `"a1"`,
		ends: custerrors.CandidateNoValues,
	},
	{
		line: "GET /offer/candidates", byLine: "POST /answer/candidates", byBody: `["a1","a2"]`, data: `["a1","a2"]`,
		ends: custerrors.CandidateNoValues,
	},
	{
		line: "GET /answer/candidate", byLine: "POST /offer/candidates", byBody: `["o1","o2"]`, data: `"o1"`,
		ends: custerrors.CandidateNoValues,
	},
	{
		line: "GET /offer/messages", byLine: "POST /answer/messages", byBody: `{"sdp":"a","candidates":["a1"]}`,
		data: news("sdp a", "candidate a1"), ends: custerrors.SdpNoValues,
	},
	{
		line: "POST /offer/messages", body: `{"candidates":["o1"]}`, byLine: "POST /answer/sdp", byBody: "a",
		data: news("sdp a"), ends: custerrors.SdpNoValues,
	},
	{
		line: "GET /answer/messages?after=$", byLine: "POST /offer/candidate", byBody: "o1", data: news("candidate o1"),
		ends: custerrors.CandidateNoValues,
	},
	{
		line: "POST /answer/messages?after=$", body: `{"sdp":"a"}`, byLine: "POST /offer/messages", byBody: `{"candidates":["o1"]}`,
		data: news("candidate o1"), ends: custerrors.CandidateNoValues,
	},
}

// waiting opens a session and returns a request that will wait in it.
func (s *server) waiting(t *testing.T, line, body, wait string) request {
	t.Helper()
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	next := s.do(t, request{line: "GET /answer/messages", key: key}).next(t)
	return request{line: withQuery(strings.ReplaceAll(line, "$", next), "wait="+wait), key: key, body: body}
}

func TestWaitsAreEndedByNews(t *testing.T) {
	s := serve(t)
	for i := range len(waits) * len(ages) {
		w, age := waits[i/len(ages)], ages[i%len(ages)]
		within(t, w.line, func() {
			r := s.waiting(t, w.line, w.body, "30")
			answer := s.start(t, r)
			s.grow(t, r.key, 1, age)
			s.do(t, request{line: w.byLine, key: r.key, body: w.byBody})
			answer().expect(t, w.line, "", w.data)
			s.store.await(t, r.key, 0)
		})
	}
}

func TestWaitsThatFindSomethingDoNotWait(t *testing.T) {
	s := serve(t)
	for _, w := range waits {
		within(t, w.line, func() {
			r := s.waiting(t, w.line, w.body, "30")
			s.do(t, request{line: w.byLine, key: r.key, body: w.byBody})
			s.do(t, r).expect(t, w.line, "", w.data)
		})
	}
}

func TestWaitsAreEndedByTime(t *testing.T) {
	s := serve(t)
	for _, w := range waits {
		for wait, atLeast := range map[string]time.Duration{"0.02": 20 * ms, ".05": 50 * ms, "0.0000001": 0} {
			r := s.waiting(t, w.line, w.body, wait)
			began := time.Now()
			s.do(t, r).expect(t, w.line, w.ends, "")
			if got := time.Since(began); got < atLeast {
				t.Errorf("%s: wait=%s: got an answer after %v, want it after %v", w.line, wait, got, atLeast)
			}
		}
	}
	for _, line := range []string{"GET /answer/sdp", "GET /answer/candidate", "GET /answer/candidates", "GET /answer/messages"} {
		s.do(t, request{line: line + "?wait=0.02", key: newKey()}).expect(t, line, custerrors.KeyNotFound, "")
	}
}

func TestWaitsAreEndedByDELETE(t *testing.T) {
	s := serve(t)
	for i := range len(waits) * len(ages) {
		w, age := waits[i/len(ages)], ages[i%len(ages)]
		within(t, w.line, func() {
			r := s.waiting(t, w.line, w.body, "30")
			answer := s.start(t, r)
			s.grow(t, r.key, 1, age)
			s.do(t, request{line: "DELETE /session", key: r.key})
			answer().expect(t, w.line, custerrors.KeyIsExpired, "")
		})
	}
}

func TestWaitsAreEndedByTheLifetime(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *options) {
		o.config.Limits.TTL = 2 * time.Second
		o.config.Limits.Lifetime = 2 * time.Second
	})
	var answers []func() answer
	began := time.Now()
	for _, w := range waits {
		answers = append(answers, s.start(t, s.waiting(t, w.line, w.body, "30")))
	}
	within(t, "the lifetime", func() {
		for i, answer := range answers {
			answer().expect(t, waits[i].line, custerrors.KeyIsExpired, "")
		}
	})
	if got, want := time.Since(began), 2*time.Second; got < want {
		t.Errorf("got the answers after %v, want them after %v", got, want)
	}
}

func TestWaitsAreEndedByShutdown(t *testing.T) {
	s := serve(t)
	var answers []func() answer
	for i := range len(waits) * len(ages) {
		w, age := waits[i/len(ages)], ages[i%len(ages)]
		r := s.waiting(t, w.line, w.body, "30")
		answers = append(answers, s.start(t, r))
		s.grow(t, r.key, 1, age)
	}
	before := newKey()
	answers = append(answers, s.start(t, request{line: "GET /answer/sdp?wait=30", key: before}))
	s.store.await(t, before, 1)
	within(t, "shutdown", func() {
		s.stop()
		for _, answer := range answers {
			a := answer()
			a.expect(t, "shutdown", custerrors.ServerIsShuttingDown, "")
		}
	})
}

// TestWaitKeepsTheSessionAlive waits for more than twice the TTL.
func TestWaitKeepsTheSessionAlive(t *testing.T) {
	t.Parallel()
	s := serve(t)
	r := s.waiting(t, "GET /offer/sdp", "", "3.5")
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: `{"data":"o","key_ttl":1.5}`})
	lone := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: lone, body: `{"data":"o","key_ttl":1.5}`})
	r.key = key
	s.do(t, r).expect(t, "a wait", custerrors.SdpNoValues, "")
	s.do(t, request{line: "GET /answer/sdp", key: key}).expect(t, "afterwards", "", `"o"`)
	s.do(t, request{line: "GET /answer/sdp", key: lone}).expect(t, "without a wait", custerrors.KeyIsExpired, "")
}

// TestNewsForOthersDoNotEndAWait checks that a wait goes on when something else happens in the session.
func TestNewsForOthersDoNotEndAWait(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	for _, wait := range []struct {
		line, data string
	}{
		{"GET /answer/candidate?wait=30", `"end"`},
		{"GET /answer/candidates?wait=30", `["end"]`},
	} {
		answer := s.start(t, request{line: wait.line, key: key})
		s.store.await(t, key, 1)
		s.do(t, request{line: "GET /answer/sdp", key: key})
		s.do(t, request{line: "POST /answer/candidate", key: key, body: "own"})
		s.do(t, request{line: "POST /offer/candidate", key: newKey(), body: "another session's"})
		s.do(t, request{line: "POST /offer/sdp", key: key, body: open("refused")})
		s.do(t, request{line: "POST /offer/candidate", key: key, body: " "})
		s.do(t, request{line: "POST /offer/candidate", key: key, body: "end"})
		answer().expect(t, wait.line, "", wait.data)
	}
}

// TestOneOfManyWaitersTakes lets several requests wait to take one payload each, and others to read all by cursor.
func TestOneOfManyWaitersTakes(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	const n = 6
	var takers, readers []func() answer
	for range n {
		takers = append(takers, s.start(t, request{line: "GET /answer/candidate?wait=30", key: key}))
		readers = append(readers, s.start(t, request{line: "GET /offer/messages?wait=30", key: key}))
	}
	s.store.await(t, key, 2*n)
	s.do(t, request{line: "POST /answer/sdp", key: key, body: "a"})
	for range n {
		s.do(t, request{line: "POST /offer/candidate", key: key, body: "c"})
	}
	for i := range n {
		takers[i]().expect(t, "a taker", "", `"c"`)
		readers[i]().expect(t, "a reader", "", news("sdp a"))
	}
	s.do(t, request{line: "GET /answer/candidate", key: key}).expect(t, "the rest", custerrors.CandidateNoValues, "")
}

// TestOneRoundTrip is the shortest handshake of PROTOCOL: one request of each side.
func TestOneRoundTrip(t *testing.T) {
	s := serve(t)
	key := newKey()
	offerer := s.start(t, request{
		line: "POST /offer/messages?wait=30", key: key, body: `{"sdp":"o","candidates":["o1"]}`, header: token("1"),
	})
	s.store.await(t, key, 1)
	// The offerer lost its connection, and asks again with the same token. Nothing is written twice, and both requests get the answer.
	again := s.start(t, request{
		line: "POST /offer/messages?wait=30", key: key, body: `{"sdp":"o","candidates":["o1"]}`, header: token("1"),
	})
	s.store.await(t, key, 2)
	s.do(t, request{line: "POST /answer/messages", key: key, body: `{"sdp":"a","candidates":["a1"]}`}).
		expect(t, "the answerer", "", news("sdp o", "candidate o1"))
	offerer().expect(t, "the offerer", "", news("sdp a", "candidate a1"))
	again().expect(t, "the offerer, again", "", news("sdp a", "candidate a1"))
}
