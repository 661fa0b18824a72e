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

// MaxTokenLength bounds a token, in bytes. A JWT with a dozen claims and an RSA signature has about one KiB.
const MaxTokenLength = 8 << 10

// Guard checks tokens. All its methods may be called concurrently.
type Guard struct {
	// set at construction
	config Config
	keys   *refresher // nil unless there is a JWKSURL
	log    *slog.Logger

	// atomic; nil: everybody may use the server
	rules atomic.Pointer[rules]
}

// rules are what tokens are checked against at one moment. They are never changed but replaced, and with them goes what was
// verified by them: nothing that an old key had signed is remembered under new ones.
type rules struct {
	material
	jwt      *verifier // nil: no JWT is good
	verified verified
}

// material is what rules are made of; it is not changed either.
type material struct {
	tokens tokens
	secret []byte // nil: HS256 is no algorithm
	keys   keySet // nil: nothing but HS256 is
}

// Open reads the files and fetches the keys that the config names, within ctx and 10 s. The caller closes the Guard. The config is
// one that Validate has nothing against. The error lists all that is wrong with what the config names, one line each: by file and
// line, without any token or secret.
//
// Keys of a JWKSURL are fetched again every 5 min, and soon when a token names a key that is not among them; while that fails
// those from before are good. The log is told when it begins and when it ends.
func Open(ctx context.Context, config Config, log *slog.Logger) (*Guard, error) {
	if !config.valid() {
		return nil, errors.New("BUG: auth.Open of a Config that Validate refuses")
	}
	return open(ctx, config, fetchFrom(config.JWKSURL), log)
}

// open is Open, with the way to the key set.
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

// read reads what the config has in files.
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

// Check returns what the token is good for. The error is custerrors.NotAuthenticated for every reason, an empty token included;
// which one it was, a log at debug level is told, without the token. The token is used during the call only. Check does not
// block: a token that names a key not known yet is refused, and is good as soon as the key has been fetched.
//
// Of 256 random bits nothing is learnt by timing: what is compared are digests. Who measures how far the digest of his guess
// agrees with a stored one cannot make a guess whose digest agrees further, but by trying; and a digest that he had in full
// would tell him no token.
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

// Reload reads the files again, and has the keys of a JWKSURL fetched again soon, in the background. If anything is wrong with
// any file the Guard stays as it was, and the error says what, as that of Open does.
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

// install puts fetched keys in the place of the ones before.
func (g *Guard) install(keys keySet) {
	g.replace(func(m *material) { m.keys = keys })
}

// replace changes the rules; Reload and the refresher may do so at once, each its own part.
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

// Close ends what runs in the background, and waits for it. It may be called twice. Check goes on with what it has.
func (g *Guard) Close() {
	if g.keys != nil {
		g.keys.close()
	}
}

// reason is why a token was refused: one of these words, for a log.
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
