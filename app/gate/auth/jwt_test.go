package auth

import (
	"crypto/x509"
	"encoding/pem"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"signal-server/test/synctime"
)

// keyRing is one key of each kind.
func keyRing(t testing.TB) []byte {
	return jwks(t, public("rsa", rsaKey()), public("ec", ecKey()), public("ed", edKey))
}

func TestAlgorithms(t *testing.T) {
	secrets := write(t, "secret", []byte(secret))
	keys := write(t, "keys", keyRing(t))
	both := guard(t, Config{JWTSecretFile: secrets, JWKSFile: keys})
	onlySecret := guard(t, Config{JWTSecretFile: secrets})
	onlyKeys := guard(t, Config{JWKSFile: keys})
	rs := sign(t, jwt.SigningMethodRS256, rsaKey(), header{"kid": "rsa"}, nil)
	es := sign(t, jwt.SigningMethodES256, ecKey(), header{"kid": "ec"}, nil)
	ed := edToken(t, "ed", edKey, nil)
	hs := hs256Token(t, nil)
	for _, g := range []*Guard{both, onlyKeys} {
		admits(t, g, "RS256", rs, Grant{})
		admits(t, g, "ES256", es, Grant{})
		admits(t, g, "EdDSA", ed, Grant{})
		admits(t, g, "no kid, the one key of its kind", sign(t, jwt.SigningMethodES256, ecKey(), nil, nil), Grant{})
	}
	admits(t, both, "HS256", hs, Grant{})
	admits(t, onlySecret, "HS256", hs, Grant{})
	refuses(t, onlyKeys, "HS256 without a secret", hs)
	refuses(t, onlyKeys, "HS256 by an empty secret", sign(t, jwt.SigningMethodHS256, []byte{}, nil, nil))
	refuses(t, onlySecret, "RS256 without keys", rs)
	refuses(t, onlySecret, "EdDSA without keys", ed)

	der, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	confusions := map[string][]byte{ // RFC 8725, Section 2.1
		"the key in PEM":  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		"the key in DER":  der,
		"the key in JSON": jwks(t, public("rsa", rsaKey())),
		"the modulus":     rsaKey().N.Bytes(),
		"the Ed25519 key": edKey[32:],
		"no bytes at all": {},
	}
	for name, public := range confusions {
		for _, kid := range []string{"rsa", "ec", "ed"} {
			refuses(t, both, "HS256 by "+name, sign(t, jwt.SigningMethodHS256, public, header{"kid": kid}, nil))
			refuses(t, onlyKeys, "HS256 by "+name, sign(t, jwt.SigningMethodHS256, public, header{"kid": kid}, nil))
		}
	}

	for name, token := range map[string][]byte{
		"none":                 sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, header{"kid": "rsa"}, nil),
		"None":                 sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, header{"alg": "None"}, nil),
		"no alg":               sign(t, jwt.SigningMethodHS256, []byte(secret), header{"alg": ""}, nil),
		"alg a list":           sign(t, jwt.SigningMethodHS256, []byte(secret), header{"alg": []string{"HS256"}}, nil),
		"HS384":                sign(t, jwt.SigningMethodHS384, []byte(secret), nil, nil),
		"HS512":                sign(t, jwt.SigningMethodHS512, []byte(secret), nil, nil),
		"RS512 by the key":     sign(t, jwt.SigningMethodRS512, rsaKey(), header{"kid": "rsa"}, nil),
		"PS256 by the key":     sign(t, jwt.SigningMethodPS256, rsaKey(), header{"kid": "rsa"}, nil),
		"RS256 said ES256":     sign(t, jwt.SigningMethodRS256, rsaKey(), header{"kid": "rsa", "alg": "ES256"}, nil),
		"RS256 by another key": sign(t, jwt.SigningMethodRS256, otherRSAKey(), header{"kid": "rsa"}, nil),
		"EdDSA by another key": edToken(t, "ed", otherEdKey, nil),
		"EdDSA, another's kid": edToken(t, "rsa", edKey, nil),
		"kid unknown":          edToken(t, "new", edKey, nil),
		"kid empty":            edToken(t, "", edKey, nil),
		"kid a number":         sign(t, jwt.SigningMethodEdDSA, edKey, header{"kid": 1}, nil),
		"kid null":             sign(t, jwt.SigningMethodEdDSA, edKey, header{"kid": nil}, nil),
		"jwk in the header":    sign(t, jwt.SigningMethodEdDSA, otherEdKey, header{"jwk": public("x", otherEdKey)}, nil),
		"crit":                 sign(t, jwt.SigningMethodEdDSA, edKey, header{"kid": "ed", "crit": []string{"exp"}}, nil),
		"crit with HS256":      sign(t, jwt.SigningMethodHS256, []byte(secret), header{"crit": []string{"b64"}, "b64": false}, nil),
		"crit empty":           sign(t, jwt.SigningMethodHS256, []byte(secret), header{"crit": []string{}}, nil),
		"two parts":            ed[:strings.LastIndex(string(ed), ".")],
		"four parts":           append(ed[:len(ed):len(ed)], '.'),
		"no signature":         ed[:strings.LastIndex(string(ed), ".")+1],
		"a line break":         append(ed[:len(ed):len(ed)], '\n'),
		"padding":              append(hs[:len(hs):len(hs)], '='),
		"Bearer":               append([]byte("Bearer "), ed...),
		"claims not an object": []byte(signedText(t, `{"alg":"HS256"}`, `[]`)),
		"claims null":          []byte(signedText(t, `{"alg":"HS256"}`, `null`)),
		"header null":          []byte(signedText(t, `null`, `{"exp":4102444800}`)),
	} {
		refuses(t, both, name, token)
	}

	two := guard(t, Config{JWKSFile: write(t, "keys", jwks(t, public("a", edKey), public("b", otherEdKey)))})
	refuses(t, two, "no kid, two keys of its kind", sign(t, jwt.SigningMethodEdDSA, edKey, nil, nil))
	admits(t, two, "kid", edToken(t, "b", otherEdKey, nil), Grant{})
	nameless := guard(t, Config{JWKSFile: write(t, "keys", jwks(t, jose.JSONWebKey{Key: edKey.Public()}))})
	admits(t, nameless, "no kid, no kid", sign(t, jwt.SigningMethodEdDSA, edKey, nil, nil), Grant{})
	refuses(t, nameless, "kid of a key that has none", edToken(t, "x", edKey, nil))
}

