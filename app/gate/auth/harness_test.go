package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"signal-server/app/apptest/testlog"
	"signal-server/custerrors"
)

const (
	secret   = "thirty-two bytes of secret, here"
	audience = "signal"
	issuer   = "https://issuer.example"
)

// The keys that the tests sign with; each is made once.
var (
	rsaKey      = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	otherRSAKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	shortRSAKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2047) })
	ecKey       = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
	p384Key     = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P384()) })
	edKey       = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	otherEdKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
)

func newRSA(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// public returns the JWK of a key to verify with.
func public(kid string, key crypto.Signer) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"}
}

// jwks returns the text of a JWK Set.
func jwks(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// header and claims are members of a token. A nil value removes the member.
type (
	header map[string]any
	claims map[string]any
)

// sign returns a JWT, good for an hour unless the claims say otherwise.
func sign(t testing.TB, method jwt.SigningMethod, key any, h header, c claims) []byte {
	t.Helper()
	all := jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix(), "aud": audience, "iss": issuer}
	token := jwt.NewWithClaims(method, all)
	for name, value := range c {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	for name, value := range h {
		token.Header[name] = value
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(text)
}

func hs256Token(t testing.TB, c claims) []byte {
	return sign(t, jwt.SigningMethodHS256, []byte(secret), nil, c)
}

func edToken(t testing.TB, kid string, key ed25519.PrivateKey, c claims) []byte {
	return sign(t, jwt.SigningMethodEdDSA, key, header{"kid": kid}, c)
}

// segment is a part of a token made by hand.
func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// write puts a file into a directory of the test's and returns its path.
func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	rewrite(t, path, content)
	return path
}

func rewrite(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// logbook is a log that tests read.
type logbook struct{ testlog.Log }

// count returns how many lines have the words.
func (l *logbook) count(words string) int { return strings.Count(l.String(), words) }

func (l *logbook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// guard opens a Guard. The test's end closes it.
func guard(t testing.TB, config Config) *Guard {
	t.Helper()
	g, err := Open(t.Context(), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(g.Close)
	return g
}

// fetching opens a Guard with keys from the source.
func fetching(t testing.TB, fetch source, log *slog.Logger) *Guard {
	t.Helper()
	g, err := open(t.Context(), Config{JWKSURL: "https://issuer.example/keys"}, fetch, log)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(g.Close)
	return g
}

// issue is an issuer that the test controls.
type issue struct {
	mu sync.Mutex
	// guarded by mu
	text    []byte
	err     error
	fetches []time.Time
}

func (i *issue) fetch(context.Context) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fetches = append(i.fetches, time.Now())
	return i.text, i.err
}

func (i *issue) serve(text []byte, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.text, i.err = text, err
}

func (i *issue) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.fetches)
}

// admits asserts that the token is good for that.
func admits(t testing.TB, g *Guard, what string, token []byte, want Grant) {
	t.Helper()
	if got, err := g.Check(token); err != nil || got != want {
		t.Errorf("%s: got %+v, %v; want %+v", what, got, err, want)
	}
}

// refuses asserts that the token is refused as every other one is: with the same error and the same Grant.
func refuses(t testing.TB, g *Guard, what string, token []byte) {
	t.Helper()
	got, err := g.Check(token)
	if err != error(custerrors.NotAuthenticated) || got != (Grant{}) { // the error itself, not one that wraps it
		t.Errorf("%s: got %+v, %v; want nothing, %v", what, got, err, custerrors.NotAuthenticated)
	}
}

var errDown = errors.New("the issuer is down")
