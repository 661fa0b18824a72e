package certificate_test

import (
	"crypto/tls"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/app/certificate"
	"signal-server/test/synctime"
)

var (
	versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

	old, young = strings.Repeat("o", 32), strings.Repeat("y", 32)
)

// client is a client that remembers one session of TLS.
func client(version uint16) *tls.Config {
	return &tls.Config{ServerName: name, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
}

// remembering returns a client that remembers what another one does.
func remembering(of *tls.Config) *tls.Config {
	copied := of.Clone()
	copied.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	if session, ok := of.ClientSessionCache.Get(name); ok {
		copied.ClientSessionCache.Put(name, session)
	}
	return copied
}

// resumes lets the client come, and checks whether it resumes.
func resumes(t *testing.T, what string, source certificate.Source, client *tls.Config, want bool) {
	t.Helper()
	what = tls.VersionName(client.MaxVersion) + ", " + what
	state, err := connect(source, client)
	switch {
	case err != nil:
		t.Fatalf("%s: got %v, want a connection", what, err)
	case state.Version != client.MaxVersion:
		t.Errorf("%s: got %s", what, tls.VersionName(state.Version))
	case state.DidResume != want:
		t.Errorf("%s: got it resumed: %v, want %v", what, state.DidResume, want)
	}
}

// resumable writes a pair and, if there is any, a text of secrets, and returns the config that names them.
func resumable(t *testing.T, p pair, text string) (config certificate.Config) {
	t.Helper()
	d := newDisk(t)
	d.write(t, p)
	config = d.config()
	if text != "" {
		config.ResumptionSecretFile = filepath.Join(t.TempDir(), "secrets")
		put(t, config.ResumptionSecretFile, []byte(text))
	}
	return config
}

// TestResumption comes to a node, and then to it again, to another one and to one that was started again.
func TestResumption(t *testing.T) {
	p := certify(t, 1, 90*day)
	for name, tt := range map[string]struct {
		first, then pair
		secrets     [2]string
		want        bool
	}{
		"the same secret":             {p, p, [2]string{old, old}, true},
		"the secret is the second":    {p, p, [2]string{old, young + "\n" + old}, true},
		"another secret":              {p, p, [2]string{old, young}, false},
		"the secret is not there yet": {p, p, [2]string{young + "\n" + old, old}, false},
		"no secrets":                  {p, p, [2]string{}, false},
		"none at the first":           {p, p, [2]string{"", old}, false},
		"none at the second":          {p, p, [2]string{old, ""}, false},
		"another certificate":         {p, certify(t, 2, 90*day), [2]string{old, old}, false},
	} {
		for _, version := range versions {
			first, then := open(t, resumable(t, tt.first, tt.secrets[0]), new(journal)), open(t, resumable(t, tt.then, tt.secrets[1]), new(journal))
			c := client(version)
			resumes(t, name+": at first", first, c, false)
			resumes(t, name+": at the same again", first, c, true)
			resumes(t, name+": at another", then, c, tt.want)
		}
	}
}

// TestNothingIsResumedOfAnotherName gets certificates for two names from an authority. A client that shows to one what it got of the other
// shakes hands anew.
func TestNothingIsResumedOfAnotherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		config := certificate.Config{Domains: []string{name, "other.example.org"}, Cache: t.TempDir(), Directory: "https://ca.example.org/directory"}
		config.ResumptionSecretFile = filepath.Join(t.TempDir(), "secrets")
		put(t, config.ResumptionSecretFile, []byte(old))
		source := open(t, config, j)
		newCA(t, 90*day, source)
		start(t, source)
		synctime.Pass(time.Minute)
		j.wants(t, "two names", there, there)
		for _, version := range versions {
			c := client(version)
			resumes(t, "of one name", source, c, false)
			resumes(t, "of the same name", source, remembering(c), true)
			other := client(version)
			session, _ := c.ClientSessionCache.Get(name)
			other.ServerName = "other.example.org"
			other.ClientSessionCache.Put(other.ServerName, session)
			resumes(t, "of another name", source, other, false)
		}
	})
}

