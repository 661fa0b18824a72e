package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"signal-server/client"
)

const (
	deliveryTimeout = time.Minute // of one delivery: a program may gather its own candidates before it answers
	deliveryTries   = 6           // in about one and a half seconds: longer than a program takes to get ready
)

var (
	// errGone says that the program that has the sdp no longer listens.
	errGone = errors.New("the local program is gone")
	// errUnwanted says that the program is up and does not take the sdp, so that it cannot take candidates either.
	errUnwanted = errors.New("the local program does not take the sdp")
	// errAbsent says that nothing was sent, because nobody accepts connections there.
	errAbsent = errors.New("the local program cannot be reached")
)

// courier delivers to the local program what the other side wrote.
type courier struct {
	// set at construction
	url    string // without path and slash
	client *http.Client
	log    *slog.Logger
}

func newCourier(forward string, log *slog.Logger) *courier {
	return &courier{
		url: "http://" + forward,
		client: &http.Client{
			Timeout: deliveryTimeout,
			Transport: &http.Transport{
				Proxy:             nil,  // the program is near; the environment's proxy is for far hosts
				DisableKeepAlives: true, // a kept connection may lead to a program that has been replaced
				DialContext:       (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		log: log,
	}
}

// deliver posts to the program what the script holds after its first n messages and what is added to it, one by one, the sdp first.
// It waits for a program that is not up yet, and calls delivered after each delivery. It returns nil when over is closed and all is
// delivered, otherwise the error of ctx, or errGone or errUnwanted if the rest cannot be delivered.
func (c *courier) deliver(ctx context.Context, s *script, n int, over <-chan struct{}, delivered func(client.Message),
) error {
	for {
		rest, grown := s.after(n)
		for _, m := range rest {
			if err := c.insist(ctx, m); err != nil {
				return err
			}
			n++
			delivered(m)
		}
		if len(rest) > 0 {
			continue
		}
		select {
		case <-grown:
		case <-over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// insist posts one message as often as it makes sense: an sdp without end while nobody listens, and a few times if the program does
// not take it. It skips a candidate that the program does not take. If nobody listens any more, it does not keep a candidate for the
// next program that listens there, because that program does not have its sdp.
func (c *courier) insist(ctx context.Context, m client.Message) error {
	var pace backoff
	told := false
	for tries := 0; ; {
		err := c.post(ctx, m)
		switch {
		case err == nil:
			if told {
				c.log.Info("the local program is up", "forward", c.url)
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errAbsent) && m.Kind == client.SDP:
			if !told {
				told = true
				c.log.Info("the local program is not up yet; trying until it is", "forward", c.url, "why", err)
			}
		case errors.Is(err, syscall.ECONNREFUSED):
			return errGone
		default:
			if tries++; tries == 1 {
				c.log.Warn("the local program does not take a message; trying again", "type", m.Kind, "why", err)
			}
			switch {
			case tries < deliveryTries:
			case m.Kind == client.SDP:
				return errUnwanted
			case errors.Is(err, errAbsent):
				return errGone
			default:
				c.log.Error("the local program does not take a candidate; skipping it", "why", err)
				return nil
			}
		}
		if err := pace.wait(ctx); err != nil {
			return err
		}
	}
}

// post makes one attempt. The payload is sent as the programs themselves send it.
func (c *courier) post(ctx context.Context, m client.Message) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/"+string(m.Kind), strings.NewReader(m.Data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := c.client.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return fmt.Errorf("%w: %w", errAbsent, op.Err)
		}
		return err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10)) // only out of politeness: the bridge does not need what the program says
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}
