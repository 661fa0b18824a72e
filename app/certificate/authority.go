package certificate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"
)

// authority has certificates given out by an ACME authority, through autocert, which would do it in the handshake of whoever comes
// first, and hold up all others for minutes. Here a goroutine for each name does it, and strangers only get what is there:
//
//	Run ──▶ obtain, watch ──▶ autocert ──▶ authority
//	                             ▲
//	handshake ──▶ name known? ───┘ certificate there, or a challenge
type authority struct {
	// set at construction
	domains map[string]*domain // by name in ASCII
	manager *autocert.Manager
	log     *slog.Logger
}

// domain is a name to have a certificate for.
type domain struct {
	name  string        // in ASCII
	again chan struct{} // of capacity 1: an operator would have it tried again now
	ready atomic.Bool   // there is a certificate
}

// openAuthority makes the cache's directory and writes into it, so that it is not a certificate that finds out that it cannot be kept.
func openAuthority(config Config, log *slog.Logger) (Source, error) {
	probe, err := probe(config.Cache)
	if err != nil {
		return nil, fmt.Errorf("directory of certificates: %w", err)
	}
	os.Remove(probe)
	a := &authority{domains: make(map[string]*domain), log: log}
	for _, text := range config.Domains {
		name, _ := ascii(text) // Validate has tried it
		a.domains[name] = &domain{name: name, again: make(chan struct{}, 1)}
	}
	directory := config.Directory
	if directory == "" {
		directory = autocert.DefaultACMEDirectory
	}
	a.manager = &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(config.Cache),
		HostPolicy: a.admits,
		Email:      config.Email,
		Client:     &acme.Client{DirectoryURL: directory, HTTPClient: &http.Client{Timeout: requestFor}, UserAgent: "signal-server"},
	}
	return a, nil
}

// probe makes the directory, if there is none, and an empty file in it.
func probe(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil { // there will be keys in it
		return "", err
	}
	file, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return "", err
	}
	return file.Name(), file.Close()
}

// ascii returns the name as it stands in a certificate (RFC 5891). ok is false where an authority would refuse it.
func ascii(domain string) (name string, ok bool) {
	name, err := idna.Lookup.ToASCII(domain)
	_, noLengths := lengths.ToASCII(name)
	_, noAddress := netip.ParseAddr(name)
	ok = err == nil && noLengths == nil && noAddress != nil && strings.Contains(name, ".") && !strings.HasSuffix(name, ".")
	return name, ok
}

// lengths refuses what no name in the DNS can be: one with an empty label, a label of more than 63 bytes, or more than 253 in all
// (RFC 1035, Section 2.3.4). idna.Lookup looks up anything.
var lengths = idna.New(idna.VerifyDNSLength(true))

// of returns the domain of that name, which clients and authorities write as they like, or nil.
func (a *authority) of(name string) *domain {
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	return a.domains[strings.ToLower(strings.TrimSuffix(name, "."))]
}

func (a *authority) admits(_ context.Context, name string) error {
	if a.of(name) == nil {
		return errNotOurs
	}
	return nil
}

var (
	errNotOurs  = errors.New("the name is none that this server gets certificates for")
	errNotThere = errors.New("there is no certificate yet")
)

// Server implements Source.
func (a *authority) Server() *tls.Config { return server(a.certificate, acme.ALPNProto) }

// certificate returns the one for a client, or for an authority that asks by its handshake (RFC 8737, Section 3).
func (a *authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	d := a.of(hello.ServerName)
	switch {
	case d == nil:
		return nil, errNotOurs
	case len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto:
		return a.manager.GetCertificate(hello)
	case !d.ready.Load():
		return nil, errNotThere
	}
	return a.manager.GetCertificate(d.hello())
}

// hello is that of a client that can do all. Who cannot do ECDSA would have autocert get one more certificate, with RSA.
func (d *domain) hello() *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: d.name, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
}

// Challenges implements Source. That it is called has the authority asked for this challenge too, where the other one fails.
func (a *authority) Challenges() http.Handler { return a.manager.HTTPHandler(http.NotFoundHandler()) }

// Reload implements Source. A renewal that failed is autocert's to try again: it does so within the hour.
func (a *authority) Reload() error {
	for _, d := range a.domains {
		select {
		case d.again <- struct{}{}:
		default: // it was told already
		}
	}
	return nil
}

// Run implements Source. Renewals are on timers of autocert's own, which end with the process.
func (a *authority) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, d := range a.domains {
		running.Go(func() {
			a.obtain(ctx, d)
			a.watch(ctx, d)
		})
	}
	running.Wait()
}

const (
	requestFor = 30 * time.Second // for one answer of the authority; a certificate takes about ten

	// Between two tries. Let's Encrypt takes five failures an hour for a name, and autocert forgets one after a minute: asked
	// earlier it repeats it.
	firstPause = 2 * time.Minute
	leastPause = time.Minute + time.Second
	maxPause   = time.Hour
)

// obtain tries until there is a certificate.
func (a *authority) obtain(ctx context.Context, d *domain) {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, maxPause) {
		began := time.Now()
		certificate, err := a.get(ctx, d)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			d.ready.Store(true)
			a.log.Info("there is a certificate", "name", d.name, "until", certificate.Leaf.NotAfter, "took", time.Since(began))
			return
		}
		a.log.Error("no certificate was given out", "name", d.name, "error", err, "again in", pause)
		rest(ctx, d.again, pause)
	}
}

// get has autocert get a certificate, which it does without knowing ctx.
func (a *authority) get(ctx context.Context, d *domain) (*tls.Certificate, error) {
	type result struct {
		certificate *tls.Certificate
		err         error
	}
	done := make(chan result, 1)
	go func() { // ends within the five minutes that autocert takes, or with the process
		certificate, err := a.manager.GetCertificate(d.hello())
		done <- result{certificate, err}
	}()
	select {
	case r := <-done:
		return r.certificate, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// rest returns after the pause, earlier when it is to be tried again, and when ctx ends.
func rest(ctx context.Context, again <-chan struct{}, pause time.Duration) {
	least, whole := time.NewTimer(leastPause), time.NewTimer(pause)
	defer least.Stop()
	defer whole.Stop()
	select {
	case <-whole.C:
	case <-ctx.Done():
	case <-again:
		select {
		case <-least.C:
		case <-ctx.Done():
		}
	}
}

// watch warns while the certificate nears its end: autocert does not say that it cannot renew it.
func (a *authority) watch(ctx context.Context, d *domain) {
	tick := time.NewTicker(warnEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if certificate, err := a.get(ctx, d); err == nil {
			warnOfEnd(a.log, certificate.Leaf, time.Now())
		}
	}
}
