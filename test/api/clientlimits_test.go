package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"signal-server/app/gate/limit"
	"signal-server/custerrors"
)

// limited starts a server that limits clients, and believes the test's X-Forwarded-For.
func limited(t testing.TB, clients limit.Config, changes ...func(*options)) *server {
	t.Helper()
	proxies, err := limit.ParseProxies([]string{"loopback"})
	if err != nil {
		t.Fatal(err)
	}
	clients.Block = time.Minute
	return serve(t, append(changes, func(o *options) { o.config.Clients, o.config.Proxies = clients, proxies })...)
}

func forwarded(client string) [][2]string { return [][2]string{{"X-Forwarded-For", client}} }

func TestRateOfRequests(t *testing.T) {
	s := limited(t, limit.Config{Requests: limit.Rate{Events: 3, Per: time.Hour}})
	ask := func(client, line string) answer {
		return s.do(t, request{line: line, key: "k", header: forwarded(client), body: "x"})
	}
	for _, line := range []string{"GET /answer/sdp", "POST /answer/candidate", "DELETE /session"} {
		ask("192.0.2.1", line).expect(t, "one of three: "+line, custerrors.KeyNotFound, "")
	}
	for _, line := range []string{"GET /answer/sdp", "POST /offer/sdp", "DELETE /session", "GET /answer/events", "GET /answer/sdp?wait=1"} {
		a, err := s.try(t.Context(), request{line: line, key: "k", header: forwarded("192.0.2.1"), body: "x"})
		seconds, _ := strconv.Atoi(a.header.Get("Retry-After"))
		if err != nil || a.status != 429 || a.msg != custerrors.TooManyRequests || seconds < 1100 || seconds > 1900 {
			t.Errorf("a fourth, %s: got %d %q, Retry-After %d, %v; want 429, in the 20 min until one is due or up to half as long again",
				line, a.status, a.msg, seconds, err)
		}
	}
	ask("192.0.2.2", "GET /answer/sdp").expect(t, "another client", custerrors.KeyNotFound, "")
	s.do(t, request{line: "GET /healthz", header: forwarded("192.0.2.1")}).expect(t, "health is not limited", "", "")
	a := s.do(t, request{line: "GET /answer/sdp", key: "k", header: [][2]string{
		{"X-Forwarded-For", "192.0.2.77"}, {"X-Forwarded-For", "192.0.2.3"}, // what a client sent, and what the proxy added
	}})
	a.expect(t, "two headers, the proxy's last", custerrors.KeyNotFound, "")
}

func TestRateOfOpens(t *testing.T) {
	s := limited(t, limit.Config{Opens: limit.Rate{Events: 2, Per: time.Hour}})
	open := func(key, client string) custerrors.Error {
		a, err := s.try(t.Context(), request{line: "POST /offer/messages", key: key, header: forwarded(client), body: `{"sdp":"o"}`})
		if err != nil {
			t.Fatal(err)
		}
		return a.msg
	}
	for i, want := range []custerrors.Error{"", "", custerrors.TooManyRequests} {
		if got := open(fmt.Sprint(i), "192.0.2.1"); got != want {
			t.Errorf("opening number %d: got %q, want %q", i+1, got, want)
		}
	}
	if got := open("other", "192.0.2.2"); got != "" {
		t.Errorf("another client: got %q, want success", got)
	}
	// A request that opens nothing is served.
	for range 5 {
		s.do(t, request{line: "POST /offer/candidate", key: "0", header: forwarded("192.0.2.1"), body: "c"}).expect(t, "a candidate", "", "")
	}
	s.do(t, request{line: "GET /answer/messages", key: "2", header: forwarded("192.0.2.3")}).expect(t, "the refused", custerrors.KeyNotFound, "")
}

