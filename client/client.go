// Package client speaks to a signaling server: it puts session descriptions and ICE candidates where the peer finds them,
// and waits for the peer's. It knows HTTP and the wire contract, and nothing of what the payloads mean; package pionsignal
// beside it connects a PeerConnection.
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
// # Repeating
//
// A request that failed for the moment (no connection, a broken answer, 408, 429, 502, 503, 504) is sent again as [Retry] says,
// where that cannot do harm: every POST carries an Idempotency-Key that stays the same over its repetitions, and reading by
// cursor removes nothing. A take ([Session.TakeSDP], [Session.TakeCandidate], [Session.TakeCandidates]) removes what it
// returns, and [Session.End] may meet the next session of the key: those are sent again only if the first request cannot have
// been carried out (nothing was sent, or the server refused it). Who takes can lose a payload with a broken answer; who reads
// by cursor cannot. A report of the outcome ([Session.Report]) is sent once.
package client

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Client sends requests to one server. It is safe for concurrent use. New makes one.
type Client struct {
	// set at construction
	base     *url.URL // without query and fragment
	http     *http.Client
	log      *slog.Logger
	retry    Retry
	timeout  time.Duration // for an answer, on top of what the server is asked to wait
	maxWait  time.Duration // that one request asks for
	maxReply int64         // bytes of an answer's body

	reports sync.WaitGroup // under way
}

const (
	// serverMaxWait is what the server cuts a wait to.
	serverMaxWait = 30 * time.Second

	// defaultTimeout is how long an answer may be late: a slow mobile uplink takes seconds for an sdp.
	defaultTimeout = 15 * time.Second

	// defaultMaxReply is over what a session of 256 KiB, the server's limit, can become: 6 bytes for each one in JSON
	// escapes, and the envelope around 258 messages.
	defaultMaxReply = 2 << 20 // bytes
)

// Option changes a Client while New makes it.
type Option func(*Client)

// WithHTTPClient sends requests through hc, which is not changed and may be used elsewhere. Its Timeout, if it has one, bounds
// the wait that one request asks for to half of it: 60 s or none is best. Redirects are not followed unless its CheckRedirect
// says so, because the key, a secret of the peers, would go along.
func WithHTTPClient(hc *http.Client) Option { return func(c *Client) { c.http = hc } }

// WithLogger logs repeated requests to l, at debug level. Keys and payloads are never logged. The default is not to log.
func WithLogger(l *slog.Logger) Option { return func(c *Client) { c.log = l } }

// WithRetry replaces DefaultRetry.
func WithRetry(r Retry) Option { return func(c *Client) { c.retry = r } }

// WithTimeout sets how long the answer to one request may take, on top of what the server was asked to wait; 15 s by default.
// An attempt that exceeds it counts as a broken connection.
func WithTimeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// WithMaxReply sets how many bytes the body of an answer may have; 2 MiB by default, enough for the server's default limits.
func WithMaxReply(bytes int64) Option { return func(c *Client) { c.maxReply = bytes } }

// New returns a Client of the server at baseURL, which is http or https and may have a path under which the server is mounted.
// It sends nothing yet.
func New(baseURL string, opts ...Option) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil {
		return nil, fmt.Errorf("client: base URL: %w", err)
	}
	switch {
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, fmt.Errorf("client: base URL %q is not http or https", base.Redacted())
	case base.Host == "":
		return nil, fmt.Errorf("client: base URL %q names no host", base.Redacted())
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("client: base URL %q has a query or a fragment", base.Redacted())
	}
	c := &Client{
		base:     base,
		http:     &http.Client{},
		log:      slog.New(slog.DiscardHandler),
		retry:    DefaultRetry,
		timeout:  defaultTimeout,
		maxWait:  serverMaxWait,
		maxReply: defaultMaxReply,
	}
	for _, o := range opts {
		o(c)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	hc := *c.http
	if hc.CheckRedirect == nil {
		hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	if hc.Timeout > 0 {
		c.maxWait = min(c.maxWait, hc.Timeout/2)
	}
	c.http = &hc
	return c, nil
}

// Wait returns when no report of an outcome is under way any more, 5 s later at the most: for a program that ends when its
// connection is there. It is called when no further Session.Report can come.
func (c *Client) Wait() { c.reports.Wait() }

// check reports what the options got wrong.
func (c *Client) check() error {
	switch {
	case c.http == nil || c.log == nil:
		return fmt.Errorf("client: the http.Client and the logger must not be nil")
	case c.timeout <= 0 || c.maxReply <= 0:
		return fmt.Errorf("client: timeout (%v) and reply limit (%d bytes) must be positive", c.timeout, c.maxReply)
	}
	return c.retry.check()
}
