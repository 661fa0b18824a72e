// Package handshake makes handshakes by the Go client, as two applications would, and checks every payload. It knows nothing of how the
// server or what stands before it is treated meanwhile. (test/bench has handshakes of its own: they must cost less than a client does.)
package handshake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

// wait is how long each side of Meet waits for the other. Only a handshake that fails takes so long.
const wait = 20 * time.Second

// AlteredError says that a payload is not what the other side sent, or that it came twice.
type AlteredError string

func (e AlteredError) Error() string { return string(e) }

// write returns what a role writes: an sdp of about two kilobytes, and as many candidates.
func write(role client.Role, key string, candidates ...string) client.Write {
	return client.Write{SDP: strings.Repeat(string(role)+" of "+key+" ", 60), Candidates: candidates}
}

// two is one session with both of its peers.
type two struct {
	offerer, answerer *client.Session
	offer, answer     client.Write
}

func begin(c *client.Client, key string) (s two, err error) {
	s = two{offer: write(client.Offer, key, "o1", "o2"), answer: write(client.Answer, key, "a1")}
	if s.offerer, err = c.Session(key, client.Offer); err != nil {
		return s, err
	}
	s.answerer, err = c.Session(key, client.Answer)
	return s, err
}

// Meet runs both sides at once. Each waits for the other, so that three requests are enough. It returns the offerer's session, which
// still lives. Where the server has lost the session the error is a custerrors.KeyNotFound or KeyIsExpired, and a client would
// begin again.
func Meet(ctx context.Context, c *client.Client, key string) (*client.Session, error) {
	s, err := begin(c, key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var both sync.WaitGroup
	var errs [2]error
	side := func(i int, run func() error) {
		both.Go(func() {
			if errs[i] = run(); errs[i] != nil {
				cancel() // the other side has nobody to wait for
			}
		})
	}
	side(0, func() error {
		got, err := s.offerer.Exchange(ctx, s.offer, "", wait)
		return compare(got, err, s.answer)
	})
	side(1, func() error { // it waits before there is a session
		got, err := s.answerer.Messages(ctx, "", wait)
		if err := compare(got, err, s.offer); err != nil {
			return err
		}
		_, err = s.answerer.Exchange(ctx, s.answer, got.Next, 0)
		return err
	})
	both.Wait()
	return s.offerer, errors.Join(errs[:]...)
}

// InTurn makes three requests one after the other, none of which waits: what takes time is the server. It returns the offerer's
// session, which still lives.
func InTurn(ctx context.Context, c *client.Client, key string) (*client.Session, error) {
	s, err := begin(c, key)
	if err != nil {
		return nil, err
	}
	if _, err := s.offerer.Exchange(ctx, s.offer, "", 0); err != nil {
		return nil, err
	}
	got, err := s.answerer.Exchange(ctx, s.answer, "", 0)
	if err := compare(got, err, s.offer); err != nil {
		return nil, err
	}
	got, err = s.offerer.Messages(ctx, "", 0)
	return s.offerer, compare(got, err, s.answer)
}

// compare returns nil if the batch is what the other side wrote.
func compare(got client.Batch, err error, wrote client.Write) error {
	if err != nil {
		return err
	}
	if len(got.Messages) == 0 { // the wait was over, or the session has gone with the server
		return custerrors.KeyIsExpired
	}
	want := append([]string{wrote.SDP}, wrote.Candidates...)
	for i, m := range got.Messages {
		if i >= len(want) || m.Data != want[i] {
			return AlteredError(fmt.Sprintf("message %d of %d: got %.40q…", i, len(got.Messages), m.Data))
		}
	}
	if len(got.Messages) < len(want) {
		return fmt.Errorf("got %d messages, want %d", len(got.Messages), len(want))
	}
	return nil
}
