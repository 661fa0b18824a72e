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

// request is one request of the protocol, to be sent once or more often.
type request struct {
	method, path string
	after        Cursor
	wait         time.Duration // 0: answer at once
	contentType  string
	body         []byte // nil: none

	// once says that it must not be carried out twice and that the server cannot tell a repetition.
	once bool

	// opens says that it opens a session.
	opens bool
}

// do sends r until it is answered, fails for good or was sent often enough, and returns the data of the answer.
func (s *Session) do(ctx context.Context, r request) (json.RawMessage, error) {
	c := s.client
	token := ""
	if r.method == http.MethodPost {
		token = rand.Text()
	}
	r.wait = min(r.wait, c.maxWait)
	over := time.Now().Add(r.wait)
	var last error // why the attempt before failed
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

// because adds to the error that ended a call the one that kept it from succeeding before; nil adds nothing.
func because(err, why error) error {
	if why == nil {
		return err
	}
	return fmt.Errorf("%w, after %w", err, why)
}

// unsent wraps an error before which not a byte of the request had left.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }

func mayRepeat(r request, err error) bool {
	var answer *Error
	switch {
	case errors.As(err, &answer):
		return answer.refused() || !r.once && answer.passing()
	case errors.Is(err, ErrReplyTooLong): // it would be as long again
		return false
	case errors.As(err, new(unsent)):
		return true
	default:
		return !r.once
	}
}

func retryAfter(err error) time.Duration {
	var answer *Error
	if errors.As(err, &answer) {
		return answer.RetryAfter
	}
	return 0
}

// attempt sends r once. Its errors are *Error, or they wrap what the transport said or ErrBrokenAnswer or ErrReplyTooLong.
func (s *Session) attempt(ctx context.Context, r request, token string) (json.RawMessage, error) {
	c := s.client
	limit := r.wait + c.timeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()

	// The transport may still write when it has returned an error. One that does not speak to httptrace proves nothing.
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

// withoutURL takes from a transport's error the URL, in which there may be a key, and says of an attempt that took too long
// that it did.
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
	switch {
	case r.body != nil:
		body = bytes.NewReader(r.body)
	case r.once:
		// net/http sends a GET again by itself when a kept connection breaks before the answer, unless it has a body that
		// cannot be read twice. An empty one is enough, and of it nothing is sent over HTTP/1.
		body = io.MultiReader()
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

// readEnvelope returns the data of an answer that carries what was asked for.
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
	answer := &Error{
		Method:     r.method,
		Path:       r.path,
		Status:     resp.StatusCode,
		RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	if err == nil {
		answer.Msg = *env.Msg
	}
	return nil, answer
}
