package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"signal-server/custerrors"
)

// Role is the side of a session that a peer is on: JSEP's offerer or answerer (RFC 9429, Section 3.2).
type Role string

// The roles.
const (
	Offer  Role = "offer"
	Answer Role = "answer"
)

const maxKeyLength = 32 // characters (Unicode code points)

// Session is one side of the session of a key. It holds no connection: it need not be closed, and any number may exist. It is
// safe for concurrent use. Client.Session makes one.
//
// All that it remembers is the ticket of its role, if the server gives tickets (--role-tickets). Then only the Session that
// opened a session, or was the first to answer in it, can go on as that role. Another one of the same key and role cannot.
type Session struct {
	// set at construction
	client      *Client
	key         string
	keyInHeader bool
	role        Role
	joined      bool // a Meeting's: its Inboxes end with their session, so that the role is found out anew

	// atomic
	ticket atomic.Pointer[string] // of the open session; nil: the server gave none
}

// Session returns the session of that key as role sees it, without asking the server. Leading and trailing spaces are not part
// of a key. The error is custerrors.KeyIsEmpty or custerrors.KeyIsTooLong, or says that there is no such role.
func (c *Client) Session(key string, role Role) (*Session, error) {
	if role != Offer && role != Answer {
		return nil, fmt.Errorf(prefix+"role %q is neither %q nor %q", role, Offer, Answer)
	}
	key = strings.TrimSpace(key)
	switch {
	case key == "":
		return nil, unasked{custerrors.KeyIsEmpty}
	case utf8.RuneCountInString(key) > maxKeyLength:
		return nil, unasked{custerrors.KeyIsTooLong}
	}
	return &Session{client: c, key: key, keyInHeader: fitsHeader(key), role: role}, nil
}

// fitsHeader reports whether key can be sent as the value of a header, where access logs do not show it. Bytes of UTF-8 can be
// (they are obs-text in RFC 9110, Section 5.5, and net/http lets them pass). A key with control characters goes into the query.
func fitsHeader(key string) bool {
	for i := range len(key) {
		if key[i] < ' ' || key[i] == 0x7f {
			return false
		}
	}
	return true
}

// Role returns the side of the session that this is.
func (s *Session) Role() Role { return s.role }

// Join returns s, whose role is known; see Meeting.Join.
func (s *Session) Join(context.Context) (*Session, error) { return s, nil }

// PutSDP puts this role's sdp: UTF-8 text that is not blank, opaque to the server. The offerer's sdp opens the session, which
// then lives for ttl after each request to it, rounded up to whole seconds; 0 means the server's maximum. An answerer's ttl is
// ignored. Errors: custerrors.SdpAlreadyExist while a session of that key lives, and for the answerer KeyNotFound and
// KeyIsExpired.
func (s *Session) PutSDP(ctx context.Context, sdp string, ttl time.Duration) error {
	if err := checkText(sdp); err != nil {
		return err
	}
	if s.role == Answer {
		return s.postText(ctx, "/answer/sdp", sdp)
	}
	return s.postJSON(ctx, request{path: "/offer/sdp", opens: true}, struct {
		TTL  int64  `json:"key_ttl,omitempty"` // seconds
		Data string `json:"data"`
	}{wholeSeconds(ttl), sdp})
}

// TakeSDP removes the other role's sdp from the session and returns it. If it is not there yet, the server waits for it up to
// wait, 30 s at the most. Errors: custerrors.SdpNoValues if it did not come, or is taken already; KeyNotFound if nobody has
// opened the session (an answerer waits for that, too); KeyIsExpired if it has ended.
//
// If the answer is lost on its way, the request is repeated under the same Idempotency-Key, and the server answers as the first time.
func (s *Session) TakeSDP(ctx context.Context, wait time.Duration) (string, error) {
	return take[string](ctx, s, "sdp", wait)
}

// AddCandidate appends a candidate to this role's log. Its errors are those of AddCandidates.
func (s *Session) AddCandidate(ctx context.Context, candidate string) error {
	if err := checkText(candidate); err != nil {
		return err
	}
	return s.postText(ctx, "/"+string(s.role)+"/candidate", candidate)
}

// AddCandidates appends candidates to this role's log in order, all of them or none. For an empty list it sends no request.
// Errors: custerrors.QueueIsFull, BodyIsTooLong, KeyNotFound, KeyIsExpired.
func (s *Session) AddCandidates(ctx context.Context, candidates []string) error {
	if len(candidates) == 0 {
		return nil
	}
	if err := checkTexts(candidates); err != nil {
		return err
	}
	return s.postJSON(ctx, request{path: "/" + string(s.role) + "/candidates"}, candidates)
}

// TakeCandidate removes the oldest candidate of the other role that is left, and returns it. It waits and fails as TakeSDP
// does, with custerrors.CandidateNoValues if none is left.
func (s *Session) TakeCandidate(ctx context.Context, wait time.Duration) (string, error) {
	return take[string](ctx, s, "candidate", wait)
}

// TakeCandidates removes all candidates of the other role that are left, and returns them, oldest first. It waits and fails
// as TakeCandidate does.
func (s *Session) TakeCandidates(ctx context.Context, wait time.Duration) ([]string, error) {
	return take[[]string](ctx, s, "candidates", wait)
}

// End ends the session for both roles. If there is none, or it has ended already, that is no error.
func (s *Session) End(ctx context.Context) error {
	_, err := s.do(ctx, request{method: http.MethodDelete, path: "/session", once: true})
	if isOver(err) {
		return nil
	}
	return err
}

// take asks for what the last element of the path names, and returns it.
func take[T string | []string](ctx context.Context, s *Session, what string, wait time.Duration) (T, error) {
	r := request{method: http.MethodGet, path: "/" + string(s.role) + "/" + what, wait: wait, takes: true}
	var taken *T // nil for null
	data, err := s.do(ctx, r)
	if err == nil {
		err = r.decode(data, &taken)
	}
	if err == nil && taken == nil {
		err = r.decode(nil, &taken)
	}
	if err != nil {
		return *new(T), err
	}
	return *taken, nil
}

func (s *Session) postText(ctx context.Context, path, text string) error {
	_, err := s.do(ctx, request{
		method: http.MethodPost, path: path, contentType: "text/plain; charset=utf-8", body: []byte(text),
	})
	return err
}

// postJSON posts v as the body of r.
func (s *Session) postJSON(ctx context.Context, r request, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	r.method, r.contentType, r.body = http.MethodPost, jsonType, body
	_, err = s.do(ctx, r)
	return err
}

const jsonType = "application/json"

// decode parses the data of an answer to r into v.
func (r request) decode(data json.RawMessage, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return r.failed(fmt.Errorf("%w: %w", ErrBrokenAnswer, err))
	}
	return nil
}

// encode returns v as JSON. It does not escape <, > and &: the server does not embed an sdp in HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf(prefix+"%w", err)
	}
	return b.Bytes(), nil
}

// checkText returns the error with which the server would refuse a payload. JSON would silently replace what is not UTF-8.
func checkText(s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return unasked{custerrors.BodyIsEmpty}
	case !utf8.ValidString(s):
		return unasked{custerrors.BodyIsNotUTF8}
	}
	return nil
}

func checkTexts(texts []string) error {
	for _, t := range texts {
		if err := checkText(t); err != nil {
			return err
		}
	}
	return nil
}

// wholeSeconds rounds up. A negative duration is none.
func wholeSeconds(d time.Duration) int64 {
	seconds := max(d, 0) / time.Second
	if d > seconds*time.Second {
		seconds++
	}
	return int64(seconds)
}
