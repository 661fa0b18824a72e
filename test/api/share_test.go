package api_test

import (
	"fmt"
	"strings"
	"testing"

	"signal-server/app/gate/limit"
	"signal-server/cache"
	"signal-server/custerrors"
)

// shared starts a server whose clients may have four full sessions each, and that believes these proxies.
func shared(t testing.TB, proxies ...string) *server {
	t.Helper()
	believed, err := limit.ParseProxies(proxies)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, func(o *options) {
		o.config.Proxies = believed
		o.config.Limits.Candidates, o.config.Limits.SessionBytes, o.config.Limits.ClientMemory = 8, 64<<10, cache.Share{Bytes: 1}
	})
}

// openAll opens sessions by both routes until one is refused, 600 at the most, and returns how many there are. Each has 4 KB.
func (s *server) openAll(t testing.TB, name string, header [][2]string) (opened int) {
	t.Helper()
	sdp := strings.Repeat("x", 4000)
	for ; opened < 600; opened++ {
		r := request{line: "POST /offer/sdp", key: fmt.Sprint(name, opened), header: header, body: open(sdp)}
		if opened%2 == 1 {
			r.line, r.body = "POST /offer/messages", `{"sdp":"`+sdp+`"}`
		}
		if a := s.do(t, r); a.msg != "" {
			a.expect(t, "one session more than a client may have", custerrors.TooManyRequests, "")
			if a.status != 429 || a.header.Get("Retry-After") == "" {
				t.Errorf("one session more: got %d and %v, want 429 and Retry-After", a.status, a.header)
			}
			return opened
		}
	}
	return opened
}

// TestShareOfAClient lets clients behind a proxy use up what each may have.
func TestShareOfAClient(t *testing.T) {
	s := shared(t, "loopback")
	n := s.openAll(t, "v4 ", forwarded("192.0.2.1"))
	if n < cache.FullSessions || n > 100 {
		t.Errorf("got %d sessions of one client, want some, and then no more", n)
	}
	for name, client := range map[string]string{"another ": "192.0.2.2", "v6 ": "2001:db8:1:2::1"} {
		if got := s.openAll(t, name, forwarded(client)); got != n {
			t.Errorf("%s: got %d sessions of another client, want %d as of the first", client, got, n)
		}
	}
	if got := s.openAll(t, "v6, too ", forwarded("2001:db8:1:2:ffff::2")); got != 0 {
		t.Errorf("an address of the same /64: got %d sessions, want none more", got)
	}
	for name, header := range map[string][][2]string{"the proxy ": nil, "unnamed ": forwarded("unknown")} {
		if got := s.openAll(t, name, header); got != 600 {
			t.Errorf("%s, which is not one client: got %d sessions, want any number", name, got)
		}
	}

	// The sessions that live complete: whoever answers, and whatever that client has.
	for i := range n {
		key := fmt.Sprint("v4 ", i)
		s.do(t, request{line: "POST /answer/sdp", key: key, header: forwarded("192.0.2.9"), body: "a"}).expect(t, "an answer", "", "")
		s.do(t, request{line: "GET /offer/sdp", key: key, header: forwarded("192.0.2.1")}).expect(t, "taking it", "", `"a"`)
	}
	s.do(t, request{line: "DELETE /session", key: "v4 0", header: forwarded("192.0.2.9")}).expect(t, "DELETE", "", "")
	s.do(t, request{line: "POST /offer/sdp", key: "v4 again", header: forwarded("192.0.2.1"), body: open("o")}).expect(t, "one in its place", "", "")
}

// TestShareIsToldOnce looks at the log, and at the page for operators.
func TestShareIsToldOnce(t *testing.T) {
	s := shared(t)
	if s.over == overUnix {
		t.Skip("a Unix socket is not one client")
	}
	for _, name := range []string{"first ", "second "} {
		s.openAll(t, name, nil)
		for i := range 20 {
			s.do(t, request{line: "POST /offer/sdp", key: fmt.Sprint("more", i), body: open(strings.Repeat("x", 4000))}).
				expect(t, "more", custerrors.TooManyRequests, "")
		}
	}
	text := s.log.String()
	if n := strings.Count(text, "level=WARN"); n != 1 || !strings.Contains(text, "--trusted-proxies") || !strings.Contains(text, "client=127.0.0.1") {
		t.Errorf("the log: got %d warnings:\n%s\nwant one that names the address and --trusted-proxies", n, text)
	}
}

func TestUnixSocketIsNotOneClient(t *testing.T) {
	t.Setenv("SIGNAL_TEST_TRANSPORT", string(overUnix))
	if got := shared(t).openAll(t, "k", nil); got != 600 {
		t.Errorf("over a Unix socket: got %d sessions, want any number", got)
	}
}