// TestACertificateEndsResumption replaces the certificate of a server that runs, by another one and by one of the same key.
func TestACertificateEndsResumption(t *testing.T) {
	for what, text := range map[string]string{"random": "", "secrets": old} {
		for _, version := range versions {
			synctest.Test(t, func(t *testing.T) {
				config := resumable(t, certify(t, 1, 90*day), text)
				source, c := open(t, config, new(journal)), client(version)
				start(t, source)
				resumes(t, what+": at first", source, c, false)
				if err := source.Reload(); err != nil {
					t.Errorf("Reload: got %v, want no error", err)
				}
				resumes(t, what+": after Reload of the same certificate", source, c, true)
				disk{config.CertFile, config.KeyFile}.write(t, certify(t, 2, 90*day))
				synctime.Pass(look)
				resumes(t, what+": before the change is seen", source, c, true)
				synctime.Pass(2 * look)
				resumes(t, what+": after the change", source, c, false)
				resumes(t, what+": of the new certificate", source, c, true)
			})
		}
	}
}

// TestARenewalEndsResumption comes every day to a server that renews its certificate.
func TestARenewalEndsResumption(t *testing.T) {
	for _, version := range versions {
		authorized(t, func(t *testing.T, _ certificate.Config, source certificate.Source, _ *ca, _ *journal) {
			start(t, source)
			synctime.Pass(time.Minute)
			c, serial, days := client(version), int64(0), 0
			for ; serial < 2 && days < 90; days++ {
				state, err := connect(source, c) // as yesterday's client
				if err != nil {
					t.Fatalf("day %d: got %v", days, err)
				}
				c = client(version)
				today, err := shake(source, c)
				if err != nil {
					t.Fatalf("day %d: got %v", days, err)
				}
				if got, now := state.DidResume, today.SerialNumber.Int64(); got != (now == serial) {
					t.Errorf("day %d: got it resumed: %v, with the certificate %d, which was %d the day before", days, got, now, serial)
				}
				serial = today.SerialNumber.Int64()
				synctime.Pass(day)
			}
			if serial != 2 {
				t.Errorf("got the certificate %d after %d days, want it renewed", serial, days)
			}
		})
	}
}

// TestSecretsOfResumptionAreReplaced does what an operator does, on one node after the other, without a moment at which somebody cannot
// resume at either.
func TestSecretsOfResumptionAreReplaced(t *testing.T) {
	for _, version := range versions {
		synctest.Test(t, func(t *testing.T) {
			p := certify(t, 1, 90*day)
			var files [2]string
			var nodes [2]certificate.Source
			j := new(journal)
			for i := range nodes {
				config := resumable(t, p, old)
				nodes[i], files[i] = open(t, config, j), config.ResumptionSecretFile
				start(t, nodes[i])
			}
			before := client(version)
			resumes(t, "at first", nodes[0], before, false)
			for _, text := range []string{old + "\n" + young, young + "\r\n" + old + "\r\n"} {
				for i := range nodes {
					put(t, files[i], []byte(text))
					synctime.Pass(3 * look)
					j.wants(t, "replaced", "new secrets of TLS resumption are in use")
					for _, issued := range nodes {
						c := client(version)
						resumes(t, "in the middle", issued, c, false)
						resumes(t, "in the middle, at one", nodes[0], remembering(c), true)
						resumes(t, "in the middle, at the other", nodes[1], remembering(c), true)
					}
				}
			}
			resumes(t, "of the old secret", nodes[1], remembering(before), true)
			after := client(version)
			resumes(t, "by the new secret", nodes[0], after, false)
			for i := range nodes {
				put(t, files[i], []byte(young))
				if err := nodes[i].Reload(); err != nil {
					t.Errorf("Reload: got %v, want no error", err)
				}
			}
			resumes(t, "of a secret that is gone", nodes[1], before, false)
			resumes(t, "of the new secret", nodes[1], after, true)
			synctime.Pass(100 * look)
			j.wants(t, "what was read again is not news to who looks")
		})
	}
}

