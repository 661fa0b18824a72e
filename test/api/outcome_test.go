package api_test

import (
	"strings"
	"testing"
	"time"

	"signal-server/app/wire/call"

	"signal-server/app/gate/limit"
	"signal-server/cache"
	"signal-server/custerrors"
	"signal-server/test/synctime"
)

const (
	connected = `{"result":"connected","candidate_type":"relay","ms":1234.5}`
	gaveUp    = `{"result":"failed","ms":15000}`
)

// reports returns what was counted, like "offer connected relay": 1, without zeros.
func reports(a *call.Wire) map[string]uint64 {
	counted := make(map[string]uint64)
	for _, o := range a.Outcomes() {
		if n := o.Took.Count(); n > 0 {
			counted[strings.TrimSpace(o.Role.String()+" "+o.Result+" "+o.CandidateType)] = n
		}
	}
	return counted
}

// wantReports checks that these are the counts.
func wantReports(t testing.TB, a *call.Wire, want map[string]uint64) {
	t.Helper()
	got := reports(a)
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: got %d, want none", name, got[name])
		}
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s: got %d, want %d", name, got[name], n)
		}
	}
}

func TestOutcomesAreCounted(t *testing.T) {
	s := serve(t)
	types := []string{"host", "srflx", "prflx", "relay"}
	want := make(map[string]uint64)
	for _, role := range cache.Roles {
		for i, candidateType := range types {
			for range i + 1 {
				s.script(t, opened("o"), step{
					line: "POST /" + role.String() + "/outcome", body: `{"result":"connected","candidate_type":"` + candidateType + `","ms":1}`,
				})
			}
			want[role.String()+" connected "+candidateType] = uint64(i + 1)
		}
		s.script(t, opened("o"), step{line: "POST /" + role.String() + "/outcome", body: gaveUp})
		want[role.String()+" failed"] = 1
	}
	wantReports(t, s.calls, want)
	if got, want := len(s.calls.Outcomes()), 10; got != want {
		t.Errorf("kinds of outcomes: got %d, want %d, those without reports among them", got, want)
	}
}

// TestOutcomeTimes reports times at each bound, times a little above it, and absurdly long times.
func TestOutcomeTimes(t *testing.T) {
	s := serve(t)
	for _, ms := range []string{"0", "0.1", "49.9", "50", "50.1", "1e3", "60000", "60001", "3600000", "1e300", "1e999"} {
		s.script(t, opened("o"), step{line: "POST /answer/outcome", body: `{"result":"failed","ms":` + ms + `}`})
	}
	for _, o := range s.calls.Outcomes() {
		if o.Role != cache.Answer || o.Result != "failed" {
			continue
		}
		if got, want := o.Took.Count(), uint64(11); got != want {
			t.Errorf("reports: got %d, want %d", got, want)
		}
		if got, want := o.Took.Sum.Seconds(), 0.0001+0.0499+0.050+0.0501+1+60+60.001+3*3600; got < want-0.001 || got > want+0.001 {
			t.Errorf("seconds: got %v, want %v: what is over an hour counts as an hour", got, want)
		}
		within := uint64(0)
		for i, bound := range cache.DurationBounds {
			within += o.Took.Counts[i]
			if want, asked := map[time.Duration]uint64{30 * ms: 2, 100 * ms: 5, 300 * ms: 5, time.Second: 6, 30 * time.Second: 6, time.Minute: 7}[bound]; asked && within != want {
				t.Errorf("within %v: got %d, want %d", bound, within, want)
			}
		}
	}
}

// TestOutcomeIsCountedOnce reports again and again, while the session lives and after its end.
func TestOutcomeIsCountedOnce(t *testing.T) {
	s := serve(t)
	ended := step{line: "DELETE /session"}
	report := func(role, body string) step { return step{line: "POST /" + role + "/outcome", body: body} }
	key := newKey()
	s.scriptOf(t, key,
		opened("o"), report("offer", connected), report("offer", connected), report("offer", gaveUp),
		report("answer", connected), report("answer", connected),
	)
	wantReports(t, s.calls, map[string]uint64{"offer connected relay": 1, "answer connected relay": 1})
	s.scriptOf(t, key, ended, opened("another of its key"), report("answer", gaveUp), report("answer", gaveUp))
	wantReports(t, s.calls, map[string]uint64{"offer connected relay": 1, "answer connected relay": 1, "answer failed": 1})

	s.script(t, opened("o"), ended, report("answer", gaveUp), report("answer", gaveUp), report("answer", connected), report("offer", gaveUp))
	wantReports(t, s.calls, map[string]uint64{"offer connected relay": 1, "answer connected relay": 1, "answer failed": 2, "offer failed": 1})
}

func TestOutcomeAfterTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, d *direct) {
		report := func(key string, want custerrors.Error) {
			t.Helper()
			d.want(t, "POST /answer/outcome", key, gaveUp, want, "")
		}
		for _, key := range []string{"a", "b"} {
			d.want(t, "POST /offer/sdp", key, open("o"), "", "")
		}
		synctime.Pass(ttl) // the sessions have ended by themselves
		report("a", "")
		synctime.Pass(cache.Grace - ms)
		report("b", "")
		report("a", "")
		wantReports(t, d.calls, map[string]uint64{"answer failed": 2})
		synctime.Pass(ms)
		report("a", custerrors.KeyNotFound)
		report("never", custerrors.KeyNotFound)
		wantReports(t, d.calls, map[string]uint64{"answer failed": 2})

		d.want(t, "POST /offer/sdp", "a", open("o"), "", "")
		synctime.Pass(ttl)
		report("a", "") // of another session of the key
		wantReports(t, d.calls, map[string]uint64{"answer failed": 3})
	})
}

