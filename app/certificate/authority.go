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

// authority gets certificates from an ACME authority through autocert. By itself autocert would do so in the handshake of the first
// client, and hold up all others for minutes. Here a goroutine for each name does it, and clients only get what is there:
//
//	Run ──▶ obtain, watch ──▶ autocert ──▶ authority
//	                             ▲
//	handshake ──▶ name known? ───┘ certificate there, or a challenge
type authority struct {
	// set at construction
	domains map[string]*domain // by name in ASCII
	manager *autocert.Manager
	log     *slog.Logger

	resumption *resumption
}

// domain is a name to get a certificate for.
type domain struct {
	name  string        // in ASCII
	again chan struct{} // of capacity 1: an operator asks for another try now
	ready atomic.Bool   // there is a certificate

	clients clients
}

// openAuthority makes the cache's directory and writes into it. If nothing can be kept there, it says so now, and not only when the first
// certificate comes.
func openAuthority(config Config, r *resumption, log *slog.Logger) (Source, error) {
	probe, err := probe(config.Cache)
	if err != nil {
		return nil, fmt.Errorf("directory of certificates: %w", err)
	}
	os.Remove(probe)
	a := &authority{domains: make(map[string]*domain), resumption: r, log: log}
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

// ascii returns the name as it stands in a certificate (RFC 5891). ok is false if an authority would refuse it.
func ascii(domain string) (name string, ok bool) {
	name, err := idna.Lookup.ToASCII(domain)
	_, noLengths := lengths.ToASCII(name)
	_, noAddress := netip.ParseAddr(name)
	ok = err == nil && noLengths == nil && noAddress != nil && strings.Contains(name, ".") && !strings.HasSuffix(name, ".")
	return name, ok
}

// lengths refuses what cannot be a name in the DNS: one with an empty label, with a label of more than 63 bytes, or with more than 253
// in all (RFC 1035, Section 2.3.4). idna.Lookup does not check that.
var lengths = idna.New(idna.VerifyDNSLength(true))

// of returns the domain of that name, or nil. Clients and authorities write names in their own ways.
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
func (a *authority) Server() *tls.Config { return server(a.resumption, a.certificate, acme.ALPNProto) }

// certificate returns the certificate for a client, and the clients that get the same one; or that for an authority that asks by its handshake
// (RFC 8737, Section 3), which is never resumed.
func (a *authority) certificate(hello *tls.ClientHelloInfo) (certificate *tls.Certificate, same *clients, err error) {
	d := a.of(hello.ServerName)
	switch {
	case d == nil:
		return nil, nil, errNotOurs
	case len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto:
		certificate, err = a.manager.GetCertificate(hello)
		return certificate, nil, err
	case !d.ready.Load():
		return nil, nil, errNotThere
	}
	certificate, err = a.manager.GetCertificate(d.hello())
	return certificate, &d.clients, err
}

// hello returns the hello of a client that can do ECDSA. For a client that cannot, autocert would get a second certificate, with RSA.
func (d *domain) hello() *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: d.name, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
}

// Challenges implements Source. Once it has been called autocert tries this challenge too, where the other one fails.
func (a *authority) Challenges() http.Handler { return a.manager.HTTPHandler(http.NotFoundHandler()) }

// IsFor implements Source.
func (a *authority) IsFor(name string) bool { return a.of(name) != nil }

// Reload implements Source. As for certificates, it makes no difference to renewals: autocert itself tries a failed one again within the hour.
func (a *authority) Reload() error {
	if err := reloadAll(a.resumption); err != nil {
		return err
	}
	for _, d := range a.domains {
		select {
		case d.again <- struct{}{}:
		default: // somebody has asked already
		}
	}
	return nil
}

// Run implements Source. Renewals run on autocert's own timers, which end with the process.
func (a *authority) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { a.resumption.run(ctx) })
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

	// Pauses between two tries. Let's Encrypt takes five failures an hour for a name. autocert remembers a failure for a minute: if it is
	// asked earlier, it only returns that failure again.
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

// get gets a certificate from autocert, which does not know ctx, and returns early if ctx ends.
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

// rest returns after the pause. It returns earlier if somebody asks for another try, after leastPause then, or if ctx ends.
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

// watch logs a warning when the certificate nears its end: autocert does not say that it cannot renew a certificate.
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
