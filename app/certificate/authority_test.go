package certificate_test

import (
	"context"
	"crypto/tls"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/app/certificate"
	"signal-server/test/synctime"
)

const (
	there = "there is a certificate"
	none  = "no certificate was given out"
)

// authorized makes, in virtual time, a source for the name, and the authority that it asks for certificates of 90 days.
func authorized(t *testing.T, f func(t *testing.T, config certificate.Config, source certificate.Source, c *ca, j *journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		config := certificate.Config{Domains: []string{name}, Cache: t.TempDir(), Directory: "https://ca.example.org/directory"}
		source := open(t, config, j)
		f(t, config, source, newCA(t, 90*day, source), j)
	})
}

// unserved checks that clients get no certificate, and that they do not make the source ask anybody.
func unserved(t *testing.T, what string, source certificate.Source, c *ca, names ...string) {
	t.Helper()
	c.requests()
	for _, name := range names {
		if _, err := shake(source, &tls.Config{ServerName: name}); err == nil {
			t.Errorf("%s, %q: got a certificate, want none", what, name)
		}
	}
	if got := c.requests(); len(got) > 0 {
		t.Errorf("%s: the authority was asked for a client's sake at %v, want never", what, got)
	}
}

// TestAuthority gets a certificate by each of the challenges, and checks that it is kept for the next start.
func TestAuthority(t *testing.T) {
	for challenge, deaf := range map[string]bool{"by TLS": false, "by HTTP": true} {
		t.Run(challenge, func(t *testing.T) {
			authorized(t, func(t *testing.T, config certificate.Config, source certificate.Source, c *ca, j *journal) {
				c.set(func(c *ca) { c.deafToTLS = deaf })
				if deaf {
					source.Challenges() // as a server on port 80 does
				}
				unserved(t, "before it runs", source, c, name)
				if !source.IsFor(name) || source.IsFor("x."+name) || source.IsFor("") {
					t.Error("it is for others than " + name)
				}
				stop := start(t, source)
				synctime.Pass(time.Minute)
				j.wants(t, "when it runs", there)
				serves(t, "when it runs", source, 1)
				unserved(t, "others", source, c, "", "example.org", "other.example.org", "x."+name)
				for _, way := range []string{strings.ToUpper(name), "Signal.Example.Org"} {
					if _, err := shake(source, &tls.Config{ServerName: way}); err != nil {
						t.Errorf("%q: got %v, want a certificate", way, err)
					}
				}
				onlyRSA := &tls.Config{ServerName: name, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
				if _, err := shake(source, onlyRSA); err == nil || len(c.requests()) > 0 {
					t.Errorf("who cannot do ECDSA: got %v, want no certificate, and nobody asked for one with RSA", err)
				}
				if file, err := os.Stat(filepath.Join(config.Cache, name)); err != nil || file.Mode().Perm() != 0o600 {
					t.Errorf("what is kept: got %v, %v, want the mode 0600", file, err)
				}
				stop()

				again := open(t, config, j)
				unreachable := newCA(t, day, again)
				unreachable.set(func(c *ca) { c.down = true })
				start(t, again)
				synctime.Pass(time.Minute)
				j.wants(t, "started again", there)
				serves(t, "started again", again, 1)
				if got := unreachable.requests(); len(got) > 0 {
					t.Errorf("started again: the authority was asked at %v, want never", got)
				}
			})
		})
	}
}

// TestChallenges asks at port 80 for challenges that are not there.
func TestChallenges(t *testing.T) {
	authorized(t, func(t *testing.T, _ certificate.Config, source certificate.Source, _ *ca, _ *journal) {
		for url, want := range map[string]int{
			"http://" + name + "/": 404, "http://" + name + "/healthz": 404, "http://" + name + "/.well-known/acme-challenge/x": 404,
			"http://" + name + ":80/.well-known/acme-challenge/x": 404, "http://other.example.org/.well-known/acme-challenge/x": 403,
		} {
			w := httptest.NewRecorder()
			if source.Challenges().ServeHTTP(w, httptest.NewRequest("GET", url, nil)); w.Code != want {
				t.Errorf("%s: got %d, want %d", url, w.Code, want)
			}
		}
	})
}

// TestOldCertificate starts with a certificate in the cache that is of no use any more, or cannot be read.
func TestOldCertificate(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, kept string){
		"expired": func(*testing.T, string) { synctime.Pass(91 * day) },
		"half":    func(t *testing.T, kept string) { put(t, kept, content(t, kept)[:500]) },
		"empty":   func(t *testing.T, kept string) { put(t, kept, nil) },
		"gone":    remove,
	} {
		t.Run(what, func(t *testing.T) {
			authorized(t, func(t *testing.T, config certificate.Config, source certificate.Source, c *ca, j *journal) {
				stop := start(t, source)
				synctime.Pass(time.Minute)
				stop()
				c.set(func(c *ca) { c.down = true }) // the first source's timers still run
				spoil(t, filepath.Join(config.Cache, name))
				j.Drain()

				again := open(t, config, j)
				newCA(t, 90*day, again)
				start(t, again)
				synctime.Pass(time.Minute)
				j.wants(t, "again", there)
				serves(t, "again", again, 1) // from the other authority
			})
		})
	}
}

