package attack_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signal-server/custerrors"
)

// asker asks over one connection, without the cost of a whole client.
type asker struct {
	conn net.Conn
	b    [4096]byte
}

func dial(t testing.TB, addr string) *asker {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &asker{conn: conn}
}

// ask sends a request and returns its answer as it came, which fits into one read.
func (a *asker) ask(method, target, header, body string) (string, error) {
	a.conn.SetDeadline(time.Now().Add(patience))
	_, err := fmt.Fprintf(a.conn, "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s", method, target, header, len(body), body)
	if err != nil {
		return "", err
	}
	n := 0
	for {
		m, err := a.conn.Read(a.b[n:])
		n += m
		if err != nil {
			return "", err
		}
		if head, rest, ok := bytes.Cut(a.b[:n], []byte("\r\n\r\n")); ok {
			var length int
			if _, after, ok := bytes.Cut(head, []byte("Content-Length: ")); ok {
				fmt.Sscan(string(after), &length)
			}
			if len(rest) >= length {
				return string(a.b[:n]), nil
			}
		}
	}
}

// openings counts the sessions that a flood opens, and those that are refused it by a status and a msg that ask it to come later. Its
// methods may be called concurrently.
type openings struct {
	// set at construction
	status int
	msg    custerrors.Error

	// atomic
	opened, refused atomic.Int64
}

// ask opens a session, and counts what becomes of it. It reports whether that is one of the two.
func (o *openings) ask(t testing.TB, a *asker, path, body string) bool {
	t.Helper()
	answer, err := a.ask("POST", path, "", body)
	switch {
	case err != nil:
		t.Errorf("the flood: %v", err)
		return false
	case strings.HasPrefix(answer, "HTTP/1.1 200"):
		o.opened.Add(1)
	case strings.HasPrefix(answer, fmt.Sprint("HTTP/1.1 ", o.status)) && strings.Contains(answer, string(o.msg)) && strings.Contains(answer, "Retry-After: "):
		o.refused.Add(1)
	default:
		t.Errorf("the flood: got %s, want 200 or %d", answer, o.status)
		return false
	}
	return true
}

// wantBoth checks that there were some of each.
func (o *openings) wantBoth(t testing.TB) {
	t.Helper()
	if o.opened.Load() == 0 || o.refused.Load() == 0 {
		t.Errorf("got %d opened and %d refused, want both", o.opened.Load(), o.refused.Load())
	}
}

