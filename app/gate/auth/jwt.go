package auth

import (
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"signal-server/cache"
)

// leeway is how far the clocks of issuer and server may differ.
const leeway = 30 * time.Second

// The algorithms that are taken (RFC 7518, Section 3.1; RFC 8037, Section 3.1). Each belongs to one kind of key. A key is found by
// its algorithm and its name, so no key is ever used with another algorithm: a public RSA key is never a secret of HS256 (RFC 8725,
// Section 3.1).
const (
	hs256 = "HS256"
	rs256 = "RS256"
	es256 = "ES256"
	eddsa = "EdDSA"
)

// verifier checks JWTs (RFC 7519). It never changes once it is made.
type verifier struct {
	secret []byte
	keys   keySet
	parser *jwt.Parser
}

func newVerifier(secret []byte, keys keySet, audience, issuer string) *verifier {
	var algorithms []string
	if secret != nil {
		algorithms = append(algorithms, hs256)
	}
	if keys != nil {
		algorithms = append(algorithms, rs256, es256, eddsa)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(algorithms),
		jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
	}
	if audience != "" {
		options = append(options, jwt.WithAudience(audience))
	}
	if issuer != "" {
		options = append(options, jwt.WithIssuer(issuer))
	}
	return &verifier{secret: secret, keys: keys, parser: jwt.NewParser(options...)}
}

// shapedAsJWT reports whether the token is three parts of base64url (RFC 7515, Section 7.1). A token of another shape is never decoded:
// base64 decoders would skip line breaks.
func shapedAsJWT(token []byte) bool {
	dots := 0
	for _, c := range token {
		switch {
		case c == '.':
			dots++
		case !alphanumeric(rune(c)) && c != '-' && c != '_':
			return false
		}
	}
	return dots == 2
}

// verify returns what the token is good for and when it expires; why is "" if it is good.
func (v *verifier) verify(token string) (grant Grant, expiry time.Time, why reason) {
	claims := make(jwt.MapClaims) // a struct's fields would not tell capitals apart: RFC 7519, Section 10.1.1
	if _, err := v.parser.ParseWithClaims(token, claims, v.key); err != nil {
		return Grant{}, time.Time{}, reasonOf(err)
	}
	grant, ok := grantOf(claims)
	exp, err := claims.GetExpirationTime()
	if !ok || err != nil || exp == nil {
		return Grant{}, time.Time{}, claimIsNotValid
	}
	return grant, exp.Time, ""
}

// key returns the key to verify the token with, by the token's header.
func (v *verifier) key(token *jwt.Token) (any, error) {
	// The library does not look at crit. Whatever it names, this server does not understand it (RFC 7515, Section 4.1.11).
	if _, ok := token.Header["crit"]; ok {
		return nil, critical
	}
	algorithm := token.Method.Alg()
	if algorithm == hs256 {
		return v.secret, nil
	}
	kid, named := token.Header["kid"]
	if !named {
		return v.keys.only(algorithm)
	}
	name, ok := kid.(string)
	if !ok {
		return nil, malformed
	}
	return v.keys.find(algorithm, name)
}

// grantOf reads the claims that bind a token: key, the session key that it is good for, and role. A claim that is there and makes no
// sense is not ignored: ok is false.
func grantOf(claims jwt.MapClaims) (g Grant, ok bool) {
	if claim, bound := claims["key"]; bound {
		text, _ := claim.(string)
		key, err := cache.ParseKey(text)
		if err != nil {
			return Grant{}, false
		}
		g.Key = cache.Key(strings.Clone(string(key)))
	}
	if claim, bound := claims["role"]; bound {
		name, _ := claim.(string)
		if g.Role, ok = parseRole(name); !ok {
			return Grant{}, false
		}
	}
	if subject, _ := claims["sub"].(string); subject != "" {
		digest := sha256.Sum256([]byte(subject))
		copy(g.Subject[:], digest[:])
	}
	return g, true
}

// reasonOf returns the library's error in this package's words: the library's words quote pieces of the token.
func reasonOf(err error) reason {
	if why, ok := errors.AsType[reason](err); ok {
		return why
	}
	for _, known := range [...]struct {
		err error
		why reason
	}{
		{jwt.ErrTokenMalformed, malformed},
		{jwt.ErrTokenUnverifiable, wrongAlgorithm},
		{jwt.ErrTokenRequiredClaimMissing, claimIsMissing},
		{jwt.ErrTokenExpired, expired},
		{jwt.ErrTokenNotValidYet, notYetValid},
		{jwt.ErrTokenUsedBeforeIssued, notYetValid},
		{jwt.ErrTokenInvalidAudience, wrongAudience},
		{jwt.ErrTokenInvalidIssuer, wrongIssuer},
		{jwt.ErrTokenInvalidClaims, claimIsNotValid},
	} {
		if errors.Is(err, known.err) {
			return known.why
		}
	}
	return wrongSignature
}