// signedText returns a token of this header and these claims, byte for byte, signed with the secret.
func signedText(t testing.TB, header, claims string) string {
	t.Helper()
	text := segment(header) + "." + segment(claims)
	signature, err := jwt.SigningMethodHS256.Sign(text, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + segment(string(signature))
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := Config{JWTSecretFile: write(t, "secret", []byte(secret))}
		at := func(after time.Duration) int64 { return time.Now().Add(after).Unix() }
		tests := []struct {
			name   string
			claims claims
			want   bool
		}{
			{"exp missing", claims{"exp": nil}, false},
			{"exp zero", claims{"exp": 0}, false},
			{"exp a string", claims{"exp": "4102444800"}, false},
			{"exp null", claims{"exp": (*int)(nil)}, false},
			{"exp in the far past", claims{"exp": -math.MaxFloat64}, false},
			{"exp beyond all years", claims{"exp": 1e300}, false},
			{"exp 29 s ago", claims{"exp": at(-29 * time.Second)}, true},
			{"exp 30 s ago", claims{"exp": at(-30 * time.Second)}, false},
			{"nbf in 30 s", claims{"nbf": at(30 * time.Second)}, true},
			{"nbf in 31 s", claims{"nbf": at(31 * time.Second)}, false},
			{"nbf a string", claims{"nbf": "1"}, false},
			{"iat in 30 s", claims{"iat": at(30 * time.Second)}, true},
			{"iat in 31 s", claims{"iat": at(31 * time.Second)}, false},
			{"iat long ago", claims{"iat": at(-time.Hour * 24 * 365)}, true},
		}
		g := guard(t, config)
		for _, tt := range tests {
			if tt.want {
				admits(t, g, tt.name, hs256Token(t, tt.claims), Grant{})
			} else {
				refuses(t, g, tt.name, hs256Token(t, tt.claims))
			}
		}

		token := hs256Token(t, claims{"exp": at(40 * time.Second)})
		admits(t, g, "fresh", token, Grant{})
		synctime.Pass(40*time.Second + leeway - time.Nanosecond)
		admits(t, g, "at the end of the leeway", token, Grant{})
		synctime.Pass(time.Nanosecond)
		refuses(t, g, "then", token)
	})
}

func TestAudienceAndIssuer(t *testing.T) {
	secrets := write(t, "secret", []byte(secret))
	strict := guard(t, Config{JWTSecretFile: secrets, Audience: audience, Issuer: issuer})
	loose := guard(t, Config{JWTSecretFile: secrets})
	tests := []struct {
		name          string
		claims        claims
		strict, loose bool
	}{
		{"both", nil, true, true},
		{"among others", claims{"aud": []string{"other", audience}}, true, true},
		{"another audience", claims{"aud": "other"}, false, true},
		{"a longer audience", claims{"aud": audience + "s"}, false, true},
		{"audience in capitals", claims{"aud": strings.ToUpper(audience)}, false, true},
		{"no audience", claims{"aud": nil}, false, true},
		{"no audiences", claims{"aud": []string{}}, false, true},
		{"an empty audience", claims{"aud": ""}, false, true},
		{"audience under another name", claims{"aud": nil, "Aud": audience}, false, true},
		{"another issuer", claims{"iss": issuer + "/"}, false, true},
		{"no issuer", claims{"iss": nil}, false, true},
		{"an empty issuer", claims{"iss": ""}, false, true},
		{"issuers", claims{"iss": []string{issuer}}, false, true},
	}
	for _, tt := range tests {
		for _, c := range []struct {
			g    *Guard
			name string
			want bool
		}{{strict, " if asked for", tt.strict}, {loose, " if not asked for", tt.loose}} {
			if c.want {
				admits(t, c.g, tt.name+c.name, hs256Token(t, tt.claims), Grant{})
			} else {
				refuses(t, c.g, tt.name+c.name, hs256Token(t, tt.claims))
			}
		}
	}
}
