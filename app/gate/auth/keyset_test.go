package auth

import (
	"crypto"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestKeySet(t *testing.T) {
	with := func(key jose.JSONWebKey, change func(*jose.JSONWebKey)) jose.JSONWebKey {
		change(&key)
		return key
	}
	use := func(use string) func(*jose.JSONWebKey) { return func(k *jose.JSONWebKey) { k.Use = use } }
	alg := func(alg string) func(*jose.JSONWebKey) { return func(k *jose.JSONWebKey) { k.Algorithm = alg } }
	set := func(keys ...jose.JSONWebKey) string { return string(jwks(t, keys...)) }
	ed := public("ed", edKey)
	member := func(kid, more string) string { // an Ed25519 key with more members
		text, _ := json.Marshal(public(kid, edKey))
		return strings.TrimSuffix(string(text), "}") + more + "}"
	}
	raw := func(members ...string) string { return `{"keys":[` + strings.Join(members, ",") + `]}` }
	tests := []struct {
		name  string
		text  string
		want  []string // algorithm and id of each key
		warns []string // pieces of the warnings in the log, one for each key that should not be there
	}{
		{"one of each kind", set(public("r", rsaKey()), public("c", ecKey()), ed), []string{"ES256 c", "EdDSA ed", "RS256 r"}, nil},
		{"two names alike, of two kinds", set(public("k", rsaKey()), public("k", ecKey())), []string{"ES256 k", "RS256 k"}, nil},
		{"two names alike, of one kind", set(public("k", edKey), public("k", otherEdKey)), []string{"EdDSA k"}, []string{"number=2 kid=k"}},
		{"no name", set(with(ed, func(k *jose.JSONWebKey) { k.KeyID = "" })), []string{"EdDSA "}, nil},
		{"no use", set(with(ed, use(""))), []string{"EdDSA ed"}, nil},
		{"for encryption", set(with(public("r", rsaKey()), use("enc")), ed), []string{"EdDSA ed"}, nil},
		{"another use", set(with(public("r", rsaKey()), use("SIG")), ed), []string{"EdDSA ed"}, nil},
		{"to verify", raw(member("ed", `,"key_ops":["sign","verify"]`)), []string{"EdDSA ed"}, nil},
		{"to do something else", raw(member("x", `,"key_ops":["deriveKey"]`), member("y", `,"key_ops":[]`), member("ed", "")), []string{"EdDSA ed"}, nil},
		{"its algorithm", set(with(ed, alg("EdDSA")), with(public("r", rsaKey()), alg("RS256"))), []string{"EdDSA ed", "RS256 r"}, nil},
		{"its newer name", set(with(ed, alg("Ed25519"))), []string{"EdDSA ed"}, nil},
		{"another algorithm", set(with(public("r", rsaKey()), alg("RS512")), with(public("p", rsaKey()), alg("PS256")), ed), []string{"EdDSA ed"}, nil},
		{"HS256 with a public key", set(with(public("r", rsaKey()), alg("HS256")), ed), []string{"EdDSA ed"}, nil},
		{"another curve", set(public("p384", p384Key()), ed), []string{"EdDSA ed"}, nil},
		{"a curve for other things", raw(`{"kty":"OKP","crv":"X25519","x":"`+segment(strings.Repeat("x", 32))+`"}`, member("ed", "")), []string{"EdDSA ed"}, nil},
		{"a kind that nobody knows", raw(`{"kty":"new","use":"sig"}`, member("ed", "")), []string{"EdDSA ed"}, nil},
		{"RSA of 2047 bits", set(public("short", shortRSAKey()), ed), []string{"EdDSA ed"}, []string{"kid=short why=\"it has 2047 bits"}},
		{
			"RSA of 4097 bits", raw(`{"kty":"RSA","kid":"long","e":"AQAB","n":"`+segment("\x01"+strings.Repeat("\xff", 512))+`"}`, member("ed", "")),
			[]string{"EdDSA ed"},
			[]string{"kid=long why=\"it has more than 4096 bits"},
		},
		{
			"symmetric", set(jose.JSONWebKey{Key: []byte("hunter2hunter2hunter2hunter2hunter2"), KeyID: "o"}, ed),
			[]string{"EdDSA ed"},
			[]string{"kid=o why=\"it is symmetric"},
		},
		{
			"private", set(jose.JSONWebKey{Key: otherEdKey, KeyID: "e"}, jose.JSONWebKey{Key: rsaKey(), KeyID: "r"}, jose.JSONWebKey{Key: ecKey(), KeyID: "c"}, ed),
			[]string{"EdDSA ed"},
			[]string{"kid=e why=\"it is private", "kid=r why=\"it is private", "kid=c why=\"it is private"},
		},
		{
			"malformed", raw(`{"kty":"RSA","kid":"m","n":"hunter2"}`, `{"kty":"OKP","crv":"Ed25519","kid":"s","x":"aHVudGVyMg"}`, `{"kid":1}`, `"hunter2"`, `null`, `{}`,
				`{"kty":"EC","crv":"P-256","kid":"off","x":"`+segment(strings.Repeat("\x01", 32))+`","y":"`+segment(strings.Repeat("\x01", 32))+`"}`,
				member("ed", "")),
			[]string{"EdDSA ed"},
			[]string{"kid=m", "kid=s", "number=3", "number=4", "number=5", "number=6", "kid=off why=\"it is malformed"},
		},
		{"a name twice in one key", raw(member("ed", `,"kid":"x"`), member("ed", "")), []string{"EdDSA ed"}, []string{"number=1"}},
		{"nothing usable", set(with(ed, use("enc")), public("short", shortRSAKey())), nil, []string{"kid=short"}},
		{"no keys", `{"keys":[]}`, nil, nil},
		{"no member keys", `{"Keys":[` + member("ed", "") + `]}`, nil, nil},
		{"not an object", `[]`, nil, nil},
		{"a JWK without its set", member("ed", ""), nil, nil},
		{"not JSON", `hunter2`, nil, nil},
		{"nothing", ``, nil, nil},
		{"something behind it", set(ed) + "hunter2", nil, nil},
	}
	for _, tt := range tests {
		var log logbook
		keys, err := parseKeySet([]byte(tt.text), log.logger())
		var got []string
		for name := range keys {
			got = append(got, name.algorithm+" "+name.id)
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("%s: got %q, %v; want %q", tt.name, got, err, tt.want)
		}
		if count := log.count("is not used"); count != len(tt.warns) {
			t.Errorf("%s: got %d warnings, want %d: %s", tt.name, count, len(tt.warns), log.String())
		}
		for _, want := range tt.warns {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%s: got the log %s, want %s in it", tt.name, log.String(), want)
			}
		}
		if all := fmt.Sprint(err, log.String()); strings.Contains(all, "hunter2") || strings.Contains(all, "aHVudGVyMg") {
			t.Errorf("%s: got %s, want nothing of the keys", tt.name, all)
		}
	}
}

// Of two keys of one name and kind the first is good: otherwise it would be a matter of chance.
func TestKeySetTwice(t *testing.T) {
	var log logbook
	keys, err := parseKeySet(jwks(t, public("k", edKey), public("k", otherEdKey)), log.logger())
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys.find(eddsa, "k")
	if err != nil || !edKey.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(got) {
		t.Errorf("got %v, %v; want the first", got, err)
	}
}
