package pionsignal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"signal-server/client"
	"signal-server/client/seal"
)

// Option changes how Connect, ConnectNew, Offer and Answer work. A nil argument means the default; where that would be dangerous, and where a
// number is negative, they return an error. So they do for an option that is not theirs: what WithRole, WithSecret, WithToken,
// WithTokenFunc and WithHTTPClient set for Connect, the others are given in the Session.
type Option func(*options)

// DefaultBatchDelay is long enough for a STUN server nearby, and for host candidates, which take 0.2 ms on a loopback interface
// (BenchmarkGathering) and about 1 ms on a virtual Ethernet. A person does not notice it. Gathering ends when the last STUN server
// has answered, or after Pion's 5 s if one does not answer.
const DefaultBatchDelay = 50 * time.Millisecond

// WithBatchDelay sets how long the first write waits for gathering to end; DefaultBatchDelay by default. 0 trickles at once.
func WithBatchDelay(d time.Duration) Option {
	return func(o *options) {
		o.batchDelay = d
		if d < 0 {
			o.mistake = fmt.Errorf("the batch delay is %v, must not be negative", d)
		}
	}
}

// WithLogger logs to l what is left out, such as a candidate of the peer that cannot be read. The default is not to log.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) { o.log = cmp.Or(l, slog.New(slog.DiscardHandler)) }
}

// WithCursor is for an answerer that answers one offer of a key after the other: pass the same variable, empty at first, to each
// Answer. It says how far was read, so that no offer is answered twice, even while its session is still open. Answer sets it
// before it returns. Connect and a Meeting do without.
func WithCursor(c *client.Cursor) Option {
	return func(o *options) { o.cursor = c }
}

// WithSeal seals every payload and opens the peer's, end to end, with keys that both peers derived from one secret: the server
// can neither read descriptions and addresses nor put others in their place. The session is that of keys.SessionKey. For Connect,
// WithSecret is simpler; the keys are for a program that derives them once. A description
// that does not open is an error, seal.ErrBroken or seal.ErrNotSealed, on both sides: the answerer, which reads first, refuses. A candidate
// that does not open is logged and left out. Without keys nothing would be sealed, so nil is an error, seal.ErrNoSecret.
func WithSeal(keys *seal.Keys) Option {
	return func(o *options) {
		if o.keys = keys; keys == nil {
			o.mistake = seal.ErrNoSecret
		}
	}
}

// WithoutReport does not report to the server how the handshake ended. By default the server's operator learns that: connected, over
// which type of local candidate (host, srflx, prflx, relay) and after how many milliseconds, or failed; see client.Session.Report.
// If the caller gave the handshake up, by cancelling the context or closing the PeerConnection, nothing is reported.
func WithoutReport() Option { return func(o *options) { o.silent = true } }

// WithRole makes Connect offer, or answer, and nothing else: for programs of which only one can offer. By default Connect finds the role out.
// client/js's connect, and the others of this package, are a peer to either role.
func WithRole(role client.Role) Option {
	return ofConnect("WithRole", func(o *options) {
		if o.role = role; role != client.Offer && role != client.Answer {
			o.mistake = fmt.Errorf("the role %q is neither %q nor %q", role, client.Offer, client.Answer)
		}
	})
}

// WithSecret makes Connect seal every payload under a secret that both peers share, as [WithSeal] does. With a secret the key may be empty:
// then the session's key is derived from the secret too, and nobody who does not know it can tell where the two meet. It is the option secret
// of client/js's connect. Deriving takes a tenth of a second. Without a secret nothing would be sealed, so an empty one is an error.
func WithSecret(secret string) Option {
	return ofConnect("WithSecret", func(o *options) {
		if o.secret = secret; secret == "" {
			o.mistake = seal.ErrNoSecret
		}
	})
}

// WithToken makes Connect send a token with every request; see client.WithToken.
func WithToken(token string) Option { return ofClient("WithToken", client.WithToken(token)) }

// WithTokenFunc is WithToken for tokens that expire; see client.WithTokenFunc.
func WithTokenFunc(f func(ctx context.Context) (string, error)) Option {
	return ofClient("WithTokenFunc", client.WithTokenFunc(f))
}

// WithHTTPClient makes Connect send its requests through hc; see client.WithHTTPClient.
func WithHTTPClient(hc *http.Client) Option {
	return ofClient("WithHTTPClient", client.WithHTTPClient(hc))
}

// options are what the Options have set.
type options struct {
	log        *slog.Logger
	batchDelay time.Duration
	cursor     *client.Cursor // the caller's; nil: none
	keys       *seal.Keys     // nil: payloads are not sealed
	silent     bool           // the outcome is not reported
	noServers  bool           // the server is not asked for ICE servers
	asked      chan struct{}  // is closed when it has been, which ask sets
	mistake    error          // of an option

	// of Connect alone
	foreign string      // the name of an option that sets one of these
	role    client.Role // empty: to be found out
	secret  string      // empty: none
	client  []client.Option
}

func ofConnect(name string, set Option) Option {
	return func(o *options) {
		o.foreign = name
		set(o)
	}
}

func ofClient(name string, option client.Option) Option {
	return ofConnect(name, func(o *options) { o.client = append(o.client, option) })
}

// newOptions returns what the Options say, with defaults for what they do not.
func newOptions(opts []Option) (options, error) {
	o := options{log: slog.New(slog.DiscardHandler), batchDelay: DefaultBatchDelay}
	for _, set := range opts {
		set(&o)
	}
	return o, o.mistake
}

// sessionOptions is newOptions for callers that have a Session already.
func sessionOptions(opts []Option) (options, error) {
	o, err := newOptions(opts)
	if err == nil && o.foreign != "" {
		err = errors.New(o.foreign + " is for Connect: here the Session, its Client and WithSeal say that")
	}
	return o, err
}
