package api_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"signal-server/app/apptest"
)

// TestHSTS checks that every kind of answer over TLS has the header, and no other answer (RFC 6797, Section 7.2). TestOver runs it over
// every transport.
func TestHSTS(t *testing.T) {
	for age, want := range map[time.Duration]string{time.Hour: "max-age=3600", 0: ""} {
		if transportOf(t) != overTLS {
			want = ""
		}
		s := serve(t, func(o *options) { o.config.Wire.HSTS = age })
		key := newKey()
		check := func(what string, h http.Header) {
			t.Helper()
			if got := h.Get("Strict-Transport-Security"); got != want {
				t.Errorf("%s, for %v: got %q, want %q", what, age, got, want)
			}
		}
		check("a refusal", s.do(t, request{line: "GET /nothing"}).header)
		check("a page", s.page(t, "/").header)
		check("an answer", s.do(t, request{line: "POST /offer/sdp", key: key, body: `{"data":"o"}`}).header)
		check("a stream", s.listen(t, "/answer/events?key="+key).head)
		check("a wait that is parked", s.do(t, request{line: "GET /offer/sdp?wait=0.1", key: key}).header)

		conn, br := s.dial(t)
		io.WriteString(conn, "nonsense\r\n\r\n")
		answer, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		check("what is no request", answer.Header)
	}
}

func TestHSTSByDefault(t *testing.T) {
	if got, want := apptest.Defaults().Wire.HSTS, 180*24*time.Hour; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
