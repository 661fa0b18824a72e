package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"
)

const (
	// refreshEvery is how old fetched keys get. A key that its issuer withdraws stays good that long, and maxVerifiedAge more.
	refreshEvery = 5 * time.Minute
	// retryEvery is the time from a fetch that failed to the next try.
	retryEvery = 30 * time.Second
	// askEvery is the least time between two fetches that tokens cause, whatever keys they name: strangers can send tokens.
	askEvery = 10 * time.Second
)

// source returns the text of a JWK Set. Its error quotes no secret.
type source func(context.Context) ([]byte, error)

// refresher keeps the keys of a JWKSURL fresh. It owns one goroutine, from start to close.
type refresher struct {
	// set at construction
	fetch   source
	install func(keySet)
	log     *slog.Logger
	ctx     context.Context // ends at close
	cancel  context.CancelFunc

	asked chan struct{} // capacity 1, never closed
	done  chan struct{} // closed by the loop; nil before start

	// owned by open until start, and by the loop from then on
	fetched time.Time         // when the last fetch began
	digest  [sha256.Size]byte // of the set that is installed
	failing bool
}

// newRefresher returns a refresher. Its owner calls load, and then start.
func newRefresher(fetch source, install func(keySet), log *slog.Logger) *refresher {
	ctx, cancel := context.WithCancel(context.Background())
	return &refresher{
		fetch: fetch, install: install, log: log, ctx: ctx, cancel: cancel,
		asked: make(chan struct{}, 1),
	}
}

// load fetches the keys. It returns nil if the set is the same as the last time.
func (r *refresher) load(ctx context.Context) (keySet, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	r.fetched = time.Now()
	text, err := r.fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("JWKS URL: %w", err)
	}
	digest := sha256.Sum256(text)
	if digest == r.digest {
		return nil, nil
	}
	keys, err := parseKeySet(text, r.log)
	if err != nil {
		return nil, fmt.Errorf("JWKS URL: what it serves %w", err)
	}
	r.digest = digest
	return keys, nil
}

func (r *refresher) start() {
	r.done = make(chan struct{})
	go r.run()
}

func (r *refresher) run() {
	defer close(r.done)
	for r.sleep() {
		keys, err := r.load(r.ctx)
		if r.ctx.Err() != nil {
			return
		}
		if keys != nil {
			r.install(keys)
			r.log.Info("the JWKS has changed", "keys", len(keys))
		}
		r.tell(err)
	}
}

// tell logs the first of several failures in a row, and the success that ends them.
func (r *refresher) tell(err error) {
	switch {
	case err != nil && !r.failing:
		r.log.Error("the JWKS could not be fetched; the keys from before stay good", "error", err)
	case err == nil && r.failing:
		r.log.Info("the JWKS can be fetched again")
	}
	r.failing = err != nil
}

// sleep returns true when it is time to fetch, and false when it is time to stop.
func (r *refresher) sleep() bool {
	due := refreshEvery
	if r.failing {
		due = retryEvery
	}
	timer := time.NewTimer(time.Until(r.fetched.Add(due)))
	defer timer.Stop()
	select {
	case <-r.ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-r.asked:
	}
	timer.Reset(time.Until(r.fetched.Add(min(askEvery, due))))
	select {
	case <-r.ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// ask makes the loop fetch the keys soon: at once, or askEvery after the last fetch. It does not block.
func (r *refresher) ask() {
	select {
	case r.asked <- struct{}{}:
	default: // somebody has asked already
	}
}

// close ends the loop, and a fetch that is under way, and waits for it.
func (r *refresher) close() {
	r.cancel()
	<-r.done
}
