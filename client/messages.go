package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Kind is what a message is.
type Kind string

// The kinds.
const (
	SDP       Kind = "sdp"
	Candidate Kind = "candidate"
)

// Message is one payload that the other role has written.
type Message struct {
	Kind Kind   `json:"type"`
	Data string `json:"data"`
}

// Cursor is a place in the other role's log, behind the last message read. It is opaque and belongs to one session of the key:
// after that session's end the server no longer knows it. The empty Cursor is the beginning of whichever session is open.
type Cursor string

// Batch is what one request has read: messages in order, the sdp first, and the cursor behind them.
type Batch struct {
	Next     Cursor    `json:"next"`
	Messages []Message `json:"messages"`
}

// Write is what a role writes in one request, all or nothing. It has an sdp, candidates or both.
type Write struct {
	// SDP is the session description; empty: none in this write. The offerer's sdp opens the session.
	SDP string
	// Candidates are appended in order, after the sdp.
	Candidates []string
	// TTL counts only in the write that opens the session; see Session.PutSDP.
	TTL time.Duration
}

// Messages returns what the other role has written after the cursor. It removes nothing: a second call returns the same again.
// If there is nothing, the server waits up to wait, 30 s at the most. Errors:
//   - custerrors.SdpNoValues, CandidateNoValues: nothing new came (see NothingYet), before or after the sdp.
//   - custerrors.KeyNotFound: nobody has opened the session (an answerer waits for that, too).
//   - custerrors.KeyIsExpired: the session has ended, or the cursor belongs to one that has.
//
// With an error the Batch is empty and its Next is after.
func (s *Session) Messages(ctx context.Context, after Cursor, wait time.Duration) (Batch, error) {
	return s.batch(ctx, request{
		method: http.MethodGet, path: "/" + string(s.role) + "/messages", after: after, wait: wait,
	})
}

// Exchange writes w and then reads as Messages does, in one request. If there is nothing to read, that is no error here: the
// Batch is empty, and w is written. With any other error w may be written or not. The request was then
// repeated, under one Idempotency-Key, as often as the Client's Retry allows.
//
// A cursor also says which session of the key is meant: if that one has ended, the error is custerrors.KeyIsExpired. So without an error
// Next is never empty: a wait that brings nothing brings no cursor, either, and if after is empty, too, w is sent once more, without a
// wait, for the cursor. Reading on from Next never meets a session that the other role has opened because the server has lost this one.
func (s *Session) Exchange(ctx context.Context, w Write, after Cursor, wait time.Duration) (Batch, error) {
	if err := w.check(); err != nil {
		return Batch{Next: after}, err
	}
	body, err := encode(struct {
		TTL        int64    `json:"key_ttl,omitempty"` // seconds
		SDP        string   `json:"sdp,omitempty"`
		Candidates []string `json:"candidates,omitempty"`
	}{wholeSeconds(w.TTL), w.SDP, w.Candidates})
	if err != nil {
		return Batch{Next: after}, err
	}
	r := request{
		method: http.MethodPost, path: "/" + string(s.role) + "/messages", after: after, wait: wait,
		contentType: jsonType, body: body, opens: w.SDP != "" && s.role == Offer, idempotencyKey: rand.Text(),
	}
	b, err := s.batch(ctx, r)
	if NothingYet(err) {
		err = nil
		if after == "" {
			r.wait = 0
			b, err = s.batch(ctx, r)
		}
	}
	return b, err
}

func (w Write) check() error {
	if w.SDP != "" || len(w.Candidates) == 0 {
		if err := checkText(w.SDP); err != nil {
			return err
		}
	}
	return checkTexts(w.Candidates)
}

func (s *Session) batch(ctx context.Context, r request) (Batch, error) {
	data, err := s.do(ctx, r)
	if err != nil {
		return Batch{Next: r.after}, err
	}
	var b Batch
	if err := r.decode(data, &b); err != nil {
		return Batch{Next: r.after}, err
	}
	if err := b.check(r.after); err != nil {
		return Batch{Next: r.after}, r.failed(fmt.Errorf("%w: %w", ErrBrokenAnswer, err))
	}
	return b, nil
}

// check reports whether b can follow the cursor: nothing comes before the sdp, and there is a cursor to go on from.
func (b Batch) check(after Cursor) error {
	for i, m := range b.Messages {
		switch {
		case m.Kind != SDP && m.Kind != Candidate:
			return fmt.Errorf("a message of type %q", m.Kind)
		case m.Kind == SDP && i > 0:
			return errors.New("an sdp after another message")
		case m.Kind == Candidate && i == 0 && after == "":
			return errors.New("a candidate before its sdp")
		}
	}
	if len(b.Messages) > 0 && (b.Next == "" || b.Next == after) {
		return errors.New("messages without a cursor behind them")
	}
	return nil
}
