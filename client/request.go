package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"signal-server/custerrors"
)

// request is one request of the protocol. It may be sent several times.
type request struct {
	method, path string
	after        Cursor
	wait         time.Duration // 0: answer at once
	contentType  string
	body         []byte // nil: none

	// takes says that it removes what it returns.
	takes bool

	// once says that it must not be carried out twice, and that the server cannot recognize a repetition.
	once bool

	// opens says that it opens a session.
	opens bool

	// idempotencyKey is for a write that takes more than one call of do; empty: each call has one of its own.
	idempotencyKey string
}

// do sends r until it is answered, fails for good or was sent as often as may be. It returns the data of the answer.
func (s *Session) do(ctx context.Context, r request) (json.RawMessage, error) {
	c := s.client
	if r.idempotencyKey == "" && (r.method == http.MethodPost || r.takes) {
		r.idempotencyKey = rand.Text() // the server refuses one that comes again with another request
	}
	r.wait = min(r.wait, c.maxWait)
	over := time.Now().Add(r.wait)
	var last error // of the attempt before
	for attempt := 1; ; attempt++ {
		data, err := s.attempt(ctx, r)
		if err == nil {
			return data, nil
		}
		if ctx.Err() != nil {
			return nil, because(r.failed(ctx.Err()), last)
		}
		if attempt == c.retry.Attempts || !mayRepeat(r, err) {
			return nil, err
		}
		pause := c.retry.pause(attempt, retryAfter(err))
		c.log.DebugContext(ctx, "signaling request failed, will be repeated",
			"method", r.method, "path", r.path, "attempt", attempt, "pause", pause, "error", err)
		if !sleep(ctx, pause) {
			if ctx.Err() != nil {
				err = because(ctx.Err(), err)
			}
			return nil, err
		}
		last = err
		r.wait = max(0, min(r.wait, time.Until(over)))
	}
}

// unsent wraps the error of a request of which not a byte was sent.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }

// unanswered wraps the error of a request whose answer has not come, or not whole.
type unanswered struct{ error }

func (u unanswered) Unwrap() error { return u.error }

func mayRepeat(r request, err error) bool {
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		return refusal.refused() || !r.once && refusal.passing()
	case errors.Is(err, ErrReplyTooLong), // the next answer would be as long
		errors.As(err, new(noToken)): // who hands tokens out knows how often to ask for one
		return false
	case errors.As(err, new(unsent)):
		return true
	default:
		return !r.once
	}
}

func retryAfter(err error) time.Duration {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.RetryAfter
	}
	return 0
}

// attempt sends r once, or twice if the server does not know the token any more and there is another one. Its errors are *Error, or they
// wrap the transport's error, ErrBrokenAnswer, ErrReplyTooLong or noToken.
func (s *Session) attempt(ctx context.Context, r request) (json.RawMessage, error) {
	var data json.RawMessage
	err := s.client.bearer.use(ctx, s.client.timeout, func(token string) (err error) {
		data, err = s.send(ctx, r, token)
		return err
	})
	if errors.As(err, new(noToken)) {
		err = r.failed(err)
	}
	return data, err
}

// send sends r with that token, once. Its errors are those of attempt.
func (s *Session) send(ctx context.Context, r request, token string) (json.RawMessage, error) {
	c := s.client
	limit := r.wait + c.timeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()

	// The transport may still write after it has returned an error. If it does not support httptrace, nothing is known.
	var traces, wrote atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { traces.Store(true) },
		WroteHeaders: func() { wrote.Store(true) },
	})
	req, err := s.newRequest(traced, r)
	if err != nil {
		return nil, r.failed(err)
	}
	known := s.showTicket(r, req)
	data, header, err := c.exchange(ctx, r, req, token)
	if header == nil && traces.Load() && !wrote.Load() {
		return nil, unsent{err}
	}
	if header == nil || errors.Is(err, ErrReplyTooLong) || errors.As(err, new(unanswered)) {
		return nil, err
	}
	return data, s.noteTicket(r, known, header, err)
}

// exchange sends a request with that token, and returns the data of its answer. header is nil if there is no answer.
func (c *Client) exchange(ctx context.Context, r request, req *http.Request, token string) (data json.RawMessage, header http.Header, err error) {
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, unanswered{r.failed(withoutURL(ctx, err))}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxReply+1))
	switch {
	case err != nil:
		return nil, resp.Header, unanswered{r.failed(fmt.Errorf("%w: %w", ErrBrokenAnswer, withoutURL(ctx, err)))}
	case int64(len(body)) > c.maxReply:
		return nil, resp.Header, r.failed(fmt.Errorf("%w: over %d bytes", ErrReplyTooLong, c.maxReply))
	}
	data, err = readEnvelope(r, resp, body)
	return data, resp.Header, err
}

// withoutURL returns a transport's error without the URL, which may hold the key. For an attempt that took too long it returns
// the error that says so.
func withoutURL(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return context.Cause(ctx)
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (s *Session) newRequest(ctx context.Context, r request) (*http.Request, error) {
	u := s.client.base.JoinPath(r.path) // #nosec G125 -- the paths are constants of this package
	q := url.Values{}
	if r.after != "" {
		q.Set("after", string(r.after))
	}
	if r.wait > 0 {
		q.Set("wait", strconv.FormatFloat(r.wait.Seconds(), 'f', 3, 64))
	}
	if !s.keyInHeader {
		q.Set("key", s.key)
	}
	u.RawQuery = q.Encode()

	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if s.keyInHeader {
		req.Header.Set("Key", s.key)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", r.idempotencyKey)
	}
	return req, nil
}

// readEnvelope returns the data of an answer that grants the request. For any other it returns the error that the answer stands
// for.
func readEnvelope(r request, resp *http.Response, body []byte) (json.RawMessage, error) {
	var env struct {
		Msg  *custerrors.Error `json:"msg"`
		Data json.RawMessage   `json:"data"`
	}
	err := json.Unmarshal(body, &env)
	if err == nil && env.Msg == nil {
		err = errors.New("it has no msg")
	}
	switch {
	case err == nil && resp.StatusCode == http.StatusOK && *env.Msg == "":
		return env.Data, nil
	case err != nil && resp.StatusCode == http.StatusOK:
		return nil, r.failed(fmt.Errorf("%w, not a signaling server's: %w", ErrBrokenAnswer, err))
	}
	refusal := &Error{
		Method:     r.method,
		Path:       r.path,
		Status:     resp.StatusCode,
		RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	if err == nil {
		refusal.Msg = *env.Msg
	}
	if to, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 && to.Host != "" {
		refusal.elsewhere = to.Scheme + "://" + to.Host
	}
	return nil, refusal
}
