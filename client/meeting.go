package client

import (
	"context"
)

// Meeting is the session of a key for peers that have not agreed who offers: whoever comes first does, and the second answers. It holds
// no connection. It is safe for concurrent use. Client.Meeting makes one.
//
//	first    GET /answer/messages ── KeyNotFound ──▶ offers
//	second   GET /answer/messages ── the offer ────▶ answers
//
// The question is the answerer's, because a server may take one who tries to open a session that is open already for one who guesses keys.
type Meeting struct {
	// set at construction
	offer, answer *Session
}

// Meeting returns the meeting at that key, without asking the server. Its errors are those of Client.Session.
func (c *Client) Meeting(key string) (*Meeting, error) {
	offer, err := c.Session(key, Offer)
	if err != nil {
		return nil, err
	}
	answer, err := c.Session(key, Answer)
	if err != nil {
		return nil, err
	}
	answer.joined = true
	return &Meeting{offer, answer}, nil
}

// Join returns the Session of the role that is free: the answerer's if a session of the key is open, otherwise the offerer's. If the open
// session has an answerer already (--role-tickets), it waits until that session is over or ctx ends.
//
// Call Join again when the session is over, and when the offerer is told custerrors.SdpAlreadyExist: then both have come at once, and the
// other one offers. (The offerer's own repetitions are not told so: they carry its Idempotency-Key.) The Sessions are the same each
// time, and keep their tickets. The answerer's Inbox does not wait for a next session.
func (m *Meeting) Join(ctx context.Context) (*Session, error) {
	for taken := (patience{}); ; {
		_, err := m.answer.Messages(ctx, "", 0)
		switch {
		case err == nil, NothingYet(err):
			return m.answer, nil
		case isOver(err):
			return m.offer, nil
		case ctx.Err() != nil || !taken.covers(ctx, m.answer, err):
			return nil, err
		}
		if !taken.sleep(ctx) {
			<-ctx.Done()
			return nil, because(ctx.Err(), err)
		}
	}
}
