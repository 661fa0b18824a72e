package api_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/cache"
	"signal-server/custerrors"
	"signal-server/test/synctime"
)

const (
	ms    = time.Millisecond
	ttl   = 30 * time.Second // PROTOCOL, Section 8
	lasts = 5 * time.Minute
)

// bubble runs f in virtual time, over the embedded store.
func bubble(t *testing.T, f func(t *testing.T, d *direct)) {
	t.Helper()
	needEmbedded(t)
	synctest.Test(t, func(t *testing.T) {
		d := newDirect(t)
		defer d.store.Close()
		f(t, d)
	})
}

// TestKeyTTL opens sessions with every kind of key_ttl, and looks a millisecond before their end, and at it.
func TestKeyTTL(t *testing.T) {
	for _, test := range []struct {
		member string
		want   time.Duration
	}{
		{``, ttl},
		{`,"key_ttl":null`, ttl},
		{`,"key_ttl":0`, ttl},
		{`,"key_ttl":-0.0`, ttl},
		{`,"key_ttl":-1`, ttl},
		{`,"key_ttl":-1e300`, ttl},
		{`,"key_ttl":30`, ttl},
		{`,"key_ttl":30.001`, ttl},
		{`,"key_ttl":31`, ttl},
		{`,"key_ttl":1e9`, ttl},
		{`,"key_ttl":9223372036`, ttl}, // just within a Duration, and just beyond
		{`,"key_ttl":9223372037`, ttl},
		{`,"key_ttl":18446744073709551617`, ttl},
		{`,"key_ttl":1e400`, ttl},
		{`,"key_ttl":29.999`, ttl - ms},
		{`,"key_ttl":29`, 29 * time.Second},
		{`,"key_ttl":1`, time.Second},
		{`,"key_ttl":1.5`, 1500 * ms},
		{`,"key_ttl":15e-1`, 1500 * ms},
		{`,"key_ttl":1.001`, 1001 * ms},
		{`,"key_ttl":0.999`, time.Second}, // the least
		{`,"key_ttl":0.002`, time.Second},
		{`,"key_ttl":1e-300`, time.Second},
	} {
		for _, line := range []string{"POST /offer/sdp", "POST /offer/messages"} {
			body, opened := `{"data":"o"`+test.member+`}`, ""
			if line == "POST /offer/messages" {
				body, opened = `{"sdp":"o"`+test.member+`}`, news()
			}
			t.Run(line+body, func(t *testing.T) {
				bubble(t, func(t *testing.T, d *direct) {
					d.want(t, line, "k", body, "", opened)
					synctime.Pass(test.want - ms)
					d.want(t, "GET /offer/sdp", "k", "", custerrors.SdpNoValues, "") // which renews it
					synctime.Pass(test.want)
					d.want(t, "GET /offer/sdp", "k", "", custerrors.KeyIsExpired, "")
				})
			})
		}
	}
}

// TestEveryValidRequestRenews sends each request a millisecond before the session's end. The session lives on for a whole TTL.
func TestEveryValidRequestRenews(t *testing.T) {
	for _, r := range keyed {
		if r.line == "DELETE /session" {
			continue
		}
		t.Run(r.line, func(t *testing.T) {
			bubble(t, func(t *testing.T, d *direct) {
				d.do(t, "POST /offer/sdp", "k", `{"data":"o"}`)
				synctime.Pass(ttl - ms)
				d.do(t, r.line, "k", r.body)
				synctime.Pass(ttl - ms)
				d.do(t, r.line, "k", r.body) // the second time the msg may be an exception, which renews as well
				synctime.Pass(ttl - ms)
				d.want(t, "POST /offer/candidate", "k", "c", "", "")
				synctime.Pass(ttl)
				d.want(t, "POST /offer/candidate", "k", "c", custerrors.KeyIsExpired, "")
			})
		})
	}
}

func TestRequestsThatDoNotRenew(t *testing.T) {
	for line, body := range map[string]string{
		"HEAD /offer/sdp": "", "OPTIONS /offer/sdp": "", "PUT /offer/sdp": "", "GET /none": "", "GET /healthz": "",
		"POST /offer/candidate": "\xff", "POST /answer/messages": "{", "GET /offer/sdp?wait=x": "", "GET /offer/messages?after=x": "",
	} {
		t.Run(line, func(t *testing.T) {
			bubble(t, func(t *testing.T, d *direct) {
				d.do(t, "POST /offer/sdp", "k", `{"data":"o"}`)
				synctime.Pass(ttl - ms)
				d.set(line, "k", body)
				d.handle()
				synctime.Pass(ms)
				d.want(t, "GET /offer/sdp", "k", "", custerrors.KeyIsExpired, "")
			})
		})
	}
}