// TestResumptionLasts comes back to a node that has been started again after hours and days.
func TestResumptionLasts(t *testing.T) {
	for _, version := range versions {
		for _, begin := range []time.Duration{0, 23 * time.Hour, day - time.Second} { // after midnight, which it is at the beginning of a bubble
			synctest.Test(t, func(t *testing.T) {
				synctime.Pass(begin)
				p := certify(t, 1, 90*day)
				source, c := open(t, resumable(t, p, old), new(journal)), client(version)
				resumes(t, "at first", source, c, false)
				came := time.Now()
				for _, after := range []time.Duration{time.Second, time.Hour, day, 3 * day, 7*day - time.Second} {
					synctime.Pass(time.Until(came.Add(after)))
					again := open(t, resumable(t, p, old), new(journal))
					resumes(t, after.String()+" later", source, remembering(c), true)
					resumes(t, after.String()+" later, started again", again, remembering(c), true)
				}
				synctime.Pass(2 * time.Second)
				resumes(t, "over seven days later", source, c, false)
			})
		}
	}
}

// TestKeysOfResumption compares with a key that other code made, so that old and new nodes of a fleet agree during an upgrade: Python's hmac,
// by RFC 5869 with a secret of 32 a, the salt SHA-256("leaf"), and the info "signal-server TLS resumption, day 20000". And it checks whose
// tickets are opened: those of all secrets, of the seven days before and, for a node whose clock is ahead, of the next.
func TestKeysOfResumption(t *testing.T) {
	const today = 20000
	all := [][]byte{[]byte(strings.Repeat("a", 32)), []byte(strings.Repeat("b", 32))}
	leaf := []byte("leaf")
	now := certificate.Keys(all, leaf, today)
	const want = "c8dfa3c9286776aeb9f10165ff8809c8d0e36084dc9cb1c28926049bc1432e2b"
	if got := hex.EncodeToString(now[0][:]); got != want {
		t.Errorf("the first key: got %s, want %s", got, want)
	}
	seen := make(map[[32]byte]bool)
	for _, key := range now {
		seen[key] = true
	}
	if len(seen) != len(now) {
		t.Errorf("got %d keys, %d different ones", len(now), len(seen))
	}
	for other := int64(today - 9); other <= today+3; other++ {
		for i, secret := range all {
			sealed := certificate.Keys([][]byte{secret}, leaf, other)[0]
			if got, want := slices.Contains(now, sealed), other >= today-7 && other <= today+1; got != want {
				t.Errorf("sealed %d days later by secret %d: got it opened: %v, want %v", other-today, i+1, got, want)
			}
			if stranger := certificate.Keys([][]byte{secret}, []byte("another leaf"), other)[0]; slices.Contains(now, stranger) {
				t.Errorf("sealed %d days later for another certificate: got it opened, want it closed", other-today)
			}
		}
	}
}

// TestSecretsOfResumptionThatAreWrong checks what Open and Reload say of a file, and that a server which runs goes on as before.
func TestSecretsOfResumptionThatAreWrong(t *testing.T) {
	for text, want := range map[string]string{"hunter2": "line 1 has 7 bytes", old + "\n\n" + young: "line 2 has 0 bytes", "": "line 1 has 0 bytes"} {
		synctest.Test(t, func(t *testing.T) {
			p, j, c := certify(t, 1, 90*day), new(journal), client(tls.VersionTLS13)
			config := resumable(t, p, old)
			source := open(t, config, j)
			start(t, source)
			resumes(t, "at first", source, c, false)

			put(t, config.ResumptionSecretFile, []byte(text))
			told := func(what string, err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), config.ResumptionSecretFile) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: got %v, want the file, %q, and nothing of a secret", what, err, want)
				}
			}
			_, err := certificate.Open(config, j.logger())
			told("Open", err)
			disk{config.CertFile, config.KeyFile}.write(t, certify(t, 2, 90*day))
			told("Reload", source.Reload())
			serves(t, "Reload of secrets that are wrong takes no certificate either", source, 1)
			disk{config.CertFile, config.KeyFile}.write(t, p)
			synctime.Pass(100 * look)
			j.wants(t, "for long", "the new secrets of TLS resumption are not taken: those before go on")
			resumes(t, "after all", source, c, true)

			remove(t, config.ResumptionSecretFile)
			if _, err := certificate.Open(config, j.logger()); !errors.Is(err, os.ErrNotExist) || strings.Count(err.Error(), config.ResumptionSecretFile) != 1 {
				t.Errorf("no file: got %v, want it named", err)
			}
			resumes(t, "without the file", source, c, true)
		})
	}
}
