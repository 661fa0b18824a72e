package certificate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// files is a certificate and its key in two files.
type files struct {
	// set at construction
	pair       followed[pair, tls.Certificate]
	resumption *resumption
	log        *slog.Logger

	clients clients // all get the same certificate
}

// pair is what two files hold.
type pair struct{ cert, key string }

// openFiles reads the files.
func openFiles(cert, key string, r *resumption, log *slog.Logger) (Source, error) {
	f := &files{resumption: r, log: log}
	f.pair.read = func() (p pair, err error) {
		var errs [2]error
		p.cert, errs[0] = readBounded("certificate", cert)
		p.key, errs[1] = readBounded("private key", key)
		return p, errors.Join(errs[:]...)
	}
	f.pair.parse = func(p pair) (*tls.Certificate, error) {
		certificate, err := tls.X509KeyPair([]byte(p.cert), []byte(p.key))
		if err != nil {
			return nil, fmt.Errorf("certificate %s and private key %s: %w", cert, key, err)
		}
		return &certificate, nil
	}
	if err := f.pair.open(); err != nil {
		return nil, err
	}
	warnOfEnd(log, f.pair.current.Load().Leaf, time.Now())
	return f, nil
}

// Server implements Source.
func (f *files) Server() *tls.Config {
	return server(f.resumption, func(*tls.ClientHelloInfo) (*tls.Certificate, *clients, error) {
		return f.pair.current.Load(), &f.clients, nil
	})
}

// Challenges implements Source.
func (f *files) Challenges() http.Handler { return nil }

// IsFor implements Source.
func (f *files) IsFor(name string) bool {
	return f.pair.current.Load().Leaf.VerifyHostname(name) == nil
}

// Reload implements Source.
func (f *files) Reload() error { return reloadAll(&f.pair, f.resumption) }

// Run implements Source. It logs once what is wrong with a pair.
func (f *files) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { f.resumption.run(ctx) })
	defer running.Wait()
	look, warn := time.NewTicker(lookEvery), time.NewTicker(warnEvery)
	defer look.Stop()
	defer warn.Stop()
	var seen looked[pair]
	for {
		select {
		case <-ctx.Done():
			return
		case <-warn.C:
			warnOfEnd(f.log, f.pair.current.Load().Leaf, time.Now())
		case <-look.C:
			seen = f.look(seen)
		}
	}
}

// look takes a new pair, and logs what comes of it.
func (f *files) look(before looked[pair]) looked[pair] {
	now, taken, err := f.pair.look(before)
	switch {
	case err != nil:
		f.log.Error("the new certificate is not taken: the one before goes on", "error", err)
	case taken:
		leaf := f.pair.current.Load().Leaf
		f.log.Info("a new certificate is in use", "names", leaf.DNSNames, "until", leaf.NotAfter)
		warnOfEnd(f.log, leaf, time.Now())
	}
	return now
}