// TestFloodOfOpens fills the server's memory with sessions. New ones are refused, and those that live complete.
func TestFloodOfOpens(t *testing.T) {
	s := serve(t, "--memory=32MiB")
	c := http.Client{Timeout: patience}
	defer c.CloseIdleConnections()
	post := func(target, body string) string {
		t.Helper()
		r, err := c.Post(s.url()+target, "", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const live = 50
	for i := range live {
		if got := post(fmt.Sprintf("/offer/messages?key=live%d", i), `{"sdp":"o"}`); !strings.Contains(got, `"msg":""`) {
			t.Fatalf("opening: got %s", got)
		}
	}
	sdp := `{"sdp":"` + strings.Repeat("v=0 ", 1000) + `"}`
	opening := openings{status: 503, msg: custerrors.CacheOverrunMaxCost}
	var flood sync.WaitGroup
	for i := range 4 {
		a := dial(t, s.Addr)
		flood.Go(func() {
			for j := range 4000 {
				if !opening.ask(t, a, fmt.Sprintf("/offer/messages?key=flood-%d-%d", i, j), sdp) {
					return
				}
			}
		})
	}
	flood.Wait()
	opening.wantBoth(t)
	big := `{"sdp":"` + strings.Repeat("a", 8000) + `","candidates":["c1","c2"]}`
	for i := range live {
		if got := post(fmt.Sprintf("/answer/messages?key=live%d", i), big); !strings.Contains(got, `"data":"o"`) {
			t.Errorf("answering a live session: got %.200s, want it to complete", got)
		}
		if got := post(fmt.Sprintf("/offer/messages?key=live%d", i), `{"candidates":["c"]}`); !strings.Contains(got, "aaaa") {
			t.Errorf("completing a live session: got %.200s, want the answer", got)
		}
	}
	if got, limit := s.resident(t), 160<<20; got > limit {
		t.Errorf("resident: got %d MB, want %d at most", got>>20, limit>>20)
	}
	t.Logf("a flood of %d opens into 32 MiB: %d opened, %d refused, all %d live sessions completed; resident %d MB",
		opening.opened.Load()+opening.refused.Load(), opening.opened.Load(), opening.refused.Load(), live, s.resident(t)>>20)
}

// asMany lets the test be several clients: the server takes it for a proxy, and believes the address that it names.
const asMany = "--trusted-proxies=loopback"

func from(client string) string { return "X-Forwarded-For: " + client + "\r\n" }

// TestGuessing lets one client guess keys as fast as it can. The server slows it down and blocks it, but no client that waits for one key.
func TestGuessing(t *testing.T) {
	s := serve(t, asMany, "--rate-wrong-keys=20/m")
	p := connecting(t, s.url(), http.Header{"X-Forwarded-For": {"192.0.2.1"}})
	victim := dial(t, s.Addr)
	if _, err := victim.ask("POST", "/offer/messages?key=1", from("192.0.2.2"), `{"sdp":"o"}`); err != nil {
		t.Fatal(err)
	}
	var let, refused atomic.Int64
	before, in := p.during(t, func() {
		over := time.Now().Add(3 * time.Second)
		var guessers sync.WaitGroup
		for i := range 4 {
			a := dial(t, s.Addr)
			guessers.Go(func() {
				for n := i; time.Now().Before(over); n += 4 {
					answer, err := a.ask("GET", fmt.Sprintf("/answer/messages?key=guess-%d", n), from("203.0.113.66"), "")
					switch {
					case err != nil:
						t.Errorf("guessing: %v", err)
						return
					case strings.HasPrefix(answer, "HTTP/1.1 429") && strings.Contains(answer, "Retry-After: "):
						refused.Add(1)
					case strings.Contains(answer, string(custerrors.KeyNotFound)):
						let.Add(1)
					default:
						t.Errorf("guessing: got %s", answer)
						return
					}
				}
			})
		}
		guessers.Wait()
	})
	if got, want := let.Load(), int64(40); got > want {
		t.Errorf("got %d guesses let through, want %d at most: 20 at once and 1 in 3 s, by four connections at once", got, want)
	}
	if refused.Load() < 100 {
		t.Errorf("got %d guesses refused, want many", refused.Load())
	}
	// It is blocked for right keys too: it must not learn by them.
	blocked := dial(t, s.Addr)
	if answer, _ := blocked.ask("GET", "/answer/messages?key=1", from("203.0.113.66"), ""); !strings.HasPrefix(answer, "HTTP/1.1 429") {
		t.Errorf("the blocked client, with a right key: got %.60s, want 429", answer)
	}
	patient := dial(t, s.Addr)
	for range 100 { // an answerer that comes early asks for one key, over and over
		if answer, err := patient.ask("GET", "/answer/messages?key=later", from("198.51.100.7"), ""); err != nil || !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Fatalf("a client that polls one key: got %.60s %v, want 200", answer, err)
		}
	}
	t.Logf("guessing keys for 3 s: %d let through, %d refused; peers before %v; in it %v", let.Load(), refused.Load(), before, in)
}

// TestFloodOfRequests lets one client ask as fast as it can. A refused request costs less than a served one.
func TestFloodOfRequests(t *testing.T) {
	const n = 60_000
	cost := func(s *server, want string) time.Duration {
		began := s.cpu(t)
		var all sync.WaitGroup
		for range 4 {
			a := dial(t, s.Addr)
			all.Go(func() {
				for range n / 4 {
					if answer, err := a.ask("POST", "/offer/candidate?key=k", from("203.0.113.66"), strings.Repeat("c", 500)); err != nil || !strings.HasPrefix(answer, want) {
						t.Errorf("got %.60s %v, want %s", answer, err, want)
						return
					}
				}
			})
		}
		all.Wait()
		return s.cpu(t) - began
	}
	prepare := func(s *server) {
		if answer, err := dial(t, s.Addr).ask("POST", "/offer/messages?key=k", from("192.0.2.1"), `{"sdp":"o"}`); err != nil || !strings.Contains(answer, `"msg":""`) {
			t.Fatalf("opening: got %s %v", answer, err)
		}
	}
	open := serve(t, asMany, "--rate-requests=1000000/s", "--max-candidates=65000", "--max-session=60MiB", "--max-body=60MiB")
	prepare(open)
	served := cost(open, "HTTP/1.1 200")
	limited := serve(t, asMany, "--rate-requests=1/h")
	prepare(limited)
	dial(t, limited.Addr).ask("GET", "/offer/sdp?key=k", from("203.0.113.66"), "") // the one of this hour
	refused := cost(limited, "HTTP/1.1 429")
	if refused > served*5/4 { // it is nine tenths, most of it the system's; the clock and the machine are not that exact
		t.Errorf("CPU of %d requests: got %v for those refused, want less than the %v of those served", n, refused, served)
	}
	t.Logf("CPU of %d requests: %v refused, %v served: %.2f", n, refused, served, float64(refused)/float64(served))
}
