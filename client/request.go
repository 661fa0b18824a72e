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
}

// do sends r until it is answered, fails for good or was sent as often as may be. It returns the data of the answer.
func (s *Session) do(ctx context.Context, r request) (json.RawMessage, error) {
	c := s.client
	token := "" // of this call alone: the server refuses one that comes again with another request
	if r.method == http.MethodPost || r.takes {
		token = rand.Text()
	}
	r.wait = min(r.wait, c.maxWait)
	over := time.Now().Add(r.wait)
	var last error // of the attempt before
	for attempt := 1; ; attempt++ {
		data, err := s.attempt(ctx, r, token)
		if err == nil {
			return data, nil
		}
		if ctx.Err() != nil {
			return nil, because(fmt.Errorf("%s %s: %w", r.method, r.path, ctx.Err()), last)
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

// because adds to the error that ended a call the reason why it had not succeeded before; nil adds nothing.
func because(err, why error) error {
	if why == nil {
		return err
	}
	return fmt.Errorf("%w, after %w", err, why)
}

// unsent wraps the error of a request of which not a byte was sent.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }

func mayRepeat(r request, err error) bool {
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		return refusal.refused() || !r.once && refusal.passing()
	case errors.Is(err, ErrReplyTooLong): // the next answer would be as long
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

// attempt sends r once. Its errors are *Error, or they wrap the transport's error, ErrBrokenAnswer or ErrReplyTooLong.
func (s *Session) attempt(ctx context.Context, r request, token string) (json.RawMessage, error) {
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
	req, err := s.newRequest(traced, r, token)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	known := s.showTicket(r, req)
	resp, err := c.http.Do(req)
	if err != nil {
		err = fmt.Errorf("%s %s: %w", r.method, r.path, withoutURL(ctx, err))
		if traces.Load() && !wrote.Load() {
			err = unsent{err}
		}
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxReply+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w: %w", r.method, r.path, ErrBrokenAnswer, withoutURL(ctx, err))
	case int64(len(body)) > c.maxReply:
		return nil, fmt.Errorf("%s %s: %w: over %d bytes", r.method, r.path, ErrReplyTooLong, c.maxReply)
	}
	data, err := readEnvelope(r, resp, body)
	return data, s.noteTicket(r, known, resp.Header, err)
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

func (s *Session) newRequest(ctx context.Context, r request, token string) (*http.Request, error) {
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
	if token != "" {
		req.Header.Set("Idempotency-Key", token)
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
		return nil, fmt.Errorf("%s %s: %w: %w", r.method, r.path, ErrBrokenAnswer, err)
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
	return nil, refusal
}