// longReport returns a report of n bytes.
func longReport(n int) string {
	const begin, end = `{"result":"failed","ms":1,"x":"`, `"}`
	return begin + strings.Repeat("x", n-len(begin)-len(end)) + end
}

func TestOutcomeBodies(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	const notJSON, notUTF8 = custerrors.BodyIsNotJSON, custerrors.BodyIsNotUTF8
	for body, want := range map[string]custerrors.Error{
		"": custerrors.BodyIsEmpty, " \r\n": custerrors.BodyIsEmpty,
		"{}": notJSON, "null": notJSON, "[]": notJSON, "failed": notJSON, `"failed"`: notJSON,
		`{"ms":1}`: notJSON, `{"result":"failed"}`: notJSON, `{"result":null,"ms":1}`: notJSON, `{"result":"failed","ms":null}`: notJSON,
		`{"result":"","ms":1}`: notJSON, `{"result":"Failed","ms":1}`: notJSON, `{"result":"failed ","ms":1}`: notJSON,
		`{"result":"failed","ms":-1}`: notJSON, `{"result":"failed","ms":-1e999}`: notJSON, `{"result":"failed","ms":"1"}`: notJSON,
		`{"result":"failed","ms":NaN}`: notJSON, `{"result":"failed","ms":1}x`: notJSON, `{"result":"failed","ms":1,"ms":1}`: notJSON,
		`{"result":"failed","candidate_type":"host","ms":1}`: notJSON, `{"result":"connected","ms":1}`: notJSON,
		`{"result":"connected","candidate_type":null,"ms":1}`: notJSON, `{"result":"connected","candidate_type":"","ms":1}`: notJSON,
		`{"result":"connected","candidate_type":"HOST","ms":1}`: notJSON, `{"result":"connected","candidate_type":"tcp","ms":1}`: notJSON,
		`{"result":"connected","candidate_type":["host"],"ms":1}`:                             notJSON,
		`{"result":"connected","candidate_type":"host","candidate_type":"host","ms":1}`:       notJSON,
		`{"result":"failed","result":"connected","candidate_type":"host","ms":1}`:             notJSON,
		`{"result":"failed","x":"\ud800","ms":1}`:                                             notUTF8,
		"{\"result\":\"f\xff\",\"ms\":1}":                                                     notUTF8,
		longReport(1<<10 + 1):                                                                 custerrors.BodyIsTooLong,
		longReport(1 << 10):                                                                   "",
		` { "ms" : 0 , "candidate_type" : null , "r\u0065sult" : "f\u0061iled" , "y":[{}] } `: "",
	} {
		s.do(t, request{line: "POST /offer/outcome", key: key, body: body}).expect(t, body[:min(len(body), 100)], want, "")
	}
	s.do(t, request{line: "POST /offer/outcome", key: key, body: gaveUp, header: [][2]string{{"Content-Encoding", "gzip"}}}).
		expect(t, "a compressed one", custerrors.BodyIsCompressed, "")
	wantReports(t, s.calls, map[string]uint64{"offer failed": 1})
}

// TestOutcomeChangesNothing reports in the middle of a handshake.
func TestOutcomeChangesNothing(t *testing.T) {
	s := serve(t)
	s.script(t,
		opened("o"),
		step{line: "POST /offer/outcome", body: gaveUp},
		step{line: "POST /answer/outcome", body: gaveUp},
		step{line: "GET /offer/messages", msg: custerrors.SdpNoValues},
		step{line: "GET /answer/messages", data: news("sdp o")},
		step{line: "GET /answer/sdp", data: `"o"`},
		step{line: "GET /answer/candidates", msg: custerrors.CandidateNoValues},
	)
}

// TestOutcomeByBeacon sends what navigator.sendBeacon sends from a page of another origin without a preflight: a body of text, and none of
// this server's own headers (Fetch, Section 2.2.2).
func TestOutcomeByBeacon(t *testing.T) {
	s := serve(t)
	key := newKey()
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	a := s.do(t, request{
		line: "POST /offer/outcome?key=" + key, body: connected,
		header: [][2]string{{"Origin", "https://page.example"}, {"Content-Type", "text/plain;charset=UTF-8"}},
	})
	a.expect(t, "a beacon", "", "")
	wantReports(t, s.calls, map[string]uint64{"offer connected relay": 1})
}

// TestOutcomePassesTheGate checks that a client which guesses keys is slowed here as elsewhere.
func TestOutcomePassesTheGate(t *testing.T) {
	s := limited(t, limit.Config{WrongKeys: limit.Rate{Events: 2, Per: time.Hour}})
	for i, want := range []custerrors.Error{custerrors.KeyNotFound, custerrors.KeyNotFound, custerrors.TooManyRequests} {
		a, err := s.try(t.Context(), request{line: "POST /answer/outcome", key: newKey(), body: gaveUp, header: forwarded("192.0.2.1")})
		if err != nil || a.msg != want {
			t.Errorf("guess %d: got %q, %v, want %q", i+1, a.msg, err, want)
		}
	}
	wantReports(t, s.calls, nil)
}
