package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"signal-server/custerrors"
)

// MaxTokenLength bounds a token, in bytes. A JWT with a dozen claims and an RSA signature has about one KiB. The longest fits into a head
// of 8 KiB with what else clients send there.
const MaxTokenLength = 6 << 10

// Guard checks tokens. All its methods may be called concurrently.
type Guard struct {
	// set at construction
	config Config
	keys   *refresher // nil unless there is a JWKSURL
	log    *slog.Logger

	// atomic; nil: everybody may use the server
	rules atomic.Pointer[rules]
}

// rules are what tokens are checked against at one moment. They never change: new rules replace them. What was verified by the old
// rules goes with them, so a JWT that an old key signed is not remembered under new keys.
type rules struct {
	material
	jwt      *verifier // nil: no JWT is good
	verified verified
}

// material is what rules are made of. It never changes either.
type material struct {
	tokens tokens
	secret []byte // nil: HS256 is no algorithm
	keys   keySet // nil: HS256 is the only algorithm
}

// Open reads the files and fetches the keys that the config names, within ctx and 10 s. The caller closes the Guard. Validate must have
// passed the config. The error lists all that is wrong with what the config names, one line each: by file and line, without any token or
// secret.
//
// The Guard fetches the keys of a JWKSURL again every 5 min, and soon after a token has named a key that is not among them. While
// fetching fails, the keys from before stay good; a line in the log says when that begins, and one when it ends.
func Open(ctx context.Context, config Config, log *slog.Logger) (*Guard, error) {
	if !config.valid() {
		return nil, errors.New("BUG: auth.Open of a Config that Validate refuses")
	}
	return open(ctx, config, fetchFrom(config.JWKSURL), log)
}

// open is Open with a source of the key set.
func open(ctx context.Context, config Config, fetch source, log *slog.Logger) (*Guard, error) {
	g := &Guard{config: config, log: log}
	if config == (Config{}) {
		return g, nil
	}
	m, err := config.read(log)
	if config.JWKSURL != "" {
		g.keys = newRefresher(fetch, g.install, log)
		var wrong error
		m.keys, wrong = g.keys.load(ctx)
		err = errors.Join(err, wrong)
	}
	if err != nil {
		return nil, err
	}
	g.rules.Store(m.rules(&config))
	if g.keys != nil {
		g.keys.start()
	}
	return g, nil
}

// read reads the files that the config names.
func (c *Config) read(log *slog.Logger) (material, error) {
	var m material
	var errs []error
	var err error
	if c.TokensFile != "" {
		m.tokens, err = readTokens(c.TokensFile)
		errs = append(errs, err)
	}
	if c.JWTSecretFile != "" {
		m.secret, err = readSecret(c.JWTSecretFile)
		errs = append(errs, err)
	}
	if c.JWKSFile != "" {
		m.keys, err = readKeySet(c.JWKSFile, log)
		errs = append(errs, err)
	}
	return m, errors.Join(errs...)
}

func (m material) rules(c *Config) *rules {
	r := &rules{material: m}
	if c.takesJWTs() {
		r.jwt = newVerifier(m.secret, m.keys, c.Audience, c.Issuer)
	}
	return r
}

// Required reports whether a request needs a token. If not, Check grants everything to everybody.
func (g *Guard) Required() bool { return g.rules.Load() != nil }

// Check returns what the token is good for. The error is custerrors.NotAuthenticated for every reason, an empty token included. A
// log at debug level gets the reason, without the token. Check uses the token during the call only. It does not block: it refuses a
// token that names an unknown key, and takes that token as soon as the key has been fetched.
//
// Timing tells nothing about the 256 random bits of a token, since Check compares digests. An attacker who measures how far the
// digest of a guess agrees with a stored one can only find a digest that agrees further by trying more guesses. Even a whole
// digest would not tell the token.
//
// hot: called for every request.
func (g *Guard) Check(token []byte) (Grant, error) {
	r := g.rules.Load()
	if r == nil {
		return Grant{}, nil
	}
	if len(token) == 0 || len(token) > MaxTokenLength {
		return g.refuse(wrongLength)
	}
	digest := sha256.Sum256(token)
	if grant, ok := r.tokens.find(&digest); ok {
		return grant, nil
	}
	if r.jwt == nil {
		return g.refuse(notListed)
	}
	if grant, ok := r.verified.find(&digest, time.Now()); ok {
		return grant, nil
	}
	return g.verify(r, &digest, token)
}

// verify checks a JWT that is not remembered.
func (g *Guard) verify(r *rules, digest *[sha256.Size]byte, token []byte) (Grant, error) {
	if !shapedAsJWT(token) {
		return g.refuse(notListed)
	}
	now := time.Now()
	grant, expiry, why := r.jwt.verify(string(token))
	if why != "" {
		if why == keyUnknown && g.keys != nil {
			g.keys.ask()
		}
		return g.refuse(why)
	}
	r.verified.put(digest, grant, now, expiry)
	return grant, nil
}

func (g *Guard) refuse(why reason) (Grant, error) {
	if g.log.Enabled(context.Background(), slog.LevelDebug) {
		g.log.Debug("a token was refused", "why", string(why))
	}
	return Grant{}, custerrors.NotAuthenticated
}

// Reload reads the files again. The keys of a JWKSURL are fetched again soon, in the background. If anything is wrong with any file
// the Guard stays as it was; the error says what is wrong, as Open's does.
func (g *Guard) Reload() error {
	if !g.Required() {
		return nil
	}
	fresh, err := g.config.read(g.log)
	if err != nil {
		return err
	}
	g.replace(func(m *material) {
		m.tokens, m.secret = fresh.tokens, fresh.secret
		if g.keys == nil {
			m.keys = fresh.keys
		}
	})
	if g.keys != nil {
		g.keys.ask()
	}
	return nil
}

// install replaces the keys by those that were fetched.
func (g *Guard) install(keys keySet) {
	g.replace(func(m *material) { m.keys = keys })
}

// replace changes the rules. Reload and the refresher may call it at the same time, each to change its own part.
func (g *Guard) replace(change func(*material)) {
	for {
		old := g.rules.Load()
		m := old.material
		change(&m)
		if g.rules.CompareAndSwap(old, m.rules(&g.config)) {
			return
		}
	}
}

// Close ends what runs in the background, and waits for it. It may be called twice. Check still works, with the keys of that moment.
func (g *Guard) Close() {
	if g.keys != nil {
		g.keys.close()
	}
}

// reason is why a token was refused, in the words of the log.
type reason string

const (
	wrongLength     reason = "empty or too long"
	notListed       reason = "not listed, and no JWT"
	malformed       reason = "malformed"
	wrongAlgorithm  reason = "algorithm not known"
	critical        reason = "critical header not understood"
	keyUnknown      reason = "key unknown"
	wrongSignature  reason = "signature wrong, or algorithm not taken"
	claimIsMissing  reason = "exp, aud or iss missing"
	expired         reason = "expired"
	notYetValid     reason = "not valid yet"
	wrongAudience   reason = "for another audience"
	wrongIssuer     reason = "of another issuer"
	claimIsNotValid reason = "claim not valid"
)

// Error returns the words.
func (r reason) Error() string { return string(r) }