func TestWrongKeys(t *testing.T) {
	s := limited(t, limit.Config{WrongKeys: limit.Rate{Events: 4, Per: time.Hour}})
	ask := func(client, line, key string) custerrors.Error {
		a, err := s.try(t.Context(), request{line: line, key: key, header: forwarded(client), body: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return a.msg
	}
	for i, line := range []string{"GET /answer/sdp", "POST /answer/candidate", "GET /offer/messages", "GET /answer/sdp?wait=0.1"} {
		if got := ask("192.0.2.1", line, fmt.Sprint("guess", i)); got != custerrors.KeyNotFound {
			t.Errorf("guess %d: got %q, want KeyNotFound", i+1, got)
		}
	}
	if got := ask("192.0.2.1", "GET /answer/sdp", "guess5"); got != custerrors.TooManyRequests {
		t.Errorf("guess 5: got %q, want TooManyRequests", got)
	}
	for range 50 {
		if got := ask("192.0.2.2", "GET /answer/sdp", "mine"); got != custerrors.KeyNotFound {
			t.Fatalf("who asks for one key: got %q, want KeyNotFound", got)
		}
	}
}

func TestLimitsOfWaits(t *testing.T) {
	const alice, bob = "192.0.2.1", "192.0.2.2"
	for name, tt := range map[string]struct {
		clients limit.Config
		all     int
		want    custerrors.Error
		other   custerrors.Error // what another client gets
	}{
		"of one client": {limit.Config{Waits: 2}, 0, custerrors.TooManyRequests, custerrors.KeyNotFound},
		"of all":        {limit.Config{}, 2, custerrors.ServerIsOverloaded, custerrors.ServerIsOverloaded},
	} {
		t.Run(name, func(t *testing.T) {
			s := limited(t, tt.clients, func(o *options) { o.config.Gate.MaxWaits = tt.all })
			poll := s.start(t, request{line: "GET /answer/sdp?wait=30", key: "a", header: forwarded(alice)})
			s.grow(t, "a", 1, ages[1])
			stream, br := s.dial(t)
			fmt.Fprintf(stream, "GET /answer/events?key=b HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\n\r\n", alice)
			if head, err := http.ReadResponse(br, nil); err != nil || head.StatusCode != 200 {
				t.Fatalf("a stream: got %v %v, want 200", head, err)
			}
			ask := func(line, client string) custerrors.Error {
				t.Helper()
				a, err := s.try(t.Context(), request{line: line, key: "c", header: forwarded(client)})
				if err != nil {
					t.Fatal(err)
				}
				return a.msg
			}
			for _, line := range []string{"GET /answer/sdp?wait=30", "GET /answer/events"} {
				if got := ask(line, alice); got != tt.want {
					t.Errorf("a third, %s: got %q, want %q", line, got, tt.want)
				}
			}
			if got := ask("GET /answer/sdp", alice); got != custerrors.KeyNotFound {
				t.Errorf("what does not wait: got %q, want KeyNotFound", got)
			}
			if got := ask("GET /answer/sdp?wait=0.1", bob); got != tt.other {
				t.Errorf("another client: got %q, want %q", got, tt.other)
			}
			s.do(t, request{line: "POST /offer/sdp", key: "a", header: forwarded(alice), body: open("o")}).expect(t, "opening", "", "")
			poll().expect(t, "the poll", "", `"o"`)
			for began := time.Now(); ask("GET /answer/sdp?wait=0.1", alice) != custerrors.KeyNotFound; {
				if time.Since(began) > soon {
					t.Fatal("after one has ended: got refused, want one more to wait")
				}
			}
		})
	}
}

// TestAPageThatReloadsMayWait lets a client that may wait twice wait, and come back on another connection once the server has parked its wait, again
// and again, as a page does that is reloaded. It has closed each connection before it opens the next one, and is never refused.
func TestAPageThatReloadsMayWait(t *testing.T) {
	s := limited(t, limit.Config{Waits: 2})
	for _, line := range []string{"GET /answer/sdp?wait=30", "GET /answer/messages?wait=30", "GET /answer/events"} {
		key := newKey() // the page's, which its reload does not change
		var page *peer
		var br *bufio.Reader
		for range 21 {
			if page != nil {
				page.Close()
			}
			page, br = s.dial(t)
			fmt.Fprintf(page, "%s HTTP/1.1\r\nHost: x\r\nkey: %s\r\n\r\n", line, key)
			page.SetReadDeadline(time.Now().Add(ages[1]))
			if said, err := io.ReadAll(br); !isTimeout(err) || strings.HasPrefix(string(said), "HTTP/1.1 429") {
				t.Fatalf("%s: got %q, %v, want it to go on", line, said, err)
			}
		}
		s.do(t, request{line: "POST /offer/sdp", key: key, body: open("o")}).expect(t, "opening", "", "")
		page.SetReadDeadline(time.Now().Add(soon))
		for told := ""; !strings.Contains(told, `"o"`); {
			c, err := br.ReadByte()
			if err != nil {
				t.Fatalf("%s: got %q, %v, want the page that was loaded last to be told", line, told, err)
			}
			told += string(c)
		}
		page.Close()
		s.eventually(t, "signal_connections", 1) // the opener's
	}
	for series := range scraped(t, s.app) {
		if strings.Contains(series, "TooManyRequests") {
			t.Errorf("got %s, want nobody refused", series)
		}
	}
}
