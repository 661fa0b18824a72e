package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// minRSABits is the least length of an RSA key: shorter ones can be factored (RFC 7518, Section 3.3). The library takes no key of more
// than 4096 bits: each token that claims to be signed with it would cost too much.
const minRSABits = 2048

// keySet is the public keys that JWTs are verified with. It never changes once it is made.
type keySet map[keyName]crypto.PublicKey

// keyName is how a token names a key. The algorithm is part of the name.
type keyName struct{ algorithm, id string }

func (s keySet) find(algorithm, id string) (crypto.PublicKey, error) {
	if key, ok := s[keyName{algorithm, id}]; ok {
		return key, nil
	}
	return nil, keyUnknown
}

// only returns the key of that algorithm if there is exactly one. A token that names no key means that one.
func (s keySet) only(algorithm string) (key crypto.PublicKey, err error) {
	for name, k := range s {
		if name.algorithm != algorithm {
			continue
		}
		if key != nil {
			return nil, keyUnknown
		}
		key = k
	}
	if key == nil {
		return nil, keyUnknown
	}
	return key, nil
}

func readKeySet(path string, log *slog.Logger) (keySet, error) {
	text, err := readFile(jwksFile, path)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeySet(text, log)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", jwksFile, path, err)
	}
	return keys, nil
}

// parseKeySet reads a JWK Set. It leaves out keys for other purposes (RFC 7517, Section 5). It also leaves out keys that nobody should
// sign with, and logs those. If no key is left it returns an error.
func parseKeySet(text []byte, log *slog.Logger) (keySet, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("is not JSON, or not a JWK Set") // err may quote a piece of it
	}
	keys := make(keySet)
	for i, raw := range set.Keys {
		name, key, err := parseKey(raw)
		if _, twice := keys[name]; err == nil && twice {
			err = errors.New("there is one of that name before it")
		}
		if errors.Is(err, errOtherPurpose) {
			continue
		}
		if err != nil {
			log.Warn("a key of the JWKS is not used", "number", i+1, "kid", name.id, "why", err)
			continue
		}
		keys[name] = key
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("has no key to verify RS256, ES256 or EdDSA with, among %d", len(set.Keys))
	}
	return keys, nil
}

// errOtherPurpose says that a key is not for the tokens that this server takes. Nothing is wrong with such a key.
var errOtherPurpose = errors.New("for another purpose")

// parseKey reads one JWK. The name has the key's id even if there is an error, as far as the id could be read.
func parseKey(raw []byte) (keyName, crypto.PublicKey, error) {
	var purpose struct {
		Kty        string   `json:"kty"`
		Kid        string   `json:"kid"`
		Use        string   `json:"use"`
		Operations []string `json:"key_ops"`
	}
	if err := json.Unmarshal(raw, &purpose); err != nil {
		return keyName{}, nil, errors.New("it is not a JWK")
	}
	name := keyName{id: purpose.Kid}
	if purpose.Use != "" && purpose.Use != "sig" || // RFC 7517, Sections 4.2 and 4.3
		purpose.Operations != nil && !slices.Contains(purpose.Operations, "verify") {
		return name, nil, errOtherPurpose
	}
	var jwk jose.JSONWebKey
	switch err := json.Unmarshal(raw, &jwk); {
	case errors.Is(err, jose.ErrUnsupportedKeyType) && purpose.Kty == "RSA":
		return name, nil, fmt.Errorf("it has more than %d bits", jose.MaxRSAModulusBits)
	case errors.Is(err, jose.ErrUnsupportedKeyType):
		return name, nil, errOtherPurpose
	case err != nil:
		return name, nil, errors.New("it is malformed") // err may quote a piece of a private key
	}
	algorithm, err := algorithmOf(jwk.Key)
	if err != nil {
		return name, nil, err
	}
	name.algorithm = algorithm
	named := jwk.Algorithm
	if named == "Ed25519" { // RFC 9864, Section 2.2
		named = eddsa
	}
	if named != "" && named != algorithm {
		return name, nil, errOtherPurpose
	}
	return name, jwk.Key, nil
}

// algorithmOf returns the one algorithm that a key is good for here.
func algorithmOf(key any) (string, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return "", fmt.Errorf("it has %d bits, must have %d or more", bits, minRSABits)
		}
		return rs256, nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return "", errOtherPurpose
		}
		return es256, nil
	case ed25519.PublicKey:
		return eddsa, nil
	case []byte:
		return "", errors.New("it is symmetric: whoever can read the set could sign")
	default:
		return "", errors.New("it is private: whoever can read the set can sign")
	}
}
