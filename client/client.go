// Package client speaks to a signaling server: it puts session descriptions and ICE candidates where the peer finds them,
// and waits for the peer's. It knows HTTP and the wire contract, and nothing of what the payloads mean. Package pionsignal
// connects a PeerConnection through it.
//
// A session is named by a key, which the two peers share out of band, and has two roles. Each writes a log, at most one sdp
// and then candidates, and reads the other's:
//
//	c, err := client.New("https://signal.example")
//	s, err := c.Session(key, client.Offer)
//	answer, err := s.Exchange(ctx, client.Write{SDP: offer, Candidates: mine}, "", 30*time.Second)
//
//	offerer                          server                          answerer
//	   │ POST /offer/messages?wait=30   │   GET /answer/messages?wait=30 │
//	   ├───────── offer, c1 c2 ────────▶│◀───────────────────────────────┤
//	   │                                ├────────── offer, c1 c2 ───────▶│
//	   │                                │◀───────── answer, c3 ──────────┤ POST /answer/messages
//	   │◀──────── answer, c3 ───────────┤                                │
//	   ├───────── DELETE /session ─────▶│                                │
//
// [RandomKey] makes a key. A server that does not take everybody wants a token: [WithToken], [WithTokenFunc]. What the server says is an
// [Error], which unwraps to a constant of package custerrors.
//
// # Repeating
//
// A request that failed for the moment (no connection, a broken answer, 408, 429, 502, 503, 504) is sent again as [Retry] says,
// where that cannot do harm: reading by cursor removes nothing, and every POST and every take ([Session.TakeSDP],
// [Session.TakeCandidate], [Session.TakeCandidates]) carries an Idempotency-Key that stays the same over its repetitions, by which the
// server recognizes them. [Session.End] may meet the next session of the key. It is sent again only if the first request cannot have
// been carried out (nothing was sent, or the server refused it). A report of the outcome ([Session.Report]) is sent once.
package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Client sends requests to one server. It is safe for concurrent use. New makes one.
type Client struct {
	// set at construction
	base     *url.URL // without query and fragment
	http     *http.Client
	log      *slog.Logger
	bearer   bearer
	retry    Retry
	timeout  time.Duration // for an answer, beyond the wait that the server is asked for
	maxWait  time.Duration // that one request asks for
	maxReply int64         // bytes of an answer's body

	reports sync.WaitGroup // those under way

	listed atomic.Pointer[listKey] // of the list of ICE servers that was got last, if tokens come from a func
}

const (
	// serverMaxWait is the longest wait that the server grants. It shortens longer ones.
	serverMaxWait = 30 * time.Second

	// defaultTimeout allows for a slow mobile uplink, which takes seconds for an sdp.
	defaultTimeout = 15 * time.Second

	// mostTimeout is longer than anybody waits, and no sum with it overflows.
	mostTimeout = 24 * time.Hour

	// defaultMaxReply is more than a session of 256 KiB, the server's limit, can become: JSON escapes make up to 6 bytes of
	// each byte, and there is the envelope around 258 messages.
	defaultMaxReply = 2 << 20 // bytes

	mostReply = 1 << 40 // bytes, more than fits into memory: one more does not overflow
)

// Option changes a Client while New makes it. The zero value of what an Option takes means the default. New refuses what is negative.
type Option func(*Client)

// WithHTTPClient sends requests through hc, which is not changed and may be used elsewhere. If hc has a Timeout, a request asks
// the server to wait for half of it at most: 60 s or none is best. Redirects are followed only if hc's CheckRedirect says so,
// because they would take the key, a secret of the peers, along.
func WithHTTPClient(hc *http.Client) Option { return func(c *Client) { c.http = hc } }

// WithLogger logs repeated requests to l, at debug level. Keys, tokens and payloads are never logged. The default is not to log.
func WithLogger(l *slog.Logger) Option { return func(c *Client) { c.log = l } }

// WithRetry replaces DefaultRetry.
func WithRetry(r Retry) Option { return func(c *Client) { c.retry = r } }

// WithTimeout sets how long the answer to one request may take beyond the wait that the server was asked for; 15 s by default, a day
// at the most.
// An attempt that takes longer counts as a broken connection.
func WithTimeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// WithMaxReply sets how many bytes the body of an answer may have; 2 MiB by default, enough for the server's default limits.
func WithMaxReply(bytes int64) Option { return func(c *Client) { c.maxReply = bytes } }

// New returns a Client of the server at baseURL, which is http or https and may have a path under which the server is mounted.
// It sends nothing yet.
func New(baseURL string, opts ...Option) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil {
		return nil, fmt.Errorf(prefix+"base URL: %w", withoutURL(context.Background(), err)) // it may hold a password
	}
	switch {
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, fmt.Errorf(prefix+"base URL %q is not http or https", base.Redacted())
	case base.Host == "":
		return nil, fmt.Errorf(prefix+"base URL %q names no host", base.Redacted())
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf(prefix+"base URL %q has a query or a fragment", base.Redacted())
	}
	c := &Client{base: base, maxWait: serverMaxWait}
	for _, o := range opts {
		o(c)
	}
	if err := c.complete(); err != nil {
		return nil, err
	}
	hc := *c.http
	if hc.CheckRedirect == nil {
		hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	hc.CheckRedirect = keepTokenAtHome(hc.CheckRedirect)
	if hc.Timeout > 0 {
		c.maxWait = min(c.maxWait, hc.Timeout/2)
	}
	c.http = &hc
	if c.bearer.isSet() && base.Scheme == "http" && !isLoopback(base.Hostname()) {
		c.log.Warn("the token goes over plain http, where everybody on the way can read it: use https", "host", base.Host)
	}
	return c, nil
}

// Wait returns when no report of an outcome is under way any more, after 5 s at the most. A program that ends as soon as it is connected
// calls Wait before it ends, when it will not call Session.Report again.
func (c *Client) Wait() { c.reports.Wait() }

// complete fills in the defaults, and reports what is wrong with the options.
func (c *Client) complete() error {
	if c.http == nil {
		c.http = &http.Client{}
	}
	c.log = cmp.Or(c.log, slog.New(slog.DiscardHandler))
	c.timeout = min(cmp.Or(c.timeout, defaultTimeout), mostTimeout)
	c.maxReply = min(cmp.Or(c.maxReply, defaultMaxReply), mostReply)
	c.retry = c.retry.complete()
	if err := checkToken(c.bearer.fixed); err != nil {
		return fmt.Errorf(prefix+"the token: %w", err)
	}
	if c.bearer.isSet() && c.base.User != nil {
		return errors.New(prefix + "a token and a user in the base URL: both would be the Authorization of a request")
	}
	if c.timeout < 0 || c.maxReply < 0 || c.http.Timeout < 0 {
		return fmt.Errorf(prefix+"timeouts (%v, %v) and reply limit (%d bytes) must not be negative", c.timeout, c.http.Timeout, c.maxReply)
	}
	return c.retry.check()
}
