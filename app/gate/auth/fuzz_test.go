package auth

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"signal-server/custerrors"
)

// FuzzTokensFile reads any file. The tokens that it lists can be written and read again. An error has a bounded number of lines, and no
// word of the file.
func FuzzTokensFile(f *testing.F) {
	for _, text := range []string{
		"", "# nobody\n", hashOf("a"), hashOf("a") + " alice key=k role=offer # since May\r\n" + hashOf("b"),
		hashOf("a") + "\n" + hashOf("a"), "a-token-in-plain-of-43-characters-0123456789\n", hashOf("sixteen-and-more") + "# sixteen-and-more",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseTokens("f", text)
		if err != nil {
			if lines := strings.Count(err.Error(), "\n") + 1; lines > maxMistakes+1 {
				t.Errorf("got %d lines, want %d or fewer", lines, maxMistakes+1)
			}
			for _, word := range strings.Fields(string(text)) {
				if len(word) >= minUnhashed && strings.Contains(err.Error(), word) {
					t.Errorf("got %q, want nothing of the file in it", err)
				}
			}
			return
		}
		var again []string
		for _, same := range got {
			for _, l := range same {
				again = append(again, lineOf(l.digest, l.grant))
			}
		}
		back, err := parseTokens("f", []byte(strings.Join(again, "\n")))
		if err != nil {
			t.Fatalf("written again: got %v for %q", err, again)
		}
		for _, same := range got {
			for _, l := range same {
				if grant, ok := back.find(&l.digest); !ok || grant != l.grant {
					t.Errorf("written again: got %+v, %v; want %+v", grant, ok, l.grant)
				}
			}
		}
		if digest := sha256.Sum256(text); len(text) > 0 && len(got) > 0 {
			if _, ok := got.find(&digest); ok {
				t.Error("the file is its own token")
			}
		}
	})
}

// FuzzCheck shows any token. Only those that were issued are good, byte for byte; all others are refused alike.
func FuzzCheck(f *testing.F) {
	g := guard(f, Config{
		TokensFile: write(f, "tokens", []byte(hashOf("listed"))), JWTSecretFile: write(f, "secret", []byte(secret)),
		JWKSFile: write(f, "keys", jwks(f, public("ed", edKey), public("ec", ecKey()), public("rsa", rsaKey()))),
	})
	issued := []string{ // always the same ones: the corpus has them, and tokens that are near to them
		"listed",
		signedText(f, `{"alg":"HS256","typ":"JWT"}`, `{"exp":4102444800,"key":"k","role":"offer"}`),
		edSigned(f, `{"alg":"EdDSA","kid":"ed"}`, `{"exp":4102444800,"aud":["a","b"]}`),
		edSigned(f, `{"alg":"EdDSA"}`, `{"exp":4102444800}`),
	}
	for _, token := range issued {
		f.Add([]byte(token))
		f.Add([]byte(token[:len(token)-1]))
	}
	for _, token := range []string{
		"", ".", "..", "a.b.c", segment(`{"alg":"none"}`) + "." + segment(`{"exp":4102444800}`) + ".",
		segment(`{"alg":"RS256","kid":"rsa"}`) + "." + segment(`{}`) + "." + segment(strings.Repeat("s", 256)),
		segment(`{"alg":"ES256","kid":"ec"}`) + "." + segment(`{"exp":1e400}`) + "." + segment(strings.Repeat("s", 64)),
		signedText(f, `{"alg":"HS256","crit":["exp"]}`, `{"exp":4102444800}`),
		signedText(f, `{"alg":"HS256"}`, `{"exp":4102444800,"role":"both"}`),
		signedText(f, `{"alg":"HS256"}`, `{"exp":1}`),
		signedText(f, `{"alg":"HS256"}`, strings.Repeat(`[`, 3000)),
	} {
		f.Add([]byte(token))
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		for _, when := range []string{"first", "again"} {
			grant, err := g.Check(token)
			if good := slices.Contains(issued, string(token)); good != (err == nil) {
				t.Fatalf("%s: got %+v, %v; want good: %v", when, grant, err, good)
			}
			if err != nil && (err != error(custerrors.NotAuthenticated) || grant != (Grant{})) {
				t.Fatalf("%s: got %+v, %v; want nothing, %v", when, grant, err, custerrors.NotAuthenticated)
			}
		}
	})
}

func edSigned(t testing.TB, header, claims string) string {
	t.Helper()
	text := segment(header) + "." + segment(claims)
	signature, err := jwt.SigningMethodEdDSA.Sign(text, edKey)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + segment(string(signature))
}
