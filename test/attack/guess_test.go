package attack_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signal-server/custerrors"
)

// guesses counts what guessers were told.
type guesses struct{ let, refused, found atomic.Int64 }

// note counts an answer.
func (g *guesses) note(t testing.TB, answer string, err error) (ok bool) {
	switch {
	case err != nil:
		t.Errorf("guessing: %v", err)
		return false
	case strings.HasPrefix(answer, "HTTP/1.1 429") && strings.Contains(answer, "Retry-After: "):
		g.refused.Add(1)
	case strings.Contains(answer, string(custerrors.SdpAlreadyExist)):
		g.found.Add(1)
	case strings.HasPrefix(answer, "HTTP/1.1 200"):
		g.let.Add(1)
	default:
		t.Errorf("guessing: got %s", answer)
		return false
	}
	return true
}

// TestGuessingByOpening lets one client open one key after the other, to learn which of them is taken.
func TestGuessingByOpening(t *testing.T) {
	for target, body := range map[string]string{
		"/offer/sdp":      `{"data":"x","key_ttl":0.001}`,
		"/offer/messages": `{"sdp":"x","key_ttl":0.001}`,
	} {
		s := serve(t, asMany, "--rate-wrong-keys=20/m")
		p := connecting(t, s.url(), http.Header{"X-Forwarded-For": {"192.0.2.1"}})
		if _, err := dial(t, s.Addr).ask("POST", "/offer/messages?key=0100", from("192.0.2.2"), `{"sdp":"o"}`); err != nil {
			t.Fatal(err)
		}
		var g guesses
		before, in := p.during(t, func() {
			over := time.Now().Add(3 * time.Second)
			var guessers sync.WaitGroup
			for i := range 4 {
				a := dial(t, s.Addr)
				guessers.Go(func() {
					for n := i; time.Now().Before(over); n += 4 {
						answer, err := a.ask("POST", fmt.Sprintf("%s?key=%04d", target, n), from("203.0.113.66"), body)
						if !g.note(t, answer, err) {
							return
						}
					}
				})
			}
			guessers.Wait()
		})
		if got, want := g.let.Load(), int64(40); got > want {
			t.Errorf("POST %s: got %d guesses let through, want %d at most: 20 at once and 1 in 3 s, by four connections at once", target, got, want)
		}
		if g.refused.Load() < 100 || g.found.Load() > 0 {
			t.Errorf("POST %s: got %d guesses refused and %d keys found, want many and none", target, g.refused.Load(), g.found.Load())
		}
		t.Logf("guessing keys by POST %s for 3 s: %d let through, %d refused; peers before %v; in it %v", target, g.let.Load(), g.refused.Load(), before, in)
	}
}

// perSecond returns how many guesses are let through: some at once, and some a second.
func perSecond(once, each int64) func(time.Duration) int64 {
	return func(took time.Duration) int64 { return once + (each+1)*int64(took/time.Second+1) }
}

// TestGuessingFromMany lets clients of many addresses guess 20 keys each, which is what each may.
func TestGuessingFromMany(t *testing.T) {
	for _, tt := range []struct {
		what    string
		clients int
		address func(n int) string
		most    func(took time.Duration) int64
	}{
		{"200 /64 of one /48", 200, func(n int) string { return fmt.Sprintf("2001:db8:7:%x::1", n) }, perSecond(16*20, 16*20/60)},
		{"200 /64 of 200 /48", 200, func(n int) string { return fmt.Sprintf("2001:db8:%x::1", n) }, perSecond(200*20, 0)},
		{"1,500 addresses of IPv4", 1500, func(n int) string { return fmt.Sprintf("10.1.%d.%d", n/250, n%250) }, perSecond(256*20+1500-256, 256*20/60)},
	} {
		s := serve(t, asMany, "--rate-wrong-keys=20/m")
		p := connecting(t, s.url(), http.Header{"X-Forwarded-For": {"192.0.2.1"}})
		var g guesses
		began := time.Now()
		before, in := p.during(t, func() {
			const each = 20
			var guessers sync.WaitGroup
			for i := range 4 {
				a := dial(t, s.Addr)
				guessers.Go(func() {
					for n := i; n < tt.clients; n += 4 {
						for j := range each {
							answer, err := a.ask("GET", fmt.Sprintf("/answer/messages?key=guess-%d-%d", n, j), from(tt.address(n)), "")
							if !g.note(t, answer, err) {
								return
							}
						}
					}
				})
			}
			guessers.Wait()
		})
		if got, want := g.let.Load(), tt.most(time.Since(began)); got > want {
			t.Errorf("%s: got %d guesses let through, want %d at most", tt.what, got, want)
		}
		if got := g.let.Load() + g.refused.Load(); got != int64(20*tt.clients) {
			t.Errorf("%s: got %d answers, want %d", tt.what, got, 20*tt.clients)
		}
		t.Logf("guessing by %s in %v: %d let through, %d refused; peers before %v; in it %v", tt.what, time.Since(began).Round(time.Second), g.let.Load(),
			g.refused.Load(), before, in)
	}
}

// TestImagesOfOtherPages has a visitor's browser load images of the API, as any page may have it do.
func TestImagesOfOtherPages(t *testing.T) {
	s := serve(t, "--rate-wrong-keys=20/m", "--allow-origins=https://good.example")
	a := dial(t, s.Addr)
	if answer, err := a.ask("POST", "/offer/sdp?key=k", "", `{"data":"o"}`); err != nil || !strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Fatalf("opening: got %s %v", answer, err)
	}
	const image = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n"
	for i := range 60 {
		for _, key := range []string{"k", fmt.Sprint("wrong-", i)} {
			answer, err := a.ask("GET", "/answer/sdp?key="+key, image, "")
			if err != nil || !strings.HasPrefix(answer, "HTTP/1.1 403") || !strings.Contains(answer, string(custerrors.NotAllowed)) {
				t.Fatalf("an image: got %.200s %v, want 403", answer, err)
			}
		}
	}
	answer, err := a.ask("GET", "/answer/sdp?key=k", "Origin: https://good.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n", "")
	if err != nil || !strings.Contains(answer, `"data":"o"`) {
		t.Errorf("the visitor's own page, afterwards: got %.300s %v, want the sdp", answer, err)
	}
}