// TestLifetimeIsAbsolute uses a session all the time. It ends nevertheless.
func TestLifetimeIsAbsolute(t *testing.T) {
	bubble(t, func(t *testing.T, d *direct) {
		d.do(t, "POST /offer/sdp", "k", `{"data":"o"}`)
		const step = 10 * time.Second
		for range lasts/step - 1 {
			synctime.Pass(step)
			d.want(t, "GET /offer/sdp", "k", "", custerrors.SdpNoValues, "")
		}
		synctime.Pass(step - ms)
		d.want(t, "POST /answer/sdp", "k", "a", "", "")
		synctime.Pass(ms)
		d.want(t, "GET /offer/sdp", "k", "", custerrors.KeyIsExpired, "")
		d.want(t, "POST /offer/sdp", "k", `{"data":"p"}`, "", "") // and its key can be used again
		d.want(t, "GET /offer/sdp", "k", "", custerrors.SdpNoValues, "")
	})
}

// TestEndedKeysAreRememberedFor30s checks, to the millisecond, when KeyIsExpired becomes KeyNotFound.
func TestEndedKeysAreRememberedFor30s(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, d *direct){
		"DELETE": func(t *testing.T, d *direct) { d.want(t, "DELETE /session", "k", "", "", "") },
		"TTL":    func(*testing.T, *direct) { synctime.Pass(ttl) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, d *direct) {
				d.do(t, "POST /offer/sdp", "k", `{"data":"o"}`)
				end(t, d)
				for _, at := range []time.Duration{0, time.Second, cache.Grace - time.Second - ms} {
					synctime.Pass(at)
					d.want(t, "GET /answer/sdp", "k", "", custerrors.KeyIsExpired, "")
					d.want(t, "DELETE /session", "k", "", custerrors.KeyIsExpired, "") // asking does not prolong it
				}
				synctime.Pass(ms)
				d.want(t, "GET /answer/sdp", "k", "", custerrors.KeyNotFound, "")
				d.want(t, "POST /offer/candidate", "k", "c", custerrors.KeyNotFound, "")
			})
		})
	}
}

// TestTTLIsOfItsSession checks that a key's next session does not inherit the last one's TTL, cursor or age.
func TestTTLIsOfItsSession(t *testing.T) {
	bubble(t, func(t *testing.T, d *direct) {
		for i := range 20 {
			d.want(t, "POST /offer/sdp", "k", fmt.Sprintf(`{"data":"o","key_ttl":%d}`, 1+i%2), "", "")
			synctime.Pass(time.Duration(1+i%2)*time.Second - ms)
			d.want(t, "GET /offer/sdp", "k", "", custerrors.SdpNoValues, "")
			d.want(t, "DELETE /session", "k", "", "", "")
		}
	})
}

// TestShortTTL is the one test of time that every store must pass, in real time.
func TestShortTTL(t *testing.T) {
	t.Parallel()
	s := serve(t)
	short, long, used := newKey(), newKey(), newKey()
	s.do(t, request{line: "POST /offer/sdp", key: short, body: `{"data":"o","key_ttl":0.001}`})
	s.do(t, request{line: "POST /offer/sdp", key: used, body: `{"data":"o","key_ttl":0.001}`})
	s.do(t, request{line: "POST /offer/sdp", key: long, body: `{"data":"o","key_ttl":3000}`})
	for range 3 {
		s.do(t, request{line: "POST /offer/candidate", key: used, body: "c"}).expect(t, "a short ttl, within the second that it has", "", "")
	}
	s.lapse(t, 1100*ms)
	for _, key := range []string{short, used} {
		s.do(t, request{line: "GET /answer/sdp", key: key}).expect(t, "a short ttl", custerrors.KeyIsExpired, "")
	}
	s.do(t, request{line: "GET /answer/sdp", key: long}).expect(t, "the longest ttl", "", `"o"`)
	s.do(t, request{line: "POST /offer/sdp", key: short, body: `{"data":"p"}`}).expect(t, "opened again", "", "")
	s.do(t, request{line: "GET /answer/sdp", key: short}).expect(t, "opened again", "", `"p"`)
}
