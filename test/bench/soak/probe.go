package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"sync"
	"time"

	"signal-server/client"
	"signal-server/test/handshake"
)

// probe makes handshakes, one after the other, and measures how long each takes. No request waits for the other side, so all the time is
// the server's.
type probe struct {
	// set at construction
	client *client.Client
	http   *http.Transport

	mu sync.Mutex
	// guarded by mu
	took  []time.Duration // since the last take
	total int
}

// pace is how often a handshake is made.
const pace = 50 * time.Millisecond

func newProbe(url string) (*probe, error) {
	transport := &http.Transport{}
	c, err := client.New(url, client.WithHTTPClient(&http.Client{Transport: transport}))
	return &probe{client: c, http: transport}, err
}

// warm makes enough handshakes to fill the server's buffers and pools, and hangs up.
func (p *probe) warm(ctx context.Context) error {
	defer p.http.CloseIdleConnections()
	for range 200 {
		if err := p.handshake(ctx); err != nil {
			return err
		}
	}
	return nil
}

// run makes handshakes until ctx ends, or one fails, and hangs up.
func (p *probe) run(ctx context.Context) error {
	defer p.http.CloseIdleConnections()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		begun := time.Now()
		if err := p.handshake(ctx); err != nil {
			return fmt.Errorf("a handshake beside the load: %w", err)
		}
		p.mu.Lock()
		p.took = append(p.took, time.Since(begun))
		p.total++
		p.mu.Unlock()
	}
}

// take returns the times since the last take.
func (p *probe) take() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := p.took
	p.took = nil
	return took
}

// handshake is four requests: both peers write and read, and the session ends.
func (p *probe) handshake(ctx context.Context) error {
	session, err := handshake.InTurn(ctx, p.client, rand.Text())
	if err != nil {
		return err
	}
	return session.End(ctx)
}
