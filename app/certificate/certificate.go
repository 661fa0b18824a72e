// Package certificate provides the certificate by which a server proves its name over TLS, and the keys by which clients resume. The certificate
// comes from files, which are read again when they change, or from an ACME authority (RFC 8555), which renews it. The package knows nothing
// of what is spoken over TLS but the names of its protocols.
package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Source is where a certificate comes from. Its methods may be called concurrently.
type Source interface {
	// Server returns the configuration of a server that uses this Source's certificate: HTTP/1.1 over TLS 1.2 or newer, by suites that
	// encrypt and authenticate in one (AEAD) with keys that are forgotten. A new
	// certificate is used from the next handshake on, and nothing is resumed that began under the one before; open connections are not
	// touched. The caller owns the configuration.
	Server() *tls.Config

	// Challenges returns a handler for port 80, plain HTTP, where an authority asks whether the name is this server's (RFC 8555,
	// Section 8.3). It answers 404 to everything else. It is nil if no authority asks.
	Challenges() http.Handler

	// IsFor reports whether there is a certificate for that name, or will be one.
	IsFor(name string) bool

	// Reload reads the files again, or makes the Source soon try again what failed lately. If Reload fails nothing changes.
	Reload() error

	// Run keeps the certificate fresh until ctx ends. The caller calls it once, when the server listens.
	Run(ctx context.Context)
}

// Config says where the certificate comes from: from a file and its key, or from an authority. The zero Config means no TLS.
type Config struct {
	// CertFile has the certificate and those between it and a root, KeyFile its private key, both in PEM.
	CertFile string `name:"tls-cert" placeholder:"FILE" help:"Certificate with its chain, PEM: HTTPS."`
	KeyFile  string `name:"tls-key" secret:"" placeholder:"FILE" help:"Its private key, PEM."`

	// ResumptionSecretFile has the secrets that keys of TLS resumption are made of, as package secrets reads them; empty: the keys are random, and
	// good in this process only.
	ResumptionSecretFile string `name:"tls-resumption-secret-file" secret:"" placeholder:"FILE" help:"Secrets to resume TLS by, for many nodes."`

	// Domains are the names to get certificates for. Whoever sets them agrees to the authority's terms.
	Domains []string `name:"acme-domain" placeholder:"NAME" help:"Names to get certificates for by ACME; you accept the authority's terms."`

	// Cache is a directory for certificates, their keys and the account's key. It is made if need be. It must outlive the process:
	// an authority gives out only a few certificates a week for the same names.
	Cache string `name:"acme-cache" placeholder:"DIR" help:"Where those are kept."`

	// Email is where the authority may write to; empty: nowhere.
	Email string `name:"acme-email" placeholder:"ADDRESS" help:"Where the authority may write to."`

	// Directory is the URL of the authority's directory; empty: Let's Encrypt's.
	Directory string `name:"acme-directory" placeholder:"URL" help:"Another authority than Let's Encrypt."`
}

// Names returns Domains as browsers write them.
func (c *Config) Names() (names []string) {
	for _, domain := range c.Domains {
		if name, ok := ascii(domain); ok {
			names = append(names, strings.ToLower(name))
		}
	}
	return names
}

// Validate calls wrong for each mistake: with a pointer to the field, and with what is wrong in words that follow the field's name.
// An argument that points to another field stands for that field's name. Validate reads no file.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if (c.CertFile == "") != (c.KeyFile == "") {
		wrong(&c.CertFile, "and %v are needed both, or none", &c.KeyFile)
	}
	if c.ResumptionSecretFile != "" && c.CertFile == "" && len(c.Domains) == 0 {
		wrong(&c.ResumptionSecretFile, "is of no use without %v or %v", &c.CertFile, &c.Domains)
	}
	if (c.CertFile != "" || c.KeyFile != "") && len(c.Domains) > 0 {
		wrong(&c.CertFile, "and %v exclude each other", &c.Domains)
	}
	for _, domain := range c.Domains {
		if _, ok := ascii(domain); !ok {
			wrong(&c.Domains, "has %q, must be a full name such as signal.example.org", domain)
		}
	}
	if len(c.Domains) == 0 {
		for _, field := range []*string{&c.Cache, &c.Email, &c.Directory} {
			if *field != "" {
				wrong(field, "is of no use without %v", &c.Domains)
			}
		}
		return
	}
	if c.Cache == "" {
		wrong(&c.Cache, "is empty, must be a directory that is kept: a new certificate at each start would soon be refused")
	}
	if address, err := mail.ParseAddress(c.Email); c.Email != "" && (err != nil || address.Address != c.Email) {
		wrong(&c.Email, "is %q, must be an address of mail", c.Email)
	}
	if u, err := url.Parse(c.Directory); c.Directory != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		wrong(&c.Directory, "is %q, must be an https URL", c.Directory)
	}
}

