package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"signal-server/custerrors"
)

// WithToken sends a token with every request, as Authorization: Bearer (RFC 6750, Section 2.1): for a server that does not take everybody
// (--auth-tokens-file, --auth-jwt-…). An empty token is none. New refuses one that cannot stand in a header.
//
// The token is part of no error and of no log line. Over plain http it goes unencrypted, as the key does: that is for the loopback and for
// networks that you trust, and New logs a warning where the URL's host is another one. A redirect that hc of WithHTTPClient follows takes
// the token to the same host alone, and not from https to http.
func WithToken(token string) Option {
	return func(c *Client) { c.bearer = bearer{fixed: token} }
}

// WithTokenFunc is WithToken for tokens that expire: f is asked for the token of each request, repetitions included. It may be called by
// many goroutines at once, and what it returns is not kept: if tokens cost something, f keeps them, as oauth2.ReuseTokenSource does. Its
// context ends with the call that needs the token, or after WithTimeout.
//
// If the server answers 401, which means that nothing was done, f is asked once more, and the request sent once more if the token is
// another one. An error of f, or a token that cannot stand in a header, ends the call; errors.Is finds f's error.
//
// A nil f is none. Of WithToken and WithTokenFunc the last one counts.
func WithTokenFunc(f func(ctx context.Context) (string, error)) Option {
	return func(c *Client) { c.bearer = bearer{ask: f} }
}

// bearer knows which token goes with a request. The zero bearer has none.
type bearer struct {
	// set at construction; one of them at most
	fixed string
	ask   func(context.Context) (string, error)
}

func (b bearer) isSet() bool { return b.fixed != "" || b.ask != nil }

// isLoopback reports whether the host of a URL is this machine, so that what is sent there is on no wire.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// noToken is the error of a request that was not sent, because there is no token for it.
type noToken struct{ error }

func (n noToken) Error() string { return "the token: " + n.error.Error() }

func (n noToken) Unwrap() error { return n.error }

// use calls send with the token; and once more, with another one, if the server does not take the token and a func gave it.
func (b bearer) use(ctx context.Context, timeout time.Duration, send func(token string) error) error {
	if b.ask == nil {
		return send(b.fixed)
	}
	token, err := b.next(ctx, timeout)
	if err != nil {
		return err
	}
	err = send(token)
	if !errors.Is(err, custerrors.NotAuthenticated) {
		return err
	}
	renewed, errNext := b.next(ctx, timeout)
	switch {
	case errNext != nil:
		return errNext
	case renewed == token:
		return err
	}
	return send(renewed)
}

// next asks for a token. The error is a noToken.
func (b bearer) next(ctx context.Context, timeout time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	token, err := b.ask(ctx)
	if err == nil {
		err = checkToken(token)
	}
	if err != nil {
		return "", noToken{err}
	}
	return token, nil
}

// checkToken returns an error if a token cannot stand in a header as one word (RFC 9110, Section 11.2). It tells nothing of the token but
// where the fault is.
func checkToken(token string) error {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7f {
			what := "a character that is not ASCII"
			switch {
			case token[i] == ' ':
				what = "a space"
			case token[i] == '\n', token[i] == '\r':
				what = "the end of a line"
			case token[i] < ' ', token[i] == 0x7f:
				what = "a control character"
			}
			return fmt.Errorf("it has %s at byte %d of %d: a token is one word of visible ASCII characters", what, i+1, len(token))
		}
	}
	return nil
}

// keepTokenAtHome makes the check of redirects take the token away from a request to another host, or from https to http. net/http keeps it
// on the way to a subdomain, and to http.
func keepTokenAtHome(follows func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		first := via[0].URL
		if req.URL.Host != first.Host || first.Scheme == "https" && req.URL.Scheme != "https" {
			req.Header.Del("Authorization")
		}
		return follows(req, via)
	}
}
