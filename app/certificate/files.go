package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// files is a certificate and its key in two files.
type files struct {
	// set at construction
	cert, key string // paths
	log       *slog.Logger

	// atomic
	current atomic.Pointer[tls.Certificate]

	mu sync.Mutex
	// guarded by mu
	installed pair // current was made of it
}

// pair is what two files hold.
type pair struct{ cert, key []byte }

func (p pair) equal(o pair) bool { return bytes.Equal(p.cert, o.cert) && bytes.Equal(p.key, o.key) }

// openFiles reads the files.
func openFiles(cert, key string, log *slog.Logger) (Source, error) {
	f := &files{cert: cert, key: key, log: log}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	warnOfEnd(log, f.current.Load().Leaf, time.Now())
	return f, nil
}

// Server implements Source.
func (f *files) Server() *tls.Config {
	return server(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current.Load(), nil })
}

// Challenges implements Source.
func (f *files) Challenges() http.Handler { return nil }

// Reload implements Source.
func (f *files) Reload() error {
	p, err := f.read()
	if err != nil {
		return err
	}
	return f.install(p)
}

func (f *files) read() (p pair, err error) {
	var errs [2]error
	p.cert, errs[0] = readBounded("certificate", f.cert)
	p.key, errs[1] = readBounded("private key", f.key)
	return p, errors.Join(errs[:]...)
}

// maxFile bounds a file, in bytes: a chain of three certificates with RSA keys has about 6 KiB.
const maxFile = 1 << 20

func readBounded(what, path string) ([]byte, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s: %s has more than %d bytes", what, path, maxFile)
	}
	return content, nil
}

// install makes the pair the one that the next handshake uses.
func (f *files) install(p pair) error {
	certificate, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		return fmt.Errorf("certificate %s and private key %s: %w", f.cert, f.key, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.installed = p
	f.current.Store(&certificate)
	return nil
}

func (f *files) isInstalled(p pair) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.installed.equal(p)
}

// lookEvery is the time between two looks at the files. A look reads a few KiB. It compares what the files hold, not their times: copies
// keep times, and Kubernetes swaps links.
const lookEvery = 2 * time.Second

// Run implements Source. It takes a new pair when two looks have found the same: nobody writes the two files of a pair at the same
// moment. It logs once what is wrong with a pair.
func (f *files) Run(ctx context.Context) {
	look, warn := time.NewTicker(lookEvery), time.NewTicker(warnEvery)
	defer look.Stop()
	defer warn.Stop()
	var seen looked
	for {
		select {
		case <-ctx.Done():
			return
		case <-warn.C:
			warnOfEnd(f.log, f.current.Load().Leaf, time.Now())
		case <-look.C:
			seen = f.look(seen)
		}
	}
}

// looked is what a look at the files has found.
type looked struct {
	other   bool // the files are not what is installed
	pair    pair
	unread  string // why the files could not be read, or ""
	settled bool   // the look before found the same, and the log says what is wrong with it
}

// look compares the files with what is installed, and with what the look before found.
func (f *files) look(before looked) looked {
	p, err := f.read()
	now := looked{other: true, pair: p}
	if err != nil {
		now = looked{other: true, unread: err.Error()}
	} else if f.isInstalled(p) {
		return looked{}
	}
	if !before.other || now.unread != before.unread || !now.pair.equal(before.pair) {
		return now
	}
	if now.settled = true; before.settled {
		return now
	}
	if err == nil {
		err = f.install(p)
	}
	if err != nil {
		f.log.Error("the new certificate is not taken: the one before goes on", "error", err)
		return now
	}
	leaf := f.current.Load().Leaf
	f.log.Info("a new certificate is in use", "names", leaf.DNSNames, "until", leaf.NotAfter)
	warnOfEnd(f.log, leaf, time.Now())
	return looked{}
}
