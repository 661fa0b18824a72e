package auth

import (
	"log/slog"
	"strings"
	"testing"

	"signal-server/app/apptest/testconfig"
	"signal-server/cache"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		want   []string // one for each mistake
	}{
		{"nothing", Config{}, nil},
		{"everything", Config{TokensFile: "t", JWTSecretFile: "s", JWKSURL: "https://a.example/k", Audience: "a", Issuer: "i"}, nil},
		{"plain to loopback", Config{JWKSURL: "http://127.0.0.1:8080/k"}, nil},
		{"plain to IPv6 loopback", Config{JWKSURL: "http://[::1]/k"}, nil},
		{"plain to localhost", Config{JWKSURL: "http://localhost/k"}, nil},
		{"plain to elsewhere", Config{JWKSURL: "http://192.0.2.1/k"}, []string{"--auth-jwks-url must be"}},
		{"plain to a name that begins so", Config{JWKSURL: "http://localhost.example/k"}, []string{"--auth-jwks-url must be"}},
		{"another scheme", Config{JWKSURL: "file:///etc/keys"}, []string{"--auth-jwks-url must be"}},
		{"no host", Config{JWKSURL: "https:///keys"}, []string{"--auth-jwks-url must be"}},
		{"a password", Config{JWKSURL: "https://u:hunter2@a.example/k"}, []string{"--auth-jwks-url must be"}},
		{"no URL", Config{JWKSURL: "https://a b/\x00hunter2"}, []string{"--auth-jwks-url must be"}},
		{"both sets", Config{JWKSURL: "https://a.example/k", JWKSFile: "k"}, []string{"--auth-jwks-url and --auth-jwks-file exclude each other"}},
		{"claims without JWTs", Config{TokensFile: "t", Audience: "a", Issuer: "i"}, []string{
			"--auth-jwt-audience is for JWTs: it needs --auth-jwt-secret-file, --auth-jwks-url or --auth-jwks-file", "--auth-jwt-issuer is for",
		}},
		{"all at once", Config{JWKSURL: "ftp://a", JWKSFile: "k"}, []string{"--auth-jwks-url and --auth-jwks-file exclude each other", "--auth-jwks-url must be"}},
	}
	for _, tt := range tests {
		got := testconfig.Mistakes(&tt.config)
		if len(got) != len(tt.want) {
			t.Errorf("%s: got %q, want %d lines", tt.name, got, len(tt.want))
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], tt.want[i]) || strings.Contains(got[i], "hunter2") {
				t.Errorf("%s: got %q, want one with %q and no secret", tt.name, got[i], tt.want[i])
			}
		}
		if g, err := Open(t.Context(), tt.config, slog.New(slog.DiscardHandler)); len(tt.want) > 0 && (g != nil || err == nil || !strings.HasPrefix(err.Error(), "BUG:")) {
			t.Errorf("%s: Open: got %v, %v, want it refused", tt.name, g, err)
		}
	}
}

func TestAllows(t *testing.T) {
	tests := []struct {
		grant Grant
		key   cache.Key
		role  cache.Role
		want  bool
	}{
		{Grant{}, "k", cache.Offer, true},
		{Grant{}, "k", 0, true},
		{Grant{}, "", 0, true},
		{Grant{Key: "k"}, "k", cache.Offer, true},
		{Grant{Key: "k"}, "k", 0, true},
		{Grant{Key: "k"}, "K", cache.Offer, false},
		{Grant{Key: "k"}, "kk", 0, false},
		{Grant{Key: "k"}, "", cache.Offer, false},
		{Grant{Role: cache.Offer}, "k", cache.Offer, true},
		{Grant{Role: cache.Offer}, "k", cache.Answer, false},
		{Grant{Role: cache.Offer}, "k", 0, true},
		{Grant{Key: "k", Role: cache.Answer}, "k", cache.Answer, true},
		{Grant{Key: "k", Role: cache.Answer}, "k", cache.Offer, false},
		{Grant{Key: "k", Role: cache.Answer}, "l", cache.Answer, false},
	}
	for _, tt := range tests {
		if got := tt.grant.Allows(tt.key, tt.role); got != tt.want {
			t.Errorf("%+v allows %q as %v: got %v, want %v", tt.grant, tt.key, tt.role, got, tt.want)
		}
	}
}

// Without a config everybody may do everything, whatever token a client shows.
func TestOpenToAll(t *testing.T) {
	g := guard(t, Config{})
	if g.Required() {
		t.Error("Required: got true, want false")
	}
	for _, token := range []string{"", "any", strings.Repeat("x", MaxTokenLength+1)} {
		admits(t, g, "any token", []byte(token), Grant{})
	}
	if err := g.Reload(); err != nil || g.Required() {
		t.Errorf("Reload: got %v, %v; want it as open as before", err, g.Required())
	}
}