// valid reports whether Validate finds nothing.
func (c *Config) valid() bool {
	ok := true
	c.Validate(func(any, string, ...any) { ok = false })
	return ok
}

// Open returns the source that the config names, or nil if it names none. It reads the files, and talks to no authority. Validate must have
// passed the config. The error lists all that is wrong with the files, one line each, without anything of a key.
func Open(config Config, log *slog.Logger) (Source, error) {
	if !config.valid() {
		return nil, errors.New("BUG: certificate.Open of a Config that Validate refuses")
	}
	if config.CertFile == "" && len(config.Domains) == 0 {
		return nil, nil
	}
	r, failed := openResumption(config.ResumptionSecretFile, log)
	var source Source
	var err error
	if config.CertFile != "" {
		source, err = openFiles(config.CertFile, config.KeyFile, r, log)
	} else {
		source, err = openAuthority(config, r, log)
	}
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	return source, nil
}

// server returns the configuration that all sources have, but for where the certificate comes from: get returns the one for a client, and
// the clients that get the same one; nil: those may not resume. Versions before 1.2 are out of use (RFC 8996). The server does not speak HTTP/2, and
// NextProtos tells that to a client which speaks nothing else.
func server(r *resumption, get func(*tls.ClientHelloInfo) (*tls.Certificate, *clients, error), more ...string) *tls.Config {
	base := &tls.Config{
		MinVersion:             tls.VersionTLS12,
		CipherSuites:           slices.Clone(suites),
		NextProtos:             append([]string{"http/1.1"}, more...),
		SessionTicketsDisabled: true,
	}
	whole := base.Clone()
	whole.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		certificate, same, err := get(hello)
		if err != nil {
			return nil, err
		}
		if same == nil {
			once := base.Clone()
			once.Certificates = []tls.Certificate{*certificate}
			return once, nil
		}
		return r.config(same, base, certificate), nil
	}
	return whole
}

// WithoutProtocols returns a configuration like c, as Source.Server returns it, for what is no HTTP: it asks for no protocol (ALPN, RFC 7301).
func WithoutProtocols(c *tls.Config) *tls.Config {
	bare := c.Clone()
	bare.NextProtos = nil
	bare.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		its, err := c.GetConfigForClient(hello)
		if err != nil {
			return nil, err
		}
		its = its.Clone()
		its.NextProtos = nil
		return its, nil
	}
	return bare
}

// suites are those of TLS 1.2; those of 1.3 are as good and not for choosing. Go's own choice has ones with CBC too, which were broken again and
// again (RFC 9325, Section 4.2).
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// warnOfEnd logs a certificate that has ended, or whose end is so near that it should have been renewed: programs renew a certificate
// when a third of its time is left, 30 days at the most.
func warnOfEnd(log *slog.Logger, leaf *x509.Certificate, now time.Time) {
	left := leaf.NotAfter.Sub(now)
	renewed := min(leaf.NotAfter.Sub(leaf.NotBefore)/3, 30*24*time.Hour)
	switch {
	case now.Before(leaf.NotBefore):
		log.Warn("the certificate is not valid yet", "from", leaf.NotBefore, "names", leaf.DNSNames)
	case left <= 0:
		log.Warn("the certificate has expired", "at", leaf.NotAfter, "names", leaf.DNSNames)
	case left < renewed/2:
		log.Warn("the certificate expires soon, and was not renewed", "at", leaf.NotAfter, "names", leaf.DNSNames)
	}
}

// warnEvery is the time between two warnings of a certificate's end. It is short enough for one that is valid for six days.
const warnEvery = 6 * time.Hour
