// Package auth says who may use the server. A client shows a token: one that the operator has listed, or a JWT signed by an issuer that the
// operator trusts.
//
//	tokens file ──────┐
//	secret file ──────┤   rules: one    Check(token) ─▶ Grant: any session, or one key, one role
//	JWKS file ────────┼──▶ snapshot, ◀──────────────
//	JWKS URL ─fetched─┘   replaced whole             ─▶ custerrors.NotAuthenticated, whatever the reason
//
// It gets the token's bytes and knows neither where in a request they stood nor what the answer looks like. It knows HTTP only to fetch
// keys. Whoever holds a token can use it (a bearer token, RFC 6750), so the server belongs behind TLS.
package auth

import (
	"net"
	"net/url"

	"signal-server/cache"
)

// Config says what a Guard asks for. The zero Config asks for nothing: everybody may use the server. Where it names several
// sources, a token of any of them is good.
type Config struct {
	// TokensFile lists tokens by their hashes, one a line; Mint says how a line looks.
	TokensFile string `name:"auth-tokens-file" trusted:"" placeholder:"FILE" help:"Tokens, hashed; signal-server token makes one."`

	// JWTSecretFile holds the secret that JWTs are signed with by HS256: 32 bytes or more, line breaks at its end not counted.
	JWTSecretFile string `name:"auth-jwt-secret-file" secret:"" placeholder:"FILE" help:"Secret that signs JWTs (HS256)."`

	// JWKSURL or JWKSFile names the key set (RFC 7517, Section 5) of an issuer that signs JWTs by RS256, ES256 or EdDSA. Only one
	// of them may be set. The URL is https, or http on this machine.
	JWKSURL  string `name:"auth-jwks-url" placeholder:"URL" help:"Keys that sign JWTs (RS256, ES256, EdDSA)."`
	JWKSFile string `name:"auth-jwks-file" trusted:"" placeholder:"FILE" help:"The same in a file."`

	// Audience must be a JWT's aud, or among its aud. Issuer must be its iss. An empty one is not checked. Without Audience a JWT
	// that the issuer made for another service is good here, too (RFC 8725, Section 3.9).
	Audience string `name:"auth-jwt-audience" placeholder:"TEXT" help:"What a JWT's aud must have."`
	Issuer   string `name:"auth-jwt-issuer" placeholder:"TEXT" help:"What a JWT's iss must be."`
}

// Validate calls wrong for each mistake: with a pointer to the field, and with what is wrong in words that follow the field's name.
// An argument that points to another field stands for that field's name. Validate reads no file and contacts nobody.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if c.JWKSURL != "" && c.JWKSFile != "" {
		wrong(&c.JWKSURL, "and %v exclude each other", &c.JWKSFile)
	}
	if c.JWKSURL != "" && !fetchable(c.JWKSURL) { // the words do not repeat the URL: its query may be a secret
		wrong(&c.JWKSURL, "must be like https://example.org/keys, or http:// and a loopback address; without a password")
	}
	for _, claim := range []*string{&c.Audience, &c.Issuer} {
		if *claim != "" && !c.takesJWTs() {
			wrong(claim, "is for JWTs: it needs %v, %v or %v", &c.JWTSecretFile, &c.JWKSURL, &c.JWKSFile)
		}
	}
}

// valid reports whether Validate finds nothing.
func (c *Config) valid() bool {
	ok := true
	c.Validate(func(any, string, ...any) { ok = false })
	return ok
}

func (c *Config) takesJWTs() bool {
	return c.JWTSecretFile != "" || c.JWKSURL != "" || c.JWKSFile != ""
}

// fetchable reports whether keys may come from this URL. Plain HTTP over a network will not do: anybody on the way could slip in a
// key.
func fetchable(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	switch u.Scheme {
	case "https":
		return true
	case "http":
		ip := net.ParseIP(u.Hostname())
		return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	default:
		return false
	}
}

// Grant is what a token is good for. The zero Grant is good for everything.
type Grant struct {
	// Key is the one session key that the token is good for; empty: any.
	Key cache.Key
	// Role is the one role that the token may act as; zero: either.
	Role cache.Role
	// Name is what the tokens file calls the token. It is for people who read logs, and proves nothing. A JWT has none.
	Name string
	// Subject tells apart whom JWTs are of: it is a hash of their sub (RFC 7519, Section 4.1.2); zero: the token says nothing of that.
	Subject [16]byte
}

// Allows reports whether the token's holder may do something with the session of this key as that role. Role zero stands for a
// request that acts as neither role, such as DELETE /session: whoever may be one side of a session may end it.
func (g Grant) Allows(key cache.Key, role cache.Role) bool {
	return (g.Key == "" || g.Key == key) && (g.Role == 0 || role == 0 || g.Role == role)
}

// parseRole returns the role of this name.
func parseRole(name string) (cache.Role, bool) {
	for _, role := range cache.Roles {
		if name == role.String() {
			return role, true
		}
	}
	return 0, false
}
