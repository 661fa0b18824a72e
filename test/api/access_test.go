package api_test

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"signal-server/app/apptest/testlog"
	"signal-server/app/gate/limit"
	"signal-server/app/watch/accesslog"
	"signal-server/custerrors"
)

// logged returns an option by which the server logs requests, and a function that returns the lines so far once there are n.
func logged(t *testing.T, config accesslog.Config) (change func(*options), lines func(n int) []string) {
	t.Helper()
	out := new(testlog.Log)
	written := make(chan struct{}, 1000)
	access, err := accesslog.New(config, slog.NewTextHandler(io.MultiWriter(out, told(written)), nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(access.Close)
	return func(o *options) { o.config.Access = access }, func(n int) []string {
		t.Helper()
		for range n {
			<-written
		}
		return strings.Split(strings.TrimSpace(out.String()), "\n")
	}
}

// told gets a message for each write.
type told chan struct{}

func (t told) Write(p []byte) (int, error) { t <- struct{}{}; return len(p), nil }

// TestAccessLog checks that each request has a line, whatever its answer, and that no line has a key.
func TestAccessLog(t *testing.T) {
	change, lines := logged(t, accesslog.Config{Share: 1})
	s := serve(t, change)
	const key = "the-secret-key"
	n := 0
	want := func(what string, all ...string) {
		t.Helper()
		got := lines(1)
		line := got[len(got)-1]
		if n++; len(got) != n {
			t.Errorf("%s: got %d lines, want %d", what, len(got), n)
		}
		for _, part := range all {
			if !strings.Contains(line, part) {
				t.Errorf("%s: got %s, want %s in it", what, line, part)
			}
		}
		if strings.Contains(line, key) || strings.Contains(line, "client=") {
			t.Errorf("%s: got %s, want neither key nor client", what, line)
		}
	}
	s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")})
	want("an open", `route="POST /offer/sdp"`, "status=200", "result=ok", "session=", "took=", "received=12", "sent=22")
	s.do(t, request{line: "GET /answer/sdp?key=" + key})
	want("a take", `route="GET /answer/sdp"`, "result=ok", "session=", "sent=21")
	s.do(t, request{line: "GET /answer/sdp?wait=0.1", key: key})
	want("a wait that is parked", `route="GET /answer/sdp"`, "result=SdpNoValues", "session=", "took=")
	s.do(t, request{line: "GET /answer/sdp"})
	want("no key", "status=400", "result=KeyIsEmpty")
	s.do(t, request{line: "GET /" + key})
	want("no route", "route=other", "status=404", "result=RouteNotFound")
	s.page(t, "/")
	want("a page", `route="GET /"`, "status=200")
	conn, br := s.dial(t)
	fmt.Fprintf(conn, "%s\r\n\r\n", key)
	readAnswer(t, br, "GET")
	want("no HTTP", "route=other", "status=400", "result=RequestIsInvalid")
	l := s.listen(t, "/answer/events?key="+key)
	l.want(":", event("sdp", `"o"`))
	s.do(t, request{line: "DELETE /session", key: key})
	l.want(end(custerrors.KeyIsExpired))
	n++
	lines(1)
	want("the end of a session, and of its stream", "session=")
	sessions := make(map[string]int)
	for _, m := range regexp.MustCompile("session=([0-9a-f]{16})").FindAllStringSubmatch(strings.Join(lines(0), "\n"), -1) {
		sessions[m[1]]++
	}
	if len(sessions) != 1 {
		t.Errorf("one session: got the hashes %v, want one", sessions)
	}
}

func TestAccessLogOfClients(t *testing.T) {
	change, lines := logged(t, accesslog.Config{Share: 1, Clients: true})
	proxies, err := limit.ParseProxies([]string{"loopback"})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, change, func(o *options) { o.config.Proxies = proxies })
	s.do(t, request{line: "GET /answer/sdp", key: "k", header: forwarded("203.0.113.7")})
	if got := lines(1)[0]; !strings.Contains(got, "client=203.0.113.7 ") {
		t.Errorf("got %s, want the client that the proxy names", got)
	}
}

func TestAccessLogIsSampled(t *testing.T) {
	needEmbedded(t) // as newDirect does, when the log would run already
	out := new(testlog.Log)
	access, err := accesslog.New(accesslog.Config{Share: 0.1}, slog.NewTextHandler(out, nil))
	if err != nil {
		t.Fatal(err)
	}
	d := newDirect(t, func(o *options) { o.config.Access = access })
	defer d.store.Close()
	const requests = 1000
	for range requests {
		d.do(t, "GET /answer/sdp", "k", "")
	}
	access.Close()
	if n := strings.Count(out.String(), "\n"); n < 20 || n > 400 { // 100 are expected
		t.Errorf("a tenth of %d: got %d lines", requests, n)
	}
}
