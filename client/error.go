package client

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
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

	elsewhere string // the server that a redirect leads to, without path and query, which may hold the key; empty: none
}

// prefix begins every error of this package, once.
const prefix = "client: "

// Error names the request, the msg by its constant, its meaning and its text, and the status if it is not 200:
//
//	client: GET /offer/messages: SdpNoValues (the sdp is not put yet, or is taken already): sdp没有值
func (e *Error) Error() string {
	text := fmt.Sprintf(prefix+"%s %s: ", e.Method, e.Path)
	switch {
	case e.Msg == "" && e.Status == http.StatusOK: // readEnvelope makes none
		return text + "an answer without a msg"
	case e.elsewhere != "":
		return fmt.Sprintf("%sHTTP %d: it is redirected to %s; give the client that URL", text, e.Status, e.elsewhere)
	case e.Msg == "":
		text = strings.TrimSuffix(fmt.Sprintf("%sHTTP %d %s", text, e.Status, http.StatusText(e.Status)), " ")
		return text + ", not from a signaling server: a proxy answers, or the URL is another one's" + e.later(" (%v)")
	}
	text += describe(e.Msg)
	if e.Status != http.StatusOK {
		text += fmt.Sprintf(" (HTTP %d%s)", e.Status, e.later(", %v"))
	}
	return text
}

// later says in that format when to ask again, if the server has said so.
func (e *Error) later(format string) string {
	if e.RetryAfter == 0 {
		return ""
	}
	return fmt.Sprintf(format, "retry after "+e.RetryAfter.String())
}

// describe returns the name, the meaning and the text of a msg. One that this client does not know, which is a newer server's, may hold
// anything.
func describe(msg custerrors.Error) string {
	if msg.Name() == "" {
		return fmt.Sprintf("a msg that this client does not know: %.100q", string(msg))
	}
	return fmt.Sprintf("%s (%s): %s", msg.Name(), msg.Meaning(), string(msg))
}

// unasked is a refusal for which the server need not be asked.
type unasked struct{ msg custerrors.Error }

func (u unasked) Error() string { return prefix + describe(u.msg) }

func (u unasked) Unwrap() error { return u.msg }

// failed returns err with the request that it ended.
func (r request) failed(err error) error {
	return fmt.Errorf(prefix+"%s %s: %w", r.method, r.path, err)
}

// because adds to the error that ended a call the reason why it had not succeeded before; nil adds nothing.
func because(err, why error) error {
	if why == nil {
		return err
	}
	return ended{err, why}
}

type ended struct{ err, why error }

func (e ended) Error() string {
	return prefix + strings.TrimPrefix(e.err.Error(), prefix) + ", after " + strings.TrimPrefix(e.why.Error(), prefix)
}

func (e ended) Unwrap() []error { return []error{e.err, e.why} }

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

// MayPass reports whether err says that the server is away for the moment: no connection, an answer that was cut short, 408, 429, 502, 503
// or 504. The Client has repeated the request in vain, as Retry says. A later call may succeed.
func MayPass(err error) bool {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.passing()
	}
	return errors.As(err, new(unanswered))
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
