package auth

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// check is one kind of token, with what its check may allocate.
type check struct {
	name   string
	token  []byte
	good   bool
	cold   bool // nothing is remembered
	allocs float64
}

// checks returns a Guard with a hundred listed tokens, a secret and three keys, and the tokens that it checks.
func checks(t testing.TB) (*Guard, []check) {
	list := []string{hashOf("listed") + " alice"}
	for range 99 {
		_, line, err := Mint(Grant{})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, line)
	}
	g := guard(t, Config{
		TokensFile: write(t, "tokens", []byte(strings.Join(list, "\n"))), JWTSecretFile: write(t, "secret", []byte(secret)),
		JWKSFile: write(t, "keys", keyRing(t)), Audience: audience, Issuer: issuer,
	})
	ed := edToken(t, "ed", edKey, nil)
	rs := sign(t, jwt.SigningMethodRS256, rsaKey(), header{"kid": "rsa"}, nil)
	es := sign(t, jwt.SigningMethodES256, ecKey(), header{"kid": "ec"}, nil)
	return g, []check{
		{"listed", []byte("listed"), true, false, 0},
		{"not listed", []byte("not listed"), false, false, 0},
		{"longest, no JWT", []byte(strings.Repeat("x", MaxTokenLength)), false, false, 0},
		{"too long", []byte(strings.Repeat("x", MaxTokenLength+1)), false, false, 0},
		{"JWT remembered", ed, true, false, 0},
		{"HS256", hs256Token(t, nil), true, true, -1},
		{"HS256 forged", sign(t, jwt.SigningMethodHS256, x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey), nil, nil), false, true, -1},
		{"RS256", rs, true, true, -1},
		{"RS256 forged", sign(t, jwt.SigningMethodRS256, otherRSAKey(), header{"kid": "rsa"}, nil), false, true, -1},
		{"ES256", es, true, true, -1},
		{"EdDSA", ed, true, true, -1},
		{"EdDSA forged", edToken(t, "ed", otherEdKey, nil), false, true, -1},
		{"EdDSA expired", edToken(t, "ed", edKey, claims{"exp": 1}), false, true, -1},
		{"unknown key", edToken(t, "other", edKey, nil), false, true, -1},
		{"longest, shaped as JWT", []byte(segment(`{"alg":"HS256","x":"`+strings.Repeat("x", 4000)+`"}`) + "." +
			segment(`{"x":"`+strings.Repeat("x", 2000)+`"}`) + "." + segment(strings.Repeat("x", 32))), false, true, -1},
	}
}

func TestCheckAllocates(t *testing.T) {
	g, all := checks(t)
	closed := guard(t, Config{TokensFile: write(t, "tokens", []byte(hashOf("listed")))})
	for _, c := range all {
		if c.allocs < 0 {
			continue
		}
		run := func() {
			if _, err := g.Check(c.token); (err == nil) != c.good {
				t.Errorf("%s: got %v, want good: %v", c.name, err, c.good)
			}
		}
		run()
		if got := testing.AllocsPerRun(100, run); got != c.allocs {
			t.Errorf("%s: got %v allocations, want %v", c.name, got, c.allocs)
		}
	}
	jwt := edToken(t, "ed", edKey, nil)
	if got := testing.AllocsPerRun(100, func() { closed.Check(jwt) }); got != 0 {
		t.Errorf("a JWT where none is taken: got %v allocations, want 0", got)
	}
}

func BenchmarkCheck(b *testing.B) {
	g, all := checks(b)
	for _, c := range all {
		b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c.cold {
					r := g.rules.Load()
					r.verified.young, r.verified.old = nil, nil
				}
				if _, err := g.Check(c.token); (err == nil) != c.good {
					b.Fatalf("got %v, want good: %v", err, c.good)
				}
			}
		})
	}
}

// All cores check tokens at once.
func BenchmarkCheckParallel(b *testing.B) {
	g, all := checks(b)
	for _, c := range all {
		if c.allocs != 0 || !c.good {
			continue
		}
		b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					g.Check(c.token)
				}
			})
		})
	}
}

func BenchmarkTokensFile(b *testing.B) {
	text := []byte(strings.Repeat("# a comment of the usual length\n", 10))
	for range 1000 {
		_, line, err := Mint(Grant{Name: "alice"})
		if err != nil {
			b.Fatal(err)
		}
		text = append(append(text, line...), '\n')
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseTokens("t", text); err != nil {
			b.Fatal(err)
		}
	}
}
