package client

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"signal-server/custerrors"
)

// Error is an answer by which the server refuses the request, or says that there is nothing yet. It unwraps to its Msg:
//
//	errors.Is(err, custerrors.KeyIsExpired)
type Error struct {
	// Method and Path of the request, without the key.
	Method, Path string
	// Status is the HTTP status: 200 for the ordinary exceptions, such as "nothing there yet".
	Status int
	// Msg is the server's text; empty if the answer was not the server's own (a proxy's page, for instance).
	Msg custerrors.Error
	// RetryAfter is the pause that the server asks for before the next request; 0 if it asks for none.
	RetryAfter time.Duration
}

// Error names the request, the msg and the status.
func (e *Error) Error() string {
	if e.Msg == "" {
		return fmt.Sprintf("%s %s: HTTP %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("%s %s: %s (HTTP %d)", e.Method, e.Path, string(e.Msg), e.Status)
}

// Unwrap returns the Msg, nil if there is none.
func (e *Error) Unwrap() error {
	if e.Msg == "" {
		return nil
	}
	return e.Msg
}

// refused reports whether the server itself said that it did not carry the request out, and may do so later. A full queue stays
// full: the server counts what was put as long as the session lives.
func (e *Error) refused() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return e.Msg != "" && e.Msg != custerrors.QueueIsFull
	default:
		return false
	}
}

// passing reports whether the failure may pass, whether the server or a proxy has answered.
func (e *Error) passing() bool {
	switch e.Status {
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return e.Msg != custerrors.QueueIsFull
	default:
		return false
	}
}

// ErrBrokenAnswer says that an answer is not one of this protocol: it was cut short, or is not the expected JSON. It is not known
// whether the request was carried out.
var ErrBrokenAnswer = errors.New("broken answer")

// ErrReplyTooLong says that an answer has more bytes than WithMaxReply allows.
var ErrReplyTooLong = errors.New("answer too long")

// NothingYet reports whether err only says that nothing new has come: custerrors.SdpNoValues or CandidateNoValues.
func NothingYet(err error) bool {
	return errors.Is(err, custerrors.SdpNoValues) || errors.Is(err, custerrors.CandidateNoValues)
}

// parseRetryAfter returns the pause that a Retry-After header asks for (RFC 9110, Section 10.2.3), or 0 if it has no sensible
// value.
func parseRetryAfter(h string, now time.Time) time.Duration {
	const most = 24 * 60 * 60 // seconds: nobody waits longer, and no sum overflows
	if s, err := strconv.Atoi(h); err == nil {
		return time.Duration(min(max(s, 0), most)) * time.Second
	}
	if at, err := http.ParseTime(h); err == nil {
		return min(max(at.Sub(now), 0), most*time.Second)
	}
	return 0
}