// TestBackOff counts the tries while the authority cannot be reached: five in the first hour, and one in each that follows.
func TestBackOff(t *testing.T) {
	authorized(t, func(t *testing.T, _ certificate.Config, source certificate.Source, c *ca, j *journal) {
		c.set(func(c *ca) { c.down = true })
		began := time.Now()
		start(t, source)
		synctime.Pass(4*time.Hour + 30*time.Minute)
		var got, want []time.Duration
		for _, at := range c.requests() {
			got = append(got, at.Sub(began))
		}
		at := time.Duration(0)
		for pause := certificate.FirstPause; at < 4*time.Hour+30*time.Minute; pause = min(2*pause, certificate.MaxPause) {
			want = append(want, at)
			at += pause
		}
		if !slices.Equal(got, want) {
			t.Errorf("got tries after %v, want them after %v", got, want)
		}
		if n := len(slices.DeleteFunc(want, func(at time.Duration) bool { return at >= time.Hour })); n > 5 {
			t.Errorf("got %d tries in the first hour, want 5, which Let's Encrypt takes", n)
		}
		j.wants(t, "each is told", slices.Repeat([]string{none}, len(got))...)
		unserved(t, "meanwhile", source, c, name)

		c.set(func(c *ca) { c.down = false })
		synctime.Pass(certificate.MaxPause)
		j.wants(t, "reached again", there)
		serves(t, "reached again", source, 1)
	})
}

// TestReloadTriesAgain is about an operator who mends something and says so by Reload. The source tries again as soon as autocert does, once.
func TestReloadTriesAgain(t *testing.T) {
	for what, test := range map[string]struct {
		after, want time.Duration // of the Reload after the first try, and of the second try
	}{
		"at once": {0, certificate.LeastPause},
		"soon":    {5 * time.Second, certificate.LeastPause},
		"later":   {100 * time.Second, 100 * time.Second},
		"never":   {certificate.FirstPause, certificate.FirstPause},
	} {
		t.Run(what, func(t *testing.T) {
			authorized(t, func(t *testing.T, _ certificate.Config, source certificate.Source, c *ca, j *journal) {
				c.set(func(c *ca) { c.down = true })
				began := time.Now()
				start(t, source)
				synctest.Wait()
				if got := len(c.requests()); got != 1 {
					t.Fatalf("at start: got %d tries, want 1", got)
				}
				c.set(func(c *ca) { c.down = false })
				if synctime.Pass(test.after); test.after < certificate.FirstPause {
					for range 3 {
						if err := source.Reload(); err != nil {
							t.Errorf("got %v, want nil", err)
						}
					}
				}
				synctime.Pass(certificate.FirstPause - test.after)
				got := c.requests()
				if len(got) == 0 || got[0].Sub(began) != test.want {
					t.Errorf("got tries at %v, want one %v after %v", got, test.want, began)
				}
				synctime.Pass(10 * time.Second)
				j.wants(t, "mended", none, there)
				serves(t, "mended", source, 1)

				c.requests()
				if err := source.Reload(); err != nil {
					t.Errorf("with nothing to mend: got %v, want nil", err)
				}
				synctime.Pass(day)
				if got := c.requests(); len(got) > 0 {
					t.Errorf("with nothing to mend: the authority was asked at %v, want never", got)
				}
			})
		})
	}
}

