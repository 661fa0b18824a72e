package auth

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"signal-server/cache"
	"signal-server/test/synctime"
)

func TestCheckLength(t *testing.T) {
	longest := strings.Repeat("x", MaxTokenLength)
	g := guard(t, Config{TokensFile: write(t, "tokens", []byte(hashOf(longest)+"\n"+hashOf(longest+"x")+"\n"+hashOf("")))})
	admits(t, g, "the longest", []byte(longest), Grant{})
	refuses(t, g, "one byte more, though listed", []byte(longest+"x"))
	refuses(t, g, "none, though listed", nil)
	refuses(t, g, "another", []byte("x"))
}

// The error says everything that is wrong with the files, by file and place, and quotes nothing of them.
func TestOpenTellsAll(t *testing.T) {
	tokens := write(t, "tokens", []byte("hunter2\n"))
	short := write(t, "secret", []byte("hunter2-hunter2-hunter2-hunter2\n")) // 31 bytes
	keys := write(t, "keys", []byte("hunter2"))
	_, err := Open(t.Context(), Config{TokensFile: tokens, JWTSecretFile: short, JWKSFile: keys}, slog.New(slog.DiscardHandler))
	want := []string{
		"tokens file " + tokens + ":1: does not begin",
		"JWT secret file " + short + ": has 31 bytes, must have 32 or more",
		"JWKS file " + keys + ": is not JSON",
	}
	if err == nil {
		t.Fatal("got no error")
	}
	got := strings.Split(err.Error(), "\n")
	for i := range want {
		if len(got) != len(want) || !strings.HasPrefix(got[i], want[i]) || strings.Contains(got[i], "hunter2") {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	missing := filepath.Join(t.TempDir(), "none")
	_, err = Open(t.Context(), Config{TokensFile: missing, JWTSecretFile: missing, JWKSFile: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err == nil || strings.Count(err.Error(), "\n") != 2 || strings.Count(err.Error(), missing) != 2 {
		t.Errorf("got %v, want three lines, each with its path once", err)
	}
}

func TestSecretFile(t *testing.T) {
	for name, content := range map[string]string{
		"as it is": secret, "a line": secret + "\n", "a line of Windows": secret + "\r\n", "lines": secret + "\n\n",
	} {
		g := guard(t, Config{JWTSecretFile: write(t, "secret", []byte(content))})
		admits(t, g, name, hs256Token(t, nil), Grant{})
	}
	inner := "\n " + secret[:30]
	g := guard(t, Config{JWTSecretFile: write(t, "secret", []byte(inner))})
	admits(t, g, "other white space is the secret's", sign(t, jwt.SigningMethodHS256, []byte(inner), nil, nil), Grant{})
	for _, content := range []string{"", "\n\n", secret[:31] + "\n", strings.Repeat("\n", 40)} {
		if _, err := readSecret(write(t, "secret", []byte(content))); err == nil {
			t.Errorf("%q: got no error, want that it is too short", content)
		}
	}
}

// A Reload takes all files as they are, or none.
func TestReload(t *testing.T) {
	tokens := write(t, "tokens", []byte(hashOf("old")))
	secrets := write(t, "secret", []byte(secret))
	keys := write(t, "keys", jwks(t, public("old", edKey)))
	g := guard(t, Config{TokensFile: tokens, JWTSecretFile: secrets, JWKSFile: keys})
	signed, edSigned := hs256Token(t, nil), edToken(t, "old", edKey, nil)
	old := func(when string) {
		t.Helper()
		admits(t, g, when+": listed token", []byte("old"), Grant{})
		admits(t, g, when+": HS256", signed, Grant{})
		admits(t, g, when+": EdDSA", edSigned, Grant{})
		refuses(t, g, when+": new token", []byte("new"))
	}
	old("at first")

	rewrite(t, tokens, []byte(hashOf("new")))
	rewrite(t, secrets, []byte("another secret that has more than 32 bytes"))
	rewrite(t, keys, []byte("{}"))
	if err := g.Reload(); err == nil || !strings.Contains(err.Error(), "JWKS file") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want what is wrong with the keys", err)
	}
	old("keys that are wrong")

	rewrite(t, keys, jwks(t, public("new", otherEdKey)))
	if err := os.Remove(tokens); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(); err == nil {
		t.Error("got no error for a file that is gone")
	}
	old("a file that is gone")

	rewrite(t, tokens, []byte(hashOf("new")))
	if err := g.Reload(); err != nil {
		t.Fatalf("Reload: %v", err)
	}
	admits(t, g, "new token", []byte("new"), Grant{})
	admits(t, g, "new key", edToken(t, "new", otherEdKey, nil), Grant{})
	refuses(t, g, "old token", []byte("old"))
	refuses(t, g, "HS256 by the old secret, which was remembered", signed)
	refuses(t, g, "EdDSA by the old key, which was remembered", edSigned)
}

// A log at debug level gets the reason, and nothing of the token. The caller gets the same error for every reason.
func TestReasons(t *testing.T) {
	var log logbook
	g, err := Open(t.Context(), Config{
		JWTSecretFile: write(t, "secret", []byte(secret)), JWKSFile: write(t, "keys", jwks(t, public("k", edKey))),
		Audience: audience, Issuer: issuer,
	}, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	past := time.Now().Add(-time.Hour).Unix()
	future := time.Now().Add(time.Hour).Unix()
	tests := []struct {
		token []byte
		want  reason
	}{
		{nil, wrongLength},
		{[]byte("hunter2"), notListed},
		{[]byte("hunter2.hunter2.hunter2"), malformed},
		{[]byte(segment(`{"alg":"hunter2"}`) + "." + segment(`{}`) + "."), wrongAlgorithm},
		{[]byte(segment(`{"alg":"none"}`) + "." + segment(`{}`) + "."), wrongSignature},
		{append(hs256Token(t, nil)[:150:150], hs256Token(t, claims{"hunter2": 1})[150:]...), wrongSignature},
		{edToken(t, "hunter2", edKey, nil), keyUnknown},
		{sign(t, jwt.SigningMethodEdDSA, edKey, header{"kid": "k", "crit": []string{"hunter2"}}, nil), critical},
		{hs256Token(t, claims{"exp": nil}), claimIsMissing},
		{hs256Token(t, claims{"aud": nil}), claimIsMissing},
		{hs256Token(t, claims{"exp": past}), expired},
		{hs256Token(t, claims{"nbf": future}), notYetValid},
		{hs256Token(t, claims{"iat": future}), notYetValid},
		{hs256Token(t, claims{"aud": "hunter2"}), wrongAudience},
		{hs256Token(t, claims{"iss": "hunter2"}), wrongIssuer},
		{hs256Token(t, claims{"role": "hunter2"}), claimIsNotValid},
		{hs256Token(t, claims{"exp": "hunter2"}), claimIsNotValid},
	}
	for i, tt := range tests {
		refuses(t, g, string(tt.want), tt.token)
		if lines := strings.Split(strings.TrimSpace(log.String()), "\n"); len(lines) != i+1 || !strings.Contains(lines[i], string(tt.want)) {
			t.Errorf("got %q, want a last line with %q", lines[len(lines)-1], tt.want)
		}
	}
	if log.count("hunter2") != 0 {
		t.Errorf("got %q, want nothing of the tokens", log.String())
	}
}

func TestConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := write(t, "tokens", []byte(hashOf("a")))
		var i issue
		i.serve(jwks(t, public("k", edKey)), nil)
		g, err := open(t.Context(), Config{TokensFile: tokens, JWKSURL: "https://issuer.example"}, i.fetch, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		signed := edToken(t, "k", edKey, nil)
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				for round := range 50 {
					admits(t, g, "listed", []byte("a"), Grant{})
					admits(t, g, "signed", signed, Grant{})
					refuses(t, g, "unknown key", edToken(t, "other", edKey, nil))
					if n == 0 {
						i.serve(jwks(t, public("k", edKey), public(strings.Repeat("n", round), otherEdKey)), nil)
						if err := g.Reload(); err != nil {
							t.Errorf("Reload: %v", err)
						}
						synctime.Pass(askEvery)
					}
				}
			})
		}
		all.Wait()
		if got := i.count(); got < 50 {
			t.Errorf("got %d fetches, want one for each Reload", got)
		}
		g.Close()
		g.Close()
		admits(t, g, "after Close", []byte("a"), Grant{})
		refuses(t, g, "unknown key after Close", edToken(t, "other", edKey, nil))
	})
}

