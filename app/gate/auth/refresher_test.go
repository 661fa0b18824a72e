package auth

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/test/synctime"
)

// A key that its issuer adds is known with the next fetch. One that the issuer withdraws is gone then, also for tokens that were checked
// before.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var i issue
		i.serve(jwks(t, public("old", edKey)), nil)
		g := fetching(t, i.fetch, slog.New(slog.DiscardHandler))
		old, fresh := edToken(t, "old", edKey, nil), edToken(t, "new", otherEdKey, nil)
		admits(t, g, "old key", old, Grant{})

		i.serve(jwks(t, public("old", edKey), public("new", otherEdKey)), nil)
		synctime.Pass(refreshEvery - time.Second)
		if got := i.count(); got != 1 {
			t.Errorf("before its time: got %d fetches, want 1", got)
		}
		synctime.Pass(time.Second)
		admits(t, g, "both keys: the new one", fresh, Grant{})
		admits(t, g, "both keys: the old one", old, Grant{})

		i.serve(jwks(t, public("new", otherEdKey)), nil)
		synctime.Pass(refreshEvery - time.Second)
		admits(t, g, "the old key, just before", old, Grant{})
		synctime.Pass(time.Second)
		refuses(t, g, "the old key, though remembered", old)
		admits(t, g, "the new key", fresh, Grant{})
	})
}

// A token that names an unknown key causes a fetch, but no more than one in askEvery, however many such tokens come.
func TestUnknownKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var i issue
		i.serve(jwks(t, public("old", edKey)), nil)
		g := fetching(t, i.fetch, slog.New(slog.DiscardHandler))
		fresh := edToken(t, "new", otherEdKey, nil)
		synctime.Pass(time.Minute)

		i.serve(jwks(t, public("new", otherEdKey)), nil)
		refuses(t, g, "the first time", fresh)
		synctest.Wait()
		admits(t, g, "then", fresh, Grant{})
		if got := i.count(); got != 2 {
			t.Errorf("got %d fetches, want 2", got)
		}

		const minutes = 7
		for range minutes * 60 * 10 {
			refuses(t, g, "a key that never comes", edToken(t, "never", otherEdKey, nil))
			synctime.Pass(100 * time.Millisecond)
		}
		synctest.Wait()
		if got, want := i.count(), 2+minutes*6; got < want-1 || got > want+1 {
			t.Errorf("got %d fetches in %d min, want one every 10 s, %d", got, minutes, want)
		}
		for n := 1; n < len(i.fetches); n++ {
			if got := i.fetches[n].Sub(i.fetches[n-1]); got < askEvery {
				t.Errorf("got two fetches within %v, want %v or more", got, askEvery)
			}
		}
		for name, token := range map[string][]byte{
			"an algorithm that has no keys": []byte(signedText(t, `{"alg":"HS256","kid":"x"}`, `{}`)),
			"no JWT":                        []byte("x"),
			"a signature that is wrong":     edToken(t, "new", edKey, nil),
		} {
			before := i.count()
			synctime.Pass(askEvery)
			refuses(t, g, name, token)
			synctest.Wait()
			if got := i.count(); got > before+1 { // one may be due from before
				t.Errorf("%s: got %d fetches, want none", name, got-before)
			}
		}
	})
}

// While the issuer is down, or serves something else, the keys from before stay good. The log says so once, and says when it is over.
func TestIssuerDownLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var i issue
		var log logbook
		good := jwks(t, public("k", edKey))
		i.serve(good, nil)
		g := fetching(t, i.fetch, log.logger())
		for _, bad := range []struct {
			name string
			text []byte
			err  error
		}{
			{"down", nil, errDown},
			{"not JSON", []byte("<html>"), nil},
			{"no keys", []byte(`{"keys":[]}`), nil},
			{"no good keys", jwks(t, public("short", shortRSAKey())), nil},
			{"nothing", nil, nil},
		} {
			before, told := i.count(), log.count("could not be fetched")
			i.serve(bad.text, bad.err)
			synctime.Pass(refreshEvery)
			for range 20 {
				admits(t, g, bad.name, edToken(t, "k", edKey, nil), Grant{})
				synctime.Pass(retryEvery)
			}
			synctest.Wait()
			if got, want := i.count()-before, 21; got != want {
				t.Errorf("%s: got %d fetches, want %d: every 30 s", bad.name, got, want)
			}
			if got := log.count("could not be fetched") - told; got != 1 {
				t.Errorf("%s: the log was told %d times, want once", bad.name, got)
			}
			i.serve(good, nil)
			synctime.Pass(retryEvery)
			if !strings.Contains(lastLine(&log), "can be fetched again") {
				t.Errorf("%s: got %q, want that it is over", bad.name, lastLine(&log))
			}
			synctime.Pass(refreshEvery)
		}
		if got := log.count("has changed"); got != 0 {
			t.Errorf("got %d changes, want none: the keys are as they were", got)
		}
	})
}

func lastLine(l *logbook) string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return lines[len(lines)-1]
}

// A server whose issuer is down does not start: it could let nobody in.
func TestIssuerDownAtStart(t *testing.T) {
	for name, i := range map[string]*issue{
		"down": {err: errDown}, "not JSON": {text: []byte("x")}, "no keys": {text: []byte(`{"keys":[]}`)},
	} {
		g, err := open(t.Context(), Config{JWKSURL: "https://issuer.example/?hunter2"}, i.fetch, slog.New(slog.DiscardHandler))
		if g != nil || err == nil || !strings.HasPrefix(err.Error(), "JWKS URL: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, %v; want an error that says what", name, g, err)
		}
	}
}

// Reload causes a fetch, and does not wait for it.
func TestReloadFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var i issue
		i.serve(jwks(t, public("old", edKey)), nil)
		g := fetching(t, i.fetch, slog.New(slog.DiscardHandler))
		i.serve(jwks(t, public("new", otherEdKey)), nil)
		synctime.Pass(time.Minute)
		if err := g.Reload(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		admits(t, g, "new key", edToken(t, "new", otherEdKey, nil), Grant{})
		refuses(t, g, "old key", edToken(t, "old", edKey, nil))
	})
}