// TestRenewal lets a year pass. Clients get a newer certificate each time a third of its time is left, and always get one.
func TestRenewal(t *testing.T) {
	authorized(t, func(t *testing.T, config certificate.Config, source certificate.Source, c *ca, j *journal) {
		start(t, source)
		synctime.Pass(time.Minute)
		j.wants(t, "at start", there)
		for serial := int64(1); serial <= 6; serial++ {
			due := serves(t, "fresh", source, serial).NotBefore.Add(60 * day)
			synctime.Pass(time.Until(due) - time.Second)
			serves(t, "before a third is left", source, serial)
			synctime.Pass(time.Second + time.Hour) // autocert waits for up to an hour, so that not all servers renew at once
			serves(t, "when a third is left", source, serial+1)
		}
		j.wants(t, "all is as it should be")
	})
}

// TestNoRenewal takes the authority away when it is time to renew. The source asks it at least once an hour, and warns the operator when
// half of the time for renewal has passed. Clients get the old certificate, to its end and beyond.
func TestNoRenewal(t *testing.T) {
	authorized(t, func(t *testing.T, _ certificate.Config, source certificate.Source, c *ca, j *journal) {
		start(t, source)
		synctime.Pass(time.Minute)
		c.set(func(c *ca) { c.down = true })
		synctime.Pass(75 * day) // 15 are left
		j.wants(t, "half of the time for it", there)
		if got, least := len(c.requests()), 14*24; got < least {
			t.Errorf("half of the time for it: got %d tries, want %d or more", got, least)
		}
		synctime.Pass(day)
		j.wants(t, "less", slices.Repeat([]string{"the certificate expires soon, and was not renewed"}, 4)...)
		synctime.Pass(15 * day)
		j.Drain()
		synctime.Pass(certificate.WarnEvery)
		j.wants(t, "the end", "the certificate has expired")
		serves(t, "beyond its end", source, 1)

		c.set(func(c *ca) { c.down = false })
		synctime.Pass(time.Hour)
		serves(t, "reached again", source, 2)
		j.Drain()
		synctime.Pass(day)
		j.wants(t, "reached again")
	})
}

// TestAuthorityHangs ends the server while the authority does not answer. Run does not wait for the answer.
func TestAuthorityHangs(t *testing.T) {
	authorized(t, func(t *testing.T, _ certificate.Config, source certificate.Source, c *ca, j *journal) {
		c.set(func(c *ca) { c.hangs = true })
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { source.Run(ctx) })
		synctime.Pass(time.Second)
		began := time.Now()
		cancel()
		running.Wait()
		if took := time.Since(began); took > 0 {
			t.Errorf("got the end after %v, want it at once", took)
		}
		j.wants(t, "an end is no failure")
		synctime.Pass(certificate.RequestFor) // which bounds each request of autocert
	})
}

// TestManyNames asks for three names, one of which the authority refuses. The others are served.
func TestManyNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		source := open(t, certificate.Config{
			Domains: []string{"a.example.org", "Bücher.example.org", "A.example.org"}, Cache: t.TempDir(),
			Directory: "https://ca.example.org/directory",
		}, j)
		c := newCA(t, 90*day, source)
		start(t, source)
		synctime.Pass(time.Minute)
		j.wants(t, "two, as one is there twice", there, there)
		for _, name := range []string{"a.example.org", "xn--bcher-kva.example.org"} {
			leaf, err := shake(source, &tls.Config{ServerName: name})
			if err != nil || leaf.VerifyHostname(name) != nil {
				t.Errorf("%s: got %v, %v, want a certificate for it", name, leaf, err)
			}
		}
		unserved(t, "others", source, c, "b.example.org")
	})
}