// The claims of a token say which role of which session it is good for.
func TestGrants(t *testing.T) {
	g := guard(t, Config{JWTSecretFile: write(t, "secret", []byte(secret))})
	admits(t, g, "unbound", hs256Token(t, claims{"Key": "k", "Role": "admin", "roles": 1}), Grant{})
	admits(t, g, "key", hs256Token(t, claims{"key": "k"}), Grant{Key: "k"})
	admits(t, g, "key in spaces, as in requests", hs256Token(t, claims{"key": " a key "}), Grant{Key: "a key"})
	admits(t, g, "offer", hs256Token(t, claims{"role": "offer"}), Grant{Role: cache.Offer})
	admits(t, g, "both", hs256Token(t, claims{"key": "鍵", "role": "answer"}), Grant{Key: "鍵", Role: cache.Answer})
	for name, c := range map[string]string{
		"key empty": `"key":""`, "key null": `"key":null`, "key a number": `"key":1`, "key a list": `"key":["k"]`,
		"key too long": `"key":"` + strings.Repeat("k", cache.MaxKeyLength+1) + `"`,
		"role empty":   `"role":""`, "role null": `"role":null`, "role of a list": `"role":["offer"]`, "role in capitals": `"role":"Offer"`,
		"role none": `"role":"none"`,
	} {
		text := segment(`{"alg":"HS256"}`) + "." + segment(`{"exp":4102444800,`+c+`}`)
		signature, err := jwt.SigningMethodHS256.Sign(text, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		refuses(t, g, name, []byte(text+"."+strings.TrimRight(segment(string(signature)), "=")))
	}
}
