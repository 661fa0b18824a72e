package nat_test

import (
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"testing"
	"time"

	"signal-server/client/js"
	"signal-server/test/need"
	"signal-server/test/process"
)

// TestTabsApart connects two pages in Chromium that reach nothing but the server.
func TestTabsApart(t *testing.T) {
	need.Programs(t, "chromium")
	for place, where := range places {
		for way, by := range connections(t, where.address) {
			if place != "public" && way != "as announced" {
				continue // TestPeersApart has them
			}
			t.Run(place+", "+way, func(t *testing.T) {
				a := where.rooms(t)
				s, at := a.serve(t, where.address, by)
				told := a.servePage(t)
				for i, in := range a.peers {
					page := fmt.Sprintf("http://%s:8090/?who=%d&bytes=%d&url=%s", host(where.address), i, relayed, url.QueryEscape(at))
					tab := process.Launch(t, in.do, chromium(t, by.cert, page), func(string) {})
					go func() { told <- fmt.Sprintf("chromium %d ended: %v", i, <-tab.Ended) }()
				}
				for range a.peers {
					select {
					case got := <-told:
						if got != doneLine {
							t.Fatalf("a tab: got %q, want %q", got, doneLine)
						}
					case <-time.After(patience):
						t.Fatal("a tab is not done")
					}
				}
				s.wantRelayed(t, by)
			})
		}
	}
}

//go:embed testdata/tab.html
var tab []byte

// servePage serves the page of tabs from the server's room. The channel gets what they tell.
func (a apart) servePage(t testing.TB) (told chan string) {
	t.Helper()
	told = make(chan string, 4) // two tabs tell something, and may end
	l := a.server.listen(t, ":8090")
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(tab)
	})
	routes.HandleFunc("GET /signal.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		w.Write(js.Signal)
	})
	routes.HandleFunc("POST /tell", func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<12))
		told <- string(text)
	})
	pages := &http.Server{Handler: routes, ReadHeaderTimeout: patience}
	go pages.Serve(l)
	t.Cleanup(func() { pages.Close() })
	return told
}

// chromium is a Chromium without a window that shows the page, and trusts the certificate.
func chromium(t testing.TB, trusted *certificate, page string) *exec.Cmd {
	t.Helper()
	args := []string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-crash-reporter", "--user-data-dir=" + t.TempDir(),
	}
	if trusted != nil {
		args = append(args, "--ignore-certificate-errors-spki-list="+trusted.fingerprint(t))
	}
	return exec.Command("chromium", append(args, page)...)
}

// fingerprint is the hash of the certificate's public key, as Chromium is told of it.
func (c certificate) fingerprint(t testing.TB) string {
	t.Helper()
	parsed, err := x509.ParseCertificate(c.der)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
